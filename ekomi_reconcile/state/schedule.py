"""Putting orders into the queue, moving their time, taking them out."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import bindparam, exists, func, select, update

from ekomi_reconcile.model.instant import Instant
from ekomi_reconcile.model.invitation import FINAL_REASONS, Status
from ekomi_reconcile.state.history import HistoryStore
from ekomi_reconcile.state.records import LOOP, Rescheduled, ScheduleCounts, Scheduled
from ekomi_reconcile.state.rows import NEW_COLUMNS, new_row
from ekomi_reconcile.state.session import chunks
from ekomi_reconcile.state.tables import CANCELLED, PENDING, invitation

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
        func.coalesce(invitation.c.reason, "").not_in(FINAL_REASONS),
        ~_BLOCKED,
    )
    .values(
        status=Status.PENDING.value,
        number=bindparam("new_number"),
        store_view=bindparam("new_store_view"),
        reached_at=bindparam("new_reached_at"),
        reached_status=bindparam("new_reached_status"),
        reached_source=bindparam("new_reached_source"),
        scheduled_at=bindparam("new_scheduled_at"),
        customer=bindparam("new_customer"),
        changed_at=bindparam("now"),
        sent_at=None,
        reason=None,
        attempts=0,
        next_attempt_at=None,
        pushed=False,
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
        reached_at=bindparam("new_reached_at"),
        reached_status=bindparam("new_reached_status"),
        reached_source=bindparam("new_reached_source"),
        changed_at=bindparam("now"),
    )
)


class ScheduleStore(HistoryStore):
    """Steps of a plan, in batches. What changed since the plan was made is left out and counted."""

    def schedule(self, rows: Sequence[Scheduled], *, now: Instant, actor: str = LOOP) -> ScheduleCounts:
        """Make rows pending: new ones, or the cancelled row of the same order and account again.

        An order that has a live row, of whatever account, is left out. A revived row keeps the
        instant at which its age was judged.

        Raises:
            StateError: an account does not exist or is deleted.
        """
        counts: Counter[str] = Counter()
        with self._joined():
            for chunk in chunks(rows, self._dialect.rows_per_insert):
                new = [new_row(self._account_id(row.interface_id), row, Status.PENDING, now) for row in chunk]
                inserted = self._insert_rows(invitation, NEW_COLUMNS, new)
                counts["inserted"] += inserted
                if inserted < len(chunk):
                    counts["revived"] += self._revive(chunk, now=now, actor=actor)
        blocked = len(rows) - counts["inserted"] - counts["revived"]
        return ScheduleCounts(inserted=counts["inserted"], revived=counts["revived"], blocked=blocked)

    def reschedule(self, rows: Iterable[Rescheduled], *, now: Instant) -> int:
        """Give rows that are still pending, and that no person has moved, another time; how many."""
        bound = [
            {
                "key": row.row_id,
                "new_scheduled_at": row.scheduled_at,
                "new_reached_at": row.reached_at,
                "new_reached_status": row.reached_status,
                "new_reached_source": row.reached_source,
                "now": now,
            }
            for row in rows
        ]
        with self._joined():
            return self._execute(_MOVE, bound).rowcount if bound else 0

    def cancel(self, reasons: Mapping[int, str], *, now: Instant, actor: str = LOOP) -> int:
        """Cancel rows, by id with their reasons, that are still pending; how many."""
        by_reason: defaultdict[str, list[int]] = defaultdict(list)
        for key, reason in reasons.items():
            by_reason[reason].append(key)
        cancelled = 0
        with self._joined():
            for reason, keys in by_reason.items():
                for ids in chunks(keys):
                    cancelled += self._cancel(ids, reason, now=now, actor=actor)
        return cancelled

    def _cancel(self, ids: list[int], reason: str, *, now: Instant, actor: str) -> int:
        statement = (
            update(invitation)
            .where(invitation.c.id.in_(ids), invitation.c.status == PENDING)
            .values(status=Status.CANCELLED.value, reason=reason, changed_at=now)
            .returning(invitation.c.id)
        )
        done = sorted(row.id for row in self._rows(statement))
        self._record_changes(done, Status.PENDING, Status.CANCELLED, at=now, actor=actor, detail=reason)
        return len(done)

    def _revive(self, rows: Sequence[Scheduled], *, now: Instant, actor: str) -> int:
        wanted = {(self._account_id(row.interface_id), row.source, row.order_id): row for row in rows}
        table = invitation.c
        cancelled = select(table.id, table.account_id, table.source, table.order_id).where(
            table.source.in_({row.source for row in rows}),
            table.order_id.in_([row.order_id for row in rows]),
            table.status == CANCELLED,
        )
        revived = [
            key
            for key, *order in self._rows(cancelled.order_by(table.id))
            if (row := wanted.get((order[0], order[1], order[2]))) and self._revive_one(key, row, now=now)
        ]
        self._record_changes(revived, Status.CANCELLED, Status.PENDING, at=now, actor=actor)
        return len(revived)

    def _revive_one(self, key: int, row: Scheduled, *, now: Instant) -> bool:
        bound = {
            "key": key,
            "new_number": row.number,
            "new_store_view": row.store_view,
            "new_reached_at": row.reached_at,
            "new_reached_status": row.reached_status,
            "new_reached_source": row.reached_source,
            "new_scheduled_at": row.scheduled_at,
            "new_customer": row.customer,
            "now": now,
        }
        return self._execute(_REVIVE, bound).rowcount == 1
