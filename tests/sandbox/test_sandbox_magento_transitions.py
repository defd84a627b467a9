"""Order actions against what they did on the recorded shop: state, status, `updated_at`, history rows."""

from collections.abc import Callable
from itertools import groupby
from typing import Any

import pytest
from magento_served import load

from ekomi_reconcile.sandbox.magento.render import RequestRejected
from ekomi_reconcile.sandbox.magento.settings import ShopClock
from ekomi_reconcile.sandbox.magento.shop import SimulatedShop

BOTTLE, MUG = 11, 12
ITEMS = [
    {"item_id": BOTTLE, "sku": "BTL-0.7", "qty_ordered": 2, "price": 29.9, "price_incl_tax": 35.58},
    {"item_id": MUG, "sku": "MUG-01", "qty_ordered": 2, "price": 12.5, "price_incl_tax": 14.88},
]
NEVER_NEAR_THE_ORDER = (
    "POST shipment/track",
    "POST shipment/:id/comments",
    "POST invoices/comments",
    "POST invoice/:id/refund (offline)",
    "POST invoices/:id/capture",
    "POST /V1/shipment (repository save, no order workflow)",
    "PUT orders/:id (address change)",
)

Do = Callable[[SimulatedShop, int], Any]

STEPS: dict[str, Do] = {
    **dict.fromkeys(NEVER_NEAR_THE_ORDER, lambda shop, order: None),
    **dict.fromkeys(
        (
            "POST order/:id/invoice (all, capture true)",
            "POST order/:id/invoice after shipping -> complete",
            "POST order/:id/invoice while holded",
            "POST order/:id/invoice rest with comment (appendComment)",
            "virtual order: invoice -> complete",
            "invoice capture=false",
            "invoice all",
        ),
        lambda shop, order: shop.invoice(order),
    ),
    **dict.fromkeys(
        (
            "POST order/:id/invoice of 1 item (partial)",
            "invoice one item only",
            "invoice one item (partial) from awaiting_docs",
        ),
        lambda shop, order: shop.invoice(order, {BOTTLE: 2}),
    ),
    **dict.fromkeys(
        (
            "POST order/:id/ship (rest)",
            "POST order/:id/ship (all, before invoice)",
            "POST order/:id/ship all with comment, from in_picking",
            "ship what is left",
            "ship all",
        ),
        lambda shop, order: shop.ship(order),
    ),
    **dict.fromkeys(
        ("POST order/:id/ship (1 of 2 of one item)", "partial ship from in_picking"),
        lambda shop, order: shop.ship(order, {BOTTLE: 1}),
    ),
    "ship the invoiced part": lambda shop, order: shop.ship(order, {BOTTLE: 2}),
    "POST order/:id/refund (1 piece, offline)": lambda shop, order: shop.refund(order, {BOTTLE: 1}),
    "POST order/:id/refund (rest) -> closed": lambda shop, order: shop.refund(order),
    "full refund, nothing shipped": lambda shop, order: shop.refund(order),
    "partial refund, nothing shipped": lambda shop, order: shop.refund(order, {BOTTLE: 2}),
    "partial refund from in_picking": lambda shop, order: shop.refund(order, {MUG: 1}),
    "POST orders/:id/hold": lambda shop, order: shop.hold(order),
    "hold from in_picking": lambda shop, order: shop.hold(order),
    "POST orders/:id/unhold": lambda shop, order: shop.unhold(order),
    "unhold": lambda shop, order: shop.unhold(order),
    **dict.fromkeys(
        (
            "POST orders/:id/cancel",
            "POST orders/:id/cancel again",
            "cancel the rest (partially invoiced)",
            "cancel a fully invoiced order",
            "cancel from pending_payment",
        ),
        lambda shop, order: shop.cancel(order),
    ),
    "registerCancellation(comment) (module / cron)": lambda shop, order: shop.cancel(
        order, "payment expired"
    ),
    "POST orders/:id/comments on closed": lambda shop, order: shop.comment(order, "after close", notified=0),
    "comment while holded, own status": lambda shop, order: shop.comment(
        order, "waiting", status="holded", notified=0
    ),
    "comment, no status, not notified": lambda shop, order: shop.comment(order, "hello", notified=0),
    "comment, same status, notified": lambda shop, order: shop.comment(
        order, "hello 2", status="pending", notified=1
    ),
    "comment with other status of same state": lambda shop, order: shop.comment(
        order, "x", status="awaiting_docs"
    ),
    "comment, notify, not visible": lambda shop, order: shop.comment(order, "n", notified=1),
    "POST orders {entity_id,state,status} (status custom)": lambda shop, order: shop.save(
        order, status="awaiting_docs"
    ),
    "module: setStatus()+save": lambda shop, order: shop.save(order, status="awaiting_docs"),
    "module: load + save unchanged": lambda shop, order: shop.save(order),
    "POST orders {entity_id,status:unknown_code}": lambda shop, order: shop.save(
        order, status="unknown_code"
    ),
    "PUT orders/create {entity_id,status fraud,state processing}": lambda shop, order: shop.save(
        order, state="processing", status="fraud"
    ),
    "payment expired: registerCancellation with comment": lambda shop, order: shop.save(order, state="new"),
    "REST: state pending_payment": lambda shop, order: shop.save(order, state="pending_payment"),
    "POST orders entity with status_histories": lambda shop, order: (
        shop.save(order, state="payment_review"),
        shop.set_status(order, "payment_review", "via save"),
    ),
    "admin page: comment + custom status back to pending": lambda shop, order: shop.set_status(
        order, "pending", "changed by admin"
    ),
    "admin page: comment + status in_picking": lambda shop, order: shop.set_status(
        order, "in_picking", "picking"
    ),
    "admin: status in_picking": lambda shop, order: shop.set_status(order, "in_picking", "picking"),
    "admin: status awaiting_docs": lambda shop, order: shop.set_status(order, "awaiting_docs", "docs"),
    "POST orders/:id/emails": lambda shop, order: shop.send_email(order),
}

