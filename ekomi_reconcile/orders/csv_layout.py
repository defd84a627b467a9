"""Orders as CSV: field names in the first line, dotted for nested fields, JSON in cells of lists."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

from ekomi_reconcile.errors import OrderSourceError, OrderUnreadable
from ekomi_reconcile.model.order import Order
from ekomi_reconcile.orders.lines import TOO_LONG, Lines
from ekomi_reconcile.orders.reader import OrderReader, key_in
from ekomi_reconcile.orders.records import Payload, Record, Scan, Span, first
from ekomi_reconcile.orders.wire import WireKey

_KEYS = frozenset({"entity_id", "increment_id"})
_NEEDED = ("entity_id", "created_at")


class _Unfinished(OrderUnreadable):
    """A quoted cell that nothing closes: the rest may still come."""


@dataclass(frozen=True, slots=True)
class CsvRows:
    """A header of field names (dotted for nested ones), then one order per row; no cell = absent."""

    columns: tuple[str, ...]
    delimiter: str
    body: int
    name: str = "csv"
    grows: bool = True

    def scan(self, stream: BinaryIO, span: Span) -> Scan:
        """The records that start in this span, the header left out."""
        start, before = (span.start, span.lines) if span.start >= self.body else (self.body, 1)
        lines = Lines(stream, start=start, end=max(span.end, start), number=before)

        def records(scan: Scan) -> Iterator[Record]:
            damaged: list[int] = []
            rows = csv.reader(_text(lines, damaged), delimiter=self.delimiter, strict=True)
            offset, number = start, before
            row: Payload = ()
            while row is not None:
                row = self._next(rows, damaged)
                if lines.ended and row is not None and not isinstance(row, _Unfinished):
                    scan.settled, scan.settled_lines = lines.offset, lines.number
                if row:
                    yield offset, number + 1, row
                offset, number = lines.offset, lines.number

        return Scan(records, span)

    def _next(self, rows: Iterator[list[str]], damaged: list[int]) -> Payload:
        """The cells of the next row, ``[]`` for an empty one, ``None`` at the end."""
        damaged.clear()
        try:
            row = next(rows, None)
        except csv.Error as error:
            unfinished = str(error) == "unexpected end of data"
            return _Unfinished("the row is not finished") if unfinished else OrderUnreadable("no CSV row")
        if row and damaged:
            return OrderUnreadable("not UTF-8")
        if row and len(row) > len(self.columns):
            return OrderUnreadable(f"{len(row)} cells where the header has {len(self.columns)}")
        return row

    def key(self, payload: Payload) -> WireKey | None:
        """What this order is called."""
        return key_in(
            {name: cell for name, cell in zip(self.columns, payload, strict=False) if name in _KEYS}
        )

    def order_id(self, payload: Payload) -> int | None:
        """The id alone."""
        key = self.key(payload)
        return None if key is None else key.entity_id

    def reading(self, reader: OrderReader) -> Callable[[Payload], Order]:
        """How to read a record."""
        paths = [tuple(name.split(".")) for name in self.columns]

        def read(payload: Payload) -> Order:
            return reader.tree(_tree(zip(paths, payload, strict=False)))

        return read

    def pick(self, stream: BinaryIO, offsets: Sequence[int], end: int) -> Iterator[Payload]:
        """The rows that start at these offsets."""
        for offset in offsets:
            yield from first(payload for _, _, payload in self.scan(stream, Span(offset, end, 1)))


def csv_rows(stream: BinaryIO) -> CsvRows:
    """The layout that the header of this CSV file describes.

    Raises:
        OrderSourceError: it has no header, or one without the columns that every order needs.
    """
    lines = Lines(stream, start=0, end=stream.seek(0, 2))
    header = next(iter(lines), b"")
    try:
        text = header.decode()
    except UnicodeDecodeError:
        raise OrderSourceError("it is no file of orders: neither JSON nor UTF-8 text") from None
    delimiter = max(",;\t", key=text.count)
    columns = tuple(name.strip() for name in next(csv.reader([text], delimiter=delimiter), []))
    missing = [name for name in _NEEDED if name not in columns]
    if missing:
        raise OrderSourceError(
            f"its header has no column {' and no column '.join(missing)}",
            mend="write the names of the fields into the first line: entity_id, increment_id, created_at, …",
        )
    _refuse_clashes(columns)
    return CsvRows(columns, delimiter, lines.offset)


def _refuse_clashes(columns: Sequence[str]) -> None:
    for name in columns:
        if name and (columns.count(name) > 1 or any(each.startswith(f"{name}.") for each in columns)):
            raise OrderSourceError(f"its header has the column {name} twice, or also parts of it")


def _text(lines: Lines, damaged: list[int]) -> Iterator[str]:
    for line in lines:
        if line is TOO_LONG:
            damaged.append(lines.number)
            yield "\n"
            continue
        try:
            yield line.decode()
        except UnicodeDecodeError:
            damaged.append(lines.number)
            yield line.decode(errors="replace")


def _tree(cells: Iterable[tuple[tuple[str, ...], str]]) -> Mapping[str, Any]:
    """Dotted names become objects in objects; an empty cell is an absent field."""
    tree: dict[str, Any] = {}
    for path, cell in cells:
        if cell:
            node = tree
            for name in path[:-1]:
                node = node.setdefault(name, {})
            node[path[-1]] = cell
    return tree
