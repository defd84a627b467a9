"""Orders as documents.

A malformed value is not an error but the answer `[]`. An empty list whose sub-fields are named becomes null,
an object of which nothing is left becomes `[]` (PHP has one kind of array).

Amounts are in order currency, `base_*` in base currency, at a rate of 1 unless the caller says otherwise.
"""

import re
from collections.abc import Mapping
from typing import Any

from ekomi_reconcile.sandbox.magento.criteria import PhpValue
from ekomi_reconcile.sandbox.magento.render import Broken

Tree = dict[str, "Tree | None"]


def filtered(answer: Any, fields: PhpValue | None) -> Any:
    """What is left of an answer; only objects and lists are filtered, and an empty value filters nothing.

    Raises Broken when sub-fields are asked of a list of plain values.
    """
    if not isinstance(answer, dict | list) or fields in (None, "", "0"):
        return answer
    tree = parse(fields) if isinstance(fields, str) else None
    return [] if tree is None else _applied(answer, tree)


def parse(text: str) -> Tree | None:
    """The tree of names (None for a leaf), or None when the text is malformed.

    One closing bracket too many is accepted: what was read so far moves under an empty name.
    """
    if re.search(r"[^A-Za-z0-9_\[\],]", text):
        return None
    current: Tree = {}
    stack: list[tuple[Tree, str]] = []
    name = ""
    for mark in re.findall(r"\w+|[\[\],]", text):
        if mark == "[":
            stack.append((current, name))
            current = {}
        elif mark == "]":
            inner = current
            current, owner = stack.pop() if stack else ({}, "")
            current[owner] = inner
        elif mark != ",":
            name = mark
            current[name] = None
    return None if stack else current


def _applied(value: Any, tree: Tree) -> Any:
    if isinstance(value, dict):
        return _chosen(value, tree)
    return [_chosen(member, tree) for member in value] or None


def _chosen(member: Any, tree: Tree) -> Any:
    if isinstance(member, list):
        return []
    if not isinstance(member, dict):
        raise Broken
    result = {}
    for key, value in member.items():
        if key in tree:
            inner = tree[key]
            nested = inner is not None and isinstance(value, dict | list)
            result[key] = _applied(value, inner) if nested and inner is not None else value
    return result or []


Order = dict[str, Any]

_DEFAULT_STATUS = {
    "new": "pending",
    "pending_payment": "pending_payment",
    "processing": "processing",
    "complete": "complete",
    "closed": "closed",
    "canceled": "canceled",
    "holded": "holded",
    "payment_review": "payment_review",
}
_STATE_OF = {status: state for state, status in _DEFAULT_STATUS.items()} | {"fraud": "processing"}
_ITEM_QUANTITIES = ("qty_canceled", "qty_invoiced", "qty_refunded", "qty_shipped")
_RATES = ("base_to_global_rate", "base_to_order_rate", "store_to_base_rate", "store_to_order_rate")
_ZERO_AMOUNTS = (
    "base_discount_tax_compensation_amount",
    "base_shipping_discount_amount",
    "base_shipping_discount_tax_compensation_amnt",
    "base_shipping_tax_amount",
    "discount_tax_compensation_amount",
    "shipping_discount_amount",
    "shipping_discount_tax_compensation_amount",
    "shipping_tax_amount",
)
_NOT_IN_COPIES = ("parent_item",)


def default_status(state: str) -> str:
    """The shipped status of a state; an unknown state is its own status."""
    return _DEFAULT_STATUS.get(state, state)


def completed(given: Mapping[str, Any], *, now: str) -> Order:
    """A whole order: the given keys win, keys without a value are left out, as Magento does.

    Needs `entity_id`; `now` is the creation time where none is given.
    """
    order = {key: value for key, value in given.items() if value is not None}
    number = order["entity_id"]
    state = order.setdefault("state", _STATE_OF.get(order.get("status", ""), "new"))
    order.setdefault("status", default_status(state))
    order.setdefault("increment_id", f"{number:09d}")
    order.setdefault("created_at", now)
    order.setdefault("updated_at", order["created_at"])
    order.setdefault("store_id", 1)
    order["items"] = [_item(item, order, i) for i, item in enumerate(order.get("items") or [])]
    link_parents(order["items"])
    _complete_totals(order)
    _complete_customer(order)
    order["status_histories"] = _histories(order)
    _complete_payment(order)
    _complete_shipping(order)
    return order


def _item(given: Mapping[str, Any], order: Order, position: int) -> dict[str, Any]:
    item: dict[str, Any] = dict.fromkeys(_ITEM_QUANTITIES, 0)
    item |= {key: value for key, value in given.items() if value is not None}
    item.setdefault("item_id", order["entity_id"] * 100 + position + 1)
    item.setdefault("order_id", order["entity_id"])
    item.setdefault("store_id", order["store_id"])
    item.setdefault("qty_ordered", 1)
    item.setdefault("product_type", "simple")
    item.setdefault("product_id", item["item_id"])
    item.setdefault("sku", f"SKU-{item['product_id']}")
    item.setdefault("name", item["sku"])
    price = item.setdefault("price", item.get("base_price", 0))
    total = item.setdefault("row_total", item.get("base_row_total", round(price * item["qty_ordered"], 2)))
    for key, value in (("price", price), ("row_total", total)):
        item.setdefault(f"base_{key}", value)
        item.setdefault(f"{key}_incl_tax", value)
        item.setdefault(f"base_{key}_incl_tax", item[f"{key}_incl_tax"])
    for key in ("created_at", "updated_at"):
        item.setdefault(key, order["created_at"])
    return item


