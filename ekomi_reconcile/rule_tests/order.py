"""The order of a rule test: what the test says of it over the default order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from ekomi_reconcile.model import instant
from ekomi_reconcile.model.account import Json
from ekomi_reconcile.model.instant import DAY, Instant
from ekomi_reconcile.model.order import OrderState, order_state_of
from ekomi_reconcile.orders.normalize import NOT_LOGGED_IN
from ekomi_reconcile.rules.conditions import FIELD_PREFIX
from ekomi_reconcile.rules.order_fields import CUSTOM_ATTRIBUTES, ITEM_PLACES, MADE_UP, PLACES

ORDER_ID: Final = 1
NUMBER: Final = "100000001"
CREATED_AT: Final = "2026-01-05T10:00:00Z"
EMAIL: Final = "customer@example.com"
MOBILE: Final = "+4915112345678"
COUNTRY: Final = "DE"
GROUP: Final = "General"
TOTAL: Final = 100

_Record: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True)
class AttributeName:
    """Where an order file has an attribute of conditions, and what a test may write for it.

    ``value`` turns what is written into what the order file has; ``None`` stays ``None``.
    """

    place: str
    schema: Mapping[str, Any]
    value: Callable[[Any], Any]


_TEXT: Final[Mapping[str, Json]] = {"type": ["string", "null"]}
_NUMBER: Final[Mapping[str, Json]] = {"type": ["number", "null"]}
_FLAG: Final[Mapping[str, Json]] = {"type": ["boolean", "null"]}

_SCHEMAS: Final[Mapping[str, Mapping[str, Any]]] = {
    **dict.fromkeys(("total_qty", "item_count", "qty"), _NUMBER),
    **dict.fromkeys(("is_guest", *MADE_UP), _FLAG),
    "category_id": {"type": ["integer", "null"]},
}
"""What a test may write for an attribute that is not text."""

_VALUES: Final[Mapping[str, Callable[[Any], Any]]] = {
    "email_domain": lambda domain: f"customer@{domain}",
    "has_company": lambda flag: MADE_UP["has_company"] if flag else None,
    "has_vat_id": lambda flag: MADE_UP["has_vat_id"] if flag else None,
    "category_id": lambda number: [number],
}
"""What the order file has instead of what a test writes."""


def _names(places: Mapping[str, str]) -> Mapping[str, AttributeName]:
    return {
        name: AttributeName(place, _SCHEMAS.get(name, _TEXT), _VALUES.get(name, lambda written: written))
        for name, place in places.items()
    }


ORDER_NAMES: Final = _names(PLACES)
"""Attributes of conditions that an order file calls otherwise: a test may use either name."""

ITEM_NAMES: Final = _names(ITEM_PLACES)
"""The same of items."""

_SHIPPING: Final = "shipping_address"
_BILLING: Final = "billing_address"
_DATED: Final = ("status_histories", "invoices", "shipments")


def order_record(written: Mapping[str, Any]) -> _Record:
    """The order of a test as an order file has it: what is written over the default order."""
    given = _spelled(written, ORDER_NAMES)
    total = given.get("grand_total", TOTAL)
    virtual = bool(given.get("is_virtual"))
    items = [_item(each, at) for at, each in enumerate(given.get("items") or (), start=1)]
    if "items" not in given:
        items = [_item({"price": total}, 1)]
    record: _Record = {
        "entity_id": ORDER_ID,
        "increment_id": NUMBER,
        "created_at": CREATED_AT,
        "status": "complete",
        **_who(given),
        **dict.fromkeys(
            ("grand_total", "base_grand_total", "subtotal", "base_subtotal", "total_paid"), total
        ),
        "order_currency_code": "EUR",
        "total_qty_ordered": _sum(items),
        "total_item_count": len(items),
        "is_virtual": virtual,
        **given,
        "items": items,
    }
    record.setdefault("state", state_of_status(record["status"]))
    home = {"country_id": COUNTRY, "telephone": MOBILE}
    addresses = (_BILLING,) if virtual else (_BILLING, _SHIPPING)
    for name in addresses:
        if name not in given or given[name] is not None:
            record[name] = {**home, **(given.get(name) or {})}
    return record


def newest_date(written: Mapping[str, Any]) -> Instant:
    """The newest date in the order of a test.

    Raises:
        ValueError: a date is not a time.
    """
    found = [written.get("created_at") or CREATED_AT, written.get("updated_at")]
    for name in _DATED:
        found += [each.get("created_at") for each in written.get(name) or ()]
    return max(instant.parse(each) for each in found if each)


def default_now(written: Mapping[str, Any]) -> Instant:
    """The present of a test that does not say it: one day after the order's newest date."""
    return newest_date(written) + DAY


