"""Reviews, products and statistics as eKomi reports them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum
from math import sqrt
from statistics import median

import msgspec

from ekomi_reconcile.model.instant import DAY, Instant


class ProductDetails(msgspec.Struct, frozen=True, gc=False):
    """A product as a shop describes it: its name in the customer's language, its page and its picture."""

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


class ShopData(msgspec.Struct, frozen=True):
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


STARS = (5, 4, 3, 2, 1)
"""From good to bad, as distributions are shown."""

_MONDAY = 3
"""1970-01-01 was a Thursday: the days after a Monday."""


class Period(StrEnum):
    """How long one step of a trend is."""

    MONTH = "month"
    WEEK = "week"

    def number(self, instant: Instant) -> int:
        """The period that an instant lies in; consecutive periods have consecutive numbers."""
        days = instant // DAY
        if self is Period.WEEK:
            return (days + _MONDAY) // 7
        day = date(1970, 1, 1) + timedelta(days=days)
        return day.year * 12 + day.month - 1

    def label(self, number: int) -> str:
        """``2026-11``, or the ISO week ``2026-W47``."""
        if self is Period.MONTH:
            return f"{number // 12:04}-{number % 12 + 1:02}"
        year, week, _ = (date(1970, 1, 1) + timedelta(days=7 * number - _MONDAY)).isocalendar()
        return f"{year:04}-W{week:02}"


def week_of(at: Instant) -> Instant:
    """The Monday, 00:00 UTC, of the week of this instant."""
    return (7 * Period.WEEK.number(at) - _MONDAY) * DAY


@dataclass(frozen=True, slots=True)
class Tally:
    """How many reviews there are, and the sum of their ratings."""

    reviews: int = 0
    rating_sum: float = 0.0

    @property
    def average(self) -> float | None:
        """The mean rating, rounded to 4 decimals; ``None`` without reviews."""
        return round(self.rating_sum / self.reviews, 4) if self.reviews else None

    def __add__(self, other: Tally) -> Tally:
        return Tally(self.reviews + other.reviews, self.rating_sum + other.rating_sum)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewStatistics:
    """The reviews of one account; without those that are gone.

    ``total`` to ``trend`` are about the reviews of the shop, or where one product was asked for, about
    those of the product. ``stars`` counts by whole stars. ``answered`` is ``None`` where it is not known:
    eKomi tells answers of the shop's own reviews only. ``trend`` is by number of the period, without empty
    ones. ``products`` are the reviews of products.
    """

    interface_id: str
    total: Tally = field(default_factory=Tally)
    stars: Mapping[int, int] = field(default_factory=dict)
    answered: int | None = None
    trend: Mapping[int, Tally] = field(default_factory=dict)
    products: Tally = field(default_factory=Tally)

    @property
    def answered_share(self) -> float | None:
        """From 0 to 1, rounded to 4 decimals; ``None`` where it is not known or there is nothing."""
        if self.answered is None or not self.total.reviews:
            return None
        return round(self.answered / self.total.reviews, 4)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedReview:
    """A review and since when we know it; ``gone_at``: a full import no longer found it.

    ``product`` is the shop's own identifier of a product that an invitation asked about, with its name.
    """

    interface_id: str
    review: Review
    first_seen_at: Instant
    changed_at: Instant
    gone_at: Instant | None = None
    product: str | None = None
    product_name: str | None = None


@dataclass(frozen=True, slots=True)
class NewReview:
    """A review that an import brought: nothing of it but order number and rating."""

    account: str
    order: str
    rating: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportCounts:
    """What an import of reviews changed; ``added`` are the new ones."""

    new: int = 0
    changed: int = 0
    gone: int = 0
    unchanged: int = 0
    added: tuple[Review, ...] = field(default=(), compare=False, repr=False)


class FunnelKey(StrEnum):
    """By what invitations are grouped; the week is that of sending, in UTC."""

    ACCOUNT = "account"
    WEEK = "week"
    CHANNEL = "channel"
    PENDING_DAYS = "pending_days"


@dataclass(frozen=True, slots=True, kw_only=True)
class SentOutcome:
    """An invitation that was sent, and when the order's review was first submitted after it, if it was."""

    interface_id: str
    sent_at: Instant
    channel: str | None
    pending_days: int | None
    reviewed_at: Instant | None


@dataclass(slots=True)
class FunnelGroup:
    """Invitations with the same keys; ``delays`` are seconds from invitation to review, of those reviewed."""

    invited: int = 0
    delays: list[int] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """The response rate: the share that was reviewed."""
        return len(self.delays) / self.invited

    @property
    def median_days(self) -> float | None:
        """The median from invitation to review, in days; ``None`` without a review."""
        return median(self.delays) / DAY if self.delays else None


Z_95 = 1.959964
"""Standard deviations on both sides that hold 95 % of a normal distribution."""


def wilson(successes: int, trials: int, *, z: float = Z_95) -> tuple[float, float]:
    """The Wilson score interval of a share: reliable for few trials too. Without any: from 0 to 1."""
    if not trials:
        return 0.0, 1.0
    share, spread = successes / trials, z * z / trials
    middle = share + spread / 2
    width = z * sqrt(share * (1 - share) / trials + spread / trials / 4)
    low, high = (middle - width) / (1 + spread), (middle + width) / (1 + spread)
    return (low if successes else 0.0), (high if successes < trials else 1.0)


LEAST_SENT = 30
"""Invitations below which nothing is said about the reviews to expect."""

Z_90 = 1.644854
"""The same for 90 %."""


@dataclass(frozen=True, slots=True)
class ExpectedReviews:
    """Reviews that invitations would lead to, with a 90 % interval."""

    low: float
    mid: float
    high: float


@dataclass(frozen=True, slots=True)
class Response:
    """Invitations that were sent, and how many of them led to a review."""

    invited: int = 0
    reviewed: int = 0

    @property
    def rate(self) -> float | None:
        """The share that was reviewed; ``None`` where nothing was sent."""
        return self.reviewed / self.invited if self.invited else None

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % Wilson interval of the share."""
        return wilson(self.reviewed, self.invited)

    def __add__(self, other: Response) -> Response:
        return Response(self.invited + other.invited, self.reviewed + other.reviewed)

    def expected(self, invited: int) -> ExpectedReviews | None:
        """Estimate the reviews of further invitations; ``None`` where too few were sent to tell."""
        if self.invited < LEAST_SENT:
            return None
        low, high = wilson(self.reviewed, self.invited, z=Z_90)
        values = (invited * share for share in (low, self.reviewed / self.invited, high))
        return ExpectedReviews(*(round(each, 1) for each in values))
