"""Requests and values on the wire to eKomi.

A failure is a value because an exception of the HTTP library carries the request, and with it the
password; what is raised later must not have it in its chain.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from types import TracebackType
from typing import Self, TypeAlias

import httpx

from ekomi_reconcile.http import Revealing, client
from ekomi_reconcile.model.account import Json
from ekomi_reconcile.model.instant import DAY, Instant
from ekomi_reconcile.model.review import OrderedProduct

"""The longest sender a text message may show (GSM)."""


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


LONGEST_RETRY_AFTER = 86_400.0
"""Seconds: no Retry-After is believed beyond a day."""

_IDLE = 2.0
"""Seconds an idle connection is kept: less than servers do, so that none is reused while it closes."""

_BEFORE_SENDING = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
)
"""Raised while there was no connection yet: name lookup, connecting, TLS handshake."""

_WORDS: tuple[tuple[type[Exception], str], ...] = (
    (httpx.ConnectTimeout, "the connection could not be made in time"),
    (httpx.ConnectError, "no connection"),
    (httpx.PoolTimeout, "no connection was free in time"),
    (httpx.UnsupportedProtocol, "the address is not one of http or https"),
    (httpx.TimeoutException, "no answer in time"),
    (httpx.DecodingError, "the answer could not be decoded"),
    (ValueError, "the answer is not valid HTTP"),
)

_CODINGS = frozenset({"", "identity", "gzip", "deflate"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request: ``function`` names it, ``fields`` go into the query, or with POST into the body.

    The answer may have ``max_bytes`` and must be complete ``deadline`` seconds after the start.
    """

    function: str
    method: str
    url: str
    fields: dict[str, str] = field(repr=False)
    max_bytes: int
    deadline: float
    headers: dict[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back. ``broken`` says in plain words why the body is incomplete; then it is empty."""

    status: int
    body: bytes = field(default=b"", repr=False)
    charset: str | None = None
    retry_after: float | None = None
    location: str | None = field(default=None, repr=False)
    broken: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedRequest:
    """No answer. ``sent``: the request, or a part of it, may have reached the server."""

    reason: str
    sent: bool


Reply: TypeAlias = Answer | FailedRequest


class Wire:
    """A connection to eKomi for one thread at a time.

    No proxy and no ``.netrc`` of the environment is used, since they would see the password; TLS is
    verified with the bundled authorities, or those that ``SSL_CERT_FILE`` names.
    """

    def __init__(
        self,
        *,
        timeout: float,
        transport: httpx.BaseTransport | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._http = client.open_client(transport or new_transport(), timeout=timeout)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def send(self, request: Request) -> Reply:
        """Send it once and read the whole answer."""
        ends = self._clock() + request.deadline
        try:
            prepared = self._prepare(request)
        except (httpx.InvalidURL, ValueError):
            return FailedRequest(reason="the address or a value cannot be sent", sent=False)
        with client.within(request.deadline):
            try:
                response = self._http.send(prepared, stream=True)
                try:
                    return self._read(response, limit=request.max_bytes, ends=ends)
                finally:
                    response.close()
            except _BEFORE_SENDING as error:
                return FailedRequest(reason=_words_for(error), sent=False)
            except client.TRANSPORT_ERRORS as error:
                return FailedRequest(reason=_words_for(error), sent=True)

    def _prepare(self, request: Request) -> httpx.Request:
        if request.method == "POST":
            return self._http.build_request("POST", request.url, data=request.fields)
        return self._http.build_request(
            request.method, request.url, params=request.fields, headers=request.headers
        )

    def _read(self, response: httpx.Response, *, limit: int, ends: float) -> Answer:
        body, broken = self._body(response, limit=limit, ends=ends)
        return Answer(
            status=response.status_code,
            body=body,
            charset=response.charset_encoding,
            retry_after=_seconds(response.headers.get("Retry-After", "")),
            location=client.location_of(response),
            broken=broken,
        )

    def _body(self, response: httpx.Response, *, limit: int, ends: float) -> tuple[bytes, str | None]:
        if response.headers.get("Content-Encoding", "").strip().lower() not in _CODINGS:
            return b"", "the answer is encoded in a way that was not asked for"
        body = bytearray()
        try:
            for part in response.iter_bytes():
                body += part
                if len(body) > limit:
                    return b"", f"the answer is larger than {limit // 1024:,} KiB"
                if self._clock() > ends:
                    return b"", "the answer did not end in time"
        except client.TRANSPORT_ERRORS as error:
            return b"", _words_for(error)
        return bytes(body), None


def new_transport() -> httpx.HTTPTransport:
    """Connections that several clients of one thread may share."""
    return client.BoundedTransport(httpx.Limits(keepalive_expiry=_IDLE, max_connections=None))


def _words_for(error: Exception) -> str:
    """Plain words; the library's own are told only where no address can be in them."""
    words = next((words for kind, words in _WORDS if isinstance(error, kind)), "the connection was cut")
    return f"{words} ({error})" if isinstance(error, httpx.ConnectError) and str(error) else words


def _seconds(retry_after: str) -> float | None:
    """Retry-After as seconds from now: a number, or an HTTP date (RFC 9110)."""
    text = retry_after.strip()
    if re.fullmatch(r"[0-9]{1,12}", text):
        return min(float(text), LONGEST_RETRY_AFTER)
    moment = client.http_date(text)
    return None if moment is None else min(max(moment - time.time(), 0.0), LONGEST_RETRY_AFTER)
