"""Carry out a plan in the one safe order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable
from typing import Protocol, TypeVar

from ekomi_reconcile.apply.accounts import change_accounts, delete_accounts
from ekomi_reconcile.apply.context import Context, keep_up
from ekomi_reconcile.apply.delivery import annotate
from ekomi_reconcile.apply.sending import LOOK, Sender
from ekomi_reconcile.model.account import AccountRecord, PositionRecord
from ekomi_reconcile.model.invitation import Invitation, SendOutcome, Status
from ekomi_reconcile.model.rule import Deliver
from ekomi_reconcile.model.run import Done, Failure, Progress, QueueWritten, Result, Stage
from ekomi_reconcile.plan.plan import Action, InvitationSteps, Plan

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
            done = context.state.schedule.cancel(reasons, now=context.now())
        context.result.count(Done.CANCELLED, done)
        context.result.count(Done.LEFT_OUT, len(reasons) - done)


def _schedule(context: Context, steps: InvitationSteps, failed: Collection[str]) -> None:
    done, total = 0, len(steps.schedule)
    with context.state.schedule.bulk(total):
        for batch in steps.schedule.batches(NEW_ROWS):
            with context.state.transaction():
                counts = context.state.schedule.add(_kept(batch, failed), now=context.now())
            context.result.count(Done.SCHEDULED, counts.scheduled)
            context.result.count(Done.LEFT_OUT, counts.blocked)
            done += len(batch)
            context.listen(Progress(stage=Stage.QUEUE, done=done, total=total))


def _reschedule(context: Context, steps: InvitationSteps, failed: Collection[str]) -> None:
    for batch in steps.reschedule.batches(BATCH):
        times = _kept(batch, failed)
        with context.state.transaction():
            done = context.state.schedule.move(times, now=context.now())
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
            context.state.positions.observe(batch)
    for passed in plan.invitations.passed.batches(BATCH):
        with context.state.transaction():
            context.state.positions.pass_over(passed)
    with context.state.transaction():
        context.state.positions.save(reached)


def _kept(steps: Iterable[Owned], failed: Collection[str]) -> list[Owned]:
    return [step for step in steps if step.interface_id not in failed]


def nothing() -> None:
    """Do nothing."""


def execute(
    context: Context, plan: Plan, *, sending: bool = True, before_sending: Callable[[], None] = nothing
) -> Result:
    """Do what the plan says: accounts, syncs, imports, queue, deletes, and last what is due.

    Independent parts go on after a failure; the result has what failed and what was not tried. After
    ``before_sending`` only rows that were claimed are written, which other runners may do as well.
    """
    failed = change_accounts(context, plan.changes, plan.operations)
    for change in plan.blocked:
        context.result.failures.append(
            Failure(subject=f"{change.name}: {change.action.value}", message=change.blocked or "")
        )
    if context.stop.is_set():
        _tell_left(context, plan)
        return context.result
    write_queue(context, plan, failed=failed | _replaced(plan))
    delete_accounts(context, plan.changes)
    if sending:
        before_sending()
        _send(context, plan, failed)
    keep_up(context)
    return context.result


def _replaced(plan: Plan) -> frozenset[str]:
    """Accounts that a replacement takes out: with them their rows were cancelled, or neither was done."""
    return frozenset(
        each.previous_id
        for each in plan.changes
        if each.action is Action.REPLACE and each.previous_id not in (None, each.interface_id)
    )


def _tell_left(context: Context, plan: Plan) -> None:
    """Say what a run that ended before the queue was written leaves to the next."""
    left = plan.summary
    steps = left.schedule + left.reschedule + left.cancel + left.send
    deletes = sum(each.action is Action.DELETE and not each.blocked for each in plan.changes)
    if steps or deletes:
        context.result.not_tried.append(
            f"{steps} steps of invitations and {deletes} deletes not tried: the run was stopped"
        )


def _send(context: Context, plan: Plan, failed: frozenset[str]) -> None:
    steps = plan.invitations.send
    reachable = set(steps.by_account) - failed - set(context.unresolved)
    for key in sorted(set(context.unresolved) & set(steps.by_account) - failed):
        context.record_failure(key, "send", context.unresolved[key])
    wanted = ([step for step in batch if step.interface_id in reachable] for batch in steps.batches(LOOK))
    sender = Sender(context, total=sum(steps.by_account[key] for key in reachable))
    sender.send(wanted)
    annotate(context, sender.sent)


def recover(context: Context) -> int:
    """Settle the intents that a killed run left behind; how many are in doubt now.

    Whether such a call took effect is not known. Only registering an order for a link may be repeated:
    eKomi answers with the link it gave before. What the call was, the account as last applied tells, not
    the files, which may have changed since.
    """
    rows = context.state.queue.abandoned(now=context.now())
    links = {each.interface_id for each in context.state.accounts.read() if _by_link(each)}
    outcomes = [_recovered(row, links, now=context.now()) for row in rows]
    if outcomes:
        context.state.sending.settle(outcomes)
    return sum(each.status is Status.UNKNOWN for each in outcomes)


def _by_link(account: AccountRecord) -> bool:
    rules = account.desired["invitations"]
    return bool(rules["deliver"] == Deliver.LINK.value)


def _recovered(row: Invitation, links: Collection[str], *, now: int) -> SendOutcome:
    if row.interface_id in links:
        return SendOutcome(
            id=row.id, status=Status.PENDING, at=now, reason="a killed run left it; safe to repeat"
        )
    return SendOutcome(id=row.id, status=Status.UNKNOWN, at=now, reason="the run was killed while sending")
