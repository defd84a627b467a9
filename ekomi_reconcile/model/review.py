"""Reviews and shop data, as eKomi tells them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ekomi_reconcile.model.instant import Instant


class ReviewKind(StrEnum):
    """What a review is about: the shop, or one of its products."""

    SHOP = "shop"
    PRODUCT = "product"


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """One review. ``rating`` is 1 to 5; ``submitted_at`` UTC; ``comment`` is the shop's public answer.

    eKomi gives reviews no id: (order id, submitted, product id) is their key, repeats are numbered.
    """

    order_id: str
    submitted_at: Instant
    rating: float
    text: str = ""
    comment: str = ""
    title: str = ""
    product_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShopData:
    """What a sync brings: shop details and statistics; absent is ``None``.

    ``average_score`` is 1 to 5 over all reviews, ``total_reviews`` counts all of them.
    ``review_page`` is the public page at eKomi.
    """

    account_name: str | None = None
    locale: str | None = None
    logo_url: str | None = None
    webshop_url: str | None = None
    review_page: str | None = None
    certificate_id: str | None = None
    total_reviews: int | None = None
    average_score: float | None = None
    active: bool | None = None
