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
from ekomi_reconcile.model.run import Meta
from ekomi_reconcile.state import (
    ACCOUNT_COLUMNS,
    FORMAT_VERSION,
    KEY_CHECK,
    parse_addresses,
    parse_meta,
    to_account,
)
from ekomi_reconcile.state.engine import location as location_module
from ekomi_reconcile.state.engine.location import FileLocation, locate
from ekomi_reconcile.state.engine.mark import AS_RECORDED, Mark, StateKey, read_key, read_mark

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
_REVIEW = "SELECT 1 FROM review LIMIT 1"
_REVIEWED = """
    SELECT 1 FROM account
    CROSS JOIN review ON review.account_id = account.id AND submitted_at >= ? AND gone_at IS NULL
    CROSS JOIN invitation ON number = review.order_id AND invitation.account_id = review.account_id
    WHERE status = 'pending' AND submitted_at > order_date LIMIT 1
"""
_DUE = "SELECT 1 FROM invitation WHERE status = 'pending' AND scheduled_at <= ? LIMIT 1"


def open_plan_reader(location: str, *, root: Path, key: bytes | None = None) -> PlanReader | State:
    """The state at a path or URL, for planning; a ``PlanReader`` where that is enough.

    Raises:
        StateMissing: there is none.
        StateLost: there was one.
        StateDamaged: it is damaged, of another program, or of another format.
        StateError: it cannot be opened.
    """
    place = locate(location, root=root)
    if isinstance(place, FileLocation) and place.path.is_file():
        mark = read_mark(place)
        location_module.check_header(place.path)
        key = key or read_key(place.key)
        with ExitStack() as stack:
            seen = stack.enter_context(PlanReader(place, location_module.connect_reader(place.path), key=key))
            if seen.usual and not seen.behind(mark):
                stack.pop_all()
                return seen
    # open_state raises the precise error.
    from ekomi_reconcile.state.opening import Mode, open_state

    return open_state(location, root=root, mode=Mode.READ, key=key)


class PlanReader:
    """What every plan reads of a file state, in one snapshot. Errors of the database are ``StateError``.

    Its parts are called as those of ``State``, which goes on where they are not enough.
    """

    def __init__(self, place: FileLocation, connection: sqlite3.Connection, *, key: bytes | None) -> None:
        self._file = file = _File(place, connection, key=key)
        self.meta = _GlancedMeta(file)
        self.key = StateKey(key, self.meta.key_check)
        self.accounts = _GlancedAccounts(file)
        self.positions = _GlancedPositions(file)
        self.journal = _GlancedJournal(file)
        self.queue = _GlancedQueue(file)
        file.rows("BEGIN")

    @property
    def usual(self) -> bool:
        """Is it a state of the present format that is in use?"""
        ours = self._file.rows("PRAGMA application_id") == [(location_module.APPLICATION_ID,)]
        return (
            ours
            and self._file.meta.get("format_version") == str(FORMAT_VERSION)
            and (self._file.meta.get("serial") != "0" or bool(self._file.rows(_IN_USE)))
        )

    def behind(self, mark: Mark | None) -> bool:
        """Has it lost something that its mark, read before it, knows of?"""
        return mark is not None and mark.ahead_of(Mark(*self._file.rows(AS_RECORDED)[0]))

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _File:
    """The file by its driver alone, and the whole state over the same connection once it is needed."""

    def __init__(self, place: FileLocation, connection: sqlite3.Connection, *, key: bytes | None) -> None:
        self._place = place
        self._connection = connection
        self._key = key

    @cached_property
    def meta(self) -> dict[str, str]:
        """What the state records about itself."""
        return dict(self.rows("SELECT key, value FROM meta"))

    @cached_property
    def state(self) -> State:
        """The whole state, in the same snapshot."""
        from ekomi_reconcile.state.engine.runner import Runner
        from ekomi_reconcile.state.engine.session import Session
        from ekomi_reconcile.state.engine.sqlite import SqliteDialect, adopt_reader
        from ekomi_reconcile.state.store import State

        connection = adopt_reader(self._place.path, self._connection).connect()
        session = Session(connection, SqliteDialect(), location=self._place, writable=False)
        return State(session, Runner(session), key=self._key)

    def rows(self, statement: str, values: Sequence[Any] = ()) -> list[Any]:
        """All rows that this statement finds."""
        try:
            return self._connection.execute(statement, values).fetchall()
        except location_module.DRIVER_ERRORS as error:
            raise location_module.meaning(error, self._place.path) from error

    def close(self) -> None:
        """Let go of the file."""
        if "state" in vars(self):
            self.state.close()
        self._connection.close()


