"""A file state as a plan reads it, with the driver alone.

Importing the SQL toolkit takes longer than reading everything that a plan without changes needs. Once the
queue is asked for, the whole store goes on over the same connection: it sees the same snapshot.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from ekomi_reconcile.model.account import AccountRecord, PositionRecord
from ekomi_reconcile.model.instant import Instant
from ekomi_reconcile.model.invitation import Invitation, Observation, Status
from ekomi_reconcile.model.order import OrderId
from ekomi_reconcile.model.state import Meta
from ekomi_reconcile.state.engine import sqlite_driver
from ekomi_reconcile.state.engine.described import FORMAT_VERSION, KEY_CHECK, parse_addresses, parse_meta
from ekomi_reconcile.state.engine.key import proven_key, read_key
from ekomi_reconcile.state.engine.location import FileLocation, locate
from ekomi_reconcile.state.engine.mark import AS_RECORDED, Mark, read_mark
from ekomi_reconcile.state.records import ACCOUNT_COLUMNS, to_account

if TYPE_CHECKING:
    from ekomi_reconcile.state.store import State


_ACCOUNTS = f"""
    SELECT {", ".join(ACCOUNT_COLUMNS)} FROM account WHERE ? OR deleted_at IS NULL ORDER BY id
"""  # noqa: S608 - names of our own columns
_POSITIONS = f"""
    SELECT interface_id, {", ".join(PositionRecord.__struct_fields__)}
    FROM position JOIN account ON account.id = account_id WHERE deleted_at IS NULL ORDER BY account_id
"""  # noqa: S608 - names of our own columns
_UNKNOWN = """
    SELECT coalesce(sum(
        (SELECT count(*) FROM invitation WHERE account_id = account.id AND status = 'unknown')
    ), 0) FROM account
