"""Products that customers are asked to review."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec


class ProductDetails(msgspec.Struct, frozen=True, gc=False):
    """What a shop tells of a product: its name in the customer's language, its page and its picture."""

    name: str | None = None
    link: str | None = None
    image_url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderedProduct:
    """A product of an order. ``identifier`` is the shop's own, ``product_id`` what eKomi takes for it.

    ``shop_id`` is the number under which the shop knows it, whatever the identifier.
    """

    product_id: str
    identifier: str
    name: str
    shop_id: int | None = None
    link: str | None = None
    image_url: str | None = None
