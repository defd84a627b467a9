"""Records: the stretches of a file that hold one order each.

A layout turns a span of the file into records: where each starts, its line, and its content, or
the ``OrderUnreadable`` that says why there is none. ``Scan.settled`` is the position after the last
record that is certainly complete: a later one may still be being written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, BinaryIO, Protocol, TypeAlias

from ekomi_reconcile.model.order import Order
from ekomi_reconcile.orders.flaws import Flaw
from ekomi_reconcile.orders.reader import OrderReader
from ekomi_reconcile.orders.wire import WireKey

Payload: TypeAlias = Any
"""Content of a record: JSON text, or the cells of a row; only its layout looks inside."""

Record: TypeAlias = tuple[int, int, Payload]
"""Offset in bytes (in a document: position in its list), line from 1, content."""


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of a file: bytes from ``start`` to ``end``, with ``lines`` lines before it."""

    start: int
    end: int
    lines: int = 0


class Scan:
    """One pass over the records of a span. Iterate it to the end, then ask how far it is settled.

    ``remarks`` are warnings about the file as a whole.
    """

    def __init__(self, records: Callable[[Scan], Iterator[Record]], span: Span) -> None:
        self._records = records
        self.remarks: list[Flaw] = []
        self.settled = span.start
        self.settled_lines = span.lines

    def __iter__(self) -> Iterator[Record]:
        return self._records(self)


class Layout(Protocol):
    """One way to write orders into a file."""

    @property
    def name(self) -> str:
        """Its name in cursors."""

    @property
    def repeats(self) -> bool:
        """May a later record of an order replace an earlier one?"""

    def scan(self, stream: BinaryIO, span: Span) -> Scan:
        """The records that start in this span."""

    def key(self, payload: Payload) -> WireKey | None:
        """What this order is called; ``None`` if that cannot be read."""

    def order_id(self, payload: Payload) -> int | None:
        """The same, in a hurry, for the id alone."""

    def reading(self, reader: OrderReader) -> Callable[[Payload], Order]:
        """How to read a record; raises OrderUnreadable."""

    def pick(self, stream: BinaryIO, offsets: Sequence[int], end: int) -> Iterator[Payload]:
        """The records that start at these offsets."""


def first(payloads: Iterable[Payload]) -> Iterator[Payload]:
    """Only the first of these, if there is one."""
    return islice(payloads, 1)
