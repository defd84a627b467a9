"""From Magento's shape to the order that rules see.

An empty text is an absent one, in every source. Where an order does not tell its store view or
customer group by name, the ids are looked up in ``Codes``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from ekomi_reconcile.model.errors import OrderUnreadable
from ekomi_reconcile.model.instant import Instant
from ekomi_reconcile.model.order import Contact, HistoryEntry, Item, Order
from ekomi_reconcile.orders.facts import Getter, shipping_address
from ekomi_reconcile.orders.lenient import changed_by_spreadsheet
from ekomi_reconcile.orders.wire import NO_ADDRESS, WireDocument, WireHistory, WireItem, WireOrder
from ekomi_reconcile.rules.order_fields import NO_FIELDS, NamedFields

NOT_LOGGED_IN = "NOT LOGGED IN"
SHIPPED_GROUPS: Mapping[int, str] = {0: NOT_LOGGED_IN, 1: "General", 2: "Wholesale", 3: "Retailer"}
"""The customer groups every Magento shop starts with."""

Categories = Mapping[int, Iterable[int]]
"""Product id to the ids of the categories it is in; a product that is not in it is not known."""

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - Magento's times carry no zone, and are UTC
_LATEST = 250_000_000_000  # in the year 9892: periods added to it still have a date


class Codes:
    """What the shop's ids of store views and customer groups mean."""

    def __init__(
        self, stores: Mapping[int, str] | None = None, customer_groups: Mapping[int, str] | None = None
    ) -> None:
        self.stores = dict(stores or {})
        self.customer_groups = {**SHIPPED_GROUPS, **(customer_groups or {})}


class _Dated(NamedTuple):
    """The times of an order that say when it moved on; the history oldest first."""

    updated_at: Instant | None
    history: Sequence[HistoryEntry]
    invoices: Sequence[Instant]
    shipments: Sequence[Instant]

    def before(self, created: Instant) -> tuple[str, ...]:
        """The fields with times before the order date: such a time is not evidence."""
        updated, history, invoices, shipments = self
        return tuple(
            name
            for name, earliest in (
                ("updated_at", updated),
                ("status_histories", history[0].created_at if history else None),
                ("invoices", min(invoices) if invoices else None),
                ("shipments", min(shipments) if shipments else None),
            )
            if earliest is not None and earliest < created
        )

    def since(self, created: Instant) -> _Dated:
        """What is left without times before the order date."""
        return _Dated(
            None if self.updated_at is None or self.updated_at < created else self.updated_at,
            tuple(each for each in self.history if each.created_at >= created),
            [at for at in self.invoices if at >= created],
            [at for at in self.shipments if at >= created],
        )


def order_of(
    wire: WireOrder,
    codes: Codes,
    facts: Iterable[tuple[str, Getter]],
    items: tuple[Item, ...] = (),
    *,
    named: NamedFields = NO_FIELDS,
) -> Order:
    """The order with these facts and items, and the fields that rules name.

    Raises:
        OrderUnreadable: its order date is before 1970 or out of range, or its number is missing, or was
            changed by a spreadsheet.
    """
    number = (wire.increment_id or "").strip()
    if not number:
        raise OrderUnreadable("increment_id: the order number is missing", order_id=wire.entity_id)
    if changed_by_spreadsheet(number):
        raise OrderUnreadable(
            "increment_id: a decimal point or exponent found: a spreadsheet changed the number",
            order_id=wire.entity_id,
        )
    created = _order_date(wire)
    found = _Dated(
        None if wire.updated_at is None else instant_of(wire.updated_at),
        _history(wire.status_histories) if wire.status_histories else (),
        _dates(wire.invoices) if wire.invoices else (),
        _dates(wire.shipments) if wire.shipments else (),
    )
    misdated = found.before(created)
    if misdated:
        found = found.since(created)
    updated, history, invoiced, shipped = found
    store, group = wire.store_code or _known(codes.stores, wire.store_id), _group_of(wire, codes)
    return Order(
        order_id=wire.entity_id,
        number=number,
        state=wire.state or None,
        status=wire.status or None,
        store_view=store,
        customer_group=group,
        store_id=None if wire.store_code else _nameless(codes.stores, wire.store_id),
        customer_group_id=None
        if wire.customer_group
        else _nameless(codes.customer_groups, wire.customer_group_id),
        created_at=created,
        updated_at=updated,
        history=tuple(history),
        first_invoiced_at=min(invoiced) if invoiced else None,
        last_invoiced_at=max(invoiced) if invoiced else None,
        last_shipped_at=max(shipped) if shipped else None,
        shipments_known=wire.shipments is not None,
        misdated=misdated,
        contact=_contact(wire),
        items=items,
        fields=named.fields,
        consents=named.consents,
        **{name: get(wire) for name, get in facts},
    )


