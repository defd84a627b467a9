"""One connection to the state: transactions, snapshots, dialects."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from sqlalchemy import Connection, CursorResult, Executable, Index, Table, select

from ekomi_reconcile.model.errors import StateDamaged, StateError
from ekomi_reconcile.model.instant import Instant
from ekomi_reconcile.state.engine.location import Location
from ekomi_reconcile.state.engine.lock import Lock
from ekomi_reconcile.state.engine.mark import Marker
from ekomi_reconcile.state.engine.tables import account, meta

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql, sqlite


class Dialect(Protocol):
    """One kind of database.

    ``rows_per_insert`` is how many rows ``insert_rows`` may take at most.
    """

    rows_per_insert: int

    def begin_writing(self, connection: Connection) -> None:
        """Let the next transaction of this connection be one that writes."""

    def begin_reading(self, connection: Connection) -> None:
        """Let the next transaction of this connection be a snapshot."""

    def insert(self, table: Table) -> sqlite.Insert | postgresql.Insert:
        """An insert that knows ``on_conflict_do_update`` and ``on_conflict_do_nothing``."""

    def insert_rows(
        self, connection: Connection, table: Table, columns: Sequence[str], rows: Sequence[Sequence[Any]]
    ) -> int:
        """Insert rows at once, without those that break a unique index; how many there were."""

    def drops_index(self, *, new: int, existing: int) -> bool:
        """Is it faster to rebuild an index than to keep it while this number of rows is inserted?"""

    def has_index(self, connection: Connection, index: Index) -> bool:
        """Is this index there, which ``drops_index`` may have let somebody drop?"""

    def learn(self, connection: Connection, table: Table) -> None:
        """Let the database look at a table that has become another, so that it searches it well."""

    def commit_durably(self, connection: Connection) -> None:
        """Let the open transaction survive the loss of the server, as far as the server is set up for it.

        A file always commits in this way.
        """

    def check(self, connection: Connection) -> list[str]:
        """What is wrong with the database, in words; empty if it is sound."""

    def undecodable(self, connection: Connection, table: Table) -> list[tuple[str, Sequence[Any]]]:
        """Texts of a table that are not UTF-8: the column, and the key of the row."""

    def copy(self, connection: Connection, target: Path) -> None:
        """Write a consistent copy of the whole database into an existing file."""


IDS_PER_QUERY = 500
"""How many keys one ``IN`` list holds."""

ROWS_PER_PAGE = 1_000
"""How many rows a stream holds at a time."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Memory:
    """What a living process knows to be committed: which state, its last journal entry, its last claim.

    ``journal`` is the number of the entry and when it was made, ``claim`` the invitation and when it was
    claimed.
    """

    lineage: str | None = None
    journal: tuple[int, Instant] | None = None
    claim: tuple[int, Instant] | None = None

    def followed_by(self, later: Memory) -> Memory:
        """The memory with what came later."""
        return Memory(
            lineage=later.lineage or self.lineage,
            journal=later.journal or self.journal,
            claim=later.claim or self.claim,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CurrentRun:
    """The run that this process carries out: the journal entry with which it began, commit and saved plan."""

    number: int
    commit: str | None
    plan_digest: str | None


class Session:
    """One connection to a state, which its repositories share. It may be used by one thread at a time.

    Reading outside a transaction uses one snapshot, from the first read until ``refresh``, the next
    transaction or the end. ``memory`` is what this session knows to be committed, ``run`` what its changes
    are recorded with.
    """

    def __init__(
        self, connection: Connection, dialect: Dialect, *, location: Location, writable: bool
    ) -> None:
        self.connection = connection
        self.dialect = dialect
        self.location = location
        self.memory = Memory()
        self.run: CurrentRun | None = None
        self.account_keys = AccountKeys(self)
        self._writable = writable
        self._writing = False
        self._lock: Lock | None = None
        self._marker: Marker | None = None
        self._journaled = False
        self._meta: Mapping[str, str] | None = None

    def guard_by(self, lock: Lock) -> None:
        """Let every transaction check that this writer lock is still held."""
        self._lock = lock

    def keep_mark(self, marker: Marker) -> None:
        """Let this marker record every transaction."""
        self._marker = marker

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Everything written inside is committed at its end, or not at all.

        Raises:
            StateError: the state was opened for reading, or it cannot be written.
            StateLocked: the writer lock was lost.
        """
        if self._writing:
            raise RuntimeError("a transaction is open already")
        if not self._writable:
            raise StateError("this state was opened for reading only")
        self._end_snapshot()
        self.dialect.begin_writing(self.connection)
        committed = False
        try:
            with self.connection.begin():
                if self._lock is not None:
                    self._lock.fence(self.connection)
                self._writing = True
                yield
                if self._marker is not None:
                    self._marker.before_commit(self.connection, journaled=self._journaled)
            committed = True
            if self._marker is not None:
                self._marker.committed()
        finally:
            self._writing = self._journaled = False
            self.dialect.begin_reading(self.connection)
            if not committed:
                self.account_keys.forget()

    @contextmanager
    def joining(self) -> Iterator[None]:
        """Everything written inside belongs to the transaction that the caller has opened and will end."""
        self._writing = True
        try:
            yield
        finally:
            self._writing = False
            self._meta = None
            self.account_keys.forget()

    @contextmanager
    def joined(self) -> Iterator[None]:
        """Write within the open transaction, or within one of its own."""
        if self._writing:
            yield
        else:
            with self.transaction():
                yield

    def refresh(self) -> None:
        """End the snapshot: the next read uses what is committed by then."""
        if not self._writing:
            self._end_snapshot()
            self.account_keys.forget()

    def close(self) -> None:
        """Bring the mark up to date, and close the connection.

        Raises:
            StateError: the mark cannot be written.
        """
        try:
            self.leave_mark()
        finally:
            self.connection.close()

    def leave_mark(self) -> None:
        """Bring the mark up to date; it is not written again.

        Raises:
            StateError: it cannot be written.
        """
        marker, self._marker = self._marker, None
        if marker is not None:
            self._end_snapshot()
            marker.close(self.connection)

    def loss_reread(self) -> None:
        """Note that the orders of the time that the state has lost, if it has, were read again."""
        if self._marker is not None:
            self._marker.reread()

    def commit_durably(self) -> None:
        """Let the open transaction survive the loss of the server, as far as the server is set up for it."""
        self.dialect.commit_durably(self.connection)

    @property
    def run_id(self) -> int | None:
        """The number of the run under way."""
        return None if self.run is None else self.run.number

    @property
    def writing(self) -> bool:
        """Is a transaction open that writes?"""
        return self._writing

    def note_journal(self) -> None:
        """Let the mark follow soon: the open transaction writes to the journal."""
        self._journaled = True

    def reconnect(self) -> None:
        """Let the next statement open a new connection."""
        self.connection.invalidate()
        self._meta = None

    def execute(self, statement: Executable, parameters: Any = None) -> CursorResult[Any]:
        """Execute one statement, once or for each of several parameters."""
        return self.connection.execute(statement, parameters)

    def rows(self, statement: Executable, parameters: Any = None) -> Sequence[Any]:
        """All rows that this statement finds."""
        return self.connection.execute(statement, parameters).all()

    def stream(self, statement: Executable) -> CursorResult[Any]:
        """The rows that this statement finds, a page at a time; read to the end before anything else."""
        return self.connection.execute(statement, execution_options={"yield_per": ROWS_PER_PAGE})

    def insert_rows(self, table: Table, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> int:
        """Insert many rows at the speed of the driver; how many met no unique index."""
        return sum(
            self.dialect.insert_rows(self.connection, table, columns, chunk)
            for chunk in chunks(rows, self.dialect.rows_per_insert)
        )

    def meta_values(self) -> Mapping[str, str]:
        """The keys and values of the table ``meta``, read once per snapshot."""
        if self._writing:
            return read_meta(self.connection)
        if self._meta is None:
            self._meta = read_meta(self.connection)
        return self._meta

    def _end_snapshot(self) -> None:
        self.connection.rollback()
        self._meta = None


class AccountKeys:
    """The ids of accounts and their interface ids, as the session has read them."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._interface_ids: dict[int, str] = _Names(self._read)
        self._live: dict[str, int] = {}

    def live(self) -> dict[str, int]:
        """The ids of live accounts by interface id."""
        self._load()
        return self._live

    def names(self) -> dict[int, str]:
        """The interface ids of all accounts by id, of deleted ones too."""
        self._load()
        return self._interface_ids

    def of(self, interface_id: str) -> int:
        """The id of a live account.

        Raises:
            StateError: there is no such live account.
        """
        found = self.live().get(interface_id)
        if found is None:
            raise StateError(f"the state has no account with interface id {interface_id}")
        return found

    def any_of(self, interface_ids: Iterable[str]) -> list[int]:
        """The ids of these accounts, of deleted ones too, in a stable order; unknown ones are left out."""
        wanted = frozenset(interface_ids)
        return sorted(key for key, interface_id in self.names().items() if interface_id in wanted)

    def forget(self) -> None:
        """Read them again when they are needed next."""
        self._interface_ids.clear()
        self._live.clear()

    def _load(self) -> None:
        if not self._interface_ids:
            self._read()

    def _read(self) -> None:
        self.forget()
        for row in self._session.rows(select(account.c.id, account.c.interface_id, account.c.deleted_at)):
            self._interface_ids[row.id] = row.interface_id
            if row.deleted_at is None:
                self._live[row.interface_id] = row.id


class Repository:
    """What one subject of the state needs of its session."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._keys = session.account_keys


class _Names(dict[int, str]):
    """Names by key, read again where another process has made an account meanwhile."""

    def __init__(self, read: Callable[[], None]) -> None:
        super().__init__()
        self._read = read

    def __missing__(self, key: int) -> str:
        self._read()
        known = dict(self)
        if key not in known:
            raise StateDamaged(
                f"the state refers to an account with id {key}, which it does not have",
                hint="list all damage: ekomi-reconcile state check; then restore a backup: "
                "ekomi-reconcile state restore FILE",
            )
        return known[key]


def chunks(items: Iterable[T], size: int = IDS_PER_QUERY) -> Iterator[list[T]]:
    """The items in lists of at most ``size``."""
    rest = iter(items)
    while chunk := list(islice(rest, size)):
        yield chunk


def read_meta(connection: Connection) -> dict[str, str]:
    """The keys and values of the table ``meta``."""
    return {row.key: row.value for row in connection.execute(select(meta))}
