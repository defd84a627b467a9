"""Mutants of rules: every rule that differs from a given one by one small step."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias

from ekomi_reconcile.model.account import Account
from ekomi_reconcile.model.instant import DAY
from ekomi_reconcile.model.rule import Consent, Deliver, Pause, PeriodOverride, Selection, SendBetween
from ekomi_reconcile.rules.conditions import FIELD, GROUPS, ITEM_TESTS, SUM_ITEMS, describe

MATCHING: Final = frozenset({"store_views", "customer_groups", "cancel_statuses", "conditions"})
"""Keys that decide which orders match, and that the analysis knows exactly."""

OVERRIDES: Final = "pending_period_overrides"
_SWAPPED: Final[Mapping[str, str]] = {
    "gte": "gt",
    "gt": "gte",
    "lte": "lt",
    "lt": "lte",
    "eq": "ne",
    "ne": "eq",
    "in": "not_in",
    "not_in": "in",
    "contains": "not_contains",
    "not_contains": "contains",
}
_OPPOSITE_TESTS: Final[Mapping[str, str]] = {"any_item": "no_item", "no_item": "any_item"}
_NOT_TESTS: Final = frozenset({"of", "where", "path"})

_Step: TypeAlias = tuple[str, Any]
"""What changed, in words, and the value after it."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """An account whose rule was changed by one step. ``key`` is the changed key of ``invitations:``."""

    original: Account
    changed: Account
    key: str
    step: str


def mutants_of(account: Account) -> Iterator[Mutant]:
    """Every mutant of the rule of an account; none of a disabled one, for which no order is invited."""
    rule = account.invitations
    if not rule.enabled:
        return
    for key, steps in _STEPS.items():
        for step, value in steps(getattr(rule, key)):
            changed = replace(account, invitations=replace(rule, **{key: value}))
            yield Mutant(account, changed, key, step)


def _enabled(flag: bool) -> Iterator[_Step]:  # noqa: FBT001 - the value of a key
    yield f"{_word(flag)} → {_word(not flag)}", not flag


def _pending_period(days: int) -> Iterator[_Step]:
    yield _days(days)


def _spread(span: int) -> Iterator[_Step]:
    if span:
        yield f"{span // DAY}d → left out", 0


def _age_limit(days: int) -> Iterator[_Step]:
    if days:
        yield _days(days)
        yield f"{days} → {days + 1}", days + 1


def _deliver(ways: Deliver | Sequence[Deliver]) -> Iterator[_Step]:
    """Another way instead of the only one; a list without one entry, and with the first two changed round."""
    if isinstance(ways, Deliver):
        other = Deliver.LINK if ways is not Deliver.LINK else Deliver.EKOMI_EMAIL
        yield f"{ways.value} → {other.value}", other
        return
    for step, rest in _shorter(ways) if len(ways) > 1 else ():
        yield step, rest[0] if len(rest) == 1 else rest
    if len(ways) > 1:
        swapped = (ways[1], ways[0], *ways[2:])
        yield f"[{', '.join(ways)}] → [{', '.join(swapped)}]", swapped


def _order_statuses(names: Sequence[str]) -> Iterator[_Step]:
    if len(names) > 1:
        yield from _shorter(names)


def _conditions(condition: Mapping[str, Any] | None) -> Iterator[_Step]:
    if condition is not None:
        yield f"left out: {describe(condition)}", None
        yield from condition_steps(condition)


def _consent(consent: Consent | None) -> Iterator[_Step]:
    if consent is not None:
        yield "left out", None
        for step, names in _shorter(consent.accept) if len(consent.accept) > 1 else ():
            yield f"accept {step}", replace(consent, accept=names)


def _send_between(window: SendBetween | None) -> Iterator[_Step]:
    if window is not None:
        yield "left out", None


def _pauses(pauses: Sequence[Pause]) -> Iterator[_Step]:
    for at, each in enumerate(pauses):
        yield f"without {each.first}", _without(pauses, at)


def _overrides(overrides: Sequence[PeriodOverride]) -> Iterator[_Step]:
    for at, each in enumerate(overrides):
        named = f"[{at}]"
        yield f"{named} left out: {describe(each.when)}", _without(overrides, at)
        step, days = _days(each.days)
        yield f"{named} days {step}", _with(overrides, at, replace(each, days=days))
        for step, when in condition_steps(each.when):
            yield f"{named} when {step}", _with(overrides, at, replace(each, when=when))


def _days(days: int) -> _Step:
    other = days - 1 if days else 1
    return f"{days} → {other}", other


def _word(flag: bool) -> str:  # noqa: FBT001 - it is what is shown
    return "true" if flag else "false"


def _selections(selection: Selection) -> Iterator[_Step]:
    if selection.names is None:
        return
    names = sorted(selection.names)
    written = f"{'exclude ' if selection.exclude else ''}[{', '.join(names)}]"
    yield f"{written} → all", Selection()
    yield (
        f"{written} {'excluded → included' if selection.exclude else 'included → excluded'}",
        replace(selection, exclude=not selection.exclude),
    )
    for name in names if len(names) > 1 else ():
        yield f"{written} without {name}", replace(selection, names=selection.names - {name})


def _shorter(values: Sequence[Any]) -> Iterator[_Step]:
    for at, each in enumerate(values):
        yield f"[{', '.join(map(str, values))}] without {each}", _without(values, at)


def _without(values: Sequence[Any], at: int) -> tuple[Any, ...]:
    return (*values[:at], *values[at + 1 :])


def _with(values: Sequence[Any], at: int, value: Any) -> tuple[Any, ...]:
    return (*values[:at], value, *values[at + 1 :])


def condition_steps(condition: Mapping[str, Any]) -> Iterator[_Step]:
    """The conditions one step away from this one."""
    ((key, body),) = condition.items()
    if key in GROUPS:
        for at, each in enumerate(body):
            if len(body) > 1:
                yield f"left out: {describe(each)}", {key: [*_without(body, at)]}
            for step, inner in condition_steps(each):
                yield step, {key: [*_with(body, at, inner)]}
    elif key == "not":
        yield f"{describe(condition)} → {describe(body)}", body
        for step, inner in condition_steps(body):
            yield f"not: {step}", {"not": inner}
    elif key in ITEM_TESTS:
        if key in _OPPOSITE_TESTS:
            yield f"{key} → {_OPPOSITE_TESTS[key]}", {_OPPOSITE_TESTS[key]: body}
        for step, inner in condition_steps(body):
            yield f"{key}: {step}", {key: inner}
    else:
        yield from _test_steps(key, body)


def _test_steps(key: str, body: Mapping[str, Any]) -> Iterator[_Step]:
    """Steps of the operators of an attribute, a field or a sum."""
    name = body["path"] if key == FIELD else key
    operators = [each for each in body if each not in _NOT_TESTS]
    for operator in operators:
        value = body[operator]
        others = {each: body[each] for each in body if each != operator}
        before = f"{name} {operator} {_shown(value)}"
        if len(operators) > 1:
            yield f"left out: {before}", {key: others}
        swapped = _SWAPPED.get(operator)
        if isinstance(value, bool):
            yield f"{before} → {_shown(not value)}", {key: {**body, operator: not value}}
        elif swapped is not None and swapped not in body:
            yield f"{before} → {swapped} {_shown(value)}", {key: {**others, swapped: value}}
        for other in _values(operator, value):
            yield f"{before} → {_shown(other)}", {key: {**body, operator: other}}
    if key == SUM_ITEMS and body.get("where") is not None:
        yield (
            f"{key} where left out: {describe(body['where'])}",
            {key: {each: body[each] for each in body if each != "where"}},
        )
        for step, inner in condition_steps(body["where"]):
            yield f"{key} where {step}", {key: {**body, "where": inner}}


def _values(operator: str, value: Any) -> Iterator[Any]:
    """The values one step away: a number less one, a list without one entry."""
    if operator == "between":
        low, high = value
        yield [low - 1, high]
        yield [low, high + 1]
    elif isinstance(value, list | tuple):
        for at in range(len(value)) if len(value) > 1 else ():
            yield [*_without(value, at)]
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield value - 1


def _shown(value: Any) -> str:
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_shown, value))}]"
    return _word(value) if isinstance(value, bool) else str(value)


_STEPS: Final[Mapping[str, Callable[[Any], Iterator[_Step]]]] = {
    "enabled": _enabled,
    "pending_period": _pending_period,
    "spread": _spread,
    OVERRIDES: _overrides,
    "send_between": _send_between,
    "pauses": _pauses,
    "skip_orders_older_than": _age_limit,
    "store_views": _selections,
    "customer_groups": _selections,
    "order_statuses": _order_statuses,
    "cancel_statuses": _shorter,
    "skip_refunded": _enabled,
    "skip_reviewed": _enabled,
    "consent": _consent,
    "deliver": _deliver,
    "conditions": _conditions,
}
"""By key of ``invitations:``, the values one step away; what a test cannot see is not here."""
