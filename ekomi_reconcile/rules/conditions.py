"""Custom conditions: compiled once, evaluated for every order, traced for people.

Text compares case-insensitively (by ``casefold``). A missing value (``None``) fails every operator
but ``ne``, ``not_in`` and ``not_contains``, the exact opposites of ``eq``, ``in`` and ``contains``.

A condition has the form of the files: a mapping with exactly one key. It is taken as valid; which
operators fit which attribute is checked where files are read. ``sum_items`` adds over the matching
items, rounded to 4 decimals; if one of them does not tell the amount, the sum is missing.

Values of attributes that are declared personal are masked.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from operator import attrgetter
from typing import Any, TypeAlias

import msgspec

from ekomi_reconcile.model.order import MASKED, AttributeKind, Item, Order, condition_attributes, is_personal

Test: TypeAlias = Callable[[Any], bool]

NEGATIONS = {"ne": "eq", "not_in": "in", "not_contains": "contains"}


def number_test(operator: str, wanted: Any) -> Test:
    """A test of a number."""
    return _NUMBER[operator](wanted) if operator not in NEGATIONS else _not(number_test, operator, wanted)


def text_test(operator: str, wanted: Any) -> Test:
    """A test of a text."""
    return _TEXT[operator](wanted) if operator not in NEGATIONS else _not(text_test, operator, wanted)


def flag_test(operator: str, wanted: Any) -> Test:
    """A test of a yes or no; only ``eq``."""
    del operator
    return lambda value: value is wanted


def ids_test(operator: str, wanted: Any) -> Test:
    """A test of a list of ids: is any of them in the wanted list?"""
    if operator in NEGATIONS:
        return _not(ids_test, operator, wanted)
    ids = frozenset(wanted)
    return lambda value: value is not None and not ids.isdisjoint(value)


def _not(make: Callable[[str, Any], Test], operator: str, wanted: Any) -> Test:
    positive = make(NEGATIONS[operator], wanted)
    return lambda value: not positive(value)


def fold(text: object) -> str:
    """The form in which texts compare."""
    return str(text).casefold()


def _between(wanted: Any) -> Test:
    low, high = wanted
    return lambda value: value is not None and low <= value <= high


def _one_of(wanted: Any) -> Test:
    values = frozenset(wanted)
    return lambda value: value is not None and value in values


def _one_of_texts(wanted: Any) -> Test:
    texts = frozenset(map(fold, wanted))
    return lambda value: value is not None and value.casefold() in texts


_NUMBER: dict[str, Callable[[Any], Test]] = {
    "eq": lambda wanted: lambda value: value is not None and value == wanted,
    "gt": lambda wanted: lambda value: value is not None and value > wanted,
    "gte": lambda wanted: lambda value: value is not None and value >= wanted,
    "lt": lambda wanted: lambda value: value is not None and value < wanted,
    "lte": lambda wanted: lambda value: value is not None and value <= wanted,
    "between": _between,
    "in": _one_of,
}


def _text(compare: Callable[[str, str], bool]) -> Callable[[Any], Test]:
    def make(wanted: Any) -> Test:
        folded = fold(wanted)
        return lambda value: value is not None and compare(value.casefold(), folded)

    return make


def _glob(wanted: Any) -> Test:
    matches = glob(fold(wanted))
    return lambda value: value is not None and matches(value.casefold())


_TEXT: dict[str, Callable[[Any], Test]] = {
    "eq": _text(str.__eq__),
    "contains": _text(str.__contains__),
    "starts_with": _text(str.startswith),
    "ends_with": _text(str.endswith),
    "in": _one_of_texts,
    "glob": _glob,
}


def glob(pattern: str) -> Callable[[str], bool]:
    """A test of a whole text against a pattern in which only ``*`` and ``?`` are special.

    The pieces between the stars are looked for one after the other, each at its first place, so the
    time is at most the length of the text times that of the pattern, whatever they are.
    """
    parts = re.split(r"\*+", pattern)
    if len(parts) == 1:
        whole = _piece(pattern)
        return lambda text: whole.fullmatch(text) is not None
    first, *middle, last = map(_piece, parts)
    tail = len(parts[-1])

    def matches(text: str) -> bool:
        found = first.match(text)
        for piece in middle:
            found = None if found is None else piece.search(text, found.end())
        end = len(text) - tail
        return found is not None and found.end() <= end and last.match(text, end) is not None

    return matches


def _piece(part: str) -> re.Pattern[str]:
    """A stretch without stars: every character matches itself, ``?`` for any one."""
    return re.compile("".join("." if each == "?" else re.escape(each) for each in part), re.DOTALL)


Predicate: TypeAlias = Callable[[Order], bool]
Condition: TypeAlias = Mapping[str, Any]

CATEGORY_ID = "category_id"
"""The attribute that sources have to ask extra for."""

FIELD = "field"
"""The condition on a field of the order that is named by its path."""

FIELD_PREFIX = "field:"
"""Begins the attribute that asks an order source for such a field."""

GROUPS = frozenset({"all", "any"})
ITEM_TESTS = frozenset({"any_item", "every_item", "no_item"})
SUM_ITEMS = "sum_items"
_NOT_OPERATORS = frozenset({"of", "where", "path"})


@cache
def kind_of(attribute: str) -> AttributeKind | None:
    """Return what an attribute of orders or items is compared with; ``None`` for a list of ids."""
    found = {**condition_attributes(Order), **condition_attributes(Item)}.get(attribute)
    return None if found is None else found.kind


def compile_condition(condition: Condition | None) -> Predicate:
    """The test of an order that this condition asks for; none asks for nothing.

    Equal conditions, which a default gives to many accounts, share one test.
    """
    return _always if condition is None else shared_test(condition)


def shared_test(condition: Condition) -> Test:
    """Like ``compile_node``, but equal conditions share one test."""
    return _compiled(msgspec.json.encode(condition))


@lru_cache(maxsize=4096)
def _compiled(condition: bytes) -> Test:
    return compile_node(msgspec.json.decode(condition))


def compile_node(condition: Condition) -> Test:
    """The test of an order, or of an item for a condition over item attributes."""
    ((key, body),) = condition.items()
    if key in GROUPS:
        return _group(key, [compile_node(each) for each in body])
    if key == "not":
        inner = compile_node(body)
        return lambda subject: not inner(subject)
    if key in ITEM_TESTS:
        return _items_test(key, compile_node(body))
    if key == SUM_ITEMS:
        return _sum_test(body)
    if key == FIELD:
        return _field_test(body)
    return _leaf(key, body)


def attributes(conditions: Iterable[Condition]) -> frozenset[str]:
    """The attributes of orders and items that these conditions look at."""
    found, left = set[str](), list(conditions)
    while left:
        ((key, body),) = left.pop().items()
        if key in GROUPS:
            left += body
        elif key == "not" or key in ITEM_TESTS:
            left.append(body)
        elif key == SUM_ITEMS:
            found.add(body["of"])
            left += [body["where"]] if body.get("where") is not None else []
        else:
            found.add(f"{FIELD_PREFIX}{body['path']}" if key == FIELD else key)
    return frozenset(found)


def field_of(attribute: str) -> str:
    """The field of an order or item that holds this attribute of conditions."""
    return "category_ids" if attribute == CATEGORY_ID else attribute


def value_of(attribute: str) -> Callable[[Any], Any]:
    """How to get this attribute from an order or item; a field named by its path has texts, or ``None``."""
    if attribute.startswith(FIELD_PREFIX):
        path = attribute.removeprefix(FIELD_PREFIX)
        return lambda order: (order.fields or {}).get(path)
    return attrgetter(field_of(attribute))


def sum_of(body: Mapping[str, Any]) -> Callable[[Order], float | None]:
    """The sum that a ``sum_items`` test is about; ``None`` if an item does not tell its amount."""
    amount = attrgetter(body["of"])
    where = body.get("where")
    counts = _always if where is None else compile_node(where)

    def total(order: Order) -> float | None:
        amounts = [amount(item) for item in order.items if counts(item)]
        return None if None in amounts else round(sum(amounts), 4)

    return total


def operators_of(body: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """The operators of a leaf, a field or a sum with what they ask for."""
    return [(operator, wanted) for operator, wanted in body.items() if operator not in _NOT_OPERATORS]


def _always(_: Any) -> bool:
    return True


def _group(key: str, tests: Sequence[Test]) -> Test:
    """All or any of these; plain loops take half the time of ``all`` and ``any`` over a generator."""
    if len(tests) == 1:
        return tests[0]

    def every(subject: Any) -> bool:
        for test in tests:  # noqa: SIM110
            if not test(subject):
                return False
        return True

    def some(subject: Any) -> bool:
        for test in tests:  # noqa: SIM110
            if test(subject):
                return True
        return False

    return every if key == "all" else some


def _items_test(key: str, holds: Callable[[Item], bool]) -> Predicate:
    def some(order: Order) -> bool:
        for item in order.items:  # noqa: SIM110
            if holds(item):
                return True
        return False

    if key == "any_item":
        return some
    if key == "no_item":
        return lambda order: not some(order)
    return lambda order: bool(order.items) and all(holds(item) for item in order.items)


def _sum_test(body: Mapping[str, Any]) -> Predicate:
    total = sum_of(body)
    test = _group("all", [number_test(operator, wanted) for operator, wanted in operators_of(body)])
    return lambda order: test(total(order))


def _field_test(body: Mapping[str, Any]) -> Predicate:
    """Of a list any entry may hold; the negative operators are the exact opposites."""
    path: str = body["path"]
    test = _group("all", [_any_text(operator, wanted) for operator, wanted in operators_of(body)])
    return lambda order: test((order.fields or {}).get(path, ()))


def _any_text(operator: str, wanted: Any) -> Test:
    if operator in NEGATIONS:
        return _not(_any_text, operator, wanted)
    holds = text_test(operator, wanted)
    return lambda texts: any(map(holds, texts))


def _leaf(attribute: str, body: Mapping[str, Any]) -> Test:
    get = value_of(attribute)
    make = _maker(attribute)
    test = _group("all", [make(operator, wanted) for operator, wanted in operators_of(body)])
    return lambda subject: test(get(subject))


def _maker(attribute: str) -> Callable[[str, Any], Test]:
    if attribute == CATEGORY_ID:
        return ids_test
    kind = kind_of(attribute)
    if kind is AttributeKind.FLAG:
        return flag_test
    return number_test if kind is AttributeKind.NUMBER else text_test


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
