"""Invoices, shipments and history: when an order reached a status.

Magento's history tells neither invoicing nor shipping (measured on 2.4.7), so for orders in these states
the documents are asked for, a hundred orders at a time. Without the permission other evidence has to do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from typing import TypeAlias

import msgspec
from msgspec import Struct

from ekomi_reconcile.model.errors import OrderUnreadable
from ekomi_reconcile.model.instant import Instant
from ekomi_reconcile.model.order import Order, OrderId
from ekomi_reconcile.model.rule import DELETED_STORE_VIEW
from ekomi_reconcile.orders.magento.directory import Warnings, Withheld
from ekomi_reconcile.orders.magento.search import Halving, Searcher, among
from ekomi_reconcile.orders.magento.segments import Row
from ekomi_reconcile.orders.magento.table import Unreadable
from ekomi_reconcile.orders.magento.wire import FailureKind, ShopFailure
from ekomi_reconcile.orders.normalize import instant_of, product_ids
from ekomi_reconcile.orders.reader import OrderReader, whole_order
from ekomi_reconcile.orders.wire import WireOrder

COMPLETE = "complete"
PROCESSING = "processing"
SHIPMENTS = "shipments"
INVOICES = "invoices"

_INSTEAD = {
    SHIPMENTS: "orders with something to ship are dated by the status history, our own observations or "
    "their last update, never by an invoice",
    INVOICES: "orders are dated by shipments, the status history, our own observations or their last update",
}
"""What dates orders where the documents cannot be read."""

_CANCELED_INVOICE = 3
_FIELDS = {
    SHIPMENTS: "items[entity_id,order_id,created_at],total_count",
    INVOICES: "items[entity_id,order_id,created_at,state],total_count",
}


class _ShopDocument(Struct, gc=False):
    order_id: int | None = None
    created_at: datetime | None = None
    state: int | None = None


@dataclass(slots=True)
class Dates:
    """When the documents of one order were made; ``shipments_known``: its shipments could be read."""

    shipped: list[Instant] = field(default_factory=list)
    invoiced: list[Instant] = field(default_factory=list)
    shipments_known: bool = False


@dataclass(frozen=True, slots=True)
class DocumentLookup:
    """Looks up documents; for any thread."""

    searcher: Searcher
    withheld: Withheld
    warnings: Warnings
    granted: set[str] = field(default_factory=set)
    """The kinds of documents that were read."""

    def of(self, orders: Iterable[Order]) -> Mapping[OrderId, Dates]:
        """The dates by order id, for those orders that need them.

        Raises:
            ShopFailure: the shop cannot be asked.
        """
        considered = tuple(orders)
        found: dict[OrderId, Dates] = {}
        shipping = [int(o.order_id) for o in considered if _needs_shipments(o)]
        shipments, unread = self._documents(SHIPMENTS, shipping)
        for order_id in shipping:
            if order_id not in unread:
                found[order_id] = Dates(shipments_known=True)
        for each in shipments:
            if each.order_id is not None and each.created_at is not None:
                found.setdefault(each.order_id, Dates()).shipped.append(instant_of(each.created_at))
        invoices, _ = self._documents(INVOICES, [int(o.order_id) for o in considered if _needs_invoices(o)])
        for each in invoices:
            if each.order_id is not None and each.created_at is not None and each.state != _CANCELED_INVOICE:
                found.setdefault(each.order_id, Dates()).invoiced.append(instant_of(each.created_at))
        return found

    def _documents(self, name: str, order_ids: Sequence[int]) -> tuple[list[_ShopDocument], Set[int]]:
        """The documents of these orders, and the orders whose documents cannot be read."""
        if not order_ids or name in self.withheld:
            return [], frozenset(order_ids)
        unread = set[int]()

        def failed(order_id: int, failure: ShopFailure) -> None:
            unread.add(order_id)
            self._failed(name, order_id, failure)

        try:
            found = Halving(self.searcher, lambda ids: self._ask(name, ids), failed).run(order_ids)
        except ShopFailure as failure:
            if failure.kind is not FailureKind.REFUSED or failure.resource is None:
                raise
            self.withheld.add(name, failure, instead=_INSTEAD[name])
            return [], frozenset(order_ids)
        self.granted.add(name)
        return found, unread

    def _ask(self, name: str, order_ids: Sequence[int]) -> list[_ShopDocument]:
        return self.searcher.all(
            name, (among("order_id", order_ids),), fields=_FIELDS[name], key="entity_id", kind=_ShopDocument
        )

    def _failed(self, name: str, order_id: int, failure: ShopFailure) -> None:
        self.warnings.add(
            f"{name}-unreadable", f"order {order_id}: {failure.message}", hint=failure.hint, key=str(order_id)
        )


def _needs_shipments(order: Order) -> bool:
    return COMPLETE in (order.state, order.status) and not _told(order, COMPLETE)


def _needs_invoices(order: Order) -> bool:
    """Having been invoiced is what makes an order processing; a virtual one it makes complete."""
    moved = {order.state, order.status} & {COMPLETE, PROCESSING}
    return bool(moved) and (_needs_shipments(order) or not _told(order, PROCESSING))


def _told(order: Order, status: str) -> bool:
    """Does the history have the change to this status: an entry with it after one with another?"""
    statuses = [each.status for each in order.history if each.status is not None]
    return any(after == status != before for before, after in pairwise(statuses))


CategoriesOf: TypeAlias = Callable[[frozenset[int]], Mapping[int, tuple[int, ...]] | None]
"""Category ids by product id; ``None`` where they are not known."""


@dataclass(frozen=True, slots=True)
class Assembly:
    """Makes orders; for any thread. ``categories`` is ``None`` where no rule looks at them."""

    reader: OrderReader
    evidence: DocumentLookup
    categories: CategoriesOf | None

    def orders(self, rows: Sequence[Row]) -> tuple[list[Order], list[Unreadable]]:
        """The orders of these rows, and those that cannot be read.

        Raises:
            ShopFailure: what belongs to them cannot be asked for.
        """
        unreadable: list[Unreadable] = []
        wires = [(wire, row) for row in rows if (wire := _decoded(row, unreadable)) is not None]
        known = None if self.categories is None else self.categories(product_ids(wire for wire, _ in wires))
        orders = []
        for wire, row in wires:
            try:
                order = self.reader.complete(wire, known, named=self.reader.named(row.raw))
                orders.append(_of_deleted_view(wire, order))
            except OrderUnreadable as problem:
                unreadable.append(Unreadable(wire.entity_id, problem.reason))
        return self._dated(orders), unreadable

    def _dated(self, orders: list[Order]) -> list[Order]:
        dates = self.evidence.of(orders)
        return [
            order if (found := dates.get(order.order_id)) is None else _with_dates(order, found)
            for order in orders
        ]


def _with_dates(order: Order, found: Dates) -> Order:
    """The order with its documents, without those dated before the order itself."""
    shipped = [at for at in found.shipped if at >= order.created_at]
    invoiced = [at for at in found.invoiced if at >= order.created_at]
    misdated = (
        *(("invoices",) if len(invoiced) < len(found.invoiced) else ()),
        *(("shipments",) if len(shipped) < len(found.shipped) else ()),
    )
    return msgspec.structs.replace(
        order,
        last_shipped_at=max(shipped, default=None),
        first_invoiced_at=min(invoiced, default=None),
        last_invoiced_at=max(invoiced, default=None),
        shipments_known=found.shipments_known,
        misdated=(*order.misdated, *misdated),
    )


def _of_deleted_view(wire: WireOrder, order: Order) -> Order:
    """Magento empties the store id of an order whose store view is deleted (measured on 2.4.7)."""
    if order.store_view is not None or wire.store_id is not None:
        return order
    return msgspec.structs.replace(order, store_view=DELETED_STORE_VIEW)


def _decoded(row: Row, unreadable: list[Unreadable]) -> WireOrder | None:
    try:
        return whole_order(row.raw)
    except OrderUnreadable as problem:
        unreadable.append(Unreadable(row.key.order_id, problem.reason))
    return None
