"""Order numbers: which invitation of another order blocks an order.

eKomi knows an order by its number alone. Two stores may share a number range, a shop may be imported again
under new ids, and an order source may get another name: an order is therefore blocked by its id within the
source and also by its number at the interface.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ekomi_reconcile.model.instant import Instant, iso
from ekomi_reconcile.model.invitation import BLOCKING, Invitation, ScheduleStep, Status
from ekomi_reconcile.model.order import Order, OrderId, id_rank


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderKey:
    """An order as far as numbers are concerned."""

    source: str
    order_id: OrderId
    number: str
    created_at: Instant
    store_view: str | None = None

    @property
    def rank(self) -> tuple[Instant, tuple[int, str], str]:
        """Orders with one number are compared by this: the lowest is invited."""
        return self.created_at, id_rank(self.order_id), self.source

    def __str__(self) -> str:
        where = "" if self.store_view is None else f", store view {self.store_view}"
        return f"order id {self.order_id} ({self.source}{where}, {iso(self.created_at)})"


def key_of_row(row: Invitation | ScheduleStep) -> OrderKey:
    """The order of an invitation, or of one that is about to be scheduled."""
    return OrderKey(
        source=row.source,
        order_id=row.order_id,
        number=row.number,
        created_at=row.order_date,
        store_view=row.store_view,
    )


def key_of_order(order: Order, source: str) -> OrderKey:
    """The key of an order that was read from this source."""
    return OrderKey(
        source=source,
        order_id=order.order_id,
        number=order.number,
        created_at=order.created_at,
        store_view=order.store_view,
    )


def rival_of(rows: Iterable[Invitation], key: OrderKey, interface_id: str) -> Invitation | None:
    """The invitation of another order that holds this order's number at this interface.

    A pending invitation holds the number only against orders that come after its own.
    """
    found = (row for row in rows if row.interface_id == interface_id and not is_of(row, key))
    return next((row for row in found if _holds(row, key)), None)


def is_sole(rows: Iterable[Invitation], key: OrderKey, interface_id: str) -> bool:
    """Has no other order an invitation with this number at this interface?"""
    return all(is_of(row, key) for row in rows if row.interface_id == interface_id)


def own_review(
    submitted: Iterable[Instant], rows: Iterable[Invitation], key: OrderKey, interface_id: str
) -> Instant | None:
    """When the order was reviewed first, of the reviews of its number: one after the order date is its own.

    ``None`` if it was not, or if other orders have ``rows`` with the number there: then it may be theirs.
    """
    own = min((at for at in submitted if at > key.created_at), default=None)
    return own if own is not None and is_sole(rows, key, interface_id) else None


def _holds(row: Invitation, key: OrderKey) -> bool:
    return row.status in BLOCKING or (row.status is Status.PENDING and key_of_row(row).rank < key.rank)


def is_of(row: Invitation, key: OrderKey) -> bool:
    """Is this an invitation of this very order, by id and source?"""
    return row.order_id == key.order_id and row.source == key.source


def is_same_order(row: Invitation, key: OrderKey, customer: str | None) -> bool:
    """Is this the same order under another id or source: imported again, or its source renamed?"""
    same = row.number == key.number and row.order_date == key.created_at and row.store_view == key.store_view
    return same and (None in (row.customer, customer) or row.customer == customer)
