"""Records of an order file: the spans that hold one order each, in every JSON layout.

A layout turns a span of the file into records: where each starts, its line, and its content, or
the ``OrderUnreadable`` that says why there is none. ``Scan.settled`` is the position after the last
record that is certainly complete: a later one may still be being written.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from io import BufferedReader, RawIOBase
from itertools import islice
from typing import Any, BinaryIO, Protocol, TypeAlias

from msgspec import Raw

from ekomi_reconcile.model.errors import OrderSourceError, OrderUnreadable
from ekomi_reconcile.model.order import Order, OrderId
from ekomi_reconcile.orders.reader import Flaw, OrderReader, id_of, key_of
from ekomi_reconcile.orders.wire import RawPage, WireKey, split_page

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


class OrderName(Protocol):
    """What an order is called: its own key, and the number people see."""

    @property
    def entity_id(self) -> OrderId:
        """Its key in the source."""

    @property
    def increment_id(self) -> str | None:
        """The number people see."""


class Layout(Protocol):
    """One way to write orders into a file."""

    @property
    def name(self) -> str:
        """Its name in cursors."""

    @property
    def repeats(self) -> bool:
        """May a later record of an order replace an earlier one?"""

    @property
    def text_ids(self) -> bool:
        """May ids be any text, not only whole numbers?"""

    def scan(self, stream: BinaryIO, span: Span) -> Scan:
        """The records that start in this span."""

    def key(self, payload: Payload) -> OrderName | None:
        """What this order is called; ``None`` if that cannot be read."""

    def order_id(self, payload: Payload) -> OrderId | None:
        """The same, in a hurry, for the id alone."""

    def reading(self, reader: OrderReader) -> Callable[[Payload], Order]:
        """How to read a record; raises OrderUnreadable."""

    def pick(self, stream: BinaryIO, offsets: Sequence[int], end: int) -> Iterator[Payload]:
        """The records that start at these offsets."""


def first(payloads: Iterable[Payload]) -> Iterator[Payload]:
    """Only the first of these, if there is one."""
    return islice(payloads, 1)


MAX_LINE = 8 * 1024 * 1024
"""Bytes of the longest line that is read; an order with 1,000 rows has about 1 MB."""

TOO_LONG = b""
"""The value of a line longer than that; no line of ``Lines`` is empty, they end in a newline."""

_SNIFFED = 65_536

BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class _CarriageReturns(RawIOBase):
    """A file whose lines end in CR, read as if they ended in LF; offsets stay the same."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._stream.fileno()

    def seek(self, offset: int, whence: int = 0, /) -> int:
        return self._stream.seek(offset, whence)

    def readinto(self, buffer: Any, /) -> int:
        data = self._stream.read(len(buffer)).replace(b"\r", b"\n")
        buffer[: len(data)] = data
        return len(data)


def with_newlines(stream: BinaryIO, buffer: int) -> BinaryIO:
    """The file with lines that end in LF, also where they end in CR alone, as some spreadsheets write."""
    start = stream.read(_SNIFFED)
    stream.seek(0)
    if b"\r" not in start or b"\n" in start:
        return stream
    return BufferedReader(_CarriageReturns(stream), buffer)


class Lines:
    """The lines between ``start`` and ``end`` (bytes), with their newlines; iterate once.

    ``offset`` is where the next line starts, ``number`` how many lines of the file precede it.
    ``ended`` tells whether the last one was complete: it ended in a newline.
    """

    def __init__(self, stream: BinaryIO, *, start: int, end: int, number: int = 0) -> None:
        self._stream = stream
        self._end = end
        self.offset = start
        self.number = number
        self.ended = True

    def __iter__(self) -> Iterator[bytes]:
        """Read line by line, what lies behind ``end`` left out.

        Raises:
            OrderSourceError: the file became shorter meanwhile.
        """
        self._stream.seek(self.offset)
        readline, end = self._stream.readline, self._end
        while self.offset < end:
            start, line = self.offset, readline(MAX_LINE)
            if start + len(line) > end:
                line = line[: end - start]
            if not line:
                raise OrderSourceError("it became shorter while it was read", hint="run again")
            self.number += 1
            self.offset = start + len(line)
            self.ended = line.endswith(b"\n")
            if not self.ended and len(line) == MAX_LINE:
                self._skip()
                yield TOO_LONG
            elif start:
                yield line
            else:
                yield line.removeprefix(BYTE_ORDER_MARK)

    def _skip(self) -> None:
        """Go to the end of a line that is too long, without keeping it."""
        while not self.ended and self.offset < self._end:
            part = self._stream.readline(min(MAX_LINE, self._end - self.offset))
            if not part:
                break
            self.offset += len(part)
            self.ended = part.endswith(b"\n")


SHAPES = (
    'expected: JSON Lines, a JSON array, or {"items": […]}, of orders in Magento\'s shape with an entity_id'
)
"""The hint for a file that holds something else."""


@dataclass(frozen=True, slots=True)
class JsonLines:
    """One JSON object per line; empty lines do not count."""

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
        raise OrderSourceError("it became shorter while it was read", hint="run again")
    text = text.removeprefix(BYTE_ORDER_MARK)
    if not text.strip():
        return text, RawPage(())
    try:
        return text, split_page(text)
    except OrderUnreadable as problem:
        raise OrderSourceError(problem.reason, hint=SHAPES) from None


def _too_long() -> OrderUnreadable:
    return OrderUnreadable(f"the line is longer than {MAX_LINE // 1024 // 1024} MiB")
