"""How orders move on in the shop.

Measured on 2.4.7 with offline payment methods: which action moves `updated_at` and which leaves a history row
is the point of this module. Quantities are by item id; None means all that is left.
"""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ekomi_reconcile.sandbox.magento import catalog
from ekomi_reconcile.sandbox.magento import table as table_module
from ekomi_reconcile.sandbox.magento.document import Order, completed, default_status, link_parents
from ekomi_reconcile.sandbox.magento.render import RequestRejected, no_entity
from ekomi_reconcile.sandbox.magento.settings import ShopClock
from ekomi_reconcile.sandbox.magento.table import Row, Table

_UNHOLDABLE = {"canceled", "payment_review", "complete", "closed", "holded"}
_SYMBOLS = {"EUR": "€", "USD": "$", "GBP": "£"}


class Workflow:
    """Orders and the documents that belong to them, with the actions that change them."""

    def __init__(self, clock: ShopClock) -> None:
        self.clock = clock
        self.orders = Table(table_module.ORDERS)
        self.invoices = Table(table_module.DOCUMENTS)
        self.shipments = Table(table_module.DOCUMENTS)
        self.creditmemos = Table(table_module.DOCUMENTS)
        self.last_history_id = 0
        self.changes = 0

    def order(self, order_id: int) -> Order:
        """Find an order.

        Raises:
            RequestRejected: 404 when there is no such order.
        """
        found = self.orders.get(order_id)
        if found is None:
            raise no_entity()
        return found

    def add(self, order: Order) -> int:
        """Take an order document as it is; returns its entity id."""
        newest = max((entry["entity_id"] for entry in order.get("status_histories") or ()), default=0)
        self.last_history_id = max(self.last_history_id, newest)
        return self._stored(order)

    def place(self, **given: Any) -> int:
        """A new order now, state new unless told otherwise; returns its entity id. Leaves no history row."""
        number = given.setdefault("entity_id", self.orders.last_id() + 1)
        store = given.setdefault("store_id", 1)
        given.setdefault("increment_id", f"{store if store > 1 else ''}{number:09d}")
        return self.add(completed(given, now=self.clock.sql()))

    def invoice(self, order_id: int, quantities: catalog.Quantities = None) -> int:
        """Invoice; returns the invoice id.

        Raises:
            RequestRejected: 400 when the order is on hold or nothing of it can be invoiced.
        """
        order = self.order(order_id)
        error = "Invoice Document Validation Error(s):\n"
        if order["state"] in {"holded", "payment_review"}:
            status = order["state"]
            raise RequestRejected(
                400, f"{error}An invoice cannot be created when an order has a status of {status}"
            )
        rows = catalog.taken(order, quantities, catalog.to_invoice)
        if not rows:
            message = "The invoice can't be created without products. Add products and try again."
            raise RequestRejected(400, error + message)
        catalog.add_up(rows, "qty_invoiced")
        catalog.enter_processing(order)
        catalog.settle(order)
        self._bump(order)
        return self._document(
            self.invoices, order, rows, {"state": 2, "grand_total": catalog.amount_of(rows)}
        )

    def ship(self, order_id: int, quantities: catalog.Quantities = None) -> int:
        """Ship; returns the shipment id. A partial shipment alone does not touch the order row.

        Raises:
            RequestRejected: 400 when nothing of the order can be shipped.
        """
        order = self.order(order_id)
        rows = catalog.taken(order, quantities, catalog.to_ship)
        if order["state"] in {"holded", "payment_review"} or not rows:
            error = "Shipment Document Validation Error(s):\n"
            raise RequestRejected(400, f"{error}The order does not allow a shipment to be created.")
        before = (order["state"], order["status"])
        catalog.add_up(rows, "qty_shipped")
        catalog.enter_processing(order)
        catalog.settle(order)
        if (order["state"], order["status"]) != before:
            self._bump(order)
        parts = {"packages": [], "tracks": [], "extension_attributes": {"source_code": "default"}}
        return self._document(self.shipments, order, rows, parts)

    def refund(self, order_id: int, quantities: catalog.Quantities = None) -> int:
        """Refund offline; returns the credit memo id. Writes a history row with the status after it.

        Raises:
            RequestRejected: 400 when nothing of the order can be refunded.
        """
        order = self.order(order_id)
        rows = catalog.taken(order, quantities, catalog.to_refund)
        if not rows:
            error = "Creditmemo Document Validation Error(s):\n"
            raise RequestRejected(400, f"{error}We can't create creditmemo for the order.")
        catalog.add_up(rows, "qty_refunded")
        refunded = order.get("total_refunded", 0)
        everything = not any(
            catalog.to_refund(item) or catalog.to_invoice(item) for item in catalog.top_rows(order)
        )
        amount = round(order["grand_total"] - refunded, 2) if everything else catalog.amount_of(rows)
        order["total_refunded"] = round(refunded + amount, 2)
        catalog.settle(order)
        symbol = _SYMBOLS.get(order["order_currency_code"], order["order_currency_code"])
        self._history(order, f"We refunded {symbol}{amount:,.2f} offline.", entity="creditmemo", notified=0)
        self._bump(order)
        return self._document(self.creditmemos, order, rows, {"state": 3, "grand_total": amount})

    def hold(self, order_id: int) -> bool:
        """Put an order on hold.

        Raises:
            RequestRejected: 400 when the order cannot be put on hold.
        """
        order = self.order(order_id)
        if order["state"] in _UNHOLDABLE:
            raise RequestRejected(400, "A hold action is not available.")
        order |= {"hold_before_state": order["state"], "hold_before_status": order["status"]}
        return self.save(order_id, state="holded", status="holded")

    def unhold(self, order_id: int) -> bool:
        """Put an order back to the state and status, also a custom one, that it had before.

        Raises:
            RequestRejected: 400 when it is not on hold.
        """
        order = self.order(order_id)
        if order["state"] != "holded":
            raise RequestRejected(400, "You cannot remove the hold.")
        state, status = order.pop("hold_before_state", "new"), order.pop("hold_before_status", "pending")
        return self.save(order_id, state=state, status=status)

    def cancel(self, order_id: int, comment: str | None = None) -> bool:
        """Cancel what is not invoiced yet; False when nothing can be. Only a comment leaves a history row."""
        order = self.order(order_id)
        open_rows = [item for item in catalog.top_rows(order) if catalog.to_invoice(item)]
        if order["state"] in _UNHOLDABLE or not open_rows:
            return False
        if not any(catalog.to_refund(item) for item in catalog.top_rows(order)):
            order |= {"state": "canceled", "status": "canceled"}
        for item in open_rows:
            item["qty_canceled"] += catalog.to_invoice(item)
        if comment is not None:
            self._history(order, comment, entity="order", notified=None)
        self._bump(order)
        return True

    def comment(
        self, order_id: int, text: str | None, *, status: str | None = None, notified: int | None = None
    ) -> bool:
        """A comment through REST: a history row without `entity_name`; `updated_at` stays.

        Raises:
            RequestRejected: 400 when `status` is not the present one.
        """
        order = self.order(order_id)
        if status is not None and status != order["status"]:
            message = (
                f'Unable to add comment: The status "%1" is not part of the order\n{" " * 17}status history.'
            )
            raise RequestRejected(400, message, [status])
        self._history(order, text, entity=None, notified=notified)
        self._stored(order)
        return True

    def set_status(self, order_id: int, status: str, comment: str | None = None) -> bool:
        """The admin page: another status of the same state, with a history row."""
        order = self.order(order_id)
        order["status"] = status
        self._history(order, comment, entity="order", notified=0)
        self._bump(order)
        return True

    def save(self, order_id: int, *, state: str | None = None, status: str | None = None) -> bool:
        """A module or `POST /V1/orders`: any state and status, no history row; nothing changed moves nothing.

        A new state without a status brings that state's default status.
        """
        order = self.order(order_id)
        wanted = (state or order["state"], status or (default_status(state) if state else order["status"]))
        if wanted != (order["state"], order["status"]):
            order["state"], order["status"] = wanted
            self._bump(order)
        return True

    def send_email(self, order_id: int) -> bool:
        """Send the order mail again: flags the newest history row in place, `updated_at` stays."""
        order = self.order(order_id)
        for entry in order["status_histories"][:1]:
            entry["is_customer_notified"] = 1
        self._stored(order)
        return True

    def touch(self, order_id: int) -> bool:
        """A background job that writes the row: `updated_at` moves, nothing visible changes."""
        self._bump(self.order(order_id))
        return True

    def _history(self, order: Order, text: str | None, *, entity: str | None, notified: int | None) -> None:
        self.last_history_id += 1
        entry = {
            "comment": text,
            "created_at": self.clock.sql(),
            "entity_id": self.last_history_id,
            "is_customer_notified": notified,
            "is_visible_on_front": 0,
            "parent_id": order["entity_id"],
            "status": order["status"],
        }
        named = entry if entity is None else entry | {"entity_name": entity}
        order["status_histories"] = [named, *(order.get("status_histories") or [])]

    def _document(self, table: Table, order: Order, rows: list[tuple[Row, float]], parts: Row) -> int:
        number = table.last_id() + 1
        now = self.clock.sql()
        lines = [
            {
                "entity_id": number * 100 + i,
                "parent_id": number,
                "order_item_id": item["item_id"],
                "qty": quantity,
            }
            | {key: item[key] for key in ("sku", "name", "product_id", "price")}
            for i, (item, quantity) in enumerate(rows)
        ]
        document = {"entity_id": number, "increment_id": f"{number:09d}", "order_id": order["entity_id"]}
        document |= {"created_at": now, "updated_at": now, "total_qty": sum(quantity for _, quantity in rows)}
        if "store_id" in order:
            document["store_id"] = order["store_id"]
        table.put(document | {"items": lines, "comments": []} | parts)
        self._stored(order)
        return number

    def _bump(self, order: Order) -> None:
        order["updated_at"] = self.clock.sql()
        self._stored(order)

    def _stored(self, order: Order) -> int:
        link_parents(order.get("items") or [])
        self.orders.put(order)
        self.changes += 1
        return int(order["entity_id"])


