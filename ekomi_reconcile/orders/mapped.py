"""CSV files of other systems: columns with titles of their own, and one row per order or per item.

``columns`` in the project file says which column has which field. Columns that it does not name keep their
titles as names of fields. Without ``entity_id`` an order is known by its number.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple, TypeAlias
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from ekomi_reconcile.config.order_sources import DecimalMark, FileColumn, TableSettings
from ekomi_reconcile.model.errors import OrderSourceError, OrderUnreadable
from ekomi_reconcile.model.order import Order, OrderId, OrderState, order_id_of, order_state_of
from ekomi_reconcile.orders.layouts import CsvRows, csv_header, json_layout
from ekomi_reconcile.orders.lenient import changed_by_spreadsheet
from ekomi_reconcile.orders.reader import OrderReader
from ekomi_reconcile.orders.records import Payload, Record, Scan, Span

TIMES: Final = frozenset({"created_at", "updated_at", "invoices.created_at", "shipments.created_at"})
NUMBERS: Final = frozenset(
    {
        *("grand_total", "base_grand_total", "subtotal", "base_subtotal", "discount_amount"),
        *("shipping_amount", "total_paid", "total_refunded", "total_qty_ordered", "total_item_count"),
        *("weight", "items.price", "items.qty_ordered", "items.qty_refunded", "items.qty_canceled"),
        "items.row_total",
    }
)
_LISTS: Final = frozenset({"invoices", "shipments"})
_ITEMS: Final = "items."
_INSPECT: Final = "show what is in the file, and a mapping: ekomi-reconcile orders inspect FILE"
_ROW_PER_ITEM: Final = "a second row of the same order"
_OFFSET: Final = re.compile(r"\s+(?=[+-]\d\d:?\d\d$)|\s+(?=UTC$|GMT$|Z$)")
_GROUPED: Final = {
    DecimalMark.POINT: re.compile(r"[+-]?(\d+|\d{1,3}([,' ]\d{3})+)(\.\d*)?|[+-]?\.\d+"),
    DecimalMark.COMMA: re.compile(r"[+-]?(\d+|\d{1,3}([.' ]\d{3})+)(,\d*)?|[+-]?,\d+"),
}
_CURRENCY: Final = r"(?:[^\W\d_]{1,3}|[$€£¥])"
_FRAMED: Final = re.compile(rf"([+-]?)\s*(?:{_CURRENCY}\s*)?(.*?)(?:\s*{_CURRENCY})?", re.DOTALL)
_MARKS: Final = str.maketrans({"\u00a0": " ", "\u202f": " ", "\u2019": "'", "\u2212": "-"})
_SPACES: Final = re.compile(r"\s+")

Rows: TypeAlias = list[tuple[int, list[str]]]
"""The rows of one order, each with its line."""


class MappedKey(NamedTuple):
    """What an order is called."""

    entity_id: OrderId
    increment_id: str | None


class _Cell(NamedTuple):
    """A column that is read: where it is in a row, where its value goes, and how it is read."""

    at: int
    path: tuple[str, ...]
    name: str
    title: str
    read: Callable[[str], str]


class _Unfit(ValueError):
    """A cell that does not fit; the message says what is expected."""


def collapsed(text: str) -> str:
    """The text with single spaces: exports put names of stores on several lines."""
    return _SPACES.sub(" ", text).strip()


def number_of(text: str, decimal: DecimalMark) -> str | None:
    """The number as JSON writes it; ``None`` where it is none. Currencies and marks of thousands go."""
    framed = _FRAMED.fullmatch(text.translate(_MARKS).strip())
    bare = "" if framed is None else framed[1] + framed[2]
    if _GROUPED[decimal].fullmatch(bare) is None:
        return None
    whole, _, cents = bare.partition(decimal.value)
    digits = re.sub(r"[.,' ]", "", whole)
    return f"{digits if digits.lstrip('+-') else digits + '0'}.{cents}" if cents else digits


def time_of(text: str, layout: str | None, zone: ZoneInfo) -> datetime | None:
    """The instant; ``None`` where it is not written so. Without an offset it is in this zone."""
    try:
        if layout is not None:
            found = datetime.strptime(collapsed(text), layout)  # noqa: DTZ007 - the zone follows
        else:
            found = datetime.fromisoformat(_OFFSET.sub("", text).replace("UTC", "Z").replace("GMT", "Z"))
        aware = found if found.tzinfo is not None else found.replace(tzinfo=zone)
        return aware.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


@dataclass(frozen=True)
class MappedRows(CsvRows):
    """Rows whose columns the project file maps; ``name`` is not that of a file that is read as it grows."""

    table: TableSettings = field(default_factory=TableSettings, kw_only=True)

    @property
    def text_ids(self) -> bool:
        """Ids may be any text."""
        return True

    @property
    def repeats(self) -> bool:
        """A later row is a later version of an order, unless rows are items."""
        return not self.table.per_row

    @property
    def _item_columns(self) -> list[str]:
        return []

    @property
    def fields(self) -> Sequence[str]:
        """The names of the fields that there are columns for."""
        return [each.name for each in self._cells]

    @cached_property
    def _cells(self) -> tuple[_Cell, ...]:
        zone, found = ZoneInfo(self.table.timezone), []
        wanted = {**self._own_titles, **self.table.columns}
        for name, column in wanted.items():
            read = _reading(name, column, self.table.decimal, zone)
            found.append(
                _Cell(self.columns.index(column.column), tuple(name.split(".")), name, column.column, read)
            )
        return tuple(found)

    @property
    def _own_titles(self) -> dict[str, FileColumn]:
        """The columns that no field is mapped to, under their own titles."""
        used = {each.column for each in self.table.columns.values()}
        return {title: FileColumn(column=title) for title in self.columns if title and title not in used}

    @cached_property
    def _places(self) -> tuple[_Cell | None, _Cell]:
        """Where an order's id is, if there is one, and its number."""
        by_name = {each.name: each for each in self._cells}
        return by_name.get("entity_id"), by_name["increment_id"]

    def scan(self, stream: BinaryIO, span: Span) -> Scan:
        """The orders whose first row starts in this span."""
        rows = CsvRows.scan(self, stream, span)

        def records(scan: Scan) -> Iterator[Record]:
            yield from self._orders(rows)
            scan.settled, scan.settled_lines = rows.settled, rows.settled_lines

        scan = Scan(records, span)
        scan.settled = span.end
        return scan

    def _orders(self, rows: Iterable[Record]) -> Iterator[Record]:
        """Rows of one order that follow each other are one record.

        A damaged row may be an item of the order before it, which then cannot be read either.
        """
        start, first, group = 0, 0, list[tuple[int, list[str]]]()
        for offset, line, row in rows:
            if isinstance(row, OrderUnreadable):
                if group and self.table.per_row:
                    known = self.order_id(group)
                    reason = f"a row after it (line {line}) cannot be read and may be one of its items"
                    yield start, first, OrderUnreadable(reason, order_id=known)
                elif group:
                    yield start, first, group
                group = []
                yield offset, line, row
                continue
            if group and self.table.per_row and self._same(group[0][1], row):
                group.append((line, row))
                continue
            if group:
                yield start, first, group
            start, first, group = offset, line, [(line, row)]
        if group:
            yield start, first, group

    def _same(self, one: Sequence[str], other: Sequence[str]) -> bool:
        key = self._key(one)
        return key is not None and key == self._key(other)

    def _refuse_second_row(self, previous: list[str], row: list[str], *, line: int, items: bool) -> None:  # noqa: ARG002 - as in CsvRows
        """Rows of one order next to each other are its items, unless the rows say that they are orders.

        Raises:
            OrderSourceError: they are its items, and the project file does not say so.
        """
        if self.table.per_row or row == previous or not self._same(previous, row):
            return
        raise OrderSourceError(
            f"line {line}: {_ROW_PER_ITEM}",
            hint="where the file has one row per item, write `items: per_row` beside `file:`",
        )

    def _key(self, row: Sequence[str]) -> MappedKey | None:
        entity, number = self._places
        text = number.read(row[number.at].strip())
        if not text or changed_by_spreadsheet(text):
            return None
        own = text if entity is None else entity.read(row[entity.at].strip())
        return MappedKey(order_id_of(own), text) if own and not changed_by_spreadsheet(own) else None

    def key(self, payload: Payload) -> MappedKey | None:
        """What this order is called."""
        return self._key(payload[0][1])

    def order_id(self, payload: Payload) -> OrderId | None:
        """The id alone."""
        key = self.key(payload)
        return None if key is None else key.entity_id

    def reading(self, reader: OrderReader) -> Callable[[Payload], Order]:
        """How to read the rows of an order."""

        def read(payload: Payload) -> Order:
            key = self.key(payload)
            if key is None:
                raise OrderUnreadable(
                    f"no order number in column {self._places[1].title}, or one changed by a spreadsheet"
                )
            try:
                order = reader.tree({**self._tree(payload), "entity_id": 1})
            except OrderUnreadable as problem:
                raise OrderUnreadable(problem.reason, order_id=key.entity_id) from None
            return msgspec.structs.replace(order, order_id=key.entity_id, state=_state(order))

        return read

    def _tree(self, rows: Rows) -> dict[str, Any]:
        """The order in these rows: of what is not an item's the first row that has it counts."""
        tree: dict[str, Any] = {}
        items = [item for line, row in rows if (item := self._item(line, row))]
        for cell in self._cells:
            if cell.name.startswith(_ITEMS):
                continue
            found = next(((line, text) for line, row in rows if (text := row[cell.at].strip())), None)
            if found is not None:
                _put(tree, cell.path, _value(cell, *found, first=rows[0][0]))
        for name in _LISTS & tree.keys():
            tree[name] = [tree[name]]
        return {**tree, "items": items} if items else tree

    def _item(self, line: int, row: Sequence[str]) -> dict[str, str]:
        cells = (each for each in self._cells if each.name.startswith(_ITEMS))
        return {
            each.path[-1]: _value(each, line, text, first=line)
            for each in cells
            if (text := row[each.at].strip())
        }


