"""Positions in a shop's orders.

The next pass starts some minutes before where the last one ended, because an order becomes visible when
its transaction ends, later than the time it carries. Which versions were seen there already is part of the
position, so that none is handed out twice.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import msgspec

from ekomi_reconcile.model.instant import Instant
from ekomi_reconcile.orders.magento.segments import RowKey

LAG = 60
"""Seconds before the shop's present time at which a pass ends: later ones may still get more changes."""

OVERLAP = 300
"""Seconds by which the next pass reaches back."""

MOST_SEEN = 1_000
"""Versions remembered within the overlap; what goes beyond is read twice."""

MOST_UNREADABLE = 1_000

VERSION = 1


class Cursor(msgspec.Struct, frozen=True, omit_defaults=True):
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


_DECODER = msgspec.json.Decoder(Cursor)


def parse_cursor(text: str) -> Cursor | None:
    """The cursor in this text; ``None`` if it is none of ours."""
    try:
        found = _DECODER.decode(text)
    except (msgspec.DecodeError, UnicodeError):
        return None
    return found if found.v == VERSION else None


@dataclass(frozen=True, slots=True)
class Positions:
    """The positions that a pass goes on from, and whether one of them says nothing about this shop."""

    cursors: Sequence[Cursor]
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


def reached(until: Instant, keys: Iterable[RowKey], unreadable: Iterable[int]) -> Cursor:
    """The position after a pass up to ``until`` (not included) that saw these versions."""
    start = until - OVERLAP
    inside = sorted({(key.updated_at, key.order_id) for key in keys if start <= key.updated_at < until})
    return Cursor(
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
