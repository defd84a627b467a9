"""Orders as the rules see them, wherever they come from."""

from __future__ import annotations

import msgspec

from ekomi_reconcile.model.instant import Instant


class HistoryEntry(msgspec.Struct, frozen=True, gc=False):
    """One entry of an order's history: the status it had at that instant, ``None`` if not said.

    An entry is a remark, not a transition: the first one with a status need not be its beginning.
    """

    status: str | None
    created_at: Instant
    entry_id: int = 0


class Item(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A top-level row of an order: a configurable product counts once.

    ``category_ids`` is ``None`` when the source has not told them.
    """

    sku: str | None = None
    name: str | None = None
    product_type: str | None = None
    product_id: int | None = None
    price: float | None = None
    qty: float | None = None
    row_total: float | None = None
    category_ids: tuple[int, ...] | None = None


class Contact(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Who is asked: personal data, used for one call and never stored, logged or planned.

    With a ``pseudonym`` it is what a source kept of an order that it read earlier: no personal data, but
    the keyed digest of the address; ``email`` and ``telephone`` only say whether there is a usable one.
    """

    email: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    telephone: str | None = None
    country: str | None = None
    customer_id: int | None = None
    pseudonym: str | None = None

    def __repr__(self) -> str:
        return "Contact(…)"

    __str__ = __repr__


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """One order. Amounts are in the order's currency unless named ``base_``; absent is ``None``.

    ``order_id`` is the source's own key (Magento: entity_id), ``number`` what people see
    (increment_id). ``state`` is the fixed workflow step, ``status`` the shop's own word for it.
    ``first_invoiced_at`` and ``last_shipped_at`` are evidence of processing and complete. ``refunded``: the
    whole order was refunded; ``None`` where that was not asked for. ``shipments_known``: its shipments could
    be read, whether or not there are any. ``misdated`` names the fields with times before ``created_at``,
    which were left out. ``store_id`` and ``customer_group_id`` are given where they have no known name.
    """

    order_id: int
    number: str
    state: str | None = None
    status: str | None = None
    store_view: str | None = None
    customer_group: str | None = None
    store_id: int | None = None
    customer_group_id: int | None = None
    created_at: Instant
    updated_at: Instant | None = None
    history: tuple[HistoryEntry, ...] = ()
    first_invoiced_at: Instant | None = None
    last_invoiced_at: Instant | None = None
    last_shipped_at: Instant | None = None
    shipments_known: bool = False
    misdated: tuple[str, ...] = ()
    contact: Contact = Contact()

    refunded: bool | None = None
    total_paid: float | None = None
    total_refunded: float | None = None
    grand_total: float | None = None
    base_grand_total: float | None = None
    subtotal: float | None = None
    base_subtotal: float | None = None
    discount_amount: float | None = None
    shipping_amount: float | None = None
    total_qty: float | None = None
    item_count: float | None = None
    weight: float | None = None
    currency: str | None = None
    coupon_code: str | None = None
    payment_method: str | None = None
    shipping_method: str | None = None
    shipping_country: str | None = None
    shipping_region: str | None = None
    shipping_postcode: str | None = None
    shipping_city: str | None = None
    billing_country: str | None = None
    is_guest: bool | None = None
    is_virtual: bool | None = None
    has_company: bool | None = None
    has_vat_id: bool | None = None
    items: tuple[Item, ...] = ()

    def __repr__(self) -> str:
        return f"Order({self.order_id})"

    @property
    def email_domain(self) -> str | None:
        """What follows the @ of the customer's address."""
        email = self.contact.email
        if email is None or "@" not in email:
            return None
        return email.rpartition("@")[2] or None
