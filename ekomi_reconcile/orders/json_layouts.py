"""Orders as JSON: one object per line, or one document."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from ekomi_reconcile.errors import OrderSourceError, OrderUnreadable
from ekomi_reconcile.model.order import Order
from ekomi_reconcile.orders.lines import BYTE_ORDER_MARK, MAX_LINE, TOO_LONG, Lines
from ekomi_reconcile.orders.reader import OrderReader, id_of, key_of
from ekomi_reconcile.orders.records import Payload, Record, Scan, Span, first
from ekomi_reconcile.orders.wire import WireKey, split_page


@dataclass(frozen=True, slots=True)
class JsonLines:
    """One JSON object per line; blank lines do not count."""

    name: str = "jsonl"
    grows: bool = True

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
    grows: bool = False

    def scan(self, stream: BinaryIO, span: Span) -> Scan:
        """All records."""

        def records(scan: Scan) -> Iterator[Record]:
            for at, piece in enumerate(_pieces(stream, span.end)):
                yield at, 1, piece
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
        pieces = _pieces(stream, end)
        return (pieces[at] for at in offsets if at < len(pieces))


def _pieces(stream: BinaryIO, end: int) -> Sequence[Payload]:
    stream.seek(0)
    text = stream.read(end)
    if len(text) < end:
        raise OrderSourceError("it became shorter while it was read", mend="run again")
    text = text.removeprefix(BYTE_ORDER_MARK)
    if not text.strip():
        return ()
    try:
        return split_page(text).orders
    except OrderUnreadable as problem:
        raise OrderSourceError(problem.reason) from None


def _too_long() -> OrderUnreadable:
    return OrderUnreadable(f"the line is longer than {MAX_LINE // 1024 // 1024} MiB")
