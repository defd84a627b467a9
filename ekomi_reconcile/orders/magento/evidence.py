"""Shipment and invoice dates of orders whose history does not say when they moved on.

Magento's history tells neither invoicing nor shipping (measured on 2.4.7), so for orders in these states
the documents are asked for, a hundred orders at a time. Without the permission other evidence has to do.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise

from msgspec import Struct

from ekomi_reconcile.model.instant import Instant
from ekomi_reconcile.model.order import Order
from ekomi_reconcile.orders.magento.failure import Kind, ShopFailure
from ekomi_reconcile.orders.magento.optional import Warnings, Withheld
from ekomi_reconcile.orders.magento.query import among
from ekomi_reconcile.orders.magento.search import Halving, Searcher
from ekomi_reconcile.orders.normalize import instant_of

COMPLETE = "complete"
PROCESSING = "processing"
SHIPMENTS = "shipments"
INVOICES = "invoices"

_INSTEAD = {
    SHIPMENTS: "orders with something to ship are dated by the status history, our own observations or "
    "their last update, never by an invoice",
    INVOICES: "orders are dated by shipments, the status history, our own observations or their last update",
}
"""What dates orders where the documents may not be read."""

_CANCELED_INVOICE = 3
_FIELDS = {
    SHIPMENTS: "items[entity_id,order_id,created_at],total_count",
    INVOICES: "items[entity_id,order_id,created_at,state],total_count",
}


class _Document(Struct, gc=False):
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
class Evidence:
    """Looks up documents; for any thread."""

    searcher: Searcher
    withheld: Withheld
    warnings: Warnings
    granted: set[str] = field(default_factory=set)
    """The kinds of documents that were read."""

    def of(self, orders: Iterable[Order]) -> Mapping[int, Dates]:
        """The dates by order id, for those orders that need them.

        Raises:
            ShopFailure: the shop cannot be asked.
        """
        considered = tuple(orders)
        found: dict[int, Dates] = {}
        shipping = [o.order_id for o in considered if _needs_shipments(o)]
        shipments, unread = self._documents(SHIPMENTS, shipping)
        for order_id in shipping:
            if order_id not in unread:
                found[order_id] = Dates(shipments_known=True)
        for each in shipments:
            if each.order_id is not None and each.created_at is not None:
                found.setdefault(each.order_id, Dates()).shipped.append(instant_of(each.created_at))
        invoices, _ = self._documents(INVOICES, [o.order_id for o in considered if _needs_invoices(o)])
        for each in invoices:
            if each.order_id is not None and each.created_at is not None and each.state != _CANCELED_INVOICE:
                found.setdefault(each.order_id, Dates()).invoiced.append(instant_of(each.created_at))
        return found

    def _documents(self, name: str, order_ids: Sequence[int]) -> tuple[list[_Document], Set[int]]:
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
            if failure.kind is not Kind.REFUSED or failure.resource is None:
                raise
            self.withheld.add(name, failure, instead=_INSTEAD[name])
            return [], frozenset(order_ids)
        self.granted.add(name)
        return found, unread

    def _ask(self, name: str, order_ids: Sequence[int]) -> list[_Document]:
        return self.searcher.all(
            name, (among("order_id", order_ids),), fields=_FIELDS[name], key="entity_id", kind=_Document
        )

    def _failed(self, name: str, order_id: int, failure: ShopFailure) -> None:
        self.warnings.add(
            f"{name}-unreadable", f"order {order_id}: {failure.message}", mend=failure.mend, key=str(order_id)
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
