"""Writing the queue: cancel, schedule, reschedule, and where the next run goes on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from typing import Protocol, TypeVar

from ekomi_reconcile.apply.context import Context
from ekomi_reconcile.apply.events import Progress, Stage
from ekomi_reconcile.model.event import QueueWritten
from ekomi_reconcile.model.result import Done
from ekomi_reconcile.plan.plan import InvitationSteps, Plan
from ekomi_reconcile.state.records import PositionRecord

BATCH = 1_000
"""Rows per transaction."""

NEW_ROWS = 2_500
"""New rows per transaction: waiting for the disk costs more than writing them."""


class _OfAccount(Protocol):
    @property
    def interface_id(self) -> str: ...


Owned = TypeVar("Owned", bound=_OfAccount)


def write_queue(context: Context, plan: Plan, *, failed: Collection[str]) -> None:
    """Carry out the plan's queue steps; those of ``failed`` accounts (interface ids) are left for later.

    Cancelling comes first, so that an order can pass from one account to another. Every batch is one
    transaction; doing them again after a crash changes nothing.
    """
    steps = plan.invitations
    before = Counter(context.result.counts)
    _cancel(context, steps, failed)
    _schedule(context, steps, failed)
    _reschedule(context, steps, failed)
    _remember(context, plan, failed)
    done = Counter(context.result.counts) - before
    context.listen(
        QueueWritten(
            scheduled=done[Done.SCHEDULED],
            rescheduled=done[Done.RESCHEDULED],
            cancelled=done[Done.CANCELLED],
            left_out=done[Done.LEFT_OUT],
        )
    )


def _cancel(context: Context, steps: InvitationSteps, failed: Collection[str]) -> None:
    for batch in steps.cancel.batches(BATCH):
        reasons = {step.row_id: step.reason for step in _kept(batch, failed)}
        with context.state.transaction():
            done = context.state.cancel(reasons, now=context.now())
        context.result.count(Done.CANCELLED, done)
        context.result.count(Done.LEFT_OUT, len(reasons) - done)


def _schedule(context: Context, steps: InvitationSteps, failed: Collection[str]) -> None:
    done, total = 0, len(steps.schedule)
    with context.state.bulk(total):
        for batch in steps.schedule.batches(NEW_ROWS):
            with context.state.transaction():
                counts = context.state.schedule(_kept(batch, failed), now=context.now())
            context.result.count(Done.SCHEDULED, counts.scheduled)
            context.result.count(Done.LEFT_OUT, counts.blocked)
            done += len(batch)
            context.listen(Progress(stage=Stage.QUEUE, done=done, total=total))


def _reschedule(context: Context, steps: InvitationSteps, failed: Collection[str]) -> None:
    for batch in steps.reschedule.batches(BATCH):
        times = _kept(batch, failed)
        with context.state.transaction():
            done = context.state.reschedule(times, now=context.now())
        context.result.count(Done.RESCHEDULED, done)
        context.result.count(Done.LEFT_OUT, len(times) - done)


def _remember(context: Context, plan: Plan, failed: Collection[str]) -> None:
    """Record how far accounts are evaluated, only now that everything before is written.

    Orders that a failed account would have won are nobody's yet: positions in its source stay where they are.
    """
    scheduled = plan.invitations.schedule.by_account
    held = {
        each.source for each in plan.positions if each.interface_id in failed and scheduled[each.interface_id]
    }
    reached = {
        each.interface_id: PositionRecord(
            source=each.source,
            rule_digest=each.rule_digest,
            cursor=each.cursor,
            evaluated_at=context.now(),
        )
        for each in _kept(plan.positions, failed)
        if each.source not in held
    }
    for batch in plan.invitations.observations.batches(BATCH):
        with context.state.transaction():
            context.state.observe(batch)
    with context.state.transaction():
        context.state.set_positions(reached)


def _kept(steps: Iterable[Owned], failed: Collection[str]) -> list[Owned]:
    return [step for step in steps if step.interface_id not in failed]