Step = Mapping[str, Any]

_RANDOM = ("touch", "comment", "hold", "unhold", "invoice", "ship", "refund", "cancel", "set_status")


def _quantities(step: Step) -> dict[int, float] | None:
    given = step.get("quantities")
    return None if given is None else {int(item): float(quantity) for item, quantity in given.items()}


ACTIONS: dict[str, Callable[[Workflow, int, Step], Any]] = {
    "invoice": lambda shop, order, step: shop.invoice(order, _quantities(step)),
    "ship": lambda shop, order, step: shop.ship(order, _quantities(step)),
    "refund": lambda shop, order, step: shop.refund(order, _quantities(step)),
    "hold": lambda shop, order, _: shop.hold(order),
    "unhold": lambda shop, order, _: shop.unhold(order),
    "cancel": lambda shop, order, step: shop.cancel(order, step.get("comment")),
    "comment": lambda shop, order, step: shop.comment(order, step.get("comment")),
    "set_status": lambda shop, order, step: shop.set_status(order, step["status"], step.get("comment")),
    "save": lambda shop, order, step: shop.save(order, state=step.get("state"), status=step.get("status")),
    "email": lambda shop, order, _: shop.send_email(order),
    "touch": lambda shop, order, _: shop.touch(order),
}


def perform(shop: Workflow, step: Step) -> Any:
    """One action: `{"action": …, "order": …}` and what it needs; `place` takes the order's keys.

    Raises:
        RequestRejected: 400 for an action that does not exist, or what the action itself raises.
    """
    if step.get("action") == "place":
        return shop.place(**step.get("given", {}))
    action = ACTIONS.get(str(step.get("action")))
    if action is None:
        raise RequestRejected(400, "No such action: %1", [str(step.get("action"))])
    return action(shop, int(step["order"]), step)


