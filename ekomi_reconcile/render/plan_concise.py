"""A plan in short: the accounts that change, figures instead of examples, the heads of warnings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from enum import Enum, auto

from ekomi_reconcile.plan.plan import AccountChange, Plan
from ekomi_reconcile.render.diagnostics import diagnostic_text
from ekomi_reconcile.render.plan_text import base_text, change_head, last_line, plan_text, scope_text
from ekomi_reconcile.render.style import Paint, Tone, printable


class Detail(Enum):
    """How much of a plan is shown."""

    FULL = auto()
    CONCISE = auto()


def plan_in(detail: Detail, plan: Plan, paint: Paint) -> str:
    """The plan in this detail, ending with its line of figures and a newline."""
    return plan_text(plan, paint) if detail is Detail.FULL else concise_text(plan, paint)


def concise_text(plan: Plan, paint: Paint) -> str:
    """One line for every account that changes, for what is fetched, and for every queue that moves."""
    lines = [*_scope(plan, paint)]
    lines += [_change(each, paint) for each in plan.changes]
    lines += [*_operations(plan), *_invitations(plan), *_warnings(plan, paint)]
    return "\n".join([*lines, last_line(plan, paint)]) + "\n"


def steps_of(plan: Plan, interface_id: str) -> dict[str, int]:
    """How many steps of each kind the plan has for the queue of one account."""
    steps = plan.invitations
    return {
        "schedule": steps.schedule.by_account.get(interface_id, 0),
        "reschedule": steps.reschedule.by_account.get(interface_id, 0),
        "cancel": steps.cancel.by_account.get(interface_id, 0),
        "send": steps.send.by_account.get(interface_id, 0),
    }


def _scope(plan: Plan, paint: Paint) -> Iterator[str]:
    if plan.empty:
        return
    if plan.scope.base is not None:
        yield paint(Tone.STRONG, "Files only") + f": {base_text(plan)}."
    if plan.scope.partial:
        yield paint(Tone.STRONG, "This plan is partial") + f": {scope_text(plan)}."


def _change(change: AccountChange, paint: Paint) -> str:
    fields = f": {', '.join(change.changed)}" if change.changed else ""
    blocked = f"   ! not done: {change.blocked}" if change.blocked else ""
    return change_head(change, paint) + fields + blocked


def _operations(plan: Plan) -> Iterator[str]:
    kinds = Counter(each.kind.value for each in plan.operations)
    if kinds:
        yield "From eKomi: " + ", ".join(f"{count} to {kind}" for kind, count in kinds.items())


def _invitations(plan: Plan) -> Iterator[str]:
    for key, name in sorted(plan.names.items(), key=lambda each: each[1].casefold()):
        counts = [f"{count} to {step}" for step, count in steps_of(plan, key).items() if count]
        if counts:
            yield f"Invitations of {printable(name)}: {', '.join(counts)}"
    if plan.invitations.waiting:
        yield f"{plan.invitations.waiting} waiting: due, but the order is on hold or missing"
    if plan.invitations.deferred:
        yield f"{plan.invitations.deferred} deferred: due, but beyond max_sends"


def _warnings(plan: Plan, paint: Paint) -> Iterator[str]:
    for each in plan.diagnostics:
        yield diagnostic_text(each, paint).partition("\n")[0]
    for guard in plan.guards:
        yield f"{paint(Tone.CHANGE, 'warning')}: {guard.message}; if it is meant: {guard.override}"
    if not plan.complete:
        yield paint(Tone.REMOVE, "This plan is not complete") + ": see the errors above."
