"""Segments of the order table, read page by page by key.

The next pass starts some minutes before where the last one ended, because an order becomes visible when
its transaction ends, later than the time it carries. Which versions were seen there already is part of the
position, so that none is handed out twice.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, Self

import msgspec
from msgspec import Raw

from ekomi_reconcile.model.instant import Instant
from ekomi_reconcile.orders.magento.search import Direction, Filter, Group, Is, one, sql_time

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


LAG = 60
"""Seconds before the shop's present time at which a pass ends: later ones may still get more changes."""

OVERLAP = 300
"""Seconds by which the next pass reaches back."""

MOST_SEEN = 1_000
"""Versions remembered within the overlap; what goes beyond is read twice."""

MOST_UNREADABLE = 1_000

VERSION = 1


class ShopCursor(msgspec.Struct, frozen=True, omit_defaults=True):
    """Everything updated before ``t`` is read, and of later versions those in ``seen``.

    ``seen`` holds order ids by seconds after ``t``; ``bad`` are orders that could not be read.
    """

    v: int
    t: Instant
    seen: dict[str, list[int]] = {}
    bad: list[int] = []

    def text(self) -> str:
        """The form in which it is stored."""
        return msgspec.json.encode(self).decode()

    def covers(self, key: RowKey) -> bool:
        """Was this version of an order read when this position was reached?"""
        return key.updated_at < self.t or key.order_id in self.seen.get(str(key.updated_at - self.t), ())


_DECODER = msgspec.json.Decoder(ShopCursor)


def parse_cursor(text: str) -> ShopCursor | None:
    """The cursor in this text; ``None`` if it is none of ours."""
    try:
        found = _DECODER.decode(text)
    except (msgspec.DecodeError, UnicodeError):
        return None
    return found if found.v == VERSION else None


@dataclass(frozen=True, slots=True)
class Positions:
    """The positions that a pass goes on from, and whether one of them says nothing about this shop."""

    cursors: Sequence[ShopCursor]
    lost: bool

    @classmethod
    def of(cls, texts: Collection[str]) -> Positions:
        """What these texts say."""
        found = [parse_cursor(text) for text in sorted(texts)]
        return cls([each for each in found if each is not None], None in found)

    @property
    def start(self) -> Instant | None:
        """Where the earliest of them is; ``None`` if there is none."""
        return min((each.t for each in self.cursors), default=None)

    @property
    def unreadable(self) -> frozenset[int]:
        """Orders that could not be read."""
        return frozenset(order_id for each in self.cursors for order_id in each.bad)

    def cover(self, key: RowKey) -> bool:
        """Was this version read by all of them?"""
        return all(each.covers(key) for each in self.cursors)


def reached(until: Instant, keys: Iterable[RowKey], unreadable: Iterable[int]) -> ShopCursor:
    """The position after a pass up to ``until`` (not included) that saw these versions."""
    start = until - OVERLAP
    inside = sorted({(key.updated_at, key.order_id) for key in keys if start <= key.updated_at < until})
    return ShopCursor(
        VERSION, start, _by_second(inside[-MOST_SEEN:], start), sorted(unreadable)[:MOST_UNREADABLE]
    )


def in_overlap(key: RowKey, until: Instant) -> bool:
    """Will the next pass come across this version again?"""
    return until - OVERLAP <= key.updated_at < until


def _by_second(pairs: Iterable[tuple[Instant, int]], start: Instant) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for updated_at, order_id in pairs:
        found.setdefault(str(updated_at - start), []).append(order_id)
    return found
