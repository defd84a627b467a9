"""Damaged rows: what an answer looks like when parts of an order are missing or unreadable."""

from enum import StrEnum
from typing import Any

from ekomi_reconcile.sandbox.magento.refusal import Broken

Order = dict[str, Any]


class Damage(StrEnum):
    """What is wrong with an order. The first two make every page that touches it a 500."""

    PAYMENT_INFO_UNREADABLE = "payment_info_unreadable"
    ITEM_OPTIONS_UNREADABLE = "item_options_unreadable"
    NO_PAYMENT = "no_payment"
    NO_ITEMS = "no_items"
    NO_BILLING_ADDRESS = "no_billing_address"
    NO_SHIPPING_ADDRESS = "no_shipping_address"
    NO_STORE = "no_store"


POISON = frozenset({Damage.PAYMENT_INFO_UNREADABLE, Damage.ITEM_OPTIONS_UNREADABLE})


def damaged(order: Order, damage: Damage) -> Order:
    """The order as it would be sent; the given one is unchanged.

    Raises Broken for what makes the whole page fail.
    """
    if damage in POISON:
        raise Broken
    if damage is Damage.NO_ITEMS:
        return _reassigned(order | {"items": []}, _assignment(order) | {"items": []})
    if damage is Damage.NO_SHIPPING_ADDRESS:
        shipping = _without(_assignment(order)["shipping"], "address")
        return _reassigned(order, _assignment(order) | {"shipping": shipping})
    if damage is Damage.NO_STORE:
        items = [_without(item, "store_id") for item in order["items"]]
        return _without(order, "store_id") | {"items": items}
    key = "payment" if damage is Damage.NO_PAYMENT else "billing_address"
    return _without(order, key)


def _without(row: dict[str, Any], key: str) -> dict[str, Any]:
    return {k: v for k, v in row.items() if k != key}


def _assignment(order: Order) -> dict[str, Any]:
    assignment: dict[str, Any] = order["extension_attributes"]["shipping_assignments"][0]
    return assignment


def _reassigned(order: Order, assignment: dict[str, Any]) -> Order:
    attributes = order["extension_attributes"] | {"shipping_assignments": [assignment]}
    return order | {"extension_attributes": attributes}