def items_of(rows: list[WireItem], categories: Categories | None = None) -> tuple[Item, ...]:
    """The top-level rows. ``categories`` are those of products, where the source knows them."""
    return tuple(
        [
            Item(
                sku=row.sku or None,
                name=row.name or None,
                product_type=row.product_type or None,
                product_id=row.product_id,
                price=row.price,
                qty=row.qty_ordered,
                row_total=row.row_total,
                category_ids=_own_categories(row) if categories is None else _all_of(row, rows, categories),
            )
            for row in rows
            if not row.parent_item_id
        ]
    )


def instant_of(moment: datetime) -> Instant:
    """Seconds since 1970; a time without a zone is UTC."""
    if moment.tzinfo is None:
        since = moment - _EPOCH
        return since.days * 86_400 + since.seconds
    return int(moment.timestamp())


def product_ids(orders: Iterable[WireOrder]) -> frozenset[int]:
    """The products in these orders, parts of configurable products and bundles too."""
    return frozenset(
        item.product_id for order in orders for item in order.items or () if item.product_id is not None
    )


def _order_date(wire: WireOrder) -> Instant:
    at = instant_of(wire.created_at)
    if not 0 <= at <= _LATEST:
        raise OrderUnreadable("created_at: a time since 1970 is expected", order_id=wire.entity_id)
    return at


def _group_of(wire: WireOrder, codes: Codes) -> str | None:
    if wire.customer_group:
        return wire.customer_group
    if wire.customer_group_id is None and wire.customer_is_guest:
        return NOT_LOGGED_IN
    return _known(codes.customer_groups, wire.customer_group_id)


def _known(names: Mapping[int, str], key: int | None) -> str | None:
    return None if key is None else names.get(key)


def _nameless(names: Mapping[int, str], key: int | None) -> int | None:
    """The id, if it has no name."""
    return None if key in names else key


def _contact(wire: WireOrder) -> Contact:
    billing = wire.billing_address or NO_ADDRESS
    telephone, home = billing.telephone, billing
    if not telephone and ((shipping := shipping_address(wire)).telephone or billing is NO_ADDRESS):
        telephone, home = shipping.telephone, shipping
    return Contact(
        email=(wire.customer_email or "").strip() or (billing.email or "").strip() or None,
        first_name=wire.customer_firstname or billing.firstname or None,
        last_name=wire.customer_lastname or billing.lastname or None,
        telephone=telephone or None,
        country=home.country_id or None,
        customer_id=wire.customer_id,
    )


def _history(entries: list[WireHistory]) -> tuple[HistoryEntry, ...]:
    """Oldest first; an entry without a time says nothing."""
    if len(entries) == 1 and (at := entries[0].created_at) is not None:
        return (HistoryEntry(entries[0].status or None, instant_of(at), entries[0].entity_id or 0),)
    found = [
        HistoryEntry(each.status or None, instant_of(each.created_at), each.entity_id or 0)
        for each in entries
        if each.created_at is not None
    ]
    found.sort(key=lambda entry: (entry.created_at, entry.entry_id))
    return tuple(found)


def _dates(documents: list[WireDocument]) -> list[Instant]:
    return [instant_of(each.created_at) for each in documents if each.created_at is not None]


def _own_categories(row: WireItem) -> tuple[int, ...] | None:
    if row.category_ids is not None:
        return tuple(row.category_ids)
    extension = row.extension_attributes
    if extension is None or isinstance(extension, list) or extension.category_links is None:
        return None
    return tuple(each.category_id for each in extension.category_links if each.category_id is not None)


def _all_of(row: WireItem, rows: list[WireItem], categories: Categories) -> tuple[int, ...] | None:
    """The categories of the row and of its parts: they may be in different ones."""
    known: set[int] | None = None
    for each in rows:
        if each is row or (row.item_id is not None and each.parent_item_id == row.item_id):
            own = categories.get(each.product_id) if each.product_id is not None else None
            found = own if own is not None else _own_categories(each)
            if found is not None:
                known = (known or set()) | set(found)
    return None if known is None else tuple(sorted(known))
