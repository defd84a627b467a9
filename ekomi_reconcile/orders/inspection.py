"""What an order file holds, and a mapping for a CSV file of another system, by the titles of its columns.

Only words of statuses and stores are shown of the file; customers, amounts and addresses are not.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import islice, pairwise
from pathlib import Path
from typing import Any, BinaryIO, Final
from zoneinfo import ZoneInfo

from ekomi_reconcile.config import order_sources
from ekomi_reconcile.model.diagnostic import FileInspection, OrderWord
from ekomi_reconcile.model.errors import OrderUnreadable
from ekomi_reconcile.model.order import Order, OrderState, order_state_of
from ekomi_reconcile.orders.facts import EVERYTHING
from ekomi_reconcile.orders.file import FileSource
from ekomi_reconcile.orders.layouts import CsvRows, csv_header, json_layout
from ekomi_reconcile.orders.mapped import NUMBERS, TIMES, number_of, time_of
from ekomi_reconcile.orders.normalize import Codes
from ekomi_reconcile.orders.order_file import OrderFile
from ekomi_reconcile.orders.records import Span
from ekomi_reconcile.orders.source import Wanted
from ekomi_reconcile.rules.rulebook import state_of

SAMPLED: Final = 2_000
"""Rows by which formats are recognised."""

_TITLES: Final[Mapping[str, tuple[str, ...]]] = {
    "increment_id": (
        *("increment_id", "Order Number", "Order #", "Order No", "Bestellnummer", "Order ID", "ID"),
        "Name",
    ),
    "created_at": (
        "created_at",
        "Created at",
        "Purchase Date",
        "Order Date",
        "Bestelldatum",
        "Date",
        "Datum",
    ),
    "status": ("status", "Fulfillment Status", "Order Status", "Bestellstatus"),
    "state": ("state", "Financial Status"),
    "store_code": ("store_code", "Purchase Point", "Store View"),
    "customer_group": ("customer_group", "Customer Group", "Kundengruppe"),
    "customer_email": (
        "customer_email",
        "Email",
        "E-Mail",
        "Customer Email",
        "E-Mail-Adresse",
        "Billing Email",
    ),
    "customer_firstname": ("customer_firstname", "First Name", "Billing First Name", "Vorname"),
    "customer_lastname": (
        *("customer_lastname", "Last Name", "Billing Last Name", "Nachname", "Billing Name"),
        *("Bill-to Name", "Customer Name"),
    ),
    "base_grand_total": ("base_grand_total", "Grand Total (Base)"),
    "grand_total": (
        *("grand_total", "Grand Total (Purchased)", "Order Total", "Total", "Gesamtbetrag", "Gesamtsumme"),
    ),
    "subtotal": ("subtotal", "Zwischensumme"),
    "shipping_amount": ("shipping_amount", "Shipping and Handling", "Shipping", "Versandkosten"),
    "discount_amount": ("discount_amount",),
    "total_refunded": ("total_refunded", "Refunded Amount"),
    "order_currency_code": ("order_currency_code", "Currency"),
    "coupon_code": ("coupon_code", "Discount Code"),
    "payment_method": ("payment_method",),
    "shipping_method": ("shipping_method", "Shipping Information"),
    "billing_address.company": ("Billing Company",),
    "billing_address.telephone": ("Billing Phone", "Phone", "Telefon"),
    "billing_address.country_id": ("Billing Country", "Billing Country Code"),
    "shipping_address.telephone": ("Shipping Phone",),
    "shipping_address.country_id": ("Shipping Country", "Shipping Country Code"),
    "shipping_address.region": ("Shipping Province Name", "Shipping Province"),
    "shipping_address.postcode": ("Shipping Zip", "Shipping Postcode"),
    "shipping_address.city": ("Shipping City",),
    "extension_attributes.accepts_marketing": ("Accepts Marketing",),
    "shipments.created_at": ("Fulfilled at", "Shipped at", "Versanddatum"),
    "items.sku": ("Lineitem sku",),
    "items.name": ("Lineitem name",),
    "items.price": ("Lineitem price",),
    "items.qty_ordered": ("Lineitem quantity",),
}
"""The titles of columns by field; of several that a file has, the first counts."""

_WORDS: Final[Mapping[str, OrderState]] = {
    "fulfilled": OrderState.COMPLETE,
    "shipped": OrderState.COMPLETE,
    "delivered": OrderState.COMPLETE,
    "versendet": OrderState.COMPLETE,
    "abgeschlossen": OrderState.COMPLETE,
    "zugestellt": OrderState.COMPLETE,
    "partial": OrderState.PROCESSING,
    "unfulfilled": OrderState.PROCESSING,
    "paid": OrderState.PROCESSING,
    "authorized": OrderState.PROCESSING,
    "partially_refunded": OrderState.PROCESSING,
    "in bearbeitung": OrderState.PROCESSING,
    "partially_paid": OrderState.PENDING_PAYMENT,
    "suspected fraud": OrderState.PAYMENT_REVIEW,
    "restocked": OrderState.CLOSED,
    "expired": OrderState.CANCELED,
    "storniert": OrderState.CANCELED,
    "geschlossen": OrderState.CLOSED,
}
"""Words of statuses of other systems."""

_VOCABULARIES: Final[Mapping[str, tuple[str, ...]]] = {
    "fulfillmentstatus": ("fulfilled", "partial", "unfulfilled", "restocked"),
    "financialstatus": ("paid", "authorized", "partially_paid", "partially_refunded"),
}
"""The words that such a column may have, whether or not this file has them."""

_DATES: Final = (
    *("%b %d, %Y %I:%M:%S %p", "%b %d, %Y, %I:%M:%S %p", "%b %d, %Y %I:%M %p", "%b %d, %Y %H:%M:%S"),
    *("%b %d, %Y %H:%M", "%d.%m.%Y %H:%M:%S", "%d.%m.%Y %H:%M", "%d.%m.%Y", "%Y/%m/%d %H:%M:%S"),
    *("%d/%m/%Y %H:%M:%S", "%d/%m/%Y %H:%M", "%d/%m/%Y", "%m/%d/%Y %H:%M:%S", "%m/%d/%Y %H:%M", "%m/%d/%Y"),
    *("%m/%d/%Y %I:%M:%S %p", "%m/%d/%Y %I:%M %p"),
)
_UTC: Final = ZoneInfo("UTC")
_WANTED: Final = ("increment_id", "created_at", "status", "customer_email")
"""Fields without which nobody is invited by e-mail."""

_WORDED: Final = ("state", "status", "store_code", "customer_group")


def inspect_file(path: Path) -> FileInspection:
    """Look at a file of orders; of a CSV file of another system its columns are recognised by their titles.

    Raises:
        OrderSourceError: it cannot be read, or is not an order file.
    """
    file = OrderFile(path, Codes(), lambda: None, order_sources.TableSettings())
    with file.opened() as (stream, identity):
        found = json_layout(path, stream)
        if found is not None:
            return _read(FileInspection(path, found.name, {}, (), {}, (), 0, (), ()))
        rows = csv_header(stream)
        if {"entity_id", "created_at"} <= set(rows.columns):
            fields = {title: title if title in _PLAIN_FIELDS else None for title in rows.columns}
            return _read(FileInspection(path, rows.name, fields, _lacking(rows.columns), {}, (), 0, (), ()))
        sample = _sample(rows, stream, identity.size)
    return _mapped(path, rows, sample)


_PLAIN_FIELDS: Final = frozenset(
    {*order_sources.ORDER_FIELDS, "items", "status_histories", "invoices", "shipments"}
)


def _lacking(fields: Iterable[str]) -> tuple[str, ...]:
    there = frozenset(fields)
    return tuple(each for each in _WANTED if each not in there)


def _sample(rows: CsvRows, stream: BinaryIO, end: int) -> list[list[str]]:
    """The first rows that can be read; no check of orders, their columns are not known yet."""
    plain = replace(rows, columns=tuple(f"column {at}" for at, _ in enumerate(rows.columns)))
    found = (row for _, _, row in _Unchecked.of(plain).scan(stream, Span(0, end)))
    return [row for row in islice(found, SAMPLED) if not isinstance(row, OrderUnreadable)]


class _Unchecked(CsvRows):
    """Rows of which nothing is known yet."""

    @classmethod
    def of(cls, rows: CsvRows) -> _Unchecked:
        return cls(rows.columns, rows.delimiter, rows.body)

    def _refuse_second_row(self, previous: list[str], row: list[str], *, line: int, items: bool) -> None:
        """Rows may repeat."""


def _mapped(path: Path, rows: CsvRows, sample: Sequence[Sequence[str]]) -> FileInspection:
    titles = _recognised(rows.columns)
    fields = {
        title: next((name for name, own in titles.items() if own == title), None) for title in rows.columns
    }
    cells = {
        name: [text for row in sample if (text := row[rows.columns.index(title)].strip())]
        for name, title in titles.items()
    }
    notes: list[str] = []
    columns = {name: _column(name, title, cells[name], notes) for name, title in titles.items()}
    per_row = any(name.startswith("items.") for name in titles) or _repeats(titles, rows, sample)
    decimal = _decimal([text for name in titles if name in NUMBERS for text in cells[name]], notes)
    _note_zone([text for name in titles if name in TIMES for text in cells[name]], columns, notes)
    mapping = {
        "columns": {name: _short(each) for name, each in columns.items()},
        **({"decimal": decimal.value} if decimal is not order_sources.DecimalMark.POINT else {}),
        **({"items": "per_row"} if per_row else {}),
    }
    found = FileInspection(path, "csv", fields, _lacking(titles), mapping, tuple(notes), 0, (), ())
    if {"increment_id", "created_at"} <= titles.keys():
        return _read(found)
    return found


def _recognised(columns: Sequence[str]) -> dict[str, str]:
    """The titles of the columns by field, in the order of the fields."""
    known = {_bare(title): title for title in reversed(columns) if title}
    found: dict[str, str] = {}
    if "Name" in columns and any(title.startswith("Lineitem") for title in columns):
        found["increment_id"] = "Name"
    for name, titles in _TITLES.items():
        if name in found:
            continue
        title = next((known[_bare(each)] for each in titles if _bare(each) in known), None)
        if title is not None and title not in found.values():
            found[name] = title
    return found


def _bare(title: str) -> str:
    return re.sub(r"[\W_]+", "", title.casefold())


def _column(name: str, title: str, cells: Sequence[str], notes: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = {"column": title}
    if name in TIMES and cells:
        layouts = [each for each in (None, *_DATES) if all(time_of(text, each, _UTC) for text in cells)]
        if not layouts or (layouts[0] is not None and len(layouts) > 1):
            which = " or ".join(str(each) for each in layouts) or "none that is known"
            notes.append(f"{name}: add the format of the times in column {title} (it fits {which})")
        elif layouts[0] is not None:
            found["format"] = layouts[0]
    if name in ("state", "status"):
        words = {text.casefold(): text for text in (*_VOCABULARIES.get(_bare(title), ()), *cells)}
        values = {text: _WORDS[low].value for low, text in words.items() if low in _WORDS}
        for low, text in sorted(words.items()):
            if low not in _WORDS and order_state_of(text) is None:
                notes.append(f'{name}: add what "{text}" means to `values` of column {title}')
        if values:
            found["values"] = values
    return found


def _short(column: dict[str, Any]) -> Any:
    return column if len(column) > 1 else column["column"]


def _repeats(titles: Mapping[str, str], rows: CsvRows, sample: Sequence[Sequence[str]]) -> bool:
    if "increment_id" not in titles:
        return False
    at = rows.columns.index(titles["increment_id"])
    return any(one[at].strip() and one[at] == other[at] and one != other for one, other in pairwise(sample))


def _decimal(cells: Sequence[str], notes: list[str]) -> order_sources.DecimalMark:
    for mark in order_sources.DecimalMark:
        if all(number_of(text, mark) is not None for text in cells):
            return mark
    notes.append("decimal: some amounts fit neither `.` nor `,`")
    return order_sources.DecimalMark.POINT


def _note_zone(cells: Sequence[str], columns: Mapping[str, Mapping[str, Any]], notes: list[str]) -> None:
    formats = [each["format"] for each in columns.values() if "format" in each]
    offsets = all(re.search(r"([+-]\d\d:?\d\d|Z|UTC|GMT)$", text) for text in cells)
    if cells and (formats or not offsets):
        notes.append("timezone: times have no offset; without `timezone: Area/City` they are UTC")


def _read(found: FileInspection) -> FileInspection:
    """Read the orders with the mapping that was found."""
    settings = order_sources.sources_of({"file": str(found.path), **found.mapping})[
        order_sources.DEFAULT_SOURCE
    ]
    reading = FileSource(order_sources.DEFAULT_SOURCE, found.path, table=settings.table).read(
        Wanted(full=True, attributes=EVERYTHING)
    )
    orders, words, lacking = 0, Counter[tuple[str, str, OrderState | None]](), set(_WANTED)
    for batch in reading.batches():
        orders += len(batch)
        for order in batch:
            words.update(_words_of(order))
            lacking -= _told(order)
    counted = [OrderWord(name, word, count, state) for (name, word, state), count in words.items()]
    counted.sort(key=lambda each: (_WORDED.index(each.field), -each.count, each.word))
    missing = tuple(each for each in _WANTED if each in lacking) if orders else found.missing
    return replace(
        found, orders=orders, words=tuple(counted), problems=tuple(reading.problems), missing=missing
    )


def _told(order: Order) -> set[str]:
    told = {"increment_id", "created_at"}
    if order.status:
        told.add("status")
    if order.contact.email:
        told.add("customer_email")
    return told


def _words_of(order: Order) -> Iterable[tuple[str, str, OrderState | None]]:
    if order.status:
        yield "status", order.status, state_of(order)
    if order.store_view:
        yield "store_code", order.store_view, None
    if order.customer_group:
        yield "customer_group", order.customer_group, None
