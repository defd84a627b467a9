"""Conditions as the files write them, with every negation pushed into sets of values.

``field: {path: …}`` is a text attribute of its own, named by its path.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from ekomi_reconcile.analysis.cubes import TRUE, All, Any_, Leaf, Node, any_of
from ekomi_reconcile.analysis.items import Items, Sum
from ekomi_reconcile.analysis.text import complement, text_set
from ekomi_reconcile.analysis.values import Categories, Flags, Numbers, number_set
from ekomi_reconcile.model.order import AttributeKind
from ekomi_reconcile.rules.conditions import (
    CATEGORY_ID,
    FIELD,
    FIELD_PREFIX,
    GROUPS,
    ITEM_TESTS,
    NEGATIONS,
    SUM_ITEMS,
    kind_of,
    operators_of,
)

ITEMS: Final = "items"
"""The attribute under which a cube holds what is wanted of the items."""
ALWAYS_KNOWN: Final = frozenset({"has_company", "has_vat_id"})
"""Flags that readers never leave missing."""

FALSE: Final = Any_(())


def normal(condition: Mapping[str, Any], *, negated: bool = False) -> Node:
    """The condition, or its opposite, without negations; over an order or over one item."""
    ((key, body),) = condition.items()
    if key in GROUPS:
        parts = tuple(normal(each, negated=negated) for each in body)
        return All(parts) if (key == "all") is not negated else any_of(parts)
    if key == "not":
        return normal(body, negated=not negated)
    if key in ITEM_TESTS:
        return _item_test(key, body, negated=negated)
    if key == SUM_ITEMS:
        return _sum(body, negated=negated)
    return _leaf(key, body, negated=negated)


def _leaf(attribute: str, body: Mapping[str, Any], *, negated: bool) -> Node:
    tests = dict(operators_of(body))
    if attribute == FIELD:
        attribute = f"{FIELD_PREFIX}{body['path']}"
    kind = _kind_of(attribute)
    parts = tuple(kind(attribute, *each, negated) for each in tests.items())
    return any_of(parts) if negated else All(parts) if len(parts) > 1 else parts[0]


def _kind_of(attribute: str) -> Callable[[str, str, Any, bool], Node]:
    if attribute == CATEGORY_ID:
        return _categories
    kind = kind_of(attribute)
    if kind is AttributeKind.FLAG:
        return _flag
    return _number if kind is AttributeKind.NUMBER else _text


def _number(attribute: str, operator: str, wanted: Any, negated: bool) -> Node:  # noqa: FBT001
    values = _with_missing(operator, number_set(operator, wanted))
    return Leaf(attribute, values.complement() if negated else values)


def _with_missing(operator: str, values: Numbers) -> Numbers:
    return Numbers(values.parts, missing=operator in NEGATIONS)


def _text(attribute: str, operator: str, wanted: Any, negated: bool) -> Node:  # noqa: FBT001
    values = text_set(operator, wanted)
    return (
        any_of(Leaf(attribute, each) for each in complement(values)) if negated else Leaf(attribute, values)
    )


def _flag(attribute: str, operator: str, wanted: Any, negated: bool) -> Node:  # noqa: ARG001, FBT001
    all_values = {True, False} if attribute in ALWAYS_KNOWN else {True, False, None}
    return Leaf(attribute, Flags(frozenset(all_values - {wanted} if negated else {wanted})))


def _categories(attribute: str, operator: str, wanted: Any, negated: bool) -> Node:  # noqa: FBT001
    ids = frozenset(wanted)
    if (operator == "in") is not negated:
        return Leaf(attribute, Categories(frozenset([ids]), frozenset()))
    return Leaf(attribute, Categories(frozenset(), ids))


def _item_test(key: str, body: Mapping[str, Any], *, negated: bool) -> Node:
    holds, fails = normal(body), normal(body, negated=True)
    if key == "every_item":
        if not negated:
            return _items(every=frozenset([holds]), filled=True)
        return Any_((_items(empty=True), _items(some=frozenset([(fails, holds)]))))
    if (key == "any_item") is not negated:
        return _items(some=frozenset([(holds, fails)]))
    return _items(every=frozenset([fails]))


def _sum(body: Mapping[str, Any], *, negated: bool) -> Node:
    where = body.get("where")
    holds, fails = (TRUE, FALSE) if where is None else (normal(where), normal(where, negated=True))
    total = Numbers(((float("-inf"), True, float("inf"), True),), missing=True)
    for operator, wanted in operators_of(body):
        total = total.meet(_with_missing(operator, number_set(operator, wanted)))
    if negated:
        total = total.complement()
    return _items(sums=frozenset([(Sum(body["of"], holds, total), fails)]))


def _items(**wanted: Any) -> Node:
    return Leaf(ITEMS, Items(**wanted))
