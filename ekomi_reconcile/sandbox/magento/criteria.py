"""searchCriteria: parsed, checked and echoed the way the service input processor does it."""

import math
import re
from dataclasses import dataclass
from typing import Any

from ekomi_reconcile.sandbox.magento.phpquery import PhpArray, PhpValue
from ekomi_reconcile.sandbox.magento.refusal import Refused, required, unsupported, wrong_type

_NUMERIC = re.compile(r"\s*[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?\s*")
_PHP_INT_MAX = 2**63 - 1
_DIRECTIONS = ("ASC", "DESC")


@dataclass(frozen=True, slots=True)
class Filter:
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

    groups: tuple[tuple[Filter, ...], ...] = ()
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

    Raises Refused 400 when they are missing, hold an unknown key or a value of the wrong type.
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


def _group(group: PhpArray, key: str) -> tuple[Filter, ...]:
    result: list[Filter] = []
    for name, value in group.items():
        if snake(name) != "filters":
            raise _nested(unsupported(upper_camel(name)), key)
        members = value.values() if isinstance(value, dict) else ()
        result.extend(_filter(member, [key, name]) for member in members if isinstance(member, dict))
    return tuple(result)


def _filter(member: PhpArray, outer: list[str]) -> Filter:
    parts = _strings(member, {"field", "value", "condition_type"}, outer)
    return Filter(parts.get("field"), parts.get("value"), parts.get("condition_type") or "eq")


def _sort(member: PhpArray, key: str) -> Sort:
    parts = _strings(member, {"field", "direction"}, [key])
    field, direction = parts.get("field"), parts.get("direction")
    if field is not None and not re.fullmatch(r"[A-Za-z0-9_]+", field):
        raise Refused(400, "Sort order field %1 contains restricted symbols", [field])
    if direction is not None and direction.upper() not in _DIRECTIONS:
        message = "The sort order has to be specified as %1 for ascending order or %2 for descending order."
        raise Refused(400, message, [*_DIRECTIONS])
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


def _nested(refused: Refused, *names: str) -> Refused:
    """A type error names every key it went through; other errors pass unchanged."""
    if refused.parameters is not None:
        return refused
    prefix = "".join(f'Error occurred during "{name}" processing. ' for name in names)
    return Refused(refused.status, prefix + refused.message)


def _echo(entry: Filter) -> dict[str, Any]:
    result = {"field": entry.field, "value": entry.value, "condition_type": entry.condition}
    return {key: value for key, value in result.items() if value is not None}
