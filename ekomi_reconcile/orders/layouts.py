"""CSV layout of order files, and which layout a file has."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

from ekomi_reconcile.model.errors import OrderSourceError, OrderUnreadable
from ekomi_reconcile.model.order import Order, OrderId
from ekomi_reconcile.orders import records as orders_records
from ekomi_reconcile.orders.reader import Flaw, OrderReader, key_in, key_of

_KEYS = frozenset({"entity_id", "increment_id"})
_NEEDED = ("entity_id", "created_at")
_VERSION = ("status", "state", "updated_at")
_ITEM_COLUMNS = frozenset({"sku", "qty", "qty_ordered", "row_total", "price"})
_ITEM_PREFIXES = ("item_", "items.", "product_", "lineitem")
_MOST_SHOWN = 10
_NOT_CSV = "not CSV: a quote is in the wrong place, or the row is too long"

ROW_PER_ITEM = "a second row of the same order: a file with one row per item needs `items: per_row`"
ROW_PER_ITEM_HINT = (
    "write `items: per_row` and map the columns of items (ekomi-reconcile orders inspect FILE prints a "
    "mapping), or export one row per order with its items as JSON in a column `items`"
)


class _Unfinished(OrderUnreadable):
    """A quoted cell that nothing closes: the rest may still come."""


@dataclass(frozen=True, slots=True)
class CsvRows:
    """A header of field names (dotted for nested ones), then one order per row; no cell = absent."""

    columns: tuple[str, ...]
    delimiter: str
    body: int
    name: str = "csv"

    @property
    def text_ids(self) -> bool:
        """Ids are whole numbers."""
        return False

    @property
    def fields(self) -> Sequence[str]:
        """The names of the fields that there are columns for."""
        return self.columns

    @property
    def repeats(self) -> bool:
        """A row with columns of an item is one of several of its order, not a later version of it."""
        return not self._item_columns

    @property
    def _item_columns(self) -> list[str]:
        return [each for each in self.columns if each.startswith(_ITEM_PREFIXES) or each in _ITEM_COLUMNS]

    def scan(self, stream: BinaryIO, span: orders_records.Span) -> orders_records.Scan:
        """The records that start in this span, the header left out."""
        start, before = (span.start, span.lines) if span.start >= self.body else (self.body, 1)
        lines = orders_records.Lines(stream, start=start, end=max(span.end, start), number=before)

        def records(scan: orders_records.Scan) -> Iterator[orders_records.Record]:
            damaged: list[int] = []
            items = self._item_columns
            if items and span.start < self.body:
                scan.remarks.append(_columns_not_read(items))
            rows = _reader(_text(lines, damaged), self.delimiter)
            offset, number = start, before
            row: orders_records.Payload = ()
            previous: list[str] = []
            while row is not None:
                row = self._next(rows, damaged)
                if lines.ended and row is not None and not isinstance(row, _Unfinished):
                    scan.settled, scan.settled_lines = lines.offset, lines.number
                if isinstance(row, list) and row:
                    if previous:
                        self._refuse_second_row(previous, row, line=number + 1, items=bool(items))
                    previous = row
                if row:
                    yield offset, number + 1, _located(row, number + 1, lines.number)
                offset, number = lines.offset, lines.number

        return orders_records.Scan(records, span)

    def _next(self, rows: Iterator[list[str]], damaged: list[int]) -> orders_records.Payload:
        """The cells of the next row, ``[]`` for an empty one, ``None`` at the end."""
        damaged.clear()
        try:
            row = next(rows, None)
        except csv.Error as error:
            unfinished = str(error) == "unexpected end of data"
            return _Unfinished("a quote is not closed") if unfinished else OrderUnreadable(_NOT_CSV)
        if row and damaged:
            return OrderUnreadable("not UTF-8, or a line that is too long")
        if row is None or not any(each.strip() for each in row):
            return None if row is None else []
        if len(row) != len(self.columns):
            return OrderUnreadable(f"{len(row)} cells where the header has {len(self.columns)}")
        return row

    def _refuse_second_row(self, previous: list[str], row: list[str], *, line: int, items: bool) -> None:
        """Two rows of one order next to each other are its items, unless the later one is a later version.

        ``items``: there are columns of items.

        Raises:
            OrderSourceError: they are its items.
        """
        key = self.columns.index("entity_id")
        one_id = row[key] == previous[key]
        if row == previous or not (one_id or items):  # nearly every row
            return

        def same(*names: str) -> bool:
            places = [self.columns.index(name) for name in names if name in self.columns]
            return all(previous[at].strip() == row[at].strip() for at in places)

        one_id = one_id and row[key].strip().isdigit() and same("increment_id")
        if items:
            number = row[self.columns.index("increment_id")] if "increment_id" in self.columns else ""
            repeated = one_id or (bool(number.strip()) and same("increment_id", "created_at"))
        else:
            repeated = one_id and same(*_VERSION)
        if repeated:
            raise OrderSourceError(f"line {line}: {ROW_PER_ITEM}", hint=ROW_PER_ITEM_HINT)

    def key(self, payload: orders_records.Payload) -> orders_records.OrderName | None:
        """What this order is called."""
        return key_in(
            {name: cell.strip() for name, cell in zip(self.columns, payload, strict=False) if name in _KEYS}
        )

    def order_id(self, payload: orders_records.Payload) -> OrderId | None:
        """The id alone."""
        key = self.key(payload)
        return None if key is None else key.entity_id

    def reading(self, reader: OrderReader) -> Callable[[orders_records.Payload], Order]:
        """How to read a record."""
        paths = [tuple(name.split(".")) for name in self.columns]

        def read(payload: orders_records.Payload) -> Order:
            return reader.tree(_tree(zip(paths, payload, strict=False)))

        return read

    def pick(self, stream: BinaryIO, offsets: Sequence[int], end: int) -> Iterator[orders_records.Payload]:
        """The rows that start at these offsets."""
        for offset in offsets:
            yield from orders_records.first(
                payload for _, _, payload in self.scan(stream, orders_records.Span(offset, end, 1))
            )


def csv_header(stream: BinaryIO) -> CsvRows:
    """The columns of this CSV file, whatever they are.

    Raises:
        OrderSourceError: it is neither UTF-8 nor CSV.
    """
    lines = orders_records.Lines(stream, start=0, end=stream.seek(0, 2))
    header = next(iter(lines), b"")
    try:
        text = header.decode()
        delimiter = max(",;\t", key=text.count)
        columns = tuple(name.strip() for name in next(_reader([text], delimiter), []))
    except (UnicodeDecodeError, csv.Error):
        raise OrderSourceError("not an order file: expected UTF-8 JSON, JSON Lines or CSV") from None
    return CsvRows(columns, delimiter, lines.offset)


def csv_rows(stream: BinaryIO) -> CsvRows:
    """The layout that the header of this CSV file describes.

    Raises:
        OrderSourceError: it has no header, or one without the columns that every order needs.
    """
    found = csv_header(stream)
    missing = [name for name in _NEEDED if name not in found.columns]
    if missing:
        raise OrderSourceError(
            f"its header has no column {' and no column '.join(missing)}",
            hint="write the names of the fields into the first line (entity_id, increment_id, "
            "created_at, …), or map its columns: ekomi-reconcile orders inspect FILE prints a mapping",
        )
    _refuse_clashes(found.columns)
    return found if found.repeats else replace(found, name="csv-items")


def _reader(lines: Iterable[str], delimiter: str) -> Iterator[list[str]]:
    return csv.reader(lines, delimiter=delimiter, strict=True, skipinitialspace=delimiter != "\t")


def _columns_not_read(columns: Sequence[str]) -> Flaw:
    shown = ", ".join(columns[:_MOST_SHOWN])
    return Flaw(1, f"columns of items are not read: {shown}; write the items as JSON in a column `items`")


def _located(row: orders_records.Payload, first: int, last: int) -> orders_records.Payload:
    """The row; of one that cannot be read the lines it covers are named."""
    if isinstance(row, OrderUnreadable) and last > first:
        return type(row)(f"{row.reason} (lines {first} to {last})")
    return row


def _refuse_clashes(columns: Sequence[str]) -> None:
    for name in columns:
        if name and (columns.count(name) > 1 or any(each.startswith(f"{name}.") for each in columns)):
            raise OrderSourceError(f"its header has the column {name} twice, or also parts of it")


def _text(lines: orders_records.Lines, damaged: list[int]) -> Iterator[str]:
    for line in lines:
        if line is orders_records.TOO_LONG:
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
        if text := cell.strip():
            node = tree
            for name in path[:-1]:
                node = node.setdefault(name, {})
            node[path[-1]] = text
    return tree


def layout_of(path: Path, stream: BinaryIO) -> orders_records.Layout:
    """The layout of this file, by its suffix, else by its content.

    Raises:
        OrderSourceError: it is a CSV file without the columns that every order needs.
    """
    return json_layout(path, stream) or csv_rows(stream)


def json_layout(path: Path, stream: BinaryIO) -> orders_records.Layout | None:
    """The layout of this file, if it is JSON; ``None`` where it is CSV."""
    suffix = path.suffix.lower()
    if suffix in {".jsonl", ".ndjson"}:
        return orders_records.JsonLines()
    if suffix in {".csv", ".tsv"}:
        return None
    stream.seek(0)
    start = stream.read(65_536).removeprefix(orders_records.BYTE_ORDER_MARK).lstrip()
    if not start:
        return orders_records.JsonLines()
    if start.startswith(b"{"):
        return _lines_or_document(stream)
    return orders_records.JsonDocument() if suffix == ".json" or start.startswith(b"[") else None


def _lines_or_document(stream: BinaryIO) -> orders_records.Layout:
    """A line that is a whole order begins a file of lines; anything else is one document."""
    for line in orders_records.Lines(stream, start=0, end=stream.seek(0, 2)):
        if not line.isspace():
            return (
                orders_records.JsonLines()
                if line is not orders_records.TOO_LONG and key_of(line)
                else orders_records.JsonDocument()
            )
    return orders_records.JsonLines()