def _value(cell: _Cell, line: int, text: str, *, first: int) -> str:
    try:
        return cell.read(text)
    except _Unfit as unfit:
        where = f" (line {line})" if line != first else ""
        raise OrderUnreadable(f"{cell.name}: {unfit} in column {cell.title}{where}") from None


def _put(tree: dict[str, Any], path: Sequence[str], value: str) -> None:
    """A column that no field is mapped to may be called like a part of another: then it is left out."""
    node: Any = tree
    for name in path[:-1]:
        node = node.setdefault(name, {})
        if not isinstance(node, dict):
            return
    if not isinstance(node.get(path[-1]), dict):
        node[path[-1]] = value


def _state(order: Order) -> str:
    """The state of the order; without one what its status means. Other words mean that it is not known."""
    if order.state:
        return order.state
    return (order_state_of(order.status or "") or OrderState.UNKNOWN).value


def _reading(name: str, column: FileColumn, decimal: DecimalMark, zone: ZoneInfo) -> Callable[[str], str]:
    """How a cell is read: its word is replaced, then a time or a number is written as JSON has it."""
    words = {collapsed(word).casefold(): meant for word, meant in column.values.items()}

    def word(text: str) -> str:
        plain = collapsed(text)
        return words.get(plain.casefold(), plain)

    def time(text: str) -> str:
        found = time_of(text, column.format, zone)
        if found is None:
            raise _Unfit(f"a time such as {_example(column.format)} is expected")
        return found.isoformat()

    def number(text: str) -> str:
        found = number_of(word(text), decimal)
        if found is None:
            raise _Unfit(f"a number with the decimal mark {decimal.value!r} is expected")
        return found

    return time if name in TIMES else number if name in NUMBERS else word