def link_parents(items: list[dict[str, Any]]) -> None:
    """Every child row repeats its parent row."""
    by_id = {item["item_id"]: item for item in items}
    for item in items:
        parent = by_id.get(item.get("parent_item_id"))
        if parent is not None:
            item["parent_item"] = {k: v for k, v in parent.items() if k not in _NOT_IN_COPIES}


def _complete_totals(order: Order) -> None:
    top = [item for item in order["items"] if "parent_item_id" not in item]
    subtotal = order.get("base_subtotal", round(sum(item["base_row_total"] for item in top), 2))
    shipping = order.get("base_shipping_amount", order.get("shipping_amount", 0))
    amounts = {
        "subtotal": subtotal,
        "discount_amount": 0,
        "shipping_amount": shipping,
        "shipping_incl_tax": shipping,
        "tax_amount": 0,
        "grand_total": order.get("base_grand_total", round(subtotal + shipping, 2)),
    }
    for key, value in amounts.items():
        order.setdefault(key, value)
        order.setdefault(f"base_{key}", order[key])
    for key in ("subtotal_incl_tax", "base_subtotal_incl_tax"):
        order.setdefault(key, order[key.removesuffix("_incl_tax")])
    for key in ("total_due", "base_total_due"):
        order.setdefault(key, order[key.replace("total_due", "grand_total")])
    for key in _RATES:
        order.setdefault(key, 1)
    for key in _ZERO_AMOUNTS:
        order.setdefault(key, 0)
    order.setdefault("total_qty_ordered", sum(item["qty_ordered"] for item in top))
    order.setdefault("total_item_count", len(order["items"]))
    order.setdefault("weight", 0)
    order.setdefault("is_virtual", 0)
    for key in ("base", "order", "store", "global"):
        order.setdefault(f"{key}_currency_code", order.get("order_currency_code", "EUR"))


def _complete_customer(order: Order) -> None:
    order.setdefault("customer_is_guest", 0 if "customer_id" in order else 1)
    order.setdefault("customer_group_id", 1 if "customer_id" in order else 0)
    order.setdefault("customer_note_notify", 1)
    order.setdefault("email_sent", 1)
    order.setdefault("store_name", "Main Website\nMain Website Store\nDefault Store View")
    address = dict(order.get("billing_address") or {})
    names = {"firstname": order.get("customer_firstname"), "lastname": order.get("customer_lastname")}
    shared = names | {"email": order.get("customer_email")}
    defaults = _address_keys(order, "billing") | {k: v for k, v in shared.items() if v is not None}
    order["billing_address"] = defaults | address
    order.setdefault("billing_address_id", order["billing_address"]["entity_id"])


def _address_keys(order: Order, kind: str) -> dict[str, Any]:
    number = order["entity_id"] * 2 - (1 if kind == "shipping" else 0)
    return {"address_type": kind, "entity_id": number, "parent_id": order["entity_id"]}


def _histories(order: Order) -> list[dict[str, Any]]:
    """Newest first; entries of one second by id."""
    given = order.get("status_histories") or []
    entries = [_history(entry, order, len(given) - i) for i, entry in enumerate(given)]
    return sorted(entries, key=lambda entry: (entry["created_at"], entry["entity_id"]), reverse=True)


def _history(given: Mapping[str, Any], order: Order, number: int) -> dict[str, Any]:
    entry = {
        "comment": None,
        "created_at": order["created_at"],
        "entity_id": order["entity_id"] * 100 + number,
        "is_customer_notified": 0,
        "is_visible_on_front": 0,
        "parent_id": order["entity_id"],
        "status": order["status"],
    }
    return entry | dict(given)


def _complete_payment(order: Order) -> None:
    defaults = {
        "account_status": None,
        "additional_information": [None],
        "amount_ordered": order["grand_total"],
        "cc_last4": None,
        "entity_id": order["entity_id"],
        "method": "checkmo",
        "parent_id": order["entity_id"],
    }
    order["payment"] = defaults | dict(order.get("payment") or {})


def _complete_shipping(order: Order) -> None:
    """One shipping assignment that repeats all items; a virtual order has neither method nor address."""
    attributes = dict(order.get("extension_attributes") or {})
    assignments = attributes.get("shipping_assignments") or [{}]
    given = assignments[0].get("shipping") or {}
    total = {key: order[key] for key in ("base_shipping_amount", "shipping_amount")}
    shipping: dict[str, Any] = {}
    if not order["is_virtual"]:
        billing = {
            k: v for k, v in order["billing_address"].items() if k not in _address_keys(order, "billing")
        }
        shipping["address"] = _address_keys(order, "shipping") | billing | dict(given.get("address") or {})
        shipping["method"] = given.get("method", "flatrate_flatrate")
    shipping["total"] = given.get("total", total)
    attributes["shipping_assignments"] = [{"shipping": shipping, "items": order["items"]}]
    order["extension_attributes"] = attributes
