"""What is in a seeded order: item rows, sums and payment."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

from ekomi_reconcile.sandbox.catalogue import (
    COUPONS,
    GOODS,
    PAYMENT_METHODS,
    SERVICES,
    SHIPPING_METHODS,
    Goods,
    StoreView,
)

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

    def as_order(self, store: StoreView) -> Row:
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


def basket(rng: Random, *, order_id: int, store: StoreView) -> tuple[list[Row], Totals]:
    """One to three different products (a service alone in every twelfth order) and their sums."""
    only_service = rng.random() < 1 / 12
    chosen = [rng.choice(SERVICES)] if only_service else rng.sample(GOODS, 1 + int(rng.random() * 3))
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
        "method": PAYMENT_METHODS[int(rng.random() * len(PAYMENT_METHODS))],
        "parent_id": order_id,
    }


def _rows(
    rng: Random, goods: Goods, *, quantity: int, item_id: int, order_id: int, store: StoreView
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


def _totals(rng: Random, rows: list[Row], store: StoreView) -> Totals:
    subtotal = round(sum(row["row_total"] for row in rows), 2)
    coupon = COUPONS[int(rng.random() * len(COUPONS))]
    discounts = {"SPRING10": round(subtotal * 0.1, 2), "FIVEOFF": min(subtotal, round(5 * store.rate, 2))}
    discount = discounts.get(coupon or "", 0)
    method, description, cost = SHIPPING_METHODS[int(rng.random() * len(SHIPPING_METHODS))]
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
