"""What goes into and comes out of calls to eKomi: plain values, no network."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum

from ekomi_reconcile.http import Revealing
from ekomi_reconcile.model.account import Json
from ekomi_reconcile.model.instant import DAY, Instant
from ekomi_reconcile.model.review import OrderedProduct


@dataclass(frozen=True, slots=True)
class Credentials:
    """What eKomi knows an account by. The interface password is not the password of the web login."""

    interface_id: str
    password: Revealing = field(repr=False)


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where eKomi is, and how long to wait: ``timeout`` is the longest silence, in seconds.

    Reading reviews may take 20 times as long altogether, every other call as long as ``timeout``.
    """

    api_url: str = "https://api.ekomi.de/v3"
    srr_url: str = "https://srr.ekomi.com"
    timeout: float = 30.0


class Channel(StrEnum):
    """How eKomi asks the customer; the values are those of ``recipient_type``."""

    EMAIL = "email"
    SMS = "sms"


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Recipient:
    """Whom eKomi shall ask, and about which order. Personal data: used for one call only.

    ``transaction_id`` is the order's number, ``transaction_time`` when it was placed; ``telephone``
    is E.164. Without ``client_id`` (the customer's id) the buyer is named as a guest.

    Raises:
        ValueError: the channel lacks its address.
    """

    channel: Channel
    transaction_id: str
    transaction_time: Instant
    email: str | None = None
    telephone: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    client_id: str | None = None
    sender_name: str | None = None
    products: tuple[OrderedProduct, ...] = ()
    sender_email: str | None = None

    def __post_init__(self) -> None:
        address = self.telephone if self.channel is Channel.SMS else self.email
        if not address:
            raise ValueError(f"a recipient by {self.channel.value} needs an address for it")

    def __repr__(self) -> str:
        return f"Recipient({self.channel.value}, …)"

    def form(self) -> dict[str, str]:
        """The fields of ``add-recipient``, only the address that the channel needs; times are UTC."""
        placed = datetime.fromtimestamp(self.transaction_time, UTC)
        fields = {
            "recipient_type": self.channel.value,
            "first_name": self.first_name or "",
            "last_name": self.last_name or "",
            "transaction_id": self.transaction_id,
            "transaction_time": placed.strftime("%d-%m-%Y %H:%M:%S"),
            "client_id": self.client_id or f"guest_oId_{self.transaction_id}",
            **_product_fields(self.products),
        }
        fields |= {"sender_name": self.sender_name} if self.sender_name else {}
        if self.channel is Channel.SMS:
            return fields | {"telephone": self.telephone or ""}
        fields |= {"sender_email": self.sender_email} if self.sender_email else {}
        return fields | {"email": self.email or ""}

    def personal(self) -> tuple[str, ...]:
        """Every value that must not appear in a message."""
        values = (self.email, self.telephone, self.first_name, self.last_name)
        return tuple(value for value in values if value)


def _product_fields(products: tuple[OrderedProduct, ...]) -> dict[str, str]:
    """Products as ``add-recipient`` takes them: JSON text by product id."""
    if not products:
        return {"has_products": "0"}
    names = {each.product_id: each.name for each in products}
    more = {each.product_id: {"product_other": product_other(each)} for each in products}
    return {"has_products": "1", "products_info": _json(names), "products_other": _json(more)}


def product_other(product: OrderedProduct) -> dict[str, Json]:
    """The ``product_other`` of a product: its page and picture, as far as they are known."""
    found: dict[str, Json] = {}
    if product.image_url:
        found["image_url"] = product.image_url
    if product.link:
        found["links"] = [{"rel": "canonical", "type": "text/html", "href": product.link}]
    return found


def _json(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class Receipt:
    """eKomi took the order. ``link`` is the review link, if it gave one."""

    link: str | None = None
    known_before: bool = False
    """It had the order already."""


class CallOutcome(StrEnum):
    """How a call ended, for metrics."""

    OK = "ok"
    CREDENTIALS_REFUSED = "credentials_refused"
    REFUSED = "refused"
    UNAVAILABLE = "unavailable"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Call:
    """One request that was made: its function, duration in seconds, end, and HTTP status if any."""

    function: str
    seconds: float
    outcome: CallOutcome
    status: int | None


class ReviewRange(StrEnum):
    """The recent windows that getFeedback documents (``1w`` is undocumented and never used)."""

    MONTH = "1m"
    QUARTER = "3m"
    HALF_YEAR = "6m"
    YEAR = "1y"
    ALL = "all"


_DAYS_COVERED = (
    (28, ReviewRange.MONTH),
    (89, ReviewRange.QUARTER),
    (181, ReviewRange.HALF_YEAR),
    (365, ReviewRange.YEAR),
)
"""Days that each window surely covers, whichever months it spans."""


def range_for(gap: int | None) -> ReviewRange:
    """The smallest window that covers ``gap`` seconds since the last success and a safety day.

    No earlier success (``None``), or one in the future (a clock was wrong), means everything.
    """
    if gap is None or gap < 0:
        return ReviewRange.ALL
    for days, window in _DAYS_COVERED:
        if gap + DAY <= days * DAY:
            return window
    return ReviewRange.ALL
