"""Made-up orders.

They have what a shop's REST answer has and rules look at, plus ``store_code``, ``customer_group`` and, in
items, ``category_ids``, which the REST answer gives by ids or not at all. As in Magento a value that is
not there has no key, and most changes of status leave no history entry.
"""

from __future__ import annotations

from bisect import bisect
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from random import Random
from time import gmtime, strftime
from typing import Any

from ekomi_reconcile.sandbox import shops
from ekomi_reconcile.sandbox.seed import Person, person, ship_to

Row = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """Sums of one order in its own currency, without tax unless named ``tax`` or ``grand_total``."""

    subtotal: float
    discount: float
    shipping: float
    tax: float
    quantity: int
    lines: int
    weight: float
    coupon: str | None
    shipping_method: str | None
    shipping_description: str | None

    @property
    def grand_total(self) -> float:
        """What the customer pays."""
        return round(self.subtotal - self.discount + self.shipping + self.tax, 2)

    def as_order(self, store: shops.SandboxStoreView) -> Row:
        """The keys of an order; ``base_`` ones in base currency."""
        amounts = {
            "grand_total": self.grand_total,
            "subtotal": self.subtotal,
            "discount_amount": -self.discount,
            "shipping_amount": self.shipping,
            "tax_amount": self.tax,
        }
        keys: Row = amounts | {f"base_{name}": round(sum_ / store.rate, 2) for name, sum_ in amounts.items()}
        keys |= {
            "order_currency_code": store.currency,
            "base_currency_code": "EUR",
            "base_to_order_rate": store.rate,
            "is_virtual": int(self.shipping_method is None),
            "total_item_count": self.lines,
            "total_qty_ordered": self.quantity,
            "weight": self.weight,
        }
        if self.coupon is not None:
            keys["coupon_code"] = self.coupon
        return keys


def basket(rng: Random, *, order_id: int, store: shops.SandboxStoreView) -> tuple[list[Row], Totals]:
    """One to three different products (a service alone in every twelfth order) and their sums."""
    only_service = rng.random() < 1 / 12
    chosen = (
        [rng.choice(shops.SERVICES)] if only_service else rng.sample(shops.GOODS, 1 + int(rng.random() * 3))
    )
    rows: list[Row] = []
    for goods in chosen:
        quantity = 1 + int(rng.random() * rng.random() * 3)
        first_id = order_id * 20 + len(rows)
        rows.extend(_rows(rng, goods, quantity=quantity, item_id=first_id, order_id=order_id, store=store))
    return rows, _totals(rng, [row for row in rows if "parent_item_id" not in row], store)


def payment(rng: Random, *, order_id: int, totals: Totals) -> Row:
    """The payment of an order."""
    return {
        "account_status": None,
        "amount_ordered": totals.grand_total,
        "entity_id": order_id,
        "method": shops.PAYMENT_METHODS[int(rng.random() * len(shops.PAYMENT_METHODS))],
        "parent_id": order_id,
    }


def _rows(
    rng: Random,
    goods: shops.Goods,
    *,
    quantity: int,
    item_id: int,
    order_id: int,
    store: shops.SandboxStoreView,
) -> Iterator[Row]:
    """The product's row and, below a configurable product or a bundle, the rows of its parts."""
    sku = f"{goods.sku}-{rng.choice(goods.variants)}" if goods.variants else goods.sku
    price = round(goods.price * store.rate, 2)
    top = {
        "item_id": item_id,
        "order_id": order_id,
        "store_id": store.store_id,
        "product_id": goods.product_id,
        "product_type": goods.kind,
        "sku": sku,
        "name": goods.name,
        "is_virtual": int(goods.kind == "virtual"),
        "price": price,
        "qty_ordered": quantity,
        "row_total": round(price * quantity, 2),
        "weight": goods.weight,
        "category_ids": list(goods.categories),
    }
    yield top
    variant = [(sku, f"{goods.name} {sku.removeprefix(goods.sku)}")] if goods.variants else []
    for place, (part_sku, part_name) in enumerate([*variant, *goods.parts], start=1):
        yield top | {
            "item_id": item_id + place,
            "parent_item_id": item_id,
            "product_id": goods.product_id + 100 + place,
            "product_type": "simple",
            "sku": part_sku,
            "name": part_name,
            "price": 0,
            "row_total": 0,
        }


def _totals(rng: Random, rows: list[Row], store: shops.SandboxStoreView) -> Totals:
    subtotal = round(sum(row["row_total"] for row in rows), 2)
    coupon = shops.COUPONS[int(rng.random() * len(shops.COUPONS))]
    discounts = {"SPRING10": round(subtotal * 0.1, 2), "FIVEOFF": min(subtotal, round(5 * store.rate, 2))}
    discount = discounts.get(coupon or "", 0)
    method, description, cost = shops.SHIPPING_METHODS[int(rng.random() * len(shops.SHIPPING_METHODS))]
    is_virtual = all(row["is_virtual"] for row in rows)
    shipping = 0.0 if is_virtual else round(cost * store.rate, 2)
    return Totals(
        subtotal=subtotal,
        discount=discount,
        shipping=shipping,
        tax=round((subtotal - discount + shipping) * store.tax / 100, 2),
        quantity=sum(row["qty_ordered"] for row in rows),
        lines=len(rows),
        weight=round(sum(row["weight"] * row["qty_ordered"] for row in rows), 3),
        coupon=coupon,
        shipping_method=None if is_virtual else method,
        shipping_description=None if is_virtual else description,
    )


WINDOW = 45 * 86400
DAY = 86400