def _spelled(written: Mapping[str, Any], names: Mapping[str, AttributeName]) -> _Record:
    """The values under the keys of an order file; one that is written so wins."""
    found = {key: value for key, value in written.items() if key not in names}
    for key, name in names.items():
        if key not in written:
            continue
        value = None if written[key] is None else name.value(written[key])
        outer, _, inner = name.place.rpartition(".")
        if not outer:
            found.setdefault(inner, value)
        else:
            found[outer] = {inner: value, **(found.get(outer) or {})}
    if written.get("is_virtual") and isinstance(found.get(_SHIPPING), dict):
        # What is shipped nowhere is judged by the billing address.
        found[_BILLING] = {**found.pop(_SHIPPING), **(found.get(_BILLING) or {})}
    return found


def _item(written: Mapping[str, Any], number: int) -> _Record:
    given = _spelled(written, ITEM_NAMES)
    item = {
        "item_id": number,
        "product_id": number,
        "product_type": "simple",
        "sku": f"SKU-{number}",
        "name": f"Product {number}",
        "qty_ordered": 1,
        **given,
    }
    price, pieces = item.get("price"), item["qty_ordered"]
    if "row_total" not in item and price is not None and pieces is not None:
        item["row_total"] = price * pieces
    return item


def _sum(items: list[_Record]) -> float:
    return sum(each["qty_ordered"] or 0 for each in items if not each.get("parent_item_id"))


def _who(given: Mapping[str, Any]) -> _Record:
    """Group and e-mail address; guests are a group of their own."""
    named, guest = given.get("customer_group"), bool(given.get("customer_is_guest"))
    if "customer_group_id" in given and "customer_group" not in given:
        return {"customer_email": EMAIL, "customer_is_guest": given["customer_group_id"] == 0}
    group = NOT_LOGGED_IN if guest else GROUP
    return {
        "customer_group": group,
        "customer_is_guest": named == NOT_LOGGED_IN,
        "customer_email": EMAIL,
    }


def state_of_status(status: str | None) -> str:
    """The state that goes with a status: the same word, if it is the name of a state."""
    known = order_state_of(status) if status else None
    return OrderState.COMPLETE.value if known is None else known.value


PLAIN_VALUES: Final[Mapping[str, Any]] = {
    "status": "complete",
    "state": "complete",
    "customer_group": GROUP,
    "email_domain": EMAIL.partition("@")[2],
    "is_virtual": False,
    "has_company": False,
    "has_vat_id": False,
}
"""What the default order has anyway."""


def order_of_witness(values: Mapping[str, Any], attributes: Iterable[str]) -> _Record:
    """What a test says of an order with these values by attribute.

    Those of ``attributes`` that it does not have are said to be missing, where the default order has them.
    """
    order: _Record = {"store_code": None}
    for name in sorted(values, key=lambda name: (name != "store_view", name)):
        value = values[name]
        if name.startswith(FIELD_PREFIX):
            order = with_field(order, name.removeprefix(FIELD_PREFIX), value, custom=CUSTOM_ATTRIBUTES)
        elif name == "items":
            order["items"] = [_item_of_witness(each, attributes) for each in value]
        elif PLAIN_VALUES.get(name, ...) != value:
            order["store_code" if name == "store_view" else name] = value
    known = {*ORDER_NAMES, *_ALWAYS_THERE}
    for name in attributes:
        if name not in values and name in known:
            order[name] = None
    return order


_ALWAYS_THERE: Final = ("total_paid", "base_grand_total", "subtotal", "base_subtotal", "grand_total")
_ITEM_DEFAULTS: Final = ("sku", "name", "product_type", "qty", "price", "row_total")


def _item_of_witness(values: Mapping[str, Any], attributes: Iterable[str]) -> _Record:
    item: _Record = {}
    for name, value in values.items():
        if name == "category_id":
            item["category_ids"] = list(value)
        else:
            item[name] = value
    return item | {name: None for name in attributes if name in _ITEM_DEFAULTS and name not in values}


def with_field(order: Mapping[str, Any], path: str, value: Any, *, custom: str) -> _Record:
    """The order with this value at a dotted path."""
    name, _, below = path.partition(".")
    found = dict(order)
    if not below:
        found[name] = value
    elif name == custom:
        found[name] = {**found.get(name, {}), below: value}
    else:
        found[name] = with_field(found.get(name) or {}, below, value, custom=custom)
    return found
