"""searchCriteria as Magento reads it."""

import functools
import ipaddress
import math
import operator
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any
from urllib.parse import unquote_plus

from ekomi_reconcile.sandbox.magento.render import Broken, RequestRejected, required, unsupported, wrong_type

PhpValue = str | dict[str, "PhpValue"]
PhpArray = dict[str, PhpValue]

_KEY = re.compile(r"^([^\[]+)((?:\[[^\]]*\])*)")
_SEGMENT = re.compile(r"\[([^\]]*)\]")


def parse_query(query: str) -> PhpArray:
    """Nested string values of a raw query string; arrays are dicts with string keys in order of arrival."""
    result: PhpArray = {}
    for pair in query.split("&"):
        key, _, value = pair.partition("=")
        match = _KEY.match(unquote_plus(key))
        if match:
            path = [re.sub(r"[ .]", "_", match[1]), *_SEGMENT.findall(match[2])]
            _assign(result, path, unquote_plus(value))
    return result


def _assign(array: PhpArray, path: list[str], value: str) -> None:
    for segment in path[:-1]:
        inner = array.get(_key(array, segment))
        if not isinstance(inner, dict):
            inner = {}
            array[_key(array, segment)] = inner
        array = inner
    array[_key(array, path[-1])] = value


def _key(array: PhpArray, segment: str) -> str:
    """An empty segment is the next free number, as `[]` appends in PHP."""
    if segment:
        return segment
    return str(max((int(key) + 1 for key in array if key.isdigit()), default=0))


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


class ColumnKind(Enum):
    """How a column compares."""

    NUMBER = "number"
    TEXT = "text"
    TIME = "time"


@functools.lru_cache(maxsize=100_000)
def fold(text: str) -> str:
    """Text as the default collation sees it: no case, no accents, no trailing spaces."""
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


def normal(kind: ColumnKind) -> Normal:
    """The function that brings a cell or a filter value of this kind into comparable form."""
    if kind is ColumnKind.NUMBER:
        return number
    return moment if kind is ColumnKind.TIME else lambda value: fold(str(value))


