"""What is sent in this run."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace
from heapq import nsmallest

from ekomi_reconcile.model.instant import Instant
from ekomi_reconcile.plan.plan import InvitationSteps
from ekomi_reconcile.plan.steps import Send
from ekomi_reconcile.plan.view import Queue


def due(
    steps: InvitationSteps, queue: Queue, *, senders: frozenset[str], now: Instant, cap: int
) -> InvitationSteps:
    """The steps with what is sent now: rows that are due and those that this plan makes due.

    The oldest come first; beyond ``cap`` they wait, unless a rule change is what makes them due: then a
    guard has to decide about all of them.
    """
    moved = {step.row_id for step in steps.cancel} | {step.row_id for step in steps.reschedule}
    found = list(_due(steps, queue, senders=senders, moved=moved, now=now))
    caused = sum(send.rule_change for send in found)
    limit = len(found) if caused > cap else cap
    chosen = nsmallest(limit, found, key=lambda send: (send.scheduled_at, send.source, send.order_id))
    for send in chosen:
        steps.send.append(send)
    return replace(steps, deferred=len(found) - len(chosen), due_by_rule_change=caused)


def _due(
    steps: InvitationSteps, queue: Queue, *, senders: frozenset[str], moved: Collection[int], now: Instant
) -> Iterator[Send]:
    for row in queue.due(senders, now):
        if row.id not in moved:
            yield Send(
                interface_id=row.interface_id,
                row_id=row.id,
                source=row.source,
                order_id=row.order_id,
                number=row.number,
                scheduled_at=row.scheduled_at,
            )
    for step in steps.reschedule:
        if step.scheduled_at <= now:
            yield Send(
                interface_id=step.interface_id,
                row_id=step.row_id,
                source=step.source,
                order_id=step.order_id,
                number=step.number,
                scheduled_at=step.scheduled_at,
                rule_change=True,
            )
    for planned in steps.schedule:
        if planned.scheduled_at <= now:
            yield Send(
                interface_id=planned.interface_id,
                row_id=None,
                source=planned.source,
                order_id=planned.order_id,
                number=planned.number,
                scheduled_at=planned.scheduled_at,
                rule_change=planned.rule_change,
            )
