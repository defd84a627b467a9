"""Magento-shaped orders out of a seed: as many as wanted, one at a time, in flat memory.

They have what a shop's REST answer has and rules look at, plus ``store_code``, ``customer_group`` and, in
items, ``category_ids``, which the REST answer gives by ids or not at all. As in Magento a value that is
not there has no key, and most changes of status leave no history entry.
"""

from __future__ import annotations

from bisect import bisect
from collections.abc import Iterator
from itertools import accumulate
from random import Random
from time import gmtime, strftime
from typing import Any

from ekomi_reconcile.sandbox.catalogue import CUSTOMER_GROUPS, STORE_VIEWS, StoreView
from ekomi_reconcile.sandbox.seed_baskets import Totals, basket, payment
from ekomi_reconcile.sandbox.seed_people import Person, person, ship_to

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

Row = dict[str, Any]


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
    store = STORE_VIEWS[int(rng.random() * len(STORE_VIEWS))]
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


def _head(entity_id: int, store: StoreView, buyer: Person) -> Row:
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
        "customer_group": CUSTOMER_GROUPS[buyer.group_id],
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


def _ship(rng: Random, order: Row, buyer: Person, *, totals: Totals, store: StoreView) -> None:
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