RECORDED = load("transitions")
ORDERS = {number: list(rows) for number, rows in groupby(RECORDED, key=lambda row: row["order"])}


def _shop_with_order(rows: list[dict[str, Any]]) -> tuple[SimulatedShop, int]:
    shop = SimulatedShop.from_orders([], clock=ShopClock(1795440000))
    virtual = int(any("virtual" in row["label"] for row in rows))
    items = [item | {"is_virtual": virtual} for item in ITEMS]
    return shop, shop.place(items=items, is_virtual=virtual, grand_total=124.71, shipping_incl_tax=23.8)


def _histories(order: dict[str, Any]) -> dict[int, dict[str, Any]]:
    return {
        entry["entity_id"]: {
            "status": entry["status"],
            "entity_name": entry.get("entity_name", "NULL"),
            "comment": entry["comment"],
            "notified": "NULL"
            if entry["is_customer_notified"] is None
            else str(entry["is_customer_notified"]),
        }
        for entry in order["status_histories"]
    }


@pytest.mark.parametrize("number", ORDERS)
def test_actions_do_what_was_recorded(number: int) -> None:
    """Every recorded step of an order has the recorded effect, and nothing else."""
    placed, *steps = ORDERS[number]
    shop, order_id = _shop_with_order(ORDERS[number])
    order = shop.order(order_id)
    assert [order["state"], order["status"]] == placed["after"]
    assert order["status_histories"] == []
    for step in steps:
        shop.clock.advance(5)
        before = (order["updated_at"], _histories(order))
        assert [order["state"], order["status"]] == step["before"], step["label"]
        refused = _refusal(STEPS[step["label"]], shop, order_id)
        new = {number: row for number, row in _histories(order).items() if before[1].get(number) != row}
        assert [order["state"], order["status"]] == step["after"], step["label"]
        assert (order["updated_at"] != before[0]) is step["bumped"], step["label"]
        assert [*new.values()] == step["new_histories"], step["label"]
        assert refused is None or " ".join(refused.split()).replace('"', '\\"')[:60] in step["err"].replace(
            "\\n", " "
        )


def _refusal(do: Do, shop: SimulatedShop, order_id: int) -> str | None:
    try:
        do(shop, order_id)
    except RequestRejected as refused:
        return refused.message
    return None


def test_every_recorded_action_is_covered() -> None:
    """No step of the recording is left out."""
    assert {row["label"] for row in RECORDED if not row["label"].startswith("place")} == set(STEPS)


def test_refused_actions_change_nothing() -> None:
    """What the recorded shop refused is refused, and leaves the order as it was."""
    shop, order_id = _shop_with_order([])
    shop.hold(order_id)
    before = repr(shop.order(order_id))
    for do in (shop.hold, shop.invoice, shop.ship, shop.refund):
        with pytest.raises(RequestRejected):
            do(order_id)
    assert repr(shop.order(order_id)) == before


def test_cancelling_says_whether_it_did_anything() -> None:
    """True once, False when nothing is left to cancel."""
    shop, order_id = _shop_with_order([])
    assert [shop.cancel(order_id), shop.cancel(order_id)] == [True, False]


def test_quantities_are_taken_once() -> None:
    """More than what is left is not taken, and a second full action finds nothing."""
    shop, order_id = _shop_with_order([])
    shop.invoice(order_id, {BOTTLE: 99, MUG: 1})
    quantities = [item["qty_invoiced"] for item in shop.order(order_id)["items"]]
    assert quantities == [2, 1]
    shop.invoice(order_id)
    with pytest.raises(RequestRejected):
        shop.invoice(order_id)


def test_documents_belong_to_their_order() -> None:
    """Invoices, shipments and credit memos carry the order id, the time and the rows."""
    shop, order_id = _shop_with_order([])
    shop.invoice(order_id)
    shop.clock.advance(60)
    shipped_at = shop.clock.sql()
    shop.ship(order_id, {MUG: 1})
    shop.refund(order_id)
    (shipment,) = shop.shipments
    assert (shipment["order_id"], shipment["created_at"], shipment["total_qty"]) == (order_id, shipped_at, 1)
    assert [line["order_item_id"] for line in shipment["items"]] == [MUG]
    assert [next(iter(t))["order_id"] for t in (shop.invoices, shop.creditmemos)] == [order_id, order_id]


def test_a_deleted_store_or_customer_empties_ids_only() -> None:
    """Neither moves `updated_at`; a customer's order does not become a guest's."""
    shop = SimulatedShop.from_orders(
        [{"entity_id": 1, "customer_id": 5, "items": [{"sku": "A"}]}], clock=ShopClock(1795440000)
    )
    order = shop.order(1)
    before = order["updated_at"]
    shop.clock.advance(100)
    shop.delete_store_view(1)
    shop.delete_customer(5)
    assert "store_id" not in order
    assert "store_id" not in order["items"][0]
    assert "customer_id" not in order
    assert (order["customer_is_guest"], order["updated_at"]) == (0, before)
