"""From rows of a page to orders: decoded, with categories and evidence where they are needed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import msgspec

from ekomi_reconcile.errors import OrderUnreadable
from ekomi_reconcile.model.account import DELETED_STORE_VIEW
from ekomi_reconcile.model.order import Order
from ekomi_reconcile.orders.magento.evidence import Dates, Evidence
from ekomi_reconcile.orders.magento.segments import Row
from ekomi_reconcile.orders.magento.table import Unreadable
from ekomi_reconcile.orders.normalize import product_ids
from ekomi_reconcile.orders.reader import OrderReader, whole_order
from ekomi_reconcile.orders.wire import WireOrder

CategoriesOf: TypeAlias = Callable[[frozenset[int]], Mapping[int, tuple[int, ...]] | None]
"""Category ids by product id; ``None`` where they are not known."""


@dataclass(frozen=True, slots=True)
class Assembly:
    """Makes orders; for any thread. ``categories`` is ``None`` where no rule looks at them."""

    reader: OrderReader
    evidence: Evidence
    categories: CategoriesOf | None

    def orders(self, rows: Sequence[Row]) -> tuple[list[Order], list[Unreadable]]:
        """The orders of these rows, and those that cannot be read.

        Raises:
            ShopFailure: what belongs to them cannot be asked for.
        """
        unreadable: list[Unreadable] = []
        wires = [wire for row in rows if (wire := _decoded(row, unreadable)) is not None]
        known = None if self.categories is None else self.categories(product_ids(wires))
        orders = []
        for wire in wires:
            try:
                orders.append(_of_deleted_view(wire, self.reader.complete(wire, known)))
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