def _example(layout: str | None) -> str:
    moment = datetime(2026, 1, 31, 23, 59, 59, tzinfo=UTC)
    return moment.strftime(layout) if layout else "2026-01-31 23:59:59 or 2026-01-31T23:59:59+01:00"


def mapped_rows(path: Path, stream: BinaryIO, table: TableSettings) -> MappedRows:
    """The layout of this file with this mapping.

    Raises:
        OrderSourceError: it is not a CSV file, or lacks a column that is mapped or that every order needs.
    """
    if json_layout(path, stream) is not None:
        raise OrderSourceError(
            "`columns`, `decimal`, `timezone` and `items` are for CSV files, and this is JSON",
            hint="remove them, or name a CSV file",
        )
    found = csv_header(stream)
    _refuse_unknown_zone(table.timezone)
    titles = [title for title in found.columns if title]
    for name, column in table.columns.items():
        if titles.count(column.column) != 1:
            raise OrderSourceError(_no_column(name, column.column, titles), hint=_INSPECT)
    for needed in ("increment_id", "created_at"):
        if needed not in table.columns and needed not in titles:
            raise OrderSourceError(
                f"no column has the field {needed}, which every order needs", hint=_INSPECT
            )
    if not table.per_row and any(name.startswith(_ITEMS) for name in table.columns):
        raise OrderSourceError(
            "columns of items are mapped, but rows are orders", hint="write `items: per_row` beside `file:`"
        )
    made = MappedRows(found.columns, found.delimiter, found.body, table=table)
    return replace(made, name="csv-items" if table.per_row else "csv-mapped")


def _no_column(name: str, title: str, titles: Sequence[str]) -> str:
    if title in titles:
        return f"its header has the column {title} ({name}) twice"
    near = get_close_matches(title, titles, n=1)
    return f"its header has no column {title} ({name})" + (f"; did you mean {near[0]}?" if near else "")


def _refuse_unknown_zone(zone: str) -> None:
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise OrderSourceError(
            f"unknown time zone {zone}", hint="write a name of the IANA database, such as Europe/Berlin"
        ) from None
