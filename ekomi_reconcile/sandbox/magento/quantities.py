"""How much of an order is left to invoice, ship and refund, and the state that follows from it.

Quantities live on top-level rows: the parent of a configurable product or bundle stands for its children.
"""

from collections.abc import Callable, Mapping

from ekomi_reconcile.sandbox.magento.document import Order
from ekomi_reconcile.sandbox.magento.table import Row

Quantities = Mapping[int, float] | None


def top_rows(order: Order) -> list[Row]:
    return [item for item in order.get("items") or [] if "parent_item_id" not in item]


def to_invoice(item: Row) -> float:
    return float(item["qty_ordered"] - item["qty_invoiced"] - item["qty_canceled"])


def to_ship(item: Row) -> float:
    if item.get("is_virtual") or item.get("product_type") in {"virtual", "downloadable"}:
        return 0.0
    done = item["qty_shipped"] + item["qty_refunded"] + item["qty_canceled"]
    return max(0.0, float(item["qty_ordered"] - done))


def to_refund(item: Row) -> float:
    return float(item["qty_invoiced"] - item["qty_refunded"])


def taken(order: Order, quantities: Quantities, left: Callable[[Row], float]) -> list[tuple[Row, float]]:
    """The rows an action takes and how much of each, never more than is left."""
    wanted = {item["item_id"]: left(item) for item in top_rows(order)} if quantities is None else quantities
    rows = [(item, min(wanted.get(item["item_id"], 0), left(item))) for item in top_rows(order)]
    return [(item, _whole(quantity)) for item, quantity in rows if quantity > 0]


def _whole(quantity: float) -> float:
    return int(quantity) if quantity == int(quantity) else quantity


def add_up(rows: list[tuple[Row, float]], key: str) -> None:
    for item, quantity in rows:
        item[key] = _whole(item[key] + quantity)


def amount_of(rows: list[tuple[Row, float]]) -> float:
    prices = [(float(item.get("price_incl_tax") or item["price"]), quantity) for item, quantity in rows]
    return round(sum(price * quantity for price, quantity in prices), 2)


def enter_processing(order: Order) -> None:
    if order["state"] == "new":
        order |= {"state": "processing", "status": "processing"}


def settle(order: Order) -> None:
    """Complete when all is invoiced and shipped, closed when all that was invoiced is refunded."""
    rows = top_rows(order)
    if order["state"] not in {"processing", "complete"} or any(to_invoice(item) for item in rows):
        return
    if not any(to_refund(item) for item in rows):
        order |= {"state": "closed", "status": "closed"}
    elif order["state"] == "processing" and not any(to_ship(item) for item in rows):
        order |= {"state": "complete", "status": "complete"}
