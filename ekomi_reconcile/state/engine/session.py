"""One connection to the state: transactions, snapshots, dialects."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from sqlalchemy import Connection, CursorResult, Executable, Table, select

from ekomi_reconcile.model.errors import StateDamaged, StateError
from ekomi_reconcile.state.engine.lock import Lock
from ekomi_reconcile.state.engine.mark import Marker
from ekomi_reconcile.state.engine.tables import account

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
        """Is it better to make an index anew than to keep it while so many rows are inserted?"""

    def learn(self, connection: Connection, table: Table) -> None:
        """Let the database look at a table that has become another, so that it searches it well."""

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


class Session:
    """The base of all parts of the store. It may be used by one thread at a time.

    Reading outside a transaction sees one snapshot, from the first read until ``refresh``, the next
    transaction or the end.
    """

    def __init__(self, connection: Connection, dialect: Dialect, *, writable: bool) -> None:
        self._connection = connection
        self._dialect = dialect
        self._writable = writable
        self._writing = False
        self._lock: Lock | None = None
        self._marker: Marker | None = None
        self._journaled = False
        self._interface_ids: dict[int, str] = _Names(self._read_accounts)
        self._live_accounts: dict[str, int] = {}

    def guard_by(self, lock: Lock) -> None:
        """From now on every transaction makes sure that this writer lock is still held."""
        self._lock = lock

    def keep_mark(self, marker: Marker) -> None:
        """From now on every transaction is noted by this marker."""
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
        self._connection.rollback()
        self._dialect.begin_writing(self._connection)
        committed = False
        try:
            with self._connection.begin():
                if self._lock is not None:
                    self._lock.fence(self._connection)
                self._writing = True
                yield
                if self._marker is not None:
                    self._marker.before_commit(self._connection, journaled=self._journaled)
            committed = True
            if self._marker is not None:
                self._marker.committed()
        finally:
            self._writing = self._journaled = False
            self._dialect.begin_reading(self._connection)
            if not committed:
                self._forget_accounts()

    def _commit_durably(self) -> None:
        """Let the open transaction survive the loss of the server, as far as the server is set up for it.

        A file always commits in this way.
        """

    @contextmanager
    def joining(self) -> Iterator[None]:
        """Everything written inside belongs to the transaction that the caller has opened and will end."""
        self._writing = True
        try:
            yield
        finally:
            self._writing = False
            self._forget_accounts()

    def refresh(self) -> None:
        """End the snapshot: the next read sees what is committed by then."""
        if not self._writing:
            self._connection.rollback()
            self._forget_accounts()

    @contextmanager
    def _joined(self) -> Iterator[None]:
        """Write within the open transaction, or within one of its own."""
        if self._writing:
            yield
        else:
            with self.transaction():
                yield

    def _execute(self, statement: Executable, parameters: Any = None) -> CursorResult[Any]:
        return self._connection.execute(statement, parameters)

    def _rows(self, statement: Executable, parameters: Any = None) -> Sequence[Any]:
        return self._connection.execute(statement, parameters).all()

    def _insert_rows(self, table: Table, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> int:
        """Insert many rows at the speed of the driver; how many met no unique index."""
        return sum(
            self._dialect.insert_rows(self._connection, table, columns, chunk)
            for chunk in chunks(rows, self._dialect.rows_per_insert)
        )

    def _account_ids(self) -> dict[str, int]:
        """The ids of live accounts by interface id."""
        self._load_accounts()
        return self._live_accounts

    def _names(self) -> dict[int, str]:
        """The interface ids of all accounts by id, of deleted ones too."""
        self._load_accounts()
        return self._interface_ids

    def _account_id(self, interface_id: str) -> int:
        found = self._account_ids().get(interface_id)
        if found is None:
            raise StateError(f"the state has no account with interface id {interface_id}")
        return found

    def _any_account_ids(self, interface_ids: Iterable[str]) -> list[int]:
        """The ids of these accounts, of deleted ones too, in a stable order; unknown ones are left out."""
        wanted = frozenset(interface_ids)
        return sorted(key for key, interface_id in self._names().items() if interface_id in wanted)

    def _load_accounts(self) -> None:
        if not self._interface_ids:
            self._read_accounts()

    def _read_accounts(self) -> None:
        self._forget_accounts()
        for row in self._rows(select(account.c.id, account.c.interface_id, account.c.deleted_at)):
            self._interface_ids[row.id] = row.interface_id
            if row.deleted_at is None:
                self._live_accounts[row.interface_id] = row.id

    def _forget_accounts(self) -> None:
        self._interface_ids.clear()
        self._live_accounts.clear()


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
                mend="list all damage: ekomi-reconcile state check; then restore a copy: "
                "ekomi-reconcile state restore FILE",
            )
        return known[key]


def chunks(items: Iterable[T], size: int = IDS_PER_QUERY) -> Iterator[list[T]]:
    """The items in lists of at most ``size``."""
    rest = iter(items)
    while chunk := list(islice(rest, size)):
        yield chunk
