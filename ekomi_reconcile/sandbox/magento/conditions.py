"""Condition types as the database answers them: NULL rules, text without case, times without zone."""

import functools
import ipaddress
import operator
import re
import unicodedata
from collections.abc import Callable
from enum import Enum
from typing import Any

from ekomi_reconcile.sandbox.magento.refusal import Broken

Test = Callable[[Any], bool]
Normal = Callable[[Any], Any]

_TIME = re.compile(r"(\d{4}-\d{2}-\d{2})(?:[ T](\d{2}:\d{2}(?::\d{2})?))?")
_NUMBER = re.compile(r"\s*[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")
_ZERO_TIME = "0000-00-00 00:00:00"
_ORDERED: dict[str, Callable[[Any, Any], bool]] = {
    "gt": operator.gt,
    "gteq": operator.ge,
    "from": operator.ge,
    "lt": operator.lt,
    "lteq": operator.le,
    "to": operator.le,
    "neq": operator.ne,
    "sneq": operator.ne,
}


class Kind(Enum):
    """How a column compares."""

    NUMBER = "number"
    TEXT = "text"
    TIME = "time"


@functools.lru_cache(maxsize=100_000)
def fold(text: str) -> str:
    """Text as the default collation sees it: no case, no accents, no trailing blanks."""
    bare = "".join(c for c in unicodedata.normalize("NFD", text.casefold()) if not unicodedata.combining(c))
    return bare.rstrip(" ")


def number(value: Any) -> int | float:
    """A cell or a filter value as a number: the numeric start of a text, otherwise 0."""
    if isinstance(value, int | float):
        return value
    match = _NUMBER.match(str(value))
    if match is None:
        return 0
    text = match[0].strip()
    return int(text) if text.lstrip("+-").isdigit() else float(text)


def moment(value: Any) -> str:
    """A time without zone; `T` and a trailing offset are accepted and ignored, nonsense is the zero date."""
    match = _TIME.match(str(value))
    if match is None:
        return _ZERO_TIME
    clock = match[2] or "00:00:00"
    return f"{match[1]} {clock if len(clock) == 8 else clock + ':00'}"


def normal(kind: Kind) -> Normal:
    """The function that brings a cell or a filter value of this kind into comparable form."""
    if kind is Kind.NUMBER:
        return number
    return moment if kind is Kind.TIME else lambda value: fold(str(value))


def condition(kind: Kind, name: str, value: str | None) -> Test:
    """The test for a cell; None is NULL. An unknown condition type is an equality.

    Raises Broken for `is`, which becomes invalid SQL.
    """
    if name in {"null", "notnull"}:
        return (lambda cell: cell is None) if name == "null" else (lambda cell: cell is not None)
    if name == "is":
        raise Broken
    if value is None:
        return lambda _: False
    if name in {"seq", "sneq"} and value == "":
        return condition(kind, "null" if name == "seq" else "notnull", "1")
    return _not_null(_text_test(name, value) or _value_test(kind, name, value))


def _not_null(test: Test) -> Test:
    return lambda cell: cell is not None and test(cell)


def _value_test(kind: Kind, name: str, value: str) -> Test:
    of = normal(kind)
    if name in {"in", "nin"}:
        members = {of(member) for member in value.split(",")} if value else set()
        return (lambda cell: of(cell) in members) if name == "in" else (lambda cell: of(cell) not in members)
    wanted = of(value)
    compare: Callable[[Any, Any], bool] = _ORDERED.get(name, operator.eq)
    return lambda cell: compare(of(cell), wanted)


def _text_test(name: str, value: str) -> Test | None:
    match name:
        case "like" | "nlike":
            pattern = _like(value)
            found = name == "like"
            return lambda cell: bool(pattern.fullmatch(fold(str(cell)))) is found
        case "finset" | "nfinset":
            member, inside = fold(value), name == "finset"
            return lambda cell: (member in [fold(m) for m in str(cell).split(",")]) is inside
        case "regexp":
            expression = _regexp(value)
            return lambda cell: expression.search(str(cell)) is not None
        case "ntoa":
            pattern = _like(value)
            return lambda cell: bool(pattern.fullmatch(_address(number(cell))))
        case _:
            return None


def _regexp(value: str) -> re.Pattern[str]:
    try:
        return re.compile(value, re.IGNORECASE)
    except re.error as error:
        raise Broken from error


def _like(value: str) -> re.Pattern[str]:
    """`%` any text, `_` any character, backslash takes the next one literally."""
    parts = []
    for escaped, plain in re.findall(r"\\(.)|(.)", fold(value), re.DOTALL):
        wild = {"%": ".*", "_": "."}.get(plain)
        parts.append(wild or re.escape(str(escaped or plain)))
    return re.compile("".join(parts), re.DOTALL)


def _address(value: int | float) -> str:
    return str(ipaddress.IPv4Address(int(value))) if 0 <= value < 2**32 else ""
