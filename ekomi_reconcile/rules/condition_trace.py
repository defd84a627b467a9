"""Why a condition holds or not: every part of it with what the order has and what is wanted.

Values of attributes that are declared personal are masked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ekomi_reconcile.model.order import MASKED, Order, is_personal
from ekomi_reconcile.rules.conditions import (
    FIELD,
    FIELD_PREFIX,
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


@dataclass(frozen=True, slots=True)
class ConditionTrace:
    """One part of a condition, judged of one order.

    ``text`` is the part in words, ``value`` what the order has (``None``: missing, or nothing to show
    for a group), ``wanted`` what is asked for.
    """

    text: str
    ok: bool
    value: str | None = None
    wanted: str | None = None
    parts: tuple[ConditionTrace, ...] = ()


def judge_condition(condition: Condition, order: Order) -> ConditionTrace:
    """Judge every part of this condition, whether it decides or not."""
    ((key, body),) = condition.items()
    ok = compile_node(condition)(order)
    if key in GROUPS:
        parts = tuple(judge_condition(each, order) for each in body)
        return ConditionTrace(
            f"{key} of", ok, f"{sum(each.ok for each in parts)} of {len(parts)} hold", key, parts
        )
    if key == "not":
        inner = judge_condition(body, order)
        return ConditionTrace("not", ok, "holds" if inner.ok else "does not hold", "must not hold", (inner,))
    if key in ITEM_TESTS:
        holds = compile_node(body)
        count = sum(holds(item) for item in order.items)
        return ConditionTrace(describe(condition), ok, f"{count} of {len(order.items)} items", describe(body))
    if key == SUM_ITEMS:
        return ConditionTrace(describe(condition), ok, _shown(sum_of(body)(order)), _operators(body))
    attribute = f"{FIELD_PREFIX}{body['path']}" if key == FIELD else key
    value = value_of(attribute)(order)
    shown = MASKED if value is not None and is_personal(field_of(attribute)) else _shown(value)
    return ConditionTrace(describe(condition), ok, shown, _operators(body))


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
    if key == FIELD:
        return f"{body['path']} {_operators(body)}"
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
