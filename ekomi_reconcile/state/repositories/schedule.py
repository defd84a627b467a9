"""Schedule, reschedule and cancel invitations; import sent ones."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import bindparam, exists, func, select, update

from ekomi_reconcile.model import invitation as invitations
from ekomi_reconcile.model.instant import Instant
from ekomi_reconcile.model.order import OrderId
from ekomi_reconcile.state.engine.session import Repository, chunks
from ekomi_reconcile.state.engine.tables import CANCELLED, CUSTOMER_INDEX, PENDING, invitation
from ekomi_reconcile.state.repositories.invitations import NEW_COLUMNS, new_row, record_changes

_other = invitation.alias("other")
_BLOCKED = exists().where(
    _other.c.source == invitation.c.source,
    _other.c.order_id == invitation.c.order_id,
    _other.c.status != CANCELLED,
)
_REVIVE = (
    update(invitation)
    .where(
        invitation.c.id == bindparam("key"),
        invitation.c.status == CANCELLED,
        func.coalesce(invitation.c.reason, "").not_in(invitations.FINAL_REASONS),
        ~_BLOCKED,
    )
    .values(
        status=invitations.Status.PENDING.value,
        number=bindparam("new_number"),
        store_view=bindparam("new_store_view"),
        reached_at=bindparam("new_reached_at"),
        reached_status=bindparam("new_reached_status"),
        reached_source=bindparam("new_reached_source"),
        scheduled_at=bindparam("new_scheduled_at"),
        pending_days=bindparam("new_pending_days"),
        customer=bindparam("new_customer"),
        changed_at=bindparam("now"),
        sent_at=None,
        reason=None,
        attempts=0,
        next_attempt_at=None,
        pushed=False,
        at_once=False,
        refusal=None,
        refusals=0,
        unreached=0,
    )
)
_MOVE = (
    update(invitation)
    .where(
        invitation.c.id == bindparam("key"),
        invitation.c.status == PENDING,
        invitation.c.pushed.is_(False),
    )
    .values(
        scheduled_at=bindparam("new_scheduled_at"),
        pending_days=bindparam("new_pending_days"),
        reached_at=bindparam("new_reached_at"),
        reached_status=bindparam("new_reached_status"),
        reached_source=bindparam("new_reached_source"),
        changed_at=bindparam("now"),
    )
)


WORTH_IT = 5_000
"""New rows from which on it pays to do more than insert them."""


class ScheduleRepository(Repository):
    """Steps of a plan, in batches. What changed since the plan was made is left out and counted."""

    def add(
        self, rows: Sequence[invitations.NewInvitation], *, now: Instant, actor: str = invitations.LOOP
    ) -> invitations.ScheduleCounts:
        """Make rows pending: new ones, or the cancelled row of the same order and account again.

        An order that has a live row, of whatever account, is left out. A revived row keeps the
        instant at which its age was judged.

        Raises:
            StateError: an account does not exist or is deleted.
        """
        counts: Counter[str] = Counter()
        run_id = self._session.run_id
        with self._session.joined():
            for chunk in chunks(rows, self._session.dialect.rows_per_insert):
                new = [
                    new_row(self._keys.of(row.interface_id), row, invitations.Status.PENDING, now, run_id)
                    for row in chunk
                ]
                inserted = self._session.insert_rows(invitation, NEW_COLUMNS, new)
                counts["inserted"] += inserted
                if inserted < len(chunk):
                    counts["revived"] += self._revive(chunk, now=now, actor=actor)
        blocked = len(rows) - counts["inserted"] - counts["revived"]
        return invitations.ScheduleCounts(
            inserted=counts["inserted"], revived=counts["revived"], blocked=blocked
        )

    @contextmanager
    def bulk(self, expected: int) -> Iterator[None]:
        """Make scheduling about ``expected`` new rows fast; transactions go inside.

        The index of customers is dropped and rebuilt at the end, where that is better. Until then
        looking up customers is slow, but right; after a crash the next writer makes the index.
        """
        if expected < WORTH_IT:
            yield
            return
        rows = self._session.execute(select(func.max(invitation.c.id))).scalar() or 0
        drops = self._session.dialect.drops_index(new=expected, existing=rows)
        if drops:
            with self._session.transaction():
                CUSTOMER_INDEX.drop(self._session.connection, checkfirst=True)
        try:
            yield
        finally:
            if drops:
                self.repair_index()
        with self._session.transaction():
            self._session.dialect.learn(self._session.connection, invitation)

    def repair_index(self) -> None:
        """Make the index of customers if a crash left the state without it."""
        if not self._session.dialect.has_index(self._session.connection, CUSTOMER_INDEX):
            with self._session.transaction():
                CUSTOMER_INDEX.create(self._session.connection, checkfirst=True)

    def move(self, rows: Iterable[invitations.RescheduleStep], *, now: Instant) -> int:
        """Give rows that are still pending, and that no person has moved, another time; how many."""
        bound = [
            {
                "key": row.row_id,
                "new_scheduled_at": row.scheduled_at,
                "new_pending_days": row.pending_days,
                "new_reached_at": row.reached_at,
                "new_reached_status": row.reached_status,
                "new_reached_source": row.reached_source,
                "now": now,
            }
            for row in rows
        ]
        with self._session.joined():
            return self._session.execute(_MOVE, bound).rowcount if bound else 0

    def cancel(self, reasons: Mapping[int, str], *, now: Instant, actor: str = invitations.LOOP) -> int:
        """Cancel rows, by id with their reasons, that are still pending; how many."""
        by_reason: defaultdict[str, list[int]] = defaultdict(list)
        for key, reason in reasons.items():
            by_reason[reason].append(key)
        cancelled = 0
        with self._session.joined():
            for reason, keys in by_reason.items():
                for ids in chunks(keys):
                    cancelled += self._cancel(ids, reason, now=now, actor=actor)
        return cancelled

    def _cancel(self, ids: list[int], reason: str, *, now: Instant, actor: str) -> int:
        statement = (
            update(invitation)
            .where(invitation.c.id.in_(ids), invitation.c.status == PENDING)
            .values(status=invitations.Status.CANCELLED.value, reason=reason, changed_at=now)
            .returning(invitation.c.id)
        )
        done = sorted(row.id for row in self._session.rows(statement))
        record_changes(
            self._session,
            done,
            invitations.Status.PENDING,
            invitations.Status.CANCELLED,
            at=now,
            actor=actor,
            detail=reason,
        )
        return len(done)

    def _revive(self, rows: Sequence[invitations.NewInvitation], *, now: Instant, actor: str) -> int:
        wanted = {(self._keys.of(row.interface_id), row.source, row.order_id): row for row in rows}
        table = invitation.c
        cancelled = select(table.id, table.account_id, table.source, table.order_id).where(
            table.source.in_({row.source for row in rows}),
            table.order_id.in_([row.order_id for row in rows]),
            table.status == CANCELLED,
        )
        revived = [
            key
            for key, *order in self._session.rows(cancelled.order_by(table.id))
            if (row := wanted.get((order[0], order[1], order[2]))) and self._revive_one(key, row, now=now)
        ]
        record_changes(
            self._session,
            revived,
            invitations.Status.CANCELLED,
            invitations.Status.PENDING,
            at=now,
            actor=actor,
        )
        return len(revived)

    def _revive_one(self, key: int, row: invitations.NewInvitation, *, now: Instant) -> bool:
        bound = {
            "key": key,
            "new_number": row.number,
            "new_store_view": row.store_view,
            "new_reached_at": row.reached_at,
            "new_reached_status": row.reached_status,
            "new_reached_source": row.reached_source,
            "new_scheduled_at": row.scheduled_at,
            "new_pending_days": row.pending_days,
            "new_customer": row.customer,
            "now": now,
        }
        return self._session.execute(_REVIVE, bound).rowcount == 1


ADOPTED = "adopted"
"""The reason of a row that was sent by another tool."""

_BLOCKING = frozenset(each.value for each in invitations.BLOCKING)
_NEW = (*NEW_COLUMNS, "sent_at", "reason")


@dataclass(frozen=True, slots=True, kw_only=True)
class Adopted:
    """An order that was asked for a review elsewhere; ``sent_at`` is ``None`` where nobody knows when.

    ``named``: the account was given; otherwise a row that waits with another account is that order's.
    """

    interface_id: str
    named: bool
    source: str
    order_id: OrderId
    number: str
    order_date: Instant
    store_view: str | None = None
    order_status: str | None = None
    sent_at: Instant | None = None
    customer: str | None = None


class Standing(StrEnum):
    """What an order is to the queue: not in it, waiting or cancelled there, or dealt with."""

    NEW = "new"
    WAITING = "waiting"
    PRESENT = "present"


@dataclass(frozen=True, slots=True)
class _Known:
    standing: Standing
    row: Any = None
    others: tuple[Any, ...] = ()


class SentImportRepository(Repository):
    """Marking orders as sent that this tool did not send."""

    def standing(self, orders: Iterable[Adopted]) -> list[Standing]:
        """What each of these orders is to the queue, in their order; a second one of an order is present."""
        return [known.standing for _, known in self._judged(orders)]

    def adopt(
        self, orders: Iterable[Adopted], *, now: Instant, actor: str = invitations.LOOP
    ) -> list[Standing]:
        """Mark these orders as sent and return what each was before; what was dealt with stays as it is.

        A row that waits becomes the sent one, unless another account was named: then it is cancelled. The
        accounts must be known, and may be deleted ones.
        """
        standings: list[Standing] = []
        with self._session.joined():
            owners = {interface_id: key for key, interface_id in self._keys.names().items()}
            new: list[tuple[Any, ...]] = []
            for each, known in self._judged(orders):
                standings.append(known.standing)
                self._end(known.others, invitations.Status.CANCELLED, each, now=now, actor=actor)
                if known.row is not None:
                    self._end([known.row], invitations.Status.SENT, each, now=now, actor=actor)
                elif known.standing is not Standing.PRESENT:
                    new.append(_values(each, owners[each.interface_id], now))
            self._session.insert_rows(invitation, _NEW, new)
        return standings

    def _judged(self, orders: Iterable[Adopted]) -> Iterable[tuple[Adopted, _Known]]:
        seen: set[tuple[str, OrderId]] = set()
        for chunk in chunks(orders):
            rows = self._rows_of_orders(chunk)
            for each in chunk:
                key = (each.source, each.order_id)
                yield each, _Known(Standing.PRESENT) if key in seen else self._judge(each, rows.get(key, ()))
                seen.add(key)

    def _judge(self, each: Adopted, rows: Sequence[Any]) -> _Known:
        if not rows:
            return _Known(Standing.NEW)
        if any(row.status in _BLOCKING for row in rows):
            return _Known(Standing.PRESENT)
        names = self._keys.names()
        pending = [row for row in rows if row.status == invitations.Status.PENDING.value]
        mine = [row for row in rows if names[row.account_id] == each.interface_id]
        row = next(iter(mine if each.named else [*pending, *mine]), None)
        return _Known(Standing.WAITING, row, tuple(other for other in pending if other is not row))

    def _rows_of_orders(self, orders: Sequence[Adopted]) -> Mapping[tuple[str, OrderId], list[Any]]:
        table, found = invitation.c, dict[tuple[str, OrderId], list[Any]]()
        for source in {each.source for each in orders}:
            ids = [each.order_id for each in orders if each.source == source]
            statement = select(table.id, table.account_id, table.order_id, table.status)
            mine = statement.where(table.source == source, table.order_id.in_(ids)).order_by(table.id)
            for row in self._session.rows(mine):
                found.setdefault((source, row.order_id), []).append(row)
        return found

    def _end(
        self, rows: Iterable[Any], status: invitations.Status, order: Adopted, *, now: Instant, actor: str
    ) -> None:
        """The end of rows that wait: sent when the file says, or cancelled."""
        values: dict[str, Any] = {"status": status.value, "reason": ADOPTED, "changed_at": now}
        if status is invitations.Status.SENT:
            values |= {"sent_at": order.sent_at, "next_attempt_at": None}
        for row in rows:
            self._session.execute(update(invitation).where(invitation.c.id == row.id).values(values))
            record_changes(
                self._session,
                [row.id],
                invitations.Status(row.status),
                status,
                at=now,
                actor=actor,
                detail=ADOPTED,
            )


def _values(each: Adopted, account_id: int, now: Instant) -> tuple[Any, ...]:
    """The new row; of what nobody knows it holds the date of the order."""
    row = invitations.NewInvitation(
        interface_id=each.interface_id,
        source=each.source,
        order_id=each.order_id,
        number=each.number,
        store_view=each.store_view,
        order_date=each.order_date,
        reached_at=each.order_date,
        reached_status=each.order_status or "",
        reached_source=invitations.Evidence.CREATED.value,
        judged_at=now,
        scheduled_at=each.order_date if each.sent_at is None else each.sent_at,
        customer=each.customer,
    )
    return (*new_row(account_id, row, invitations.Status.SENT, now, None), each.sent_at, ADOPTED)
