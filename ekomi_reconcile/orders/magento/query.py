"""``searchCriteria``: filters, order, page size and ``fields``, in a form that every server reads alike.

Groups are ANDed, the filters within one ORed. Blanks never occur, everything but letters and digits is
percent-encoded, and indexes stay below ten: all three matter to OAuth signatures (measured on 2.4.7). The
page number is always 1: what comes after a page is asked for by its last key.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from urllib.parse import quote

from ekomi_reconcile.model.instant import Instant

MOST_GROUPS = 10


class Is(StrEnum):
    """Condition types. Magento takes one it does not know for ``eq``, so there are no others."""

    EQ = "eq"
    GT = "gt"
    GTEQ = "gteq"
    LT = "lt"
    LTEQ = "lteq"
    IN = "in"
    NOT_IN = "nin"


class Direction(StrEnum):
    """Sort directions; a missing one would mean descending."""

    ASC = "ASC"
    DESC = "DESC"


@dataclass(frozen=True, slots=True)
class Filter:
    """One condition on a column of the table."""

    field: str
    condition: Is
    value: str


Group = tuple[Filter, ...]
"""Filters of which one must hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What to look for. ``fields`` is Magento's own notation: names, commas, square brackets."""

    groups: tuple[Group, ...] = ()
    sort: tuple[tuple[str, Direction], ...]
    size: int
    page: int = 1
    fields: str

    def text(self) -> str:
        """The query string.

        Raises:
            ValueError: more groups than one-digit indexes.
        """
        if len(self.groups) > MOST_GROUPS:
            raise ValueError("too many groups of filters")
        return encode([*self._parameters(), ("fields", self.fields)])

    def _parameters(self) -> Iterator[tuple[str, str]]:
        for at, group in enumerate(self.groups):
            for nth, each in enumerate(group):
                key = f"searchCriteria[filter_groups][{at}][filters][{nth}]"
                yield f"{key}[field]", each.field
                yield f"{key}[condition_type]", each.condition.value
                yield f"{key}[value]", each.value
        for at, (field, direction) in enumerate(self.sort):
            yield f"searchCriteria[sortOrders][{at}][field]", field
            yield f"searchCriteria[sortOrders][{at}][direction]", direction.value
        yield "searchCriteria[pageSize]", str(self.size)
        yield "searchCriteria[currentPage]", str(self.page)


def encode(parameters: Iterable[tuple[str, str]]) -> str:
    """A query string of these names and values."""
    return "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in parameters)


def one(field: str, condition: Is, value: object) -> Group:
    """A group of one filter."""
    return (Filter(field, condition, str(value)),)


def among(field: str, values: Iterable[int], condition: Is = Is.IN) -> Group:
    """A group that asks for (or, with NOT_IN, excludes) these numbers."""
    return (Filter(field, condition, ",".join(str(value) for value in sorted(values))),)


def sql_time(instant: Instant) -> str:
    """A time as a filter value: UTC without a zone. With a zone, databases disagree what it means."""
    return datetime.fromtimestamp(max(instant, 0), UTC).strftime("%Y-%m-%dT%H:%M:%S")
