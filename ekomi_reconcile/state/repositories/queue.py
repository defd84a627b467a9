"""The invitation queue as the planner reads it, in batches and streams."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence

from sqlalchemy import bindparam, exists, func, or_, select, tuple_

from ekomi_reconcile.model.instant import Instant
from ekomi_reconcile.model.invitation import Invitation, Observation, Status
from ekomi_reconcile.model.order import OrderId
from ekomi_reconcile.state.engine import tables
from ekomi_reconcile.state.engine.runner import Runner
from ekomi_reconcile.state.engine.session import ROWS_PER_PAGE, Repository, Session, chunks
from ekomi_reconcile.state.repositories.invitations import COLUMNS, to_invitation
from ekomi_reconcile.state.repositories.reviews import ReviewedRepository

_ASKED = (Status.PENDING.value, Status.SENDING.value, Status.SENT.value, Status.UNKNOWN.value)
"""Rows in one of these count as a request to their customer."""

_OF_ORDERS = (
    select(*COLUMNS)
    .where(
        tables.invitation.c.source == bindparam("source"),
        tables.invitation.c.order_id.in_(bindparam("ids", expanding=True)),
    )
    .order_by(tables.invitation.c.id)
)
_ORDER_IDS = (
    select(tables.invitation.c.order_id).where(tables.invitation.c.source == bindparam("source")).limit(1)
)
_FIRST_ORDER = _ORDER_IDS.order_by(tables.invitation.c.order_id)
_LAST_ORDER = _ORDER_IDS.order_by(tables.invitation.c.order_id.desc())

_AHEAD = 3_600
"""Seconds by which a change may lie in the future before it counts as made with a wrong clock."""

_ANY = select(tables.invitation.c.id).limit(1)
_OF_NUMBERS = (
    select(*COLUMNS)
    .where(
        tables.invitation.c.number.in_(bindparam("numbers", expanding=True)),
        tables.invitation.c.status != tables.CANCELLED,
    )
    .order_by(tables.invitation.c.id)
)

_NEXT_SOURCE = select(func.min(tables.invitation.c.source)).where(
    tables.invitation.c.source > bindparam("after")
)
_ACCOUNTS_AT = (
    select(tables.invitation.c.account_id).where(tables.invitation.c.source == bindparam("source")).distinct()
)

_UNKNOWN = select(
    func.sum(
        select(func.count())
        .where(
            tables.invitation.c.account_id == tables.account.c.id,
            tables.invitation.c.status == Status.UNKNOWN.value,
        )
        .scalar_subquery()
    )
)
"""Account by account through their index: there are few of these rows among very many."""
_SENDING = select(func.count()).where(tables.invitation.c.status == tables.SENDING)
_WITH_ROWS = (
    select(tables.account.c.id)
    .where(
        tables.account.c.id.in_(bindparam("accounts", expanding=True)),
        exists().where(
            tables.invitation.c.account_id == tables.account.c.id,
            tables.invitation.c.status.in_(bindparam("statuses", expanding=True)),
        ),
    )
    .order_by(tables.account.c.id)
)
"""Most accounts that are asked about have no such rows: one probe of the index each, not a statement."""
_PAGE_OF_ACCOUNT = (
    select(*COLUMNS)
    .where(
        tables.invitation.c.account_id == bindparam("account"),
        tables.invitation.c.status == bindparam("status"),
        tables.invitation.c.id > bindparam("after"),
    )
    .order_by(tables.invitation.c.id)
    .limit(ROWS_PER_PAGE)
)
_PAGE_OF_DUE = (
    select(*COLUMNS)
    .where(
        tables.invitation.c.status == tables.PENDING,
        tables.invitation.c.scheduled_at <= bindparam("now"),
        tuple_(tables.invitation.c.scheduled_at, tables.invitation.c.id)
        > tuple_(bindparam("after_time"), bindparam("after_id")),
        or_(
            tables.invitation.c.next_attempt_at.is_(None),
            tables.invitation.c.next_attempt_at <= bindparam("now"),
            tables.invitation.c.changed_at > bindparam("now") + _AHEAD,  # a run with a wrong clock put it off
        ),
    )
    .order_by(tables.invitation.c.scheduled_at, tables.invitation.c.id)
    .limit(ROWS_PER_PAGE)
)
_ASKED_AT = func.coalesce(tables.invitation.c.sent_at, tables.invitation.c.scheduled_at)
_LOAD = (
    select(tables.invitation.c.customer, _ASKED_AT.label("at"))
    .where(
        tables.invitation.c.customer.in_(bindparam("customers", expanding=True)),
        tables.invitation.c.status.in_(_ASKED),
        bindparam("since") <= _ASKED_AT,
    )
    .order_by(tables.invitation.c.id)
)


_SEEN = select(*(tables.observation.c[name] for name in Observation.__struct_fields__)).where(
    tables.observation.c.source == bindparam("source"),
    tables.observation.c.order_id.in_(bindparam("ids", expanding=True)),
)
_FEW = 2_000
"""Up to this number, customers are looked up one by one; beyond it all pending rows are read."""


class QueueRepository(Repository):
    """Looking up invitations and observations by order, account, time or customer."""

    def __init__(self, session: Session, runner: Runner) -> None:
        super().__init__(session)
        self._runner = runner
        self._reviewed = ReviewedRepository(session)

    def rows_for(self, source: str, order_ids: Sequence[OrderId]) -> dict[OrderId, list[Invitation]]:
        """All rows of these orders, of whatever account and state; orders without rows are left out."""
        first = self._session.execute(_FIRST_ORDER, {"source": source}).scalar()
        last = self._session.execute(_LAST_ORDER, {"source": source}).scalar()
        if first is None or last is None:
            return {}
        names, found = self._keys.names(), dict[OrderId, list[Invitation]]()
        low, high = str(first), str(last)
        for ids in chunks([key for key in order_ids if low <= str(key) <= high]):
            for row in self._session.rows(_OF_ORDERS, {"source": source, "ids": ids}):
                found.setdefault(row[3], []).append(to_invitation(row, names))
        return found

    def rows_numbered(self, numbers: Collection[str]) -> dict[str, list[Invitation]]:
        """The rows that are not cancelled of orders with these numbers, of whatever account and source."""
        found: dict[str, list[Invitation]] = {}
        if self._session.execute(_ANY).scalar() is None:
            return found
        names = self._keys.names()
        for chunk in chunks(sorted(set(numbers))):
            for row in self._session.rows(_OF_NUMBERS, {"numbers": chunk}):
                each = to_invitation(row, names)
                found.setdefault(each.number, []).append(each)
        return found

    def sources(self) -> list[str]:
        """The names of all order sources under which invitations are recorded: one probe of an index each."""
        found: list[str] = []
        while name := self._session.execute(_NEXT_SOURCE, {"after": found[-1] if found else ""}).scalar():
            found.append(name)
        return found

    def accounts_at(self, source: str) -> list[str]:
        """The interface ids of the accounts with invitations of this source, of deleted ones too."""
        names = self._keys.names()
        return sorted(names[key] for (key,) in self._session.rows(_ACCOUNTS_AT, {"source": source}))

    def rows_of(self, interface_ids: Collection[str], statuses: Collection[Status]) -> Iterator[Invitation]:
        """The rows of these accounts in these states, by account, state and id; safe to change meanwhile."""
        for chunk in chunks(self._keys.any_of(interface_ids)):
            bound = {"accounts": chunk, "statuses": [each.value for each in statuses]}
            for (key,) in self._session.rows(_WITH_ROWS, bound):
                for status in sorted(statuses):
                    yield from self._rows_of(key, status)

    def pending(self, interface_ids: Collection[str]) -> Iterator[Invitation]:
        """The pending rows of these accounts."""
        return self.rows_of(interface_ids, {Status.PENDING})

    def due(self, interface_ids: Collection[str], now: Instant) -> Iterator[Invitation]:
        """Pending rows of these accounts whose time has come, the oldest first, then by id.

        A row that waits for another attempt is due when that has come too. Safe to change meanwhile.
        """
        wanted = frozenset(self._keys.any_of(interface_ids))
        after = {"after_time": -1, "after_id": 0}
        while rows := self._session.rows(_PAGE_OF_DUE, {"now": now, **after}):
            names = self._keys.names()
            for row in rows:
                if row[1] in wanted:
                    yield to_invitation(row, names)
            after = {"after_time": rows[-1].scheduled_at, "after_id": rows[-1].id}

    def abandoned(self, *, now: Instant) -> tuple[Invitation, ...]:
        """Rows in ``sending`` that no living runner sends: intents without an outcome.

        On a file these are all, for who asks holds the writer lock; else those whose lease has run out.
        """
        statement = select(*COLUMNS).where(
            tables.invitation.c.status == tables.SENDING, *self._runner.leaseless(now)
        )
        rows = self._session.rows(statement.order_by(tables.invitation.c.id))
        return tuple(to_invitation(row, self._keys.names()) for row in rows)

    def in_doubt(self, *, now: Instant) -> int:
        """How many rows may have been sent: unknown ones, and those in ``sending`` that nobody is sending."""
        unknown, sending = (int(self._session.execute(each).scalar() or 0) for each in (_UNKNOWN, _SENDING))
        return unknown + (max(0, sending - self.in_flight(now=now)) if sending else 0)

    def in_flight(self, *, now: Instant) -> int:
        """How many rows in ``sending`` a living runner is sending just now; the others are in doubt.

        On a file whoever holds the writer lock is that runner, elsewhere each has its leases.
        """
        count = int(self._session.execute(_SENDING).scalar_one())
        return self._runner.in_flight(count, lambda: len(self.abandoned(now=now)))

    def still_pending(self, ids: Collection[int]) -> frozenset[int]:
        """Those of these rows that are pending."""
        statement = select(tables.invitation.c.id).where(tables.invitation.c.status == tables.PENDING)
        return frozenset(
            row.id
            for chunk in chunks(ids)
            for row in self._session.rows(statement.where(tables.invitation.c.id.in_(chunk)))
        )

    def counts(self) -> dict[str, dict[Status, int]]:
        """How many rows each account has in each state, of deleted accounts too."""
        table, found = tables.invitation.c, dict[str, dict[Status, int]]()
        statement = select(table.account_id, table.status, func.count()).group_by(
            table.account_id, table.status
        )
        for key, status, count in self._session.rows(statement):
            found.setdefault(self._keys.names()[key], {})[Status(status)] = count
        return found

    def customer_load(self, customers: Collection[str], since: Instant) -> dict[str, tuple[Instant, ...]]:
        """When these customers (keyed digests) were, or will be, asked since then; without any: left out."""
        found: dict[str, tuple[Instant, ...]] = {}
        for digests in chunks(sorted(customers)):
            for customer, at in self._session.rows(_LOAD, {"customers": digests, "since": since}):
                found[customer] = (*found.get(customer, ()), at)
        return found

    def store_views(self) -> list[tuple[str, str]]:
        """The order sources and store views of all invitations, each pair once, sorted."""
        table = tables.invitation.c
        statement = select(table.source, table.store_view).where(table.store_view.is_not(None)).distinct()
        return sorted((row.source, row.store_view) for row in self._session.rows(statement))

    def observations(self, source: str, order_ids: Sequence[OrderId]) -> dict[OrderId, Observation]:
        """In which status these orders were last seen; one never seen is left out."""
        found = {}
        for ids in chunks(order_ids):
            for row in self._session.rows(_SEEN, {"source": source, "ids": ids}):
                found[row.order_id] = Observation(*row)
        return found

    def any_reviews(self) -> bool:
        """Is there any review of any account?"""
        return self._reviewed.any()

    def reviewed(self, pairs: Collection[tuple[str, str]]) -> dict[tuple[str, str], tuple[Instant, ...]]:
        """When reviews with these interface ids and order numbers were submitted; without any: left out."""
        return self._reviewed.submitted(pairs)

    def reviewed_pending(self, interface_ids: Collection[str], since: Instant) -> Iterator[Invitation]:
        """Pending invitations whose orders have a review that was submitted since then, by id."""
        return self._reviewed.pending(interface_ids, since)

    def pending_of(self, customers: Collection[str]) -> Iterator[Invitation]:
        """The pending rows of these customers, by id."""
        ids = sorted(self._ids_of_pending(customers))
        for chunk in chunks(ids):
            names = self._keys.names()
            for row in self._session.rows(
                select(*COLUMNS).where(tables.invitation.c.id.in_(chunk)).order_by(tables.invitation.c.id)
            ):
                yield to_invitation(row, names)

    def count_pending_of(self, customers: Collection[str]) -> dict[str, int]:
        """How many pending rows each of these customers has; without any: left out."""
        return dict(Counter(self._ids_of_pending(customers).values()))

    def _ids_of_pending(self, customers: Collection[str]) -> dict[int, str]:
        """Ids of pending rows with their customers."""
        waiting = select(tables.invitation.c.id, tables.invitation.c.customer).where(
            tables.invitation.c.status == tables.PENDING, tables.invitation.c.customer.is_not(None)
        )
        if len(customers) > _FEW:
            wanted = frozenset(customers)
            return {row.id: row.customer for row in self._session.rows(waiting) if row.customer in wanted}
        return {
            row.id: row.customer
            for chunk in chunks(sorted(customers))
            for row in self._session.rows(waiting.where(tables.invitation.c.customer.in_(chunk)))
        }

    def _rows_of(self, account: int, status: Status) -> Iterator[Invitation]:
        bound = {"account": account, "status": status.value, "after": 0}
        while rows := self._session.rows(_PAGE_OF_ACCOUNT, bound):
            names = self._keys.names()
            yield from (to_invitation(row, names) for row in rows)
            bound["after"] = rows[-1].id
