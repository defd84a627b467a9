"""Asking eKomi about an account: credentials, shop data, reviews. Network only; nothing is written here."""

from __future__ import annotations

from dataclasses import dataclass

from ekomi_reconcile.ekomi.client import EkomiClient
from ekomi_reconcile.ekomi.feedback import Reviews
from ekomi_reconcile.ekomi.values import range_for
from ekomi_reconcile.errors import EkomiError
from ekomi_reconcile.model.instant import DAY, Instant
from ekomi_reconcile.model.review import ShopData

FULL_IMPORT_EVERY = 30 * DAY
"""Seconds. Only a full import notices that a review is gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    """What to ask eKomi about one account. ``since`` is the last import (``None``: everything)."""

    interface_id: str
    check: bool = False
    sync: bool = False
    reviews: bool = False
    since: Instant | None = None
    full: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """What came back. ``refused``: the account cannot be used as it stands."""

    errand: Errand
    refused: EkomiError | None = None
    shop: ShopData | EkomiError | None = None
    reviews: Reviews | EkomiError | None = None


def fetch(client: EkomiClient, errand: Errand, *, now: Instant) -> Fetched:
    """Run the errand; every failure is part of what comes back."""
    try:
        if errand.check:
            client.check()
    except EkomiError as error:
        return Fetched(errand=errand, refused=error)
    return Fetched(
        errand=errand,
        shop=_shop(client) if errand.sync else None,
        reviews=_reviews(client, errand, now=now) if errand.reviews else None,
    )


def _shop(client: EkomiClient) -> ShopData | EkomiError:
    try:
        return client.shop_data()
    except EkomiError as error:
        return error


def _reviews(client: EkomiClient, errand: Errand, *, now: Instant) -> Reviews | EkomiError:
    gap = None if errand.full or errand.since is None else now - errand.since
    try:
        return client.reviews(range_for(gap))
    except EkomiError as error:
        return error
