"""Stretches of the order table that are read page by page, by key and never by page number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol, Self

from msgspec import Raw

from ekomi_reconcile.model.instant import Instant
from ekomi_reconcile.orders.magento.query import Direction, Filter, Group, Is, one, sql_time

MAX_ID = 2**32 - 1
"""The largest id the table can hold."""

BY_ID = ("entity_id", Direction.ASC)


@dataclass(frozen=True, slots=True)
class RowKey:
    """Which version of which order a row is."""

    order_id: int
    updated_at: Instant


@dataclass(frozen=True, slots=True)
class Row:
    """One order of a page, not decoded yet."""

    key: RowKey
    raw: Raw


class Segment(Protocol):
    """Orders with ids above ``low``, up to and including ``high``."""

    @property
    def low(self) -> int: ...
    @property
    def high(self) -> int: ...

    def groups(self) -> tuple[Group, ...]:
        """The filters."""

    def sort(self) -> tuple[tuple[str, Direction], ...]:
        """The order, with the id as the last key."""

    def after(self, rows: Sequence[Row]) -> Self:
        """What is left when these rows were read."""

    def part(self, low: int, high: int) -> Self:
        """The part with these ids."""


@dataclass(frozen=True, slots=True)
class IdSegment:
    """A window of ids, of orders created at or after ``created_from``."""

    low: int
    high: int
    created_from: Instant | None = None

    def groups(self) -> tuple[Group, ...]:
        """Bounded on both ends: the shop counts all that match for every page."""
        window = (one("entity_id", Is.GT, self.low), one("entity_id", Is.LTEQ, self.high))
        if self.created_from is None:
            return window
        return (*window, one("created_at", Is.GTEQ, sql_time(self.created_from)))

    def sort(self) -> tuple[tuple[str, Direction], ...]:
        """By id."""
        return (BY_ID,)

    def after(self, rows: Sequence[Row]) -> IdSegment:
        """The ids above these."""
        return replace(self, low=max(row.key.order_id for row in rows))

    def part(self, low: int, high: int) -> IdSegment:
        """A smaller window."""
        return replace(self, low=low, high=high)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeSegment:
    """Orders updated at ``at`` or later and before ``until``, after the key (``at``, ``at_id``)."""

    at: Instant
    at_id: int = 0
    until: Instant
    low: int = 0
    high: int = MAX_ID

    def groups(self) -> tuple[Group, ...]:
        """The pair comparison as an AND of ORs; the first group lets the shop use its index."""
        found: list[Group] = [
            one("updated_at", Is.GTEQ, sql_time(self.at)),
            (
                Filter("updated_at", Is.GT, sql_time(self.at)),
                Filter("entity_id", Is.GT, str(self.at_id)),
            ),
            one("updated_at", Is.LT, sql_time(self.until)),
        ]
        if self.low > 0:
            found.append(one("entity_id", Is.GT, self.low))
        if self.high < MAX_ID:
            found.append(one("entity_id", Is.LTEQ, self.high))
        return tuple(found)

    def sort(self) -> tuple[tuple[str, Direction], ...]:
        """By time, and within a second by id."""
        return (("updated_at", Direction.ASC), BY_ID)

    def after(self, rows: Sequence[Row]) -> ChangeSegment:
        """Past the last of these."""
        last = max((row.key.updated_at, row.key.order_id) for row in rows)
        return replace(self, at=last[0], at_id=last[1])

    def part(self, low: int, high: int) -> ChangeSegment:
        """The same time, fewer ids."""
        return replace(self, low=low, high=high)
