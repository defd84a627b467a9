"""Asking eKomi about an account: credentials, shop data, reviews. Network only; nothing is written here."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from ekomi_reconcile.ekomi.client import EkomiClient
from ekomi_reconcile.ekomi.feedback import Reviews
from ekomi_reconcile.ekomi.values import range_for
from ekomi_reconcile.errors import CredentialsRefused, EkomiError, RequestRefused
from ekomi_reconcile.model.event import Work
from ekomi_reconcile.model.instant import DAY, Instant
from ekomi_reconcile.model.review import ShopData

PRODUCTS = "import of product reviews"
"""How a failure of that part is called."""

FULL_IMPORT_EVERY = 30 * DAY
"""Seconds. Only a full import notices that a review is gone."""


class Products(Enum):
    """Which reviews of products an import asks for."""

    NONE = auto()
    RECENT = auto()
    ALL = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    """What to ask eKomi about one account. ``since`` is the last import (``None``: everything).

    ``change`` is the change of the account that it belongs to, if any. ``refused_before``: eKomi has said
    already that it offers the account no reviews of products.
    """

    interface_id: str
    check: bool = False
    sync: bool = False
    reviews: bool = False
    since: Instant | None = None
    full: bool = False
    products: Products = Products.NONE
    refused_before: bool = False
    change: Work | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """What came back. ``refused``: the account cannot be used as it stands.

    ``products`` are the reviews of products; they are asked for only after the shop's were told, so that a
    no to them is one to this function, not to the credentials.
    """

    errand: Errand
    refused: EkomiError | None = None
    shop: ShopData | EkomiError | None = None
    reviews: Reviews | EkomiError | None = None
    products: Reviews | EkomiError | None = None

    @property
    def products_refused(self) -> bool:
        """Does eKomi offer this account no reviews of products? Lower tiers have none: no failure."""
        return isinstance(self.products, RequestRefused | CredentialsRefused)


def fetch(client: EkomiClient, errand: Errand, *, now: Instant) -> Fetched:
    """Run the errand; every failure is part of what comes back."""
    try:
        if errand.check:
            client.check()
    except EkomiError as error:
        return Fetched(errand=errand, refused=error)
    reviews = _reviews(client, errand, now=now) if errand.reviews else None
    return Fetched(
        errand=errand,
        shop=_shop(client) if errand.sync else None,
        reviews=reviews,
        products=_products(client, errand, now=now) if isinstance(reviews, Reviews) else None,
    )


def _shop(client: EkomiClient) -> ShopData | EkomiError:
    try:
        return client.shop_data()
    except EkomiError as error:
        return error


def _reviews(client: EkomiClient, errand: Errand, *, now: Instant) -> Reviews | EkomiError:
    try:
        return client.reviews(range_for(None if errand.full else _gap(errand, now)))
    except EkomiError as error:
        return error


def _products(client: EkomiClient, errand: Errand, *, now: Instant) -> Reviews | EkomiError | None:
    if errand.products is Products.NONE:
        return None
    try:
        return client.product_reviews(
            range_for(None if errand.products is Products.ALL else _gap(errand, now))
        )
    except EkomiError as error:
        return error


def _gap(errand: Errand, now: Instant) -> int | None:
    return None if errand.since is None else now - errand.since
