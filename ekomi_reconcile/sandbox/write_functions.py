"""putOrder, putProduct, getProduct: what a merchant tells the core API. Nothing here sends anything."""

from __future__ import annotations

import hashlib
import json
import re
from datetime import date

from ekomi_reconcile.sandbox.call import SOMETHING_WRONG, Call, Refusal
from ekomi_reconcile.sandbox.encoding import Payload
from ekomi_reconcile.sandbox.outbox import Recipient
from ekomi_reconcile.sandbox.shop_functions import mean_rating
from ekomi_reconcile.sandbox.shops import Product, Registered

REVIEW_LINK = "https://reviews.ekomi.test/r/"
PRODUCT_ID = re.compile(r"[A-Za-z0-9]{1,32}", re.ASCII)
DATE = re.compile(r"(\d{4}-\d{2}-\d{2})( ([01]\d|2[0-3]):[0-5]\d(:[0-5]\d)?)?", re.ASCII)


def put_order(call: Call) -> Payload:
    """Register an order: its review link, the same at every call, and since when it is known."""
    order_id = call.text("order_id")
    method = call.text("product_ids_update_method", "append")
    if not order_id or method not in {"append", "replace"}:
        raise Refusal(SOMETHING_WRONG)
    _check_timestamp(call)
    product_ids = [part for part in call.text("product_ids").split(",") if part]
    known = call.shop.orders.get(order_id)
    if known is None:
        known = call.shop.orders[order_id] = _registered(call, order_id)
        since = _first_known_since(call)
    else:
        since = {"known_since": _repeated(call, known)}
    kept = known.product_ids if method == "append" else []
    known.product_ids = list(dict.fromkeys([*kept, *product_ids]))
    _record(call, order_id)
    return call.done(link=known.link, hash=known.hash, **since)


def put_product(call: Call) -> Payload:
    """Store a product; the same id again overwrites it."""
    product_id, name, other = call.text("product_id"), call.text("product_name"), call.text("product_other")
    strict = call.world.switches.odd_product_ids == "refused"
    if not product_id or not name or (strict and not PRODUCT_ID.fullmatch(product_id)):
        raise Refusal(SOMETHING_WRONG)
    if other.startswith("{"):
        _check_json(other)
    call.shop.products[product_id] = Product(
        product_id=product_id, name=name, canonical_link=call.text("product_canonical_link"), other=other
    )
    return call.done()


def get_product(call: Call) -> Payload:
    """What putProduct has stored; with ``content=avg_rating`` the average of all its reviews, too."""
    product_id = call.text("product")
    if not product_id:
        raise Refusal("Product parameter is empty.")
    product = call.shop.products.get(product_id)
    if product is None:
        raise Refusal("Product ID not found.")
    answer = call.done(
        product_id=product.product_id,
        product_name=product.name,
        product_canonical_link=product.canonical_link,
        product_other=product.other,
    )
    if call.text("content") == "avg_rating":
        reviews = [review for review in call.shop.product_reviews if review.product_id == product_id]
        answer["avg_rating"] = call.decimal(mean_rating(reviews), 2)
    return answer


def _registered(call: Call, order_id: str) -> Registered:
    key = f"{call.world.seed}:{call.shop.interface_id}:{order_id}"
    digest = hashlib.sha256(key.encode()).hexdigest()[:20]
    return Registered(known_since=call.now, link=REVIEW_LINK + digest, hash=digest, product_ids=[])


def _first_known_since(call: Call) -> dict[str, object]:
    values: dict[str, dict[str, object]] = {
        "zero": {"known_since": 0},
        "absent": {},
        "null": {"known_since": None},
        "date": {"known_since": _day(call.now)},
    }
    return values[call.world.switches.known_since_first]


def _repeated(call: Call, known: Registered) -> object:
    if call.world.switches.known_since_repeat == "date":
        return _day(known.known_since)
    return known.known_since


def _day(instant: int) -> str:
    return date.fromordinal(date(1970, 1, 1).toordinal() + instant // 86400).isoformat()


def _check_timestamp(call: Call) -> None:
    stamp = call.text("ordertimestamp")
    if not stamp:
        return
    match = DATE.fullmatch(stamp)
    if match is None or (match[2] and call.world.switches.order_timestamp == "date"):
        raise Refusal("Invalid date. Expected: YYYY-MM-DD")
    try:
        date.fromisoformat(match[1])
    except ValueError:
        raise Refusal("Invalid date") from None


def _check_json(text: str) -> None:
    try:
        json.loads(text)
    except ValueError:
        raise Refusal(SOMETHING_WRONG) from None


def _record(call: Call, order_id: str) -> None:
    call.world.outbox.record(
        Recipient(
            shop_id=call.shop.interface_id,
            channel="link",
            transaction_id=order_id,
            email=None,
            telephone=None,
            requests=1,
            first_at=call.now,
            last_at=call.now,
            delivered=False,
            fields={name: value for name, value in call.params.items() if name not in _SECRET},
        )
    )


_SECRET = frozenset({"auth", "interface_id", "interface_pw"})