# (state, status, weight while fresh, weight after five days)
STEPS = (
    ("new", "pending", 25, 4),
    ("processing", "processing", 40, 6),
    ("complete", "complete", 28, 78),
    ("closed", "closed", 1, 5),
    ("canceled", "canceled", 4, 5),
    ("holded", "holded", 2, 2),
)
_FRESH = list(accumulate(step[2] for step in STEPS))
_SETTLED = list(accumulate(step[3] for step in STEPS))


def orders(count: int, seed: int, now: int) -> Iterator[Row]:
    """``count`` orders by rising entity_id and created_at, spread over the 45 days before ``now``.

    The same arguments give the same orders. ``now`` is UTC epoch seconds; times in the orders are
    ``YYYY-MM-DD HH:MM:SS`` in UTC, as Magento writes them.
    """
    rng = Random(f"orders:{seed}")  # noqa: S311
    people = max(20, count // 2)
    for index in range(count):
        created_at = now - WINDOW + int(WINDOW * (index + rng.random()) / count)
        yield _order(rng, index, people=people, created_at=created_at, now=now)


def _order(rng: Random, index: int, *, people: int, created_at: int, now: int) -> Row:
    entity_id = index + 1 + index // 40  # gaps in the ids are normal
    store = shops.STORE_VIEWS[int(rng.random() * len(shops.STORE_VIEWS))]
    buyer = person(int(rng.random() * people))
    state, status = _step(rng, now - created_at)
    updated_at = _updated_at(rng, state, created_at=created_at, now=now)
    items, totals = basket(rng, order_id=entity_id, store=store)
    order = _head(entity_id, store, buyer)
    order |= {
        "state": state,
        "status": status,
        "created_at": _text(created_at),
        "updated_at": _text(updated_at),
        "items": items,
        "payment": payment(rng, order_id=entity_id, totals=totals),
        "status_histories": _history(rng, entity_id, state, at=updated_at),
    }
    order |= totals.as_order(store)
    _ship(rng, order, buyer, totals=totals, store=store)
    return order


def _head(entity_id: int, store: shops.SandboxStoreView, buyer: Person) -> Row:
    head: Row = {
        "entity_id": entity_id,
        "increment_id": f"{store.store_id}{entity_id:08d}",
        "store_id": store.store_id,
        "store_code": store.code,
        "store_name": f"Main Website\nMain Website Store\n{store.name}",
        "customer_email": "" if entity_id % 397 == 0 else buyer.email,
        "customer_firstname": buyer.first_name,
        "customer_lastname": buyer.last_name,
        "customer_is_guest": int(buyer.is_guest),
        "customer_group_id": buyer.group_id,
        "customer_group": shops.CUSTOMER_GROUPS[buyer.group_id],
    }
    if not buyer.is_guest:
        head["customer_id"] = buyer.number
    return head


def _step(rng: Random, age: int) -> tuple[str, str]:
    weights = _FRESH if age < 5 * DAY else _SETTLED
    state, status, *_ = STEPS[bisect(weights, rng.random() * weights[-1])]
    return state, status


def _updated_at(rng: Random, state: str, *, created_at: int, now: int) -> int:
    """A new order is touched once, right away, by its confirmation mail; others move within six days."""
    delay = 2 if state == "new" else int(3600 + rng.random() * 6 * DAY)
    return min(now, created_at + delay)


def _history(rng: Random, order_id: int, state: str, *, at: int) -> list[Row]:
    """Newest first. Offline invoices and shipments write nothing; refunds and remarks do."""
    chance = rng.random()
    remarks: list[tuple[str, str, str | None]] = []
    if state == "closed":
        remarks = [("closed", "We refunded the order offline.", "creditmemo")]
    elif state == "canceled" and chance < 0.5:
        remarks = [("pending", "Customer asked to cancel", None)]
    elif state == "complete" and chance < 0.1:
        remarks = [("complete", "Handed over", "order"), ("processing", "Captured online", "invoice")]
    elif chance < 0.04:
        remarks = [("pending" if state == "new" else state, 'Ring twice, "please"\nthanks', None)]
    return [_entry(order_id, place, remark, at=at) for place, remark in enumerate(remarks)]


def _entry(order_id: int, place: int, remark: tuple[str, str, str | None], *, at: int) -> Row:
    status, comment, entity_name = remark
    entry: Row = {
        "comment": comment,
        "created_at": _text(at - 1800 * place),
        "entity_id": order_id * 10 - place,
        "is_customer_notified": 0,
        "is_visible_on_front": 0,
        "parent_id": order_id,
        "status": status,
    }
    if entity_name is not None:
        entry["entity_name"] = entity_name
    return entry


def _ship(rng: Random, order: Row, buyer: Person, *, totals: Totals, store: shops.SandboxStoreView) -> None:
    """Addresses and shipping method; a virtual order has only a billing address."""
    order_id = order["entity_id"]
    address = ship_to(rng, buyer, order_id=order_id, country=store.country)
    order["billing_address"] = address | {"address_type": "billing", "entity_id": order_id * 2}
    shipping: Row = {"total": {"shipping_amount": order["shipping_amount"]}}
    if totals.shipping_method is not None:
        shipping["address"] = address | {"address_type": "shipping", "entity_id": order_id * 2 - 1}
        shipping["method"] = totals.shipping_method
        order["shipping_description"] = totals.shipping_description
    order["extension_attributes"] = {"shipping_assignments": [{"shipping": shipping, "items": []}]}


def _text(instant: int) -> str:
    return strftime("%Y-%m-%d %H:%M:%S", gmtime(instant))
