"""The invitation queue: counts, the days behind and ahead, and the rows that people look for."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from ekomi_reconcile.model.instant import DAY, Instant
from ekomi_reconcile.model.invitation import Criterion, Invitation, Status
from ekomi_reconcile.report.accounts import invites
from ekomi_reconcile.report.data import DayCount, InvitationRow, Limits, Queue
from ekomi_reconcile.state.records import ACCOUNT_DELETED, AccountRecord
from ekomi_reconcile.state.store import State

DAYS_BEHIND = 90
DAYS_AHEAD = 30

LOOP_REASONS = frozenset({*(each.value for each in Criterion), ACCOUNT_DELETED})
"""Reasons that the loop gives for what it cancels."""

_TOLD = frozenset({Status.UNKNOWN, Status.FAILED, Status.PENDING, Status.SENDING})
"""In these states the reason is the loop's own; a person may have written the others."""


def read_queue(
    state: State,
    records: Collection[AccountRecord],
    counts: Mapping[str, Mapping[Status, int]],
    *,
    names: Mapping[str, str],
    now: Instant,
    limits: Limits,
) -> Queue:
    """The queue; ``records`` are the live accounts, ``counts`` rows by interface id and status."""
    enabled = {each.interface_id for each in records if invites(each)}
    by_status = {status: sum(each.get(status, 0) for each in counts.values()) for status in Status}
    waiting = {key: each.get(Status.PENDING, 0) for key, each in counts.items()}
    due = [each for key, each in state.due_by_account(now).items() if key in enabled]
    today, end = now // DAY, (now // DAY + DAYS_AHEAD) * DAY
    ahead = state.scheduled_by_day(enabled, after=now, before=end)
    in_time = sum(waiting.get(key, 0) for key in enabled)
    until_end = sum(state.scheduled_by_day(enabled, after=-1, before=end).values())
    behind = state.sent_by_day((today - DAYS_BEHIND + 1) * DAY)

    def listed(limit: int, status: Status | None = None) -> tuple[InvitationRow, ...]:
        return tuple(_row(each, names) for each in state.latest_invitations(limit, status))

    return Queue(
        total=sum(by_status.values()),
        by_status=by_status,
        due=sum(each.count for each in due),
        oldest_due=min((each.oldest for each in due), default=None),
        held=sum(waiting.values()) - in_time,
        sent=_days(behind, first=today - DAYS_BEHIND + 1, last=today),
        scheduled=_days(ahead, first=today, last=today + DAYS_AHEAD - 1),
        later=in_time - until_end,
        latest=listed(limits.invitations),
        unknown=listed(limits.unclear, Status.UNKNOWN) if by_status[Status.UNKNOWN] else (),
        failed=listed(limits.unclear, Status.FAILED) if by_status[Status.FAILED] else (),
    )


def _days(counts: Mapping[int, int], *, first: int, last: int) -> tuple[DayCount, ...]:
    return tuple(DayCount(day=day, count=counts.get(day, 0)) for day in range(first, last + 1))


def _row(row: Invitation, names: Mapping[str, str]) -> InvitationRow:
    told = row.status in _TOLD or row.reason in LOOP_REASONS
    return InvitationRow(
        id=row.id,
        number=row.number,
        order_id=row.order_id,
        account=names[row.interface_id],
        interface_id=row.interface_id,
        store_view=row.store_view,
        order_date=row.order_date,
        scheduled_at=row.scheduled_at,
        sent_at=row.sent_at,
        changed_at=row.changed_at,
        status=row.status,
        reason=row.reason if told else None,
        attempts=row.attempts,
    )
