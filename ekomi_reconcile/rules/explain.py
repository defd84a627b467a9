"""Why an order is invited or not: each criterion with value, wanted and verdict.

Values of attributes that are declared personal are masked; an e-mail address is only usable or not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ekomi_reconcile.model.account import Deliver, Selection
from ekomi_reconcile.model.instant import DAY, Instant, iso
from ekomi_reconcile.model.invitation import Criterion, Reached
from ekomi_reconcile.model.order import MASKED, Order, is_personal
from ekomi_reconcile.rules.conditions import (
    GROUPS,
    ITEM_TESTS,
    SUM_ITEMS,
    Condition,
    compile_node,
    field_of,
    operators_of,
    sum_of,
    value_of,
)
from ekomi_reconcile.rules.rulebook import CHECKS, Rule, deliverable


@dataclass(frozen=True, slots=True)
class Verdict:
    """One part of a condition, judged of one order.

    ``text`` is the part in words, ``value`` what the order has (``None``: missing, or nothing to show
    for a group), ``wanted`` what is asked for.
    """

    text: str
    ok: bool
    value: str | None = None
    wanted: str | None = None
    parts: tuple[Verdict, ...] = ()


def judge_condition(condition: Condition, order: Order) -> Verdict:
    """Judge every part of this condition, whether it decides or not."""
    ((key, body),) = condition.items()
    ok = compile_node(condition)(order)
    if key in GROUPS:
        parts = tuple(judge_condition(each, order) for each in body)
        return Verdict(f"{key} of", ok, f"{sum(each.ok for each in parts)} of {len(parts)} hold", key, parts)
    if key == "not":
        inner = judge_condition(body, order)
        return Verdict("not", ok, "holds" if inner.ok else "does not hold", "must not hold", (inner,))
    if key in ITEM_TESTS:
        holds = compile_node(body)
        count = sum(holds(item) for item in order.items)
        return Verdict(describe(condition), ok, f"{count} of {len(order.items)} items", describe(body))
    if key == SUM_ITEMS:
        return Verdict(describe(condition), ok, _shown(sum_of(body)(order)), _operators(body))
    value = value_of(key)(order)
    shown = MASKED if value is not None and is_personal(field_of(key)) else _shown(value)
    return Verdict(describe(condition), ok, shown, _operators(body))


def describe(condition: Condition) -> str:
    """The condition on one line: ``any(grand_total gte 50, not(is_guest eq true))``."""
    ((key, body),) = condition.items()
    if key in GROUPS:
        return f"{key}({', '.join(describe(each) for each in body)})"
    if key == "not" or key in ITEM_TESTS:
        return f"{key}({describe(body)})"
    if key == SUM_ITEMS:
        where = body.get("where")
        of = body["of"] if where is None else f"{body['of']} where {describe(where)}"
        return f"sum_items({of}) {_operators(body)}"
    return f"{key} {_operators(body)}"


def _operators(body: Mapping[str, Any]) -> str:
    return " and ".join(f"{operator} {_shown(wanted)}" for operator, wanted in operators_of(body))


def _shown(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.15g}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(str(_shown(each)) for each in value)}]"
    return str(value)


@dataclass(frozen=True, slots=True)
class Case:
    """What is judged: ``judged_at`` is when the age is, ``reached`` when it got to a trigger status."""

    rule: Rule
    order: Order
    judged_at: Instant
    reached: Reached | None


@dataclass(frozen=True, slots=True)
class CriterionResult:
    """One criterion: whether it holds, what the order has, what is wanted; conditions with their parts."""

    criterion: Criterion
    ok: bool
    value: str | None
    wanted: str
    conditions: Verdict | None = None


def explain(
    rule: Rule, order: Order, *, judged_at: Instant, reached: Reached | None
) -> tuple[CriterionResult, ...]:
    """Every criterion in the order in which they are judged; the first that fails is the reason.

    ``suppressed`` and ``already_invited`` are left to the caller, who knows the state.
    """
    case = Case(rule, order, judged_at, reached)
    return tuple(
        _result(case, criterion, ok=holds is None or holds(order, judged_at, reached))
        for criterion, make in CHECKS
        for holds in (make(rule),)
    )


def _result(case: Case, criterion: Criterion, *, ok: bool) -> CriterionResult:
    value, wanted = _TEXTS[criterion](case)
    asked = case.rule.account.invitations.conditions if criterion is Criterion.CONDITIONS else None
    tree = None if asked is None else judge_condition(asked, case.order)
    return CriterionResult(criterion, ok, value, wanted, tree)


def _enabled(case: Case) -> tuple[str, str]:
    return ("true" if case.rule.account.invitations.enabled else "false"), "true"


def _store_view(case: Case) -> tuple[str | None, str]:
    return _named(case.order.store_view, case.order.store_id, "orders.stores"), _selection(
        case.rule.account.invitations.store_views
    )


def _customer_group(case: Case) -> tuple[str | None, str]:
    found = _named(case.order.customer_group, case.order.customer_group_id, "orders.customer_groups")
    return found, _selection(case.rule.account.invitations.customer_groups)


def _named(name: str | None, number: int | None, where: str) -> str | None:
    """The name, or where only an id is known, what maps it to one."""
    return name if number is None else f"id {number}, which has no name in {where}"


def _order_status(case: Case) -> tuple[str | None, str]:
    order, reached = case.order, case.reached
    known = [order.status or "", f"state {order.state}" if order.state not in (None, order.status) else ""]
    if reached is not None:
        known.append(f"{reached.status} reached {iso(reached.at)} by {reached.source.value}")
    rule = case.rule.account.invitations
    wanted = " or ".join(rule.order_statuses)
    ending = ", ".join(["canceled", "closed", *rule.cancel_statuses])
    return ", ".join(filter(None, known)) or None, f"{wanted}, then or now; not {ending} or on hold"


def _refunded(case: Case) -> tuple[str | None, str]:
    if not case.rule.account.invitations.skip_refunded:
        return None, "refunded or not"
    return "fully refunded" if case.order.refunded else "no", "not fully refunded"


def _order_age(case: Case) -> tuple[str, str]:
    age = max(0, case.judged_at - case.order.created_at)
    limit = case.rule.account.invitations.skip_orders_older_than
    return f"{age / DAY:.1f} days", f"at most {limit} days" if limit else "any age"


def _conditions(case: Case) -> tuple[str | None, str]:
    asked = case.rule.account.invitations.conditions
    if asked is None:
        return None, "no conditions"
    return ("hold" if case.rule.conditions(case.order) else "do not hold"), describe(asked)


def _deliverable(case: Case) -> tuple[str | None, str]:
    deliver = case.rule.account.invitations.deliver
    if deliver is Deliver.LINK:
        return None, "nothing: the shop shows the link itself"
    contact = case.order.contact
    sms = deliver is Deliver.EKOMI_SMS
    what, given = ("mobile number", contact.telephone) if sms else ("e-mail address", contact.email)
    if given is None:
        return None, f"a usable {what}"
    return f"{what} {'usable' if deliverable(case.order, deliver) else 'not usable'}", f"a usable {what}"


def _selection(selection: Selection) -> str:
    if selection.names is None:
        return "all"
    return f"{'not one of' if selection.exclude else 'one of'} {', '.join(sorted(selection.names))}"


_TEXTS: dict[Criterion, Callable[[Case], tuple[str | None, str]]] = {
    Criterion.ENABLED: _enabled,
    Criterion.STORE_VIEW: _store_view,
    Criterion.CUSTOMER_GROUP: _customer_group,
    Criterion.ORDER_STATUS: _order_status,
    Criterion.REFUNDED: _refunded,
    Criterion.ORDER_AGE: _order_age,
    Criterion.CONDITIONS: _conditions,
    Criterion.DELIVERABLE: _deliverable,
}
"""Of every criterion what the order has, and what is wanted."""