class _Part:
    def __init__(self, file: _File) -> None:
        self._file = file


class _GlancedMeta(_Part):
    """See ``MetaRepository``."""

    def read(self) -> Meta:
        """The state's own data."""
        return parse_meta(self._file.meta)

    def addresses(self) -> Mapping[str, str]:
        """The remote addresses that the last run used, by their keys in the project file."""
        return parse_addresses(self._file.meta)

    def key_check(self) -> str | None:
        """The value by which the state knows its key again."""
        return self._file.meta.get(KEY_CHECK)


class _GlancedAccounts(_Part):
    """See ``AccountRepository``."""

    def read(self, *, include_deleted: bool = False) -> Sequence[AccountRecord]:
        """The accounts in the order of their ids; tombstones only on request."""
        return [to_account(row) for row in self._file.rows(_ACCOUNTS, (include_deleted,))]


class _GlancedPositions(_Part):
    """See ``PositionRepository``."""

    def read(self) -> Mapping[str, PositionRecord]:
        """The positions of live accounts by interface id."""
        return {key: PositionRecord(*row) for key, *row in self._file.rows(_POSITIONS)}


class _GlancedJournal(_Part):
    """See ``JournalRepository``."""

    def last_run_at(self) -> Instant | None:
        """When the last run was recorded."""
        found = self._file.rows(_LAST_RUN)
        return int(found[0][0]) if found else None


class _GlancedQueue(_Part):
    """See ``QueueRepository``."""

    def in_doubt(self, *, now: Instant) -> int:
        """How many invitations may have been sent, while nobody alive is sending them."""
        if self._file.rows(_SENDING):
            return self._file.state.queue.in_doubt(now=now)
        ((unknown,),) = self._file.rows(_UNKNOWN)
        return int(unknown)

    def rows_for(self, source: str, order_ids: Sequence[OrderId]) -> Mapping[OrderId, Sequence[Invitation]]:
        """All rows of these orders, of whatever account."""
        return self._file.state.queue.rows_for(source, order_ids) if order_ids else {}

    def rows_numbered(self, numbers: Collection[str]) -> Mapping[str, Sequence[Invitation]]:
        """The rows that are not cancelled of orders with these numbers, of whatever account and source."""
        return self._file.state.queue.rows_numbered(numbers) if numbers else {}

    def sources(self) -> Sequence[str]:
        """The names of all order sources under which invitations are recorded."""
        found: list[str] = []
        while (name := self._file.rows(_NEXT_SOURCE, (found[-1] if found else "",))[0][0]) is not None:
            found.append(name)
        return found

    def accounts_at(self, source: str) -> Sequence[str]:
        """The interface ids of the accounts with invitations of this source, of deleted ones too."""
        return self._file.state.queue.accounts_at(source)

    def observations(self, source: str, order_ids: Sequence[OrderId]) -> Mapping[OrderId, Observation]:
        """In which status these orders were last seen."""
        return self._file.state.queue.observations(source, order_ids) if order_ids else {}

    def rows_of(self, interface_ids: Collection[str], statuses: Collection[Status]) -> Iterator[Invitation]:
        """The rows of these accounts in one of these states."""
        return self._file.state.queue.rows_of(interface_ids, statuses) if interface_ids else iter(())

    def due(self, interface_ids: Collection[str], now: Instant) -> Iterator[Invitation]:
        """Pending rows whose time has come, the oldest first."""
        found = self._file.rows(_DUE, (now,))
        return self._file.state.queue.due(interface_ids, now) if found else iter(())

    def any_reviews(self) -> bool:
        """Is there any review of any account?"""
        return bool(self._file.rows(_REVIEW))

    def reviewed(self, pairs: Collection[tuple[str, str]]) -> Mapping[tuple[str, str], Sequence[Instant]]:
        """When reviews with these interface ids and order numbers were submitted."""
        return self._file.state.queue.reviewed(pairs) if pairs else {}

    def reviewed_pending(self, interface_ids: Collection[str], since: Instant) -> Iterator[Invitation]:
        """Pending invitations whose orders have a review that was submitted since then."""
        found = self._file.rows(_REVIEWED, (since,)) if interface_ids else []
        return self._file.state.queue.reviewed_pending(interface_ids, since) if found else iter(())

    def pending_of(self, customers: Collection[str]) -> Iterator[Invitation]:
        """The pending rows of these customers (keyed digests)."""
        return self._file.state.queue.pending_of(customers) if customers else iter(())

    def customer_load(self, customers: Collection[str], since: Instant) -> Mapping[str, Sequence[Instant]]:
        """When these customers (keyed digests) were, or will be, asked since then."""
        return self._file.state.queue.customer_load(customers, since) if customers else {}