"""
_SENDING = "SELECT 1 FROM invitation WHERE status = 'sending' LIMIT 1"
_NEXT_SOURCE = "SELECT min(source) FROM invitation WHERE source > ?"
_LAST_RUN = "SELECT at FROM journal WHERE action = 'apply' ORDER BY id DESC LIMIT 1"
_IN_USE = "SELECT 1 FROM account UNION ALL SELECT 1 FROM journal LIMIT 1"
_DUE = "SELECT 1 FROM invitation WHERE status = 'pending' AND scheduled_at <= ? LIMIT 1"


def glance(location: str, *, root: Path, key: bytes | None = None) -> Glance | State:
    """The state at a path or URL, for planning; a ``Glance`` where that is enough.

    Raises:
        StateMissing: there is none.
        StateLost: there was one.
        StateDamaged: it is damaged, of another program, or of another format.
        StateError: it cannot be opened.
    """
    place = locate(location, root=root)
    if isinstance(place, FileLocation) and place.path.is_file():
        mark = read_mark(place)
        sqlite_driver.check_header(place.path)
        key = key or read_key(place.key)
        with ExitStack() as stack:
            seen = stack.enter_context(Glance(place, sqlite_driver.connect_reader(place.path), key=key))
            if seen.usual and not seen.behind(mark):
                stack.pop_all()
                return seen
    # open_state raises the precise error.
    from ekomi_reconcile.state.engine.opening import Mode, open_state

    return open_state(location, root=root, mode=Mode.READ, key=key)


class Glance:
    """What every plan reads of a file state, in one snapshot. Errors of the database are ``StateError``."""

    def __init__(self, place: FileLocation, connection: sqlite3.Connection, *, key: bytes | None) -> None:
        self._place = place
        self._connection = connection
        self._key = key
        self._rows("BEGIN")

    @property
    def usual(self) -> bool:
        """Is it a state of the present format that is in use?"""
        ours = self._rows("PRAGMA application_id") == [(sqlite_driver.APPLICATION_ID,)]
        return (
            ours
            and self._described.get("format_version") == str(FORMAT_VERSION)
            and (self._described.get("serial") != "0" or bool(self._rows(_IN_USE)))
        )

    def behind(self, mark: Mark | None) -> bool:
        """Has it lost something that its mark, read before it, knows of?"""
        return mark is not None and mark.ahead_of(Mark(*self._rows(AS_RECORDED)[0]))

    @property
    def meta(self) -> Meta:
        """The state's own data; raises like that of the store."""
        return parse_meta(self._described)

    def addresses(self) -> Mapping[str, str]:
        """The remote addresses that the last run used, by their keys in the project file."""
        return parse_addresses(self._described)

    def require_key(self) -> bytes:
        """The key that the digests were certainly made with; raises like that of the store."""
        return proven_key(self._key, self._described.get(KEY_CHECK))

    def accounts(self, *, include_deleted: bool = False) -> Sequence[AccountRecord]:
        """The accounts in the order of their ids; tombstones only on request."""
        return [to_account(row) for row in self._rows(_ACCOUNTS, (include_deleted,))]

    def positions(self) -> Mapping[str, PositionRecord]:
        """The positions of live accounts by interface id."""
        return {key: PositionRecord(*row) for key, *row in self._rows(_POSITIONS)}

    def in_doubt(self, *, now: Instant) -> int:
        """How many rows may have been sent, while nobody alive is sending them."""
        if self._rows(_SENDING):
            return self._store.in_doubt(now=now)
        ((unknown,),) = self._rows(_UNKNOWN)
        return int(unknown)

    def rows_for(self, source: str, order_ids: Sequence[OrderId]) -> Mapping[OrderId, Sequence[Invitation]]:
        """All rows of these orders, of whatever account."""
        return self._store.rows_for(source, order_ids) if order_ids else {}

    def rows_numbered(self, numbers: Collection[str]) -> Mapping[str, Sequence[Invitation]]:
        """The rows that are not cancelled of orders with these numbers, of whatever account and source."""
        return self._store.rows_numbered(numbers) if numbers else {}

    def last_run_at(self) -> Instant | None:
        """When the last run was recorded."""
        found = self._rows(_LAST_RUN)
        return int(found[0][0]) if found else None

    def sources(self) -> Sequence[str]:
        """The names of all order sources under which invitations are recorded."""
        found: list[str] = []
        while (name := self._rows(_NEXT_SOURCE, (found[-1] if found else "",))[0][0]) is not None:
            found.append(name)
        return found

    def accounts_at(self, source: str) -> Sequence[str]:
        """The interface ids of the accounts with invitations of this source, of deleted ones too."""
        return self._store.accounts_at(source)

    def observations(self, source: str, order_ids: Sequence[OrderId]) -> Mapping[OrderId, Observation]:
        """In which status these orders were last seen."""
        return self._store.observations(source, order_ids) if order_ids else {}

    def rows_of(self, interface_ids: Collection[str], statuses: Collection[Status]) -> Iterator[Invitation]:
        """The rows of these accounts in one of these states."""
        return self._store.rows_of(interface_ids, statuses) if interface_ids else iter(())

    def due(self, interface_ids: Collection[str], now: Instant) -> Iterator[Invitation]:
        """Pending rows whose time has come, the oldest first."""
        return self._store.due(interface_ids, now) if self._rows(_DUE, (now,)) else iter(())

    def pending_of(self, customers: Collection[str]) -> Iterator[Invitation]:
        """The pending rows of these customers (keyed digests)."""
        return self._store.pending_of(customers) if customers else iter(())

    def customer_load(self, customers: Collection[str], since: Instant) -> Mapping[str, Sequence[Instant]]:
        """When these customers (keyed digests) were, or will be, asked since then."""
        return self._store.customer_load(customers, since) if customers else {}

    def close(self) -> None:
        """Let go of the file."""
        if "_store" in vars(self):
            self._store.close()
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @cached_property
    def _described(self) -> dict[str, str]:
        return dict(self._rows("SELECT key, value FROM meta"))

    @cached_property
    def _store(self) -> State:
        from ekomi_reconcile.state.engine.sqlite import SqliteDialect, adopt_reader
        from ekomi_reconcile.state.store import State

        engine = adopt_reader(self._place.path, self._connection)
        return State(engine.connect(), SqliteDialect(), location=self._place, writable=False, key=self._key)

    def _rows(self, statement: str, values: Sequence[Any] = ()) -> list[Any]:
        try:
            return self._connection.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            raise sqlite_driver.meaning(error, self._place.path) from error
