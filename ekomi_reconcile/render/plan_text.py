"""The plan as text."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from enum import Enum, auto
from typing import TypeVar

from ekomi_reconcile.model.account import Account, Json
from ekomi_reconcile.model.instant import Instant, iso
from ekomi_reconcile.model.invitation import CancelStep, RescheduleStep, ScheduleStep, SendStep
from ekomi_reconcile.model.rule import Deliver
from ekomi_reconcile.model.sending_times import local_time
from ekomi_reconcile.plan.plan import AccountChange, Action, Operation, Plan, Scope, Summary
from ekomi_reconcile.plan.steps import Steps
from ekomi_reconcile.render.results import diagnostic_text
from ekomi_reconcile.render.tables import Paint, Tone, moment, plural, printable

SENSITIVE = "(sensitive)"
_SYMBOLS = {
    Action.CREATE: ("+", Tone.ADD),
    Action.UPDATE: ("~", Tone.CHANGE),
    Action.DELETE: ("-", Tone.REMOVE),
    Action.REPLACE: ("-/+", Tone.REMOVE),
}
_DEFAULTS = {
    key: value
    for key, value in Account(name="", interface_id="0", interface_password="").canonical().items()
    if key not in ("name", "interface_id")
}

Owned = TypeVar("Owned", ScheduleStep, RescheduleStep, CancelStep, SendStep)


def plan_text(plan: Plan, paint: Paint) -> str:
    """The whole plan, ending with its line of figures and a newline."""
    blocks = [*_sections(plan, paint), *_warnings_block(plan, paint)]
    blocks.append(last_line(plan, paint))
    return "\n\n".join(blocks) + "\n"


def _sections(plan: Plan, paint: Paint) -> Iterator[str]:
    if plan.empty:
        return
    if plan.scope.base is not None:
        yield paint(Tone.STRONG, "Files only") + f": {base_text(plan)}; neither state nor orders were read."
    if plan.scope.partial:
        yield paint(Tone.STRONG, "This plan is partial") + f": {scope_text(plan)}."
    yield _legend(paint)
    for change in plan.changes:
        yield _change_block(change, paint)
    if plan.operations:
        yield _operations_block(plan.operations)
    yield from invitation_blocks(plan, paint)


def scope_text(plan: Plan) -> str:
    """Which accounts a partial plan looks at."""
    parts = scope_parts(plan.scope).items()
    return "only accounts " + "; ".join(
        f"{words} {', '.join(map(printable, those))}" for words, those in parts
    )


def scope_parts(scope: Scope) -> dict[str, tuple[str, ...]]:
    """What was asked for, by the words before it; all of it holds for each account that is looked at."""
    parts = {
        "that match": scope.targets,
        "that do not match": scope.excludes,
        "with the tag": scope.tags,
        "that changed since": (scope.changed_since,) if scope.changed_since else (),
    }
    return {words: those for words, those in parts.items() if those}


def base_text(plan: Plan) -> str:
    """With which revision the files are compared."""
    commit = (plan.scope.base_commit or "")[:12]
    return f"compared with {printable(plan.scope.base or '')} ({commit})"


def _legend(paint: Paint) -> str:
    signs = [paint(tone, symbol) + f" {action.value}" for action, (symbol, tone) in _SYMBOLS.items()]
    return "Legend:  " + "   ".join([*signs, paint(Tone.SEND, "→") + " send"])


def change_head(change: AccountChange, paint: Paint) -> str:
    """``~ account["Germany"]`` with its notes."""
    symbol, tone = _SYMBOLS[change.action]
    notes = [change.reason, change.previous_name and f"was {value_text(change.previous_name)}"]
    note = "".join(f"   ({each})" for each in notes if each)
    return f"{paint(tone, symbol)} {paint(Tone.STRONG, printable(change.address))}{note}"


def _change_block(change: AccountChange, paint: Paint) -> str:
    tone = _SYMBOLS[change.action][1]
    lines = [change_head(change, paint)]
    if change.blocked:
        lines.append(f"    ! not done: {change.blocked}")
    if change.action is Action.CREATE:
        lines += [
            f"    {paint(tone, '+')} {key} = {value_text(value)}"
            for key, value in given_fields(change.after or {})
        ]
        lines.append("      (other settings: defaults)")
    elif change.action in (Action.UPDATE, Action.REPLACE):
        lines += _differences(change, paint)
    return "\n".join(lines)


def given_fields(
    fields: Mapping[str, Json], defaults: Mapping[str, Json] = _DEFAULTS, prefix: str = ""
) -> Iterator[tuple[str, Json]]:
    """Every field that is not as by default, nested keys as paths."""
    for key, value in fields.items():
        usual = defaults.get(key)
        if isinstance(value, Mapping) and isinstance(usual, Mapping):
            yield from given_fields(value, usual, f"{prefix}{key}.")
        elif value != usual:
            yield f"{prefix}{key}", value


def _differences(change: AccountChange, paint: Paint) -> Iterator[str]:
    symbol = paint(Tone.CHANGE, "~")
    for key in change.changed:
        old, new = field_at(change.before, key), field_at(change.after, key)
        if old == new == SENSITIVE:
            yield f"    {symbol} {key} = {SENSITIVE}"
        else:
            before, after = value_text(old, key_order=True), value_text(new, key_order=True)
            yield f"    {symbol} {key} = {before} → {after}"


def field_at(fields: Mapping[str, Json] | None, path: str) -> Json:
    """The value at a key path; ``None`` where there is none."""
    value: Json = fields
    for key in path.split("."):
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def value_text(value: Json, *, key_order: bool = False) -> str:
    """A value of the files as JSON on one line; with ``key_order`` mappings are sorted by their keys."""
    if value is None:
        return "(none)"
    if value == SENSITIVE:
        return SENSITIVE
    return printable(json.dumps(value, ensure_ascii=False, sort_keys=key_order))


def _operations_block(operations: Iterable[Operation]) -> str:
    lines = ["From eKomi:"]
    lines += [f"    {each.kind.value:6} {printable(each.account)}   ({each.reason})" for each in operations]
    return "\n".join(lines)


def invitation_blocks(plan: Plan, paint: Paint) -> Iterator[str]:
    """What happens to the queue: a block of lines per account, its first line ending with a colon."""
    steps = plan.invitations
    for key, name in sorted(plan.names.items(), key=lambda each: each[1].casefold()):
        lines = [
            *_group(steps.schedule, key, "to schedule", _schedule_example, paint),
            *_group(steps.reschedule, key, "to reschedule", _reschedule_example, paint),
            *_group(steps.cancel, key, "to cancel", _cancel_example, paint),
            *_group(steps.send, key, "to send", _send_example, paint),
            *(f"    {each}" for each in window_lines(plan, key)),
            *_not_invited(steps.not_invited.get(name, {})),
            *_impact(plan, key),
        ]
        if lines:
            yield "\n".join([f"Invitations of {printable(name)}:", *lines])
    if steps.waiting_for_orders:
        yield f"{steps.waiting_for_orders} waiting: due, but the order is on hold or missing."
    if steps.deferred:
        yield f"{steps.deferred} deferred: due, but beyond max_sends; the oldest go first, the rest wait."


def window_lines(plan: Plan, interface_id: str) -> Iterator[str]:
    """How many due invitations of an account wait for its sending window, and until when."""
    for each in plan.invitations.windows:
        if each.interface_id == interface_id:
            at = each.leaves_at
            when = "never" if at is None else local_time(at, each.timezone, now=plan.created_at)
            yield f"{each.count} waiting for their sending window, next: {when}"


def _group(
    steps: Steps[Owned], key: str, verb: str, example: Callable[[Owned], str], paint: Paint
) -> Iterator[str]:
    count = steps.by_account.get(key, 0)
    if not count:
        return
    arrow = paint(Tone.SEND, "→") if verb == "to send" else " "
    yield f"  {arrow} {count} {verb}"
    shown = steps.examples.get(key, [])
    yield from (f"        {example(step)}" for step in shown)
    if count > len(shown):
        yield f"        … and {count - len(shown)} more"


def _schedule_example(step: ScheduleStep) -> str:
    evidence = _evidence(step)
    return f"{printable(step.number)}  {_at_time(step.scheduled_at)}{_leaves(step)}   ({evidence})"


def _reschedule_example(step: RescheduleStep) -> str:
    times = f"{_at_time(step.previously)} → {_at_time(step.scheduled_at)}"
    evidence = _evidence(step)
    return f"{printable(step.number)}  {times}{_leaves(step)}   ({evidence})"


def _evidence(step: ScheduleStep | RescheduleStep) -> str:
    known = f"{printable(step.reached_status)} by {step.reached_source}{_days(step.pending_days)}"
    return f"{known}{_how(step)}"


def _how(step: ScheduleStep | RescheduleStep | SendStep) -> str:
    """The channel, where it is not the usual one, and the number of products to review, if there are any."""
    channel = "" if step.channel is None or step.channel is Deliver.EKOMI_EMAIL else f"; {step.channel.value}"
    return f"{channel}; {plural(len(step.products), 'product')}" if step.products else channel


def _leaves(step: ScheduleStep | RescheduleStep) -> str:
    """When it leaves, where a sending window or a pause makes that later than it is due."""
    if step.leaves_at in {None, step.scheduled_at}:
        return ""
    return f", leaves {_at_time(step.leaves_at)}"


def _days(pending_days: int | None) -> str:
    return "" if pending_days is None else f", {plural(pending_days, 'day')} later"


def _cancel_example(step: CancelStep) -> str:
    return f"{printable(step.number)}  {printable(step.reason)}"


def _send_example(step: SendStep) -> str:
    return f"{printable(step.number)}  due since {_at_time(step.scheduled_at)}{_how(step)}"


def _at_time(instant: Instant) -> str:
    return moment(iso(instant))


def _not_invited(counts: Mapping[str, int]) -> Iterator[str]:
    if counts:
        reasons = ", ".join(f"{count} {criterion}" for criterion, count in counts.items())
        yield f"    not invited: {reasons}"


def _impact(plan: Plan, key: str) -> Iterator[str]:
    """What a changed rule means, in customers."""
    updated = any(each.interface_id == key and each.action is Action.UPDATE for each in plan.changes)
    steps = plan.invitations
    more, fewer = steps.schedule.by_account.get(key, 0), steps.cancel.by_account.get(key, 0)
    moved = steps.reschedule.by_account.get(key, 0)
    if updated and (more or fewer or moved):
        yield f"    this change: {more} more customers asked, {fewer} fewer, {moved} at another time"


def _warnings_block(plan: Plan, paint: Paint) -> Iterator[str]:
    found = [diagnostic_text(each, paint) for each in plan.diagnostics]
    found += [
        f"{paint(Tone.CHANGE, 'warning')}: {each.message}\n"
        f"    apply will refuse; if it is meant: {each.override}"
        for each in plan.guards
    ]
    if not plan.complete:
        found.append(paint(Tone.REMOVE, "This plan is not complete") + ": see the errors above.")
    if found:
        yield "\n".join(found)


_FIGURES = (
    ("add", "change", "destroy"),
    ("sync", "import"),
    ("schedule", "reschedule", "cancel", "send"),
)


def summary_line(summary: Summary, groups: Sequence[Sequence[str]] = _FIGURES) -> str:
    """``Plan: 1 to add, 1 to change, 0 to destroy; 2 to sync, …``."""
    figures = summary.as_json()
    words = {name: f"{count} to {name}" for name, count in figures.items()}
    return "Plan: " + "; ".join(", ".join(words[name] for name in group) for group in groups) + "."


def last_line(plan: Plan, paint: Paint) -> str:
    """The figures, or that there is nothing to do."""
    compared = plan.scope.base is not None
    if not plan.empty:
        return paint(Tone.STRONG, summary_line(plan.summary, _FIGURES[:1] if compared else _FIGURES))
    if not plan.complete:
        return paint(Tone.STRONG, "No changes found") + " in what could be read."
    if compared:
        return paint(Tone.STRONG, "No changes") + f" of accounts, {base_text(plan)}."
    return paint(Tone.STRONG, "No changes.") + " The state matches the files, and nothing is due."


class PlanDetail(Enum):
    """How much of a plan is shown."""

    FULL = auto()
    CONCISE = auto()


def plan_in(detail: PlanDetail, plan: Plan, paint: Paint) -> str:
    """The plan in this detail, ending with its line of figures and a newline."""
    return plan_text(plan, paint) if detail is PlanDetail.FULL else concise_text(plan, paint)


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
        counts += window_lines(plan, key)
        if counts:
            yield f"Invitations of {printable(name)}: {', '.join(counts)}"
    if plan.invitations.waiting_for_orders:
        yield f"{plan.invitations.waiting_for_orders} waiting: due, but the order is on hold or missing"
    if plan.invitations.deferred:
        yield f"{plan.invitations.deferred} deferred: due, but beyond max_sends"


def _warnings(plan: Plan, paint: Paint) -> Iterator[str]:
    for each in plan.diagnostics:
        yield diagnostic_text(each, paint).partition("\n")[0]
    for guard in plan.guards:
        yield f"{paint(Tone.CHANGE, 'warning')}: {guard.message}; if it is meant: {guard.override}"
    if not plan.complete:
        yield paint(Tone.REMOVE, "This plan is not complete") + ": see the errors above."
