"""The operators of conditions: each makes a test of one value from what the files ask for.

Text compares case-insensitively (by ``casefold``). A missing value (``None``) fails every operator
but ``ne``, ``not_in`` and ``not_contains``, the exact opposites of ``eq``, ``in`` and ``contains``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeAlias

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
    """A stretch without stars: every character stands for itself, ``?`` for any one."""
    return re.compile("".join("." if each == "?" else re.escape(each) for each in part), re.DOTALL)