def condition(kind: ColumnKind, name: str, value: str | None) -> Test:
    """The test for a cell; None is NULL. An unknown condition type is an equality.

    Raises Broken for `is`, which becomes invalid SQL.

    Raises:
        Broken: a real shop would answer 500.
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


def _value_test(kind: ColumnKind, name: str, value: str) -> Test:
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


_NUMERIC = re.compile(r"\s*[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?\s*")
_PHP_INT_MAX = 2**63 - 1
_DIRECTIONS = ("ASC", "DESC")


@dataclass(frozen=True, slots=True)
class ColumnFilter:
    """One condition on one column; a missing value is NULL and matches nothing."""

    field: str | None
    value: str | None
    condition: str = "eq"


@dataclass(frozen=True, slots=True)
class Sort:
    """A level of the sort order; without a direction it descends."""

    field: str | None
    direction: str | None = None


@dataclass(frozen=True, slots=True)
class Criteria:
    """Groups are ANDed, the filters within one ORed; page numbers start at 1, no size means all rows."""

    groups: tuple[tuple[ColumnFilter, ...], ...] = ()
    sorts: tuple[Sort, ...] = ()
    page_size: int | None = None
    current_page: int | None = None

    def echo(self) -> dict[str, Any]:
        """The `search_criteria` of the answer."""
        result: dict[str, Any] = {"filter_groups": [{"filters": [*map(_echo, g)]} for g in self.groups]}
        if self.sorts:
            result["sort_orders"] = [{"field": s.field, "direction": s.direction} for s in self.sorts]
        sizes = {"page_size": self.page_size, "current_page": self.current_page}
        return result | {key: value for key, value in sizes.items() if value is not None}


def parse_criteria(query: PhpArray) -> Criteria:
    """The criteria of a request.

    Raises:
        RequestRejected: 400 when they are missing, hold an unknown key or a value of the wrong type.
    """
    given = query.get("searchCriteria", query.get("search_criteria"))
    if given is None:
        raise required("searchCriteria")
    if isinstance(given, str):
        return Criteria()
    parts = {snake(key): (key, value) for key, value in given.items()}
    for name, (key, _) in parts.items():
        if name not in {"filter_groups", "sort_orders", "page_size", "current_page"}:
            raise unsupported(upper_camel(key))
    return Criteria(
        tuple(_group(v, parts["filter_groups"][0]) for v in _members(parts, "filter_groups")),
        tuple(_sort(v, parts["sort_orders"][0]) for v in _members(parts, "sort_orders")),
        _integer(parts, "page_size"),
        _integer(parts, "current_page"),
    )


def snake(name: str) -> str:
    """Inner names work in camelCase and in snake_case."""
    return re.sub(r"(?<!^)([A-Z])", r"_\1", name).lower()


def upper_camel(name: str) -> str:
    """How an unknown key is named in the message: `foo_bar` is `FooBar`."""
    return "".join(part[:1].upper() + part[1:] for part in name.split("_"))


def _members(parts: dict[str, tuple[str, PhpValue]], name: str) -> list[PhpArray]:
    value = parts.get(name, ("", {}))[1]
    if isinstance(value, str):
        return []
    return [member for member in value.values() if isinstance(member, dict)]


def _group(group: PhpArray, key: str) -> tuple[ColumnFilter, ...]:
    result: list[ColumnFilter] = []
    for name, value in group.items():
        if snake(name) != "filters":
            raise _nested(unsupported(upper_camel(name)), key)
        members = value.values() if isinstance(value, dict) else ()
        result.extend(_filter(member, [key, name]) for member in members if isinstance(member, dict))
    return tuple(result)


def _filter(member: PhpArray, outer: list[str]) -> ColumnFilter:
    parts = _strings(member, {"field", "value", "condition_type"}, outer)
    return ColumnFilter(parts.get("field"), parts.get("value"), parts.get("condition_type") or "eq")


def _sort(member: PhpArray, key: str) -> Sort:
    parts = _strings(member, {"field", "direction"}, [key])
    field, direction = parts.get("field"), parts.get("direction")
    if field is not None and not re.fullmatch(r"[A-Za-z0-9_]+", field):
        raise RequestRejected(400, "Sort order field %1 contains restricted symbols", [field])
    if direction is not None and direction.upper() not in _DIRECTIONS:
        message = "The sort order has to be specified as %1 for ascending order or %2 for descending order."
        raise RequestRejected(400, message, [*_DIRECTIONS])
    return Sort(field, direction and direction.upper())


def _strings(member: PhpArray, allowed: set[str], outer: list[str]) -> dict[str, str]:
    result = {}
    for name, value in member.items():
        if snake(name) not in allowed:
            raise _nested(unsupported(upper_camel(name)), *outer)
        if not isinstance(value, str):
            raise _nested(wrong_type("array", "string"), *outer, name)
        result[snake(name)] = value
    return result


def _integer(parts: dict[str, tuple[str, PhpValue]], name: str) -> int | None:
    if name not in parts:
        return None
    key, value = parts[name]
    if not isinstance(value, str) or not _NUMERIC.fullmatch(value):
        raise _nested(wrong_type("array" if isinstance(value, dict) else value, "int"), key)
    number = float(value)
    if not math.isfinite(number) or abs(number) > _PHP_INT_MAX:
        return _PHP_INT_MAX if number > 0 else -_PHP_INT_MAX
    return int(value) if value.strip().lstrip("+-").isdigit() else int(number)


def _nested(refused: RequestRejected, *names: str) -> RequestRejected:
    """A type error names every key it went through; other errors pass unchanged."""
    if refused.parameters is not None:
        return refused
    prefix = "".join(f'Error occurred during "{name}" processing. ' for name in names)
    return RequestRejected(refused.status, prefix + refused.message)


def _echo(entry: ColumnFilter) -> dict[str, Any]:
    result = {"field": entry.field, "value": entry.value, "condition_type": entry.condition}
    return {key: value for key, value in result.items() if value is not None}
