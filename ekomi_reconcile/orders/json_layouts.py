"""JSON layouts of order files: one order per line, or one document."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from msgspec import Raw

from ekomi_reconcile.model.errors import OrderSourceError, OrderUnreadable
from ekomi_reconcile.model.order import Order
from ekomi_reconcile.orders.reader import Flaw, OrderReader, id_of, key_of
from ekomi_reconcile.orders.records import (
    BYTE_ORDER_MARK,
    MAX_LINE,
    TOO_LONG,
    Lines,
    Payload,
    Record,
    Scan,
    Span,
    first,
)
from ekomi_reconcile.orders.wire import RawPage, WireKey, split_page

SHAPES = (
    'expected: JSON Lines, a JSON array, or {"items": […]}, of orders in Magento\'s shape with an entity_id'
)
"""The hint for a file that holds something else."""


@dataclass(frozen=True, slots=True)
class JsonLines:
    """One JSON object per line; blank lines do not count."""

    name: str = "jsonl"
    repeats: bool = True
    text_ids: bool = False

    def scan(self, stream: BinaryIO, span: Span) -> Scan:
        """The records that start in this span."""

        def records(scan: Scan) -> Iterator[Record]:
            lines = Lines(stream, start=span.start, end=span.end, number=span.lines)
            offset = span.start
            for line in lines:
                if lines.ended:
                    scan.settled, scan.settled_lines = lines.offset, lines.number
                if line is TOO_LONG:
                    yield offset, lines.number, _too_long()
                elif line[:1] == b"{" or line.strip():
                    yield offset, lines.number, line
                offset = lines.offset

        return Scan(records, span)

    def key(self, payload: Payload) -> WireKey | None:
        """What this order is called."""
        return key_of(payload)

    def order_id(self, payload: Payload) -> int | None:
        """The id alone."""
        return id_of(payload)

    def reading(self, reader: OrderReader) -> Callable[[Payload], Order]:
        """How to read a record."""
        return reader.order

    def pick(self, stream: BinaryIO, offsets: Sequence[int], end: int) -> Iterator[Payload]:
        """The lines that start at these offsets."""
        for offset in offsets:
            yield from first(Lines(stream, start=offset, end=end))


@dataclass(frozen=True, slots=True)
class JsonDocument:
    """A JSON array of orders, a search answer with ``items``, or one order; read as a whole."""

    name: str = "json"
    repeats: bool = True
    text_ids: bool = False

    def scan(self, stream: BinaryIO, span: Span) -> Scan:
        """All records."""

        def records(scan: Scan) -> Iterator[Record]:
            text, page = _document(stream, span.end)
            total, count = page.total_count, len(page.orders)
            if total is not None and total > count:
                scan.remarks.append(Flaw(1, f"one page of many: {count} of {total} orders (total_count)"))
            yield from _with_lines(text, page.orders)
            scan.settled = span.end

        scan = Scan(records, span)
        scan.settled = sys.maxsize
        return scan

    def key(self, payload: Payload) -> WireKey | None:
        """What this order is called."""
        return key_of(payload)

    def order_id(self, payload: Payload) -> int | None:
        """The id alone."""
        key = key_of(payload)
        return None if key is None else key.entity_id

    def reading(self, reader: OrderReader) -> Callable[[Payload], Order]:
        """How to read a record."""
        return reader.order

    def pick(self, stream: BinaryIO, offsets: Sequence[int], end: int) -> Iterator[Payload]:
        """The orders at these positions of the list."""
        pieces = _document(stream, end)[1].orders
        return (pieces[at] for at in offsets if at < len(pieces))


def _with_lines(text: bytes, orders: Sequence[Raw]) -> Iterator[Record]:
    """The orders with the lines where they start: each is found behind the one before it."""
    at, line = 0, 1
    for position, order in enumerate(orders):
        raw = bytes(order)
        start = max(text.find(raw, at), at)
        line += text.count(b"\n", at, start)
        at = start
        yield position, line, order


def _document(stream: BinaryIO, end: int) -> tuple[bytes, RawPage]:
    stream.seek(0)
    text = stream.read(end)
    if len(text) < end:
        raise OrderSourceError("it became shorter while it was read", mend="run again")
    text = text.removeprefix(BYTE_ORDER_MARK)
    if not text.strip():
        return text, RawPage(())
    try:
        return text, split_page(text)
    except OrderUnreadable as problem:
        raise OrderSourceError(problem.reason, mend=SHAPES) from None


def _too_long() -> OrderUnreadable:
    return OrderUnreadable(f"the line is longer than {MAX_LINE // 1024 // 1024} MiB")
