"""What conditions and deliveries ask of an order, and which fields of Magento's shape tell it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, TypeAlias

from ekomi_reconcile.orders import wire as orders_wire
from ekomi_reconcile.rules.order_fields import path_of
from ekomi_reconcile.rules.rulebook import REFUNDED, TELEPHONE

_CENT = 0.01
"""Amounts that differ by less are the same: shops round."""

Getter: TypeAlias = Callable[[orders_wire.WireOrder], Any]

_SHIPPED = "extension_attributes.shipping_assignments.shipping"
_SHIPPING_ADDRESSES = ("shipping_address", f"{_SHIPPED}.address")
_ADDRESSES = ("billing_address", *_SHIPPING_ADDRESSES)


@dataclass(frozen=True, slots=True)
class Fact:
    """A value of an order: how it is found, and in which fields."""

    of: Getter
    fields: frozenset[str]


def _shipping(wire: orders_wire.WireOrder) -> orders_wire.WireShipping:
    """How and where to it is shipped; an empty one where that is not told."""
    extension = wire.extension_attributes
    if extension is None or not extension.shipping_assignments:
        return orders_wire.NO_SHIPPING
    shipping = extension.shipping_assignments[0].shipping
    return orders_wire.NO_SHIPPING if shipping is None or isinstance(shipping, list) else shipping


def shipping_address(wire: orders_wire.WireOrder) -> orders_wire.WireAddress:
    """Where it is shipped to; an empty one where that is not told."""
    return wire.shipping_address or _shipping(wire).address or orders_wire.NO_ADDRESS


def _payment_method(wire: orders_wire.WireOrder) -> str | None:
    return (wire.payment.method if wire.payment else None) or wire.payment_method or None


def _shipping_method(wire: orders_wire.WireOrder) -> str | None:
    return None if wire.is_virtual else _shipping(wire).method or wire.shipping_method or None


def _billing_country(wire: orders_wire.WireOrder) -> str | None:
    return (wire.billing_address or orders_wire.NO_ADDRESS).country_id or None


def _refunded(wire: orders_wire.WireOrder) -> bool:
    """Is the whole order refunded: all that was paid, or every row that was not cancelled?"""
    refunded = wire.total_refunded or 0
    paid = wire.grand_total if wire.total_paid is None else wire.total_paid
    if refunded > 0 and paid is not None and refunded >= paid - _CENT:
        return True
    rows = [row for row in wire.items or () if not row.parent_item_id]
    return any((row.qty_refunded or 0) > 0 for row in rows) and all(map(_given_back, rows))


def _given_back(row: orders_wire.WireItem) -> bool:
    """Was this row refunded or cancelled altogether? Not where it does not say how much was ordered."""
    gone = (row.qty_refunded or 0) + (row.qty_canceled or 0)
    return row.qty_ordered is not None and gone >= row.qty_ordered


def _billed(name: str) -> Fact:
    """Does the billing address have this?"""

    def of(wire: orders_wire.WireOrder) -> bool:
        return bool((getattr(wire.billing_address or orders_wire.NO_ADDRESS, name) or "").strip())

    return Fact(of, frozenset({f"billing_address.{name}"}))


def _flag(name: str) -> Fact:
    def of(wire: orders_wire.WireOrder) -> bool | None:
        value = getattr(wire, name)
        return None if value is None else bool(value)

    return Fact(of, frozenset({name}))


def _number(name: str) -> Fact:
    return Fact(attrgetter(name), frozenset({name}))


def _text(name: str) -> Fact:
    return Fact(lambda wire: getattr(wire, name) or None, frozenset({name}))


def _place(name: str) -> Fact:
    """Of where it is shipped to; a virtual order is judged by its billing address."""

    def of(wire: orders_wire.WireOrder) -> str | None:
        place = (
            (wire.billing_address or orders_wire.NO_ADDRESS) if wire.is_virtual else shipping_address(wire)
        )
        return getattr(place, name) or None

    return Fact(of, frozenset({"is_virtual", *(f"{each}.{name}" for each in _ADDRESSES)}))


FACTS = {
    **{
        name: _number(name)
        for name in (
            *("total_paid", "total_refunded"),
            *("grand_total", "base_grand_total", "subtotal", "base_subtotal"),
            *("discount_amount", "shipping_amount", "weight"),
        )
    },
    "total_qty": _number("total_qty_ordered"),
    "item_count": _number("total_item_count"),
    "currency": _text("order_currency_code"),
    "coupon_code": _text("coupon_code"),
    "payment_method": Fact(_payment_method, frozenset({"payment.method", "payment_method"})),
    "shipping_method": Fact(
        _shipping_method, frozenset({"is_virtual", "shipping_method", f"{_SHIPPED}.method"})
    ),
    "shipping_country": _place("country_id"),
    "shipping_region": _place("region"),
    "shipping_postcode": _place("postcode"),
    "shipping_city": _place("city"),
    "billing_country": Fact(_billing_country, frozenset({"billing_address.country_id"})),
    "is_guest": _flag("customer_is_guest"),
    "is_virtual": _flag("is_virtual"),
    "has_company": _billed("company"),
    "has_vat_id": _billed("vat_id"),
    REFUNDED: Fact(
        _refunded,
        frozenset(
            {
                *("total_refunded", "total_paid", "grand_total"),
                *(f"items.{name}" for name in ("qty_ordered", "qty_refunded", "qty_canceled")),
                "items.parent_item_id",
            }
        ),
    ),
}
"""Attributes of an order that conditions look at, beside its head and its items."""

ITEM_FACTS = {
    "product_type": frozenset({"items.product_type"}),
    "sku": frozenset({"items.sku"}),
    "name": frozenset({"items.name"}),
    "product_id": frozenset({"items.product_id"}),
    "price": frozenset({"items.price"}),
    "qty": frozenset({"items.qty_ordered"}),
    "row_total": frozenset({"items.row_total"}),
    "category_id": frozenset({"items.category_ids", "items.extension_attributes.category_links.category_id"}),
}
"""Attributes of an order's items, and the fields that tell them."""