@dataclass(slots=True)
class Mutations:
    """Changes between pages: the script, one list of steps per page, then `each` random ones if seeded."""

    script: list[list[Step]] = field(default_factory=list)
    each: int = 0
    generator: random.Random = field(default_factory=lambda: random.Random(0))  # noqa: S311 - test data

    def plan(self, *steps: list[Step]) -> None:
        """What happens after each of the next pages of orders."""
        self.script.extend(steps)

    def seed(self, seed: int, *, each: int) -> None:
        """Let `each` random orders change after every page, in the same way for the same seed."""
        self.generator = random.Random(seed)  # noqa: S311 - test data
        self.each = each

    def clear(self) -> None:
        self.script.clear()
        self.each = 0

    def after_page(self, shop: Workflow) -> None:
        """Called when a page of orders went out."""
        if self.script:
            for step in self.script.pop(0):
                perform(shop, step)
            return
        for _ in range(min(self.each, len(shop.orders))):
            self._random_change(shop)

    def _random_change(self, shop: Workflow) -> None:
        order = shop.orders.get(self.generator.randint(1, shop.orders.last_id()))
        if order is None:
            return
        name = self.generator.choice(_RANDOM)
        try:
            perform(shop, _random_step(name, order))
        except RequestRejected:
            shop.touch(order["entity_id"])


def _random_step(name: str, order: Order) -> Step:
    return {"action": name, "order": order["entity_id"], "comment": None, "status": order["status"]}
