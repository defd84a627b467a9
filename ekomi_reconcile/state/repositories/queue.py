"""The invitation queue as the planner reads it, in batches and streams."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import ColumnElement, bindparam, exists, func, inspect, or_, select, tuple_

from ekomi_reconcile.model.instant import Instant
from ekomi_reconcile.model.invitation import Evidence, Invitation, NewInvitation, Reached, Status
from ekomi_reconcile.model.order import OrderId
from ekomi_reconcile.state.engine.location import FileLocation, Location
from ekomi_reconcile.state.engine.lock import holder
from ekomi_reconcile.state.engine.session import ROWS_PER_PAGE, Session, chunks
from ekomi_reconcile.state.engine.tables import (
    CANCELLED,
    CUSTOMER_INDEX,
    PENDING,
    SENDING,
    account,
    invitation,
)

_c = invitation.c
COLUMNS = (
    _c.id,
    _c.account_id,
    _c.source,
    _c.order_id,
    _c.number,
    _c.store_view,
    _c.order_date,
    _c.status,
    _c.reached_at,
    _c.reached_status,
    _c.reached_source,
    _c.judged_at,
    _c.scheduled_at,
    _c.sent_at,
    _c.link,
    _c.reason,
    _c.attempts,
    _c.next_attempt_at,
    _c.pushed,
    _c.customer,
    _c.changed_at,
    _c.refusal,
    _c.refusals,
    _c.unreached,
)
"""What ``to_invitation`` takes, in its order."""

NEW_COLUMNS = (
    "account_id",
    "source",
    "order_id",
    "number",
    "store_view",
    "order_date",
    "status",
    "reached_at",
    "reached_status",
    "reached_source",
    "judged_at",
    "scheduled_at",
    "customer",
    "changed_at",
)
"""What ``new_row`` gives, in its order."""

_STATUS = {each.value: each for each in Status}
_EVIDENCE = {each.value: each for each in Evidence}


def to_invitation(row: Sequence[Any], interface_ids: Mapping[int, str]) -> Invitation:
    """The invitation in a row of ``COLUMNS``."""
    return Invitation(
        id=row[0],
        interface_id=interface_ids[row[1]],
        source=row[2],
        order_id=row[3],
        number=row[4],
        store_view=row[5],
        order_date=row[6],
        status=_STATUS[row[7]],
        reached=Reached(row[8], row[9], _EVIDENCE[row[10]]),
        judged_at=row[11],
        scheduled_at=row[12],
        sent_at=row[13],
        link=row[14],
        reason=row[15],
        attempts=row[16],
        next_attempt_at=row[17],
        pushed=row[18],
        customer=row[19],
        changed_at=row[20],
        refusal=row[21],
        refusals=row[22],
        unreached=row[23],
    )


def new_row(account_id: int, row: NewInvitation, status: Status, now: Instant) -> tuple[object, ...]:
    """A row that is put into the queue, as the values of ``NEW_COLUMNS``."""
    return (
        account_id,
        row.source,
        row.order_id,
        row.number,
        row.store_view,
        row.order_date,
        status.value,
        row.reached_at,
        row.reached_status,
        row.reached_source,
        row.judged_at,
        row.scheduled_at,
        row.customer,
        now,
    )


WORTH_IT = 5_000
"""New rows from which on it pays to do more than insert them."""


class BulkStore(Session):
    """Scheduling without the index that is slow to keep."""

    @contextmanager
    def bulk(self, expected: int) -> Iterator[None]:
        """Make scheduling about ``expected`` new rows fast; transactions go inside.

        The index of customers is dropped and made anew at the end, where that is better. Until then
        looking up customers is slow, but right; after a crash the next writer makes the index.
        """
        if expected < WORTH_IT:
            yield
            return
        rows = self._execute(select(func.max(invitation.c.id))).scalar() or 0
        drops = self._dialect.drops_index(new=expected, existing=rows)
        if drops:
            with self.transaction():
                CUSTOMER_INDEX.drop(self._connection, checkfirst=True)
        try:
            yield
        finally:
            if drops:
                self.mend_index()
        with self.transaction():
            self._dialect.learn(self._connection, invitation)

    def mend_index(self) -> None:
        """Make the index of customers if a crash left the state without it."""
        names = {each["name"] for each in inspect(self._connection).get_indexes(invitation.name)}
        if CUSTOMER_INDEX.name not in names:
            with self.transaction():
                CUSTOMER_INDEX.create(self._connection, checkfirst=True)


_ASKED = (Status.PENDING.value, Status.SENDING.value, Status.SENT.value, Status.UNKNOWN.value)
"""Rows in one of these count as a request to their customer."""

_OF_ORDERS = (
    select(*COLUMNS)
    .where(
        invitation.c.source == bindparam("source"),
        invitation.c.order_id.in_(bindparam("ids", expanding=True)),
    )
    .order_by(invitation.c.id)
)
_ORDER_IDS = select(invitation.c.order_id).where(invitation.c.source == bindparam("source")).limit(1)
_FIRST_ORDER = _ORDER_IDS.order_by(invitation.c.order_id)
_LAST_ORDER = _ORDER_IDS.order_by(invitation.c.order_id.desc())

_AHEAD = 3_600
"""Seconds by which a change may lie in the future before it counts as made with a wrong clock."""

_ANY = select(invitation.c.id).limit(1)
_OF_NUMBERS = (
    select(*COLUMNS)
    .where(
        invitation.c.number.in_(bindparam("numbers", expanding=True)),
        invitation.c.status != CANCELLED,
    )
    .order_by(invitation.c.id)
)

_NEXT_SOURCE = select(func.min(invitation.c.source)).where(invitation.c.source > bindparam("after"))
_ACCOUNTS_AT = select(invitation.c.account_id).where(invitation.c.source == bindparam("source")).distinct()

_UNKNOWN = select(
    func.sum(
        select(func.count())
        .where(invitation.c.account_id == account.c.id, invitation.c.status == Status.UNKNOWN.value)
        .scalar_subquery()
    )
)
"""Account by account through their index: there are few of these rows among very many."""
_SENDING = select(func.count()).where(invitation.c.status == SENDING)
_WITH_ROWS = (
    select(account.c.id)
    .where(
        account.c.id.in_(bindparam("accounts", expanding=True)),
        exists().where(
            invitation.c.account_id == account.c.id,
            invitation.c.status.in_(bindparam("statuses", expanding=True)),
        ),
    )
    .order_by(account.c.id)
)
"""Most accounts that are asked about have no such rows: one probe of the index each, not a statement."""
_PAGE_OF_ACCOUNT = (
    select(*COLUMNS)
    .where(
        invitation.c.account_id == bindparam("account"),
        invitation.c.status == bindparam("status"),
        invitation.c.id > bindparam("after"),
    )
    .order_by(invitation.c.id)
    .limit(ROWS_PER_PAGE)
)
_PAGE_OF_DUE = (
    select(*COLUMNS)
    .where(
        invitation.c.status == PENDING,
        invitation.c.scheduled_at <= bindparam("now"),
        tuple_(invitation.c.scheduled_at, invitation.c.id)
        > tuple_(bindparam("after_time"), bindparam("after_id")),
        or_(
            invitation.c.next_attempt_at.is_(None),
            invitation.c.next_attempt_at <= bindparam("now"),
            invitation.c.changed_at > bindparam("now") + _AHEAD,  # a run with a wrong clock put it off
        ),
    )
    .order_by(invitation.c.scheduled_at, invitation.c.id)
    .limit(ROWS_PER_PAGE)
)
_ASKED_AT = func.coalesce(invitation.c.sent_at, invitation.c.scheduled_at)
_LOAD = (
    select(invitation.c.customer, _ASKED_AT.label("at"))
    .where(
        invitation.c.customer.in_(bindparam("customers", expanding=True)),
        invitation.c.status.in_(_ASKED),
        bindparam("since") <= _ASKED_AT,
    )
    .order_by(invitation.c.id)
)


class QueueStore(Session):
    """Looking up rows by order, account, time or customer."""

    location: Location

    def rows_for(self, source: str, order_ids: Sequence[OrderId]) -> dict[OrderId, list[Invitation]]:
        """All rows of these orders, of whatever account and state; orders without rows are left out."""
        first = self._execute(_FIRST_ORDER, {"source": source}).scalar()
        last = self._execute(_LAST_ORDER, {"source": source}).scalar()
        if first is None or last is None:
            return {}
        names, found = self._names(), dict[OrderId, list[Invitation]]()
        low, high = str(first), str(last)
        for ids in chunks([key for key in order_ids if low <= str(key) <= high]):
            for row in self._rows(_OF_ORDERS, {"source": source, "ids": ids}):
                found.setdefault(row[3], []).append(to_invitation(row, names))
        return found

    def rows_numbered(self, numbers: Collection[str]) -> dict[str, list[Invitation]]:
        """The rows that are not cancelled of orders with these numbers, of whatever account and source."""
        found: dict[str, list[Invitation]] = {}
        if self._execute(_ANY).scalar() is None:
            return found
        names = self._names()
        for chunk in chunks(sorted(set(numbers))):
            for row in self._rows(_OF_NUMBERS, {"numbers": chunk}):
                each = to_invitation(row, names)
                found.setdefault(each.number, []).append(each)
        return found

    def sources(self) -> list[str]:
        """The names of all order sources under which invitations are recorded: one probe of an index each."""
        found: list[str] = []
        while name := self._execute(_NEXT_SOURCE, {"after": found[-1] if found else ""}).scalar():
            found.append(name)
        return found

    def accounts_at(self, source: str) -> list[str]:
        """The interface ids of the accounts with invitations of this source, of deleted ones too."""
        names = self._names()
        return sorted(names[key] for (key,) in self._rows(_ACCOUNTS_AT, {"source": source}))

    def rows_of(self, interface_ids: Collection[str], statuses: Collection[Status]) -> Iterator[Invitation]:
        """The rows of these accounts in these states, by account, state and id; safe to change meanwhile."""
        for chunk in chunks(self._any_account_ids(interface_ids)):
            bound = {"accounts": chunk, "statuses": [each.value for each in statuses]}
            for (key,) in self._rows(_WITH_ROWS, bound):
                for status in sorted(statuses):
                    yield from self._rows_of(key, status)

    def pending(self, interface_ids: Collection[str]) -> Iterator[Invitation]:
        """The pending rows of these accounts."""
        return self.rows_of(interface_ids, {Status.PENDING})

    def due(self, interface_ids: Collection[str], now: Instant) -> Iterator[Invitation]:
        """Pending rows of these accounts whose time has come, the oldest first, then by id.

        A row that waits for another attempt is due when that has come too. Safe to change meanwhile.
        """
        wanted = frozenset(self._any_account_ids(interface_ids))
        after = {"after_time": -1, "after_id": 0}
        while rows := self._rows(_PAGE_OF_DUE, {"now": now, **after}):
            names = self._names()
            for row in rows:
                if row[1] in wanted:
                    yield to_invitation(row, names)
            after = {"after_time": rows[-1].scheduled_at, "after_id": rows[-1].id}

    def abandoned(self, *, now: Instant) -> tuple[Invitation, ...]:
        """Rows in ``sending`` that no living runner sends: intents without an outcome.

        On a file these are all, for who asks holds the writer lock; else those whose lease has run out.
        """
        statement = select(*COLUMNS).where(invitation.c.status == SENDING, *self._leaseless(now))
        rows = self._rows(statement.order_by(invitation.c.id))
        return tuple(to_invitation(row, self._names()) for row in rows)

    def in_doubt(self, *, now: Instant) -> int:
        """How many rows may have been sent: unknown ones, and those in ``sending`` that nobody is sending."""
        unknown, sending = (int(self._execute(each).scalar() or 0) for each in (_UNKNOWN, _SENDING))
        return unknown + (max(0, sending - self.in_flight(now=now)) if sending else 0)

    def in_flight(self, *, now: Instant) -> int:
        """How many rows in ``sending`` a living runner is sending just now; the others are in doubt.

        On a file whoever holds the writer lock is that runner, elsewhere each has its leases.
        """
        count = int(self._execute(_SENDING).scalar_one())
        if count and isinstance(self.location, FileLocation):
            return 0 if holder(self.location.lock) is None else count
        return count - len(self.abandoned(now=now))

    def still_pending(self, ids: Collection[int]) -> frozenset[int]:
        """Those of these rows that are pending."""
        statement = select(invitation.c.id).where(invitation.c.status == PENDING)
        return frozenset(
            row.id for chunk in chunks(ids) for row in self._rows(statement.where(invitation.c.id.in_(chunk)))
        )

    def counts(self) -> dict[str, dict[Status, int]]:
        """How many rows each account has in each state, of deleted accounts too."""
        table, found = invitation.c, dict[str, dict[Status, int]]()
        statement = select(table.account_id, table.status, func.count()).group_by(
            table.account_id, table.status
        )
        for key, status, count in self._rows(statement):
            found.setdefault(self._names()[key], {})[Status(status)] = count
        return found

    def customer_load(self, customers: Collection[str], since: Instant) -> dict[str, tuple[Instant, ...]]:
        """When these customers (keyed digests) were, or will be, asked since then; without any: left out."""
        found: dict[str, tuple[Instant, ...]] = {}
        for digests in chunks(sorted(customers)):
            for customer, at in self._rows(_LOAD, {"customers": digests, "since": since}):
                found[customer] = (*found.get(customer, ()), at)
        return found

    def _leaseless(self, now: Instant) -> Sequence[ColumnElement[bool]]:
        """What tells abandoned rows in ``sending`` from others."""
        del now
        return ()

    def _rows_of(self, account: int, status: Status) -> Iterator[Invitation]:
        bound = {"account": account, "status": status.value, "after": 0}
        while rows := self._rows(_PAGE_OF_ACCOUNT, bound):
            names = self._names()
            yield from (to_invitation(row, names) for row in rows)
            bound["after"] = rows[-1].id
