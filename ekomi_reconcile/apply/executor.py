"""Carrying out a plan, in the one order that is safe."""

from __future__ import annotations

from ekomi_reconcile.apply.accounts import change_accounts, delete_accounts
from ekomi_reconcile.apply.context import Context
from ekomi_reconcile.apply.queueing import write_queue
from ekomi_reconcile.apply.sending import LOOK, Sender
from ekomi_reconcile.model.account import Account, Deliver
from ekomi_reconcile.model.invitation import Invitation, Status
from ekomi_reconcile.model.result import Failure, Result
from ekomi_reconcile.plan.plan import Plan
from ekomi_reconcile.state.records import Outcome


def execute(context: Context, plan: Plan, *, sending: bool = True) -> Result:
    """Do what the plan says: accounts, syncs, imports, queue, deletes, and last what is due.

    Independent parts go on after a failure; the result tells what failed and what was not tried.
    """
    failed = change_accounts(context, plan.changes, plan.operations)
    for change in plan.blocked:
        context.result.failures.append(
            Failure(subject=f"{change.name}: {change.action.value}", message=change.blocked or "")
        )
    if not context.stop.is_set():
        write_queue(context, plan, failed=failed)
        delete_accounts(context, plan.changes)
        if sending:
            _send(context, plan, failed)
    return context.result


def _send(context: Context, plan: Plan, failed: frozenset[str]) -> None:
    steps = plan.invitations.send
    reachable = set(steps.by_account) - failed - set(context.unresolved)
    for key in sorted(set(context.unresolved) & set(steps.by_account) - failed):
        context.record_failure(key, "send", context.unresolved[key])
    wanted = ([step for step in batch if step.interface_id in reachable] for batch in steps.batches(LOOK))
    Sender(context, total=sum(steps.by_account[key] for key in reachable)).send(wanted)


def recover(context: Context) -> int:
    """Settle the intents that a killed run left behind; how many are in doubt now.

    Whether such a call took effect is not known. Only registering an order for a link may be repeated:
    eKomi answers with the link it gave before.
    """
    rows = context.state.abandoned()
    outcomes = [_recovered(row, context.accounts.get(row.interface_id), now=context.now()) for row in rows]
    if outcomes:
        context.state.settle(outcomes)
    return sum(each.status is Status.UNKNOWN for each in outcomes)


def _recovered(row: Invitation, account: Account | None, *, now: int) -> Outcome:
    if account is not None and account.invitations.deliver is Deliver.LINK:
        return Outcome(
            id=row.id, status=Status.PENDING, at=now, reason="a killed run left it; safe to repeat"
        )
    return Outcome(id=row.id, status=Status.UNKNOWN, at=now, reason="the run was killed while sending")
