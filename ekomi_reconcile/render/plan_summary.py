"""What a plan means, each thing in one line: the consequence, a change, what is fetched, the figures."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime

from ekomi_reconcile.model.account import Account, Json, ValueChange
from ekomi_reconcile.model.instant import DAY, HOUR, Instant
from ekomi_reconcile.model.invitation import Criterion
from ekomi_reconcile.model.sending_times import local_time
from ekomi_reconcile.plan import plan as plans
from ekomi_reconcile.plan.plan import AccountChange, Action, AffectedAccount, Impact, Plan, Summary
from ekomi_reconcile.render.tables import Paint, Tone, plural, printable

DONE = {
    Action.DELETE: "deleted",
    Action.REPLACE: "replaced",
    Action.UPDATE: "changed",
    Action.CREATE: "added",
}
"""What happens to accounts. What takes away is read first, and kept where there is not room for all."""
_NAMED = 3
"""Accounts that are named; more are counted."""
_SHORT_REASONS = {Criterion.ORDER_STATUS.value: "status", Criterion.ORDER_AGE.value: "age"}
_DEFAULTS = {
    key: value
    for key, value in Account(name="", interface_id="0", interface_password="").canonical().items()
    if key not in ("name", "interface_id")
}


def headline(plan: Plan) -> str:
    """``1 account changed · 7 customers invited now · 11 rescheduled``: the consequence, without zeros."""
    accounts, customers = consequences(plan)
    return " · ".join([*accounts, *customers])


def consequences(plan: Plan) -> tuple[list[str], list[str]]:
    """What happens to accounts, in at most one phrase, and to customers, in at least one."""
    accounts = [*_account_words(plan)]
    customers = [*_customer_words(plan)] if plan.counted else []
    if not plan.complete:
        customers.append("not complete")
    if not customers or not plan.counted:
        nobody = "no customer affected" if accounts else "no account changes, no customer affected"
        customers.insert(0, nobody if plan.counted else "customers not counted")
    return [", ".join(accounts)] if accounts else [], customers


def _account_words(plan: Plan) -> Iterator[str]:
    actions = Counter(each.action for each in plan.changes if not each.blocked)
    counts = [(actions[action], word) for action, word in DONE.items()]
    yield from _counted([*counts, (len(plan.blocked), "protected")], "account")


def _customer_words(plan: Plan) -> Iterator[str]:
    impact, steps = plan.impact, plan.invitations
    return _counted(
        (
            (impact.now, "invited now"),
            (impact.scheduled, "scheduled"),
            (len(steps.reschedule), "rescheduled"),
            (impact.lost, "lost"),
            (steps.waiting, "waiting"),
            (steps.deferred, "deferred"),
        ),
        "customer",
    )


def _counted(counts: Iterable[tuple[int, str]], noun: str) -> Iterator[str]:
    """``2 accounts added``, ``1 changed``: the noun once, no zeros."""
    first = True
    for count, word in counts:
        if count:
            yield f"{plural(count, noun) if first else count} {word}"
            first = False


def impact_text(impact: Impact, change: AccountChange | None = None) -> str:
    """``now 7 · later 4 · no customer lost``; what is lost is said in any case where rules change."""
    parts = [
        *([f"now {impact.now}"] if impact.now else []),
        *([f"later {impact.later}"] if impact.later else []),
        *([f"{plural(impact.passed_on, 'order')} to other accounts"] if impact.passed_on else []),
    ]
    if impact.lost:
        parts.append(f"{plural(impact.lost, 'customer')} lost")
    elif change and not change.blocked and (change.removes or (parts and change.action is Action.UPDATE)):
        parts.append("no customer lost")
    return " · ".join(parts)


def scope_text(plan: Plan) -> str:
    """Which accounts a partial plan looks at."""
    parts = scope_parts(plan.scope).items()
    return "only accounts " + "; ".join(
        f"{words} {', '.join(map(printable, those))}" for words, those in parts
    )


def scope_parts(scope: plans.Scope) -> dict[str, tuple[str, ...]]:
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


def change_text(change: AccountChange) -> str:
    """What changes, on one line: ``pending_period 14 → 7, priority 0 → 5``."""
    return printable(
        ", ".join(
            f"{key_text(each.path)} {difference_text(each.before, each.after)}" for each in change.values
        )
    )


_SAID = {
    ("pending_period",): "delay",
    ("skip_orders_older_than",): "age limit",
    ("conditions", "grand_total", "gte"): "minimum total",
    ("conditions", "grand_total", "lte"): "maximum total",
}
_IN_DAYS = frozenset({("pending_period",), ("skip_orders_older_than",)})


def said(each: ValueChange) -> Iterator[tuple[str, bool]]:
    """One value that changes, in words (``delay 7 → 3 d``), and which of them come from the files."""
    path = each.path[1:] if each.path[0] == "invitations" else each.path
    if path == ("enabled",) and isinstance(each.before, bool):
        yield ("switched off" if each.before else "switched on"), False
        return
    plain = tuple(str(step) for step in path if step != "all" and isinstance(step, str))
    yield (_SAID[plain], False) if plain in _SAID else (key_text(each.path), True)
    figures = all(isinstance(value, int | float) for value in (each.before, each.after))
    yield difference_text(each.before, each.after), not figures
    if plain in _IN_DAYS:
        yield "d", False


def rank(change: AccountChange | None) -> int:
    """At which place this change is read."""
    return len(DONE) if change is None else list(DONE).index(change.action)


def by_stake(members: Iterable[AffectedAccount]) -> list[AffectedAccount]:
    """The accounts that concern most customers first: what is lost, then what is sent now, then later."""
    return sorted(
        members,
        key=lambda each: (-each.impact.lost, -each.impact.now, -each.impact.later, each.name.casefold()),
    )


def given_values(
    fields: Mapping[str, Json], defaults: Mapping[str, Json] = _DEFAULTS, path: tuple[str, ...] = ()
) -> Iterator[ValueChange]:
    """Every value of a new account that is not as by default, but for its name."""
    for key, value in fields.items():
        usual = defaults.get(key)
        if isinstance(value, Mapping) and isinstance(usual, Mapping):
            yield from given_values(value, usual, (*path, key))
        elif value != usual and (path or key != "name"):
            yield ValueChange((*path, key), None, value)


def not_invited_text(counts: Mapping[str, int]) -> str:
    """``19 status, 3 age (210 belong to other store views)``; empty without counts."""
    elsewhere = counts.get(Criterion.STORE_VIEW.value, 0)
    reasons = [
        f"{count:,} {_SHORT_REASONS.get(reason, reason)}"
        for reason, count in counts.items()
        if count and reason != Criterion.STORE_VIEW.value
    ]
    text = ", ".join(reasons)
    if not elsewhere:
        return text
    belong = f"{elsewhere:,} {'belongs' if elsewhere == 1 else 'belong'} to other store views"
    return f"{text} ({belong})" if text else belong


def window_lines(plan: Plan, interface_ids: Collection[str]) -> Iterator[str]:
    """How many due invitations of an account wait for its sending window, and until when."""
    for each in plan.invitations.windows:
        if each.interface_id in interface_ids:
            at = each.leaves_at
            when = "never" if at is None else local_time(at, each.timezone, now=plan.created_at)
            yield f"{each.count} waiting for their sending window, next: {when}"


_FETCHES = {plans.OperationKind.SYNC: "details", plans.OperationKind.IMPORT: "reviews"}


def fetch_text(operations: Iterable[plans.Operation]) -> str:
    """``5 accounts, details and reviews (new)``; accounts for which the same is fetched are counted."""
    wanted: dict[str, tuple[str, dict[str, list[str]]]] = {}
    for each in operations:
        reasons = wanted.setdefault(each.interface_id, (each.account, {}))[1]
        reasons.setdefault(each.reason, []).append(_FETCHES[each.kind])
    groups: dict[str, list[str]] = {}
    for account, reasons in wanted.values():
        what = ", ".join(f"{' and '.join(kinds)} ({reason})" for reason, kinds in reasons.items())
        groups.setdefault(what, []).append(printable(account))
    return "; ".join(
        f"{', '.join(names) if len(names) <= _NAMED else f'{len(names)} accounts'}, {what}"
        for what, names in groups.items()
    )


_SUMMARY = (
    ("add", "change", "destroy"),
    ("sync", "import"),
    ("schedule", "reschedule", "cancel", "send"),
)


def summary_line(summary: Summary, *, accounts_only: bool = False) -> str:
    """The last line of a plan: ``Plan: 1 to add, 1 to change, 0 to destroy; 2 to sync, …``."""
    figures = summary.as_json()
    groups = _SUMMARY[:1] if accounts_only else _SUMMARY
    return f"Plan: {'; '.join(', '.join(f'{figures[name]} to {name}' for name in each) for each in groups)}."


def last_line(plan: Plan, paint: Paint) -> str:
    """The figures, or that there is nothing to do."""
    compared = plan.scope.base is not None
    if not plan.empty:
        return paint(Tone.STRONG, summary_line(plan.summary, accounts_only=compared))
    if not plan.complete:
        return paint(Tone.STRONG, "No changes found") + " in what could be read."
    if compared:
        return paint(Tone.STRONG, "No changes") + f" of accounts, {base_text(plan)}."
    return paint(Tone.STRONG, "No changes.") + " The state matches the files, and nothing is due."


def steps_of(plan: Plan, interface_id: str) -> dict[str, int]:
    """How many steps of each kind the plan has for the queue of one account."""
    steps = plan.invitations
    return {
        "schedule": steps.schedule.by_account.get(interface_id, 0),
        "reschedule": steps.reschedule.by_account.get(interface_id, 0),
        "cancel": steps.cancel.by_account.get(interface_id, 0),
        "send": steps.send.by_account.get(interface_id, 0),
    }


def stake_text(plan: Plan, *, sending: bool = True) -> str:
    """What is asked before a plan is carried out: ``Invite 8 customers now? This cannot be undone.``"""
    actions = Counter(each.action for each in plan.changes if not each.blocked)
    parts = [
        f"{verb} {plural(count, 'account')}"
        for verb, action in (("delete", Action.DELETE), ("replace", Action.REPLACE))
        if (count := actions[action])
    ]
    invited = plan.impact.now if sending else 0
    if invited:
        parts.append(f"invite {plural(invited, 'customer')} now")
    if not parts:
        return "Apply this plan? No customer is invited now."
    question = f"{', '.join(parts[:-1])} and {parts[-1]}" if len(parts) > 1 else parts[0]
    return f"{question[0].upper()}{question[1:]}?{' This cannot be undone.' if invited else ''}"


SENSITIVE = "(sensitive)"
"""Shown in place of a password."""


def short_moment(instant: Instant, now: Instant) -> str:
    """``30 Nov 12:00``, in UTC; with the year where it is another one than that of ``now``."""
    at, this = datetime.fromtimestamp(instant, UTC), datetime.fromtimestamp(now, UTC)
    year = "" if at.year == this.year else f" {at.year}"
    return f"{at.day} {at:%b}{year} {at:%H:%M}"


def overdue(since: Instant, now: Instant) -> str:
    """``overdue 7 d`` or ``overdue 3 h``; empty where it is less than an hour."""
    for seconds, unit in ((DAY, "d"), (HOUR, "h")):
        if now - since >= seconds:
            return f"overdue {(now - since) // seconds} {unit}"
    return ""


def yaml_text(value: Json) -> str:
    """A value as the files have it, on one line; ``(none)`` where there is none."""
    return "(none)" if value is None else _flow(value)


def _flow(value: Json) -> str:
    from ekomi_reconcile.formatting.emit import text

    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{text(key, in_flow=True)}: {_flow(value[key])}" for key in value) + "}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_flow, value))}]"
    if isinstance(value, str):
        return value if value == SENSITIVE else text(value, in_flow=True)
    return json.dumps(value)


def difference_text(before: Json, after: Json) -> str:
    """``14 → 7``; a password only by the fact that it differs."""
    return SENSITIVE if before == after == SENSITIVE else f"{yaml_text(before)} → {yaml_text(after)}"


def key_text(path: Sequence[str | int]) -> str:
    """A key path as people write it: ``conditions.all[0].grand_total.gte``; ``invitations`` is left out."""
    steps = path[1:] if len(path) > 1 and path[0] == "invitations" else path
    return "".join(f"[{each}]" if isinstance(each, int) else f".{each}" for each in steps).removeprefix(".")
