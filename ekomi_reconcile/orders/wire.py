"""Orders as Magento's REST interface writes them: their shape.

Only the keys that rules, scheduling and sending use are declared; everything else is skipped
unread, so that personal data beyond them never enters the process. Source of the shape: the public
schema of ``salesOrderRepositoryV1`` and the recorded answers of a real 2.4.7 shop.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from ekomi_reconcile.model.errors import OrderUnreadable

OrderId = Annotated[int, Meta(ge=1, le=2**63 - 1)]

OrderNumber = Annotated[str, Meta(min_length=0)]
"""A string that is never made of a fraction: the mark by which ``lenient`` knows it is its length."""


class WireAddress(Struct, gc=False, kw_only=True):
    """A postal address; virtual orders have no shipping address."""

    city: str | None = None
    country_id: str | None = None
    email: str | None = None
    company: str | None = None
    firstname: str | None = None
    lastname: str | None = None
    postcode: str | None = None
    region: str | None = None
    telephone: str | None = None
    vat_id: str | None = None


class WireCategoryLink(Struct, gc=False):
    """One category a product is in; Magento writes the id as text."""

    category_id: int | None = None


class WireItemExtension(Struct, gc=False):
    """``category_links`` is not Magento's own on order items, but exports add it."""

    category_links: list[WireCategoryLink] | None = None


class WireItem(Struct, gc=False, kw_only=True):
    """A row of an order; one with a ``parent_item_id`` is part of a configurable product or bundle."""

    item_id: int | None = None
    parent_item_id: int | None = None
    product_id: int | None = None
    product_type: str | None = None
    sku: str | None = None
    name: str | None = None
    price: float | None = None
    qty_ordered: float | None = None
    qty_refunded: float | None = None
    qty_canceled: float | None = None
    row_total: float | None = None
    category_ids: list[int] | None = None
    extension_attributes: WireItemExtension | list[Raw] | None = None


class WireHistory(Struct, gc=False):
    """A remark in the order's history; newest first in Magento's answers."""

    created_at: datetime | None = None
    status: str | None = None
    entity_id: int | None = None


class WireShipping(Struct, gc=False):
    """How and where to an order is shipped."""

    method: str | None = None
    address: WireAddress | None = None


class WireAssignment(Struct, gc=False):
    """Magento writes ``[]`` for the shipping of a virtual order when ``fields`` are given."""

    shipping: WireShipping | list[Raw] | None = None


class WireExtension(Struct, gc=False):
    """The extension attributes that are used."""

    shipping_assignments: list[WireAssignment] | None = None


NO_ADDRESS = WireAddress()
NO_SHIPPING = WireShipping()


class WirePayment(Struct, gc=False):
    """How an order is paid."""

    method: str | None = None


class WireDocument(Struct, gc=False):
    """An invoice or a shipment."""

    created_at: datetime | None = None


class WireOrder(Struct, gc=False, kw_only=True):
    """Everything of an order that is used; how much of it is read depends on the rules in use.

    Not Magento's: ``store_code``, ``customer_group`` (texts instead of ids), ``shipping_address``,
    ``payment_method`` and ``shipping_method`` at top level, ``invoices``, ``shipments``. Times are UTC.
    """

    entity_id: OrderId
    created_at: datetime
    increment_id: OrderNumber | None = None
    updated_at: datetime | None = None
    state: str | None = None
    status: str | None = None
    store_id: int | None = None
    store_code: str | None = None
    customer_id: int | None = None
    customer_group_id: int | None = None
    customer_group: str | None = None
    customer_is_guest: int | bool | None = None
    customer_email: str | None = None
    customer_firstname: str | None = None
    customer_lastname: str | None = None
    billing_address: WireAddress | None = None
    shipping_address: WireAddress | None = None
    extension_attributes: WireExtension | None = None
    status_histories: list[WireHistory] | None = None
    invoices: list[WireDocument] | None = None
    shipments: list[WireDocument] | None = None
    total_paid: float | None = None
    total_refunded: float | None = None
    grand_total: float | None = None
    base_grand_total: float | None = None
    subtotal: float | None = None
    base_subtotal: float | None = None
    discount_amount: float | None = None
    shipping_amount: float | None = None
    total_qty_ordered: float | None = None
    total_item_count: float | None = None
    weight: float | None = None
    order_currency_code: str | None = None
    coupon_code: str | None = None
    is_virtual: int | bool | None = None
    payment_method: str | None = None
    shipping_method: str | None = None
    payment: WirePayment | None = None
    items: list[WireItem] | None = None


class WireKey(Struct, gc=False):
    """What an order is called: its own key, and the number people see."""

    entity_id: OrderId
    increment_id: str | None = None


class _SearchAnswer(Struct, gc=False):
    items: list[Raw] | UnsetType | None = UNSET
    total_count: int | None = None
    entity_id: Any = None


@dataclass(frozen=True, slots=True)
class RawPage:
    """The JSON texts of the orders in an answer, and how many match in all (``None`` if not told)."""

    orders: Sequence[Raw]
    total_count: int | None = None


_BYTE = re.compile(r"\(byte (\d+)\)")
_ANSWER = msgspec.json.Decoder(_SearchAnswer | list[Raw])


def split_page(raw: bytes) -> RawPage:
    """The orders in a list, in a search answer with ``items``, or a single order.

    Raises:
        OrderUnreadable: the document is none of these; a message or another system's envelope is not.
    """
    try:
        answer = _ANSWER.decode(raw)
    except UnicodeDecodeError:
        raise OrderUnreadable("not UTF-8") from None
    except RecursionError:
        raise OrderUnreadable("nested too deeply") from None
    except msgspec.DecodeError as error:
        raise OrderUnreadable(f"not a list of orders: {_with_line(raw, str(error))}") from None
    if isinstance(answer, list):
        return RawPage(answer)
    if answer.entity_id is not None:
        return RawPage((Raw(raw.strip()),))
    if answer.items is UNSET:
        raise OrderUnreadable("it holds no orders (an object with neither items nor entity_id)")
    return RawPage(answer.items or (), answer.total_count)


def _with_line(raw: bytes, message: str) -> str:
    """The decoder's message with the line of the byte it names."""
    found = _BYTE.search(message)
    if found is None:
        return message
    line = 1 + raw.count(b"\n", 0, int(found[1]))
    return _BYTE.sub(f"(line {line})", message)
