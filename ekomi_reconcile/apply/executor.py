"""Carrying out a plan, in the one order that is safe."""

from __future__ import annotations

from collections.abc import Callable, Collection

from ekomi_reconcile.apply.accounts import change_accounts, delete_accounts
from ekomi_reconcile.apply.annotating import annotate
from ekomi_reconcile.apply.context import Context
from ekomi_reconcile.apply.queueing import write_queue
from ekomi_reconcile.apply.sending import LOOK, Sender
from ekomi_reconcile.apply.upkeep import keep_up
from ekomi_reconcile.model.account import Deliver
from ekomi_reconcile.model.invitation import Invitation, Status
from ekomi_reconcile.model.result import Failure, Result
from ekomi_reconcile.plan.plan import Action, Plan
from ekomi_reconcile.state.records import AccountRecord, Outcome


def nothing() -> None:
    """Do nothing."""


def execute(
    context: Context, plan: Plan, *, sending: bool = True, before_sending: Callable[[], None] = nothing
) -> Result:
    """Do what the plan says: accounts, syncs, imports, queue, deletes, and last what is due.

    Independent parts go on after a failure; the result tells what failed and what was not tried. After
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
    rows = context.state.abandoned(now=context.now())
    links = {each.interface_id for each in context.state.accounts() if _by_link(each)}
    outcomes = [_recovered(row, links, now=context.now()) for row in rows]
    if outcomes:
        context.state.settle(outcomes)
    return sum(each.status is Status.UNKNOWN for each in outcomes)


def _by_link(account: AccountRecord) -> bool:
    rules = account.desired["invitations"]
    return bool(rules["deliver"] == Deliver.LINK.value)


def _recovered(row: Invitation, links: Collection[str], *, now: int) -> Outcome:
    if row.interface_id in links:
        return Outcome(
            id=row.id, status=Status.PENDING, at=now, reason="a killed run left it; safe to repeat"
        )
    return Outcome(id=row.id, status=Status.UNKNOWN, at=now, reason="the run was killed while sending")