CONTACT = "contact"
"""Asked for where a customer is written to: everything that a review request contains about the person."""

EVERYTHING = frozenset({*FACTS, *ITEM_FACTS, CONTACT})
"""All that can be asked of an order beside its head."""

_HEAD = frozenset(
    {
        *("entity_id", "increment_id", "created_at", "updated_at", "state", "status", "is_virtual"),
        *("store_id", "store_code", "customer_group_id", "customer_group", "customer_is_guest"),
        *("customer_email", "billing_address.email", "invoices.created_at", "shipments.created_at"),
        *(f"status_histories.{name}" for name in ("created_at", "status", "entity_id")),
    }
)
_TELEPHONE = frozenset(f"{each}.{name}" for each in _ADDRESSES for name in ("telephone", "country_id"))
_CONTACT = _TELEPHONE | {
    *("customer_id", "customer_firstname", "customer_lastname"),
    *("billing_address.firstname", "billing_address.lastname"),
}


def fields_for(attributes: Iterable[str]) -> frozenset[str]:
    """The fields of an order, as paths, that these attributes need; its head is always among them."""
    return _HEAD.union(*(_fields(name) for name in attributes))


def own_fields(attribute: str) -> frozenset[str]:
    """The fields, as paths, that tell this attribute of conditions: any one of them will do."""
    path = path_of(attribute)
    if path is not None:
        return frozenset({path})
    if attribute == "email_domain":
        return frozenset({"customer_email", "billing_address.email"})
    if attribute in ITEM_FACTS:
        return ITEM_FACTS[attribute]
    if attribute not in FACTS:
        return frozenset({attribute})
    return FACTS[attribute].fields - ({"is_virtual"} if attribute != "is_virtual" else set())


def _fields(attribute: str) -> frozenset[str]:
    if attribute in FACTS:
        return FACTS[attribute].fields
    if attribute in ITEM_FACTS:
        return ITEM_FACTS[attribute] | {"items.parent_item_id"}
    return {TELEPHONE: _TELEPHONE, CONTACT: _CONTACT}.get(attribute, frozenset())
