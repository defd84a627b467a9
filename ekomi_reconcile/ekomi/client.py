"""The client of one eKomi account."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from threading import Event
from types import TracebackType
from typing import Self, TypeVar

import httpx

from ekomi_reconcile import __version__
from ekomi_reconcile.ekomi import (
    Call,
    CallOutcome,
    Credentials,
    Endpoints,
    Receipt,
    Recipient,
    ReviewRange,
    decode,
    product_other,
    wire,
)
from ekomi_reconcile.ekomi.answer import Reporter, read_link, read_object, read_receipt, read_reviews
from ekomi_reconcile.http import Stop
from ekomi_reconcile.http.client import Redactor
from ekomi_reconcile.http.rate_limit import READS, SENDS, RateLimiter, Retry
from ekomi_reconcile.model import errors
from ekomi_reconcile.model.account import Json
from ekomi_reconcile.model.instant import Instant
from ekomi_reconcile.model.review import OrderedProduct, ShopData

T = TypeVar("T")

_log = logging.getLogger("ekomi_reconcile.ekomi")

_SMALL = 1 << 20
"""Bytes: no other answer than a dump of reviews comes near this."""
_DUMP = 64 << 20
_DUMP_PATIENCE = 20
"""A dump may take this many times the timeout: public clients wait 600 seconds and more for all reviews."""

_OUTCOMES: tuple[tuple[type[errors.EkomiError], CallOutcome], ...] = (
    (errors.CredentialsRefused, CallOutcome.CREDENTIALS_REFUSED),
    (errors.AccountRefused, CallOutcome.REFUSED),
    (errors.RequestRefused, CallOutcome.REFUSED),
    (errors.EkomiUnavailable, CallOutcome.UNAVAILABLE),
    (errors.OutcomeUnknown, CallOutcome.UNKNOWN),
)


class EkomiClient:
    """Asks eKomi in the name of one account. Cheap to make; for one thread at a time.

    ``limiter`` is shared by all clients of the account. Every wait ends when ``stop`` is set, and
    nothing is asked after that. ``on_call`` hears of every request made; it must not raise.

    Every method raises ``CredentialsRefused``, ``RequestRefused`` or ``EkomiUnavailable``, and only
    ``add_recipient`` also ``AccountRefused`` and ``OutcomeUnknown``. No message, log or cause holds the
    password, an address asked with it, or a customer's data.
    """

    def __init__(
        self,
        *,
        credentials: Credentials,
        endpoints: Endpoints,
        limiter: RateLimiter,
        transport: httpx.BaseTransport | None = None,
        stop: Stop | None = None,
        on_call: Callable[[Call], None] | None = None,
    ) -> None:
        self._credentials = credentials
        self._endpoints = endpoints
        self._limiter = limiter
        self._stop: Stop = stop if stop is not None else Event()
        self._on_call = on_call
        self._wire = wire.Wire(timeout=endpoints.timeout, transport=transport)

    def close(self) -> None:
        """Close the connections."""
        self._wire.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def check(self) -> None:
        """Test the credentials: they are good when this returns, bad only on ``CredentialsRefused``."""
        if self._get_or_none("getShopDetails") is None:
            self._get("getSettings", {"content": "request"})

    def shop_details(self) -> ShopData:
        """What getShopDetails tells: names and links, no statistics."""
        return decode.shop_data_from(details=self._get("getShopDetails"), snapshot={}, average={})

    def shop_data(self, *, imported_reviews: int | None = None) -> ShopData:
        """Shop details and statistics; a function that the account is not offered is left out.

        ``total_reviews`` is getAverage's count; where it tells none, ``imported_reviews`` (how many a
        full import brought; ``None``: never imported, and the total stays ``None``), and if that
        is 0 the last resort, the count of the last 365 days.
        """
        names = ("getShopDetails", "getSnapshot", "getAverage")
        details, snapshot, average = (self._get_or_none(name) for name in names)
        if details is None and snapshot is None and average is None:
            self._get("getShopDetails")
        return decode.shop_data_from(
            details=details, snapshot=snapshot, average=average, imported_reviews=imported_reviews
        )

    def mail_delay(self) -> int | None:
        """How many days eKomi itself waits before it asks, after it was handed an order.

        ``None`` where it does not say. Source: getSettings, ``mail_delay``.
        """
        settings = self._get("getSettings", {"content": "request"})
        delay = settings.get("mail_delay") if isinstance(settings, dict) else None
        text = str(delay).strip()
        return int(text) if text.isascii() and text.isdigit() and len(text) < 6 else None

    def inactive_default_segment(self) -> bool:
        """Whether the default customer segment is inactive: recipients are stored, not written to."""
        request = wire.Request(
            function="customer-segments",
            method="GET",
            url=f"{self._endpoints.srr_url.rstrip('/')}/api/v1/customer-segments",
            fields={"status": "inactive"},
            headers={
                "shop-id": self._credentials.interface_id,
                "interface-password": self._credentials.password.reveal(),
            },
            max_bytes=_SMALL,
            deadline=self._endpoints.timeout,
        )
        found = self._ask(request, read_object, self._redactor(), retry=READS).get("data")
        segments = found if isinstance(found, list) else []
        return any(
            isinstance(each, dict) and str(each.get("is_default")).casefold() in {"true", "1"}
            for each in segments
        )

    def reviews(self, since: ReviewRange = ReviewRange.ALL) -> decode.Reviews:
        """The shop's reviews of that window. An empty answer means that there are none."""
        return self._dump(
            "getFeedback", {"range": since.value}, fields=decode.SHOP_FIELDS, extra=decode.SHOP_TITLE
        )

    def product_reviews(
        self, since: ReviewRange = ReviewRange.ALL, *, product_id: str | None = None
    ) -> decode.Reviews:
        """Product reviews of that window, of all products or one; a lower tier gets ``RequestRefused``."""
        wanted = {"range": since.value, "product": product_id or "all"}
        reviews = self._dump(
            "getProductfeedback", wanted, fields=decode.PRODUCT_FIELDS, extra=decode.PRODUCT_TITLE
        )
        found = len(reviews)
        reviews.keep(lambda each: bool(each.product_id))
        reviews.unreadable += found - len(reviews)
        if product_id is not None:  # the filter is known to be ignored at times
            reviews.keep(lambda each: each.product_id == product_id)
        return reviews

    def put_order(self, order_number: str, ordered_at: Instant, product_ids: Sequence[str] = ()) -> Receipt:
        """Register an order with its products and get its review link.

        Repeating it gives the same link and asks nobody.
        """
        day = datetime.fromtimestamp(ordered_at, UTC).strftime("%Y-%m-%d")
        fields = {"order_id": order_number, "ordertimestamp": day}
        if product_ids:
            fields |= {"product_ids": ",".join(product_ids), "product_ids_update_method": "replace"}
        request = self._request("putOrder", fields)
        return self._ask(request, read_link, self._redactor(keep=order_number), retry=READS)

    def put_product(self, product: OrderedProduct) -> None:
        """Register a product, or change what eKomi knows of it."""
        fields = {"product_id": product.product_id, "product_name": product.name}
        if other := product_other(product):
            fields["product_other"] = json.dumps(other, ensure_ascii=False, separators=(",", ":"))
        if product.link:
            fields["product_canonical_link"] = product.link
        self._get("putProduct", fields)

    def add_recipient(self, recipient: Recipient) -> Receipt:
        """Let eKomi ask the customer, at most once.

        Raises:
            OutcomeUnknown: the request may have been processed; it must not be repeated on its own.
            EkomiUnavailable: it certainly had no effect.
        """
        fields = {
            "shop_id": self._credentials.interface_id,
            "password": self._credentials.password.reveal(),
        } | recipient.form()
        request = wire.Request(
            function="add-recipient",
            method="POST",
            url=f"{self._endpoints.srr_url.rstrip('/')}/add-recipient",
            fields={key: value.encode("utf-8", "replace").decode() for key, value in fields.items()},
            max_bytes=_SMALL,
            deadline=self._endpoints.timeout,
        )
        redactor = self._redactor(personal=recipient.personal(), keep=recipient.transaction_id)
        return self._ask(request, read_receipt, redactor, retry=SENDS)

    def _get(self, function: str, fields: dict[str, str] | None = None) -> Json:
        return self._ask(self._request(function, fields or {}), read_object, self._redactor(), retry=READS)

    def _get_or_none(self, function: str) -> Json | None:
        """``None`` when eKomi says that this account has no such function or data."""
        try:
            return self._get(function)
        except errors.RequestRefused:
            return None

    def _dump(
        self, function: str, wanted: dict[str, str], *, fields: tuple[str, ...], extra: str
    ) -> decode.Reviews:
        """All rows; without the ``extra`` field where eKomi does not know it."""
        try:
            return self._rows(function, wanted, (*fields, extra))
        except errors.RequestRefused as error:
            if "parameter fields" not in error.message:
                raise
        return self._rows(function, wanted, fields)

    def _rows(self, function: str, wanted: dict[str, str], fields: tuple[str, ...]) -> decode.Reviews:
        request = self._request(
            function,
            {"filter": "all", "caching": "none", "fields": ",".join(fields), **wanted},
            max_bytes=_DUMP,
            deadline=self._endpoints.timeout * _DUMP_PATIENCE,
        )
        return self._ask(request, read_reviews, self._redactor(), retry=READS)

    def _request(
        self,
        function: str,
        fields: dict[str, str],
        *,
        max_bytes: int = _SMALL,
        deadline: float | None = None,
    ) -> wire.Request:
        who = self._credentials
        always = {
            "auth": f"{who.interface_id}|{who.password.reveal()}",
            "version": f"cust-{__version__}",
            "type": "json",
            "charset": "utf-8",
        }
        return wire.Request(
            function=function,
            method="GET",
            url=f"{self._endpoints.api_url.rstrip('/')}/{function}",
            fields=always | fields,
            max_bytes=max_bytes,
            deadline=self._endpoints.timeout if deadline is None else deadline,
        )

    def _redactor(self, *, personal: tuple[str, ...] = (), keep: str = "") -> Redactor:
        secrets = (self._credentials.password.reveal(),)
        return Redactor(secrets, personal, frozenset({self._credentials.interface_id, keep}))

    def _ask(
        self,
        request: wire.Request,
        read: Callable[[wire.Reply, Reporter], T],
        redactor: Redactor,
        *,
        retry: Retry,
    ) -> T:
        reporter = Reporter(request.function, redactor)

        def once() -> T:
            if not self._limiter.acquire(self._stop):
                ending = reporter.error(errors.EkomiUnavailable, "not asked, because the run is ending")
                ending.asked = False
                raise ending
            started = time.perf_counter()
            reply = self._wire.send(request)
            seconds = time.perf_counter() - started
            try:
                result = read(reply, reporter)
            except errors.EkomiError as error:
                self._tell(request, reply, seconds, outcome_of(error))
                raise
            self._tell(request, reply, seconds, CallOutcome.OK)
            return result

        return retry.run(once, stop=self._stop)

    def _tell(self, request: wire.Request, reply: wire.Reply, seconds: float, outcome: CallOutcome) -> None:
        status = reply.status if isinstance(reply, wire.Answer) else None
        _log.debug(
            "%s interface=%s status=%s %d ms",
            request.function,
            self._credentials.interface_id,
            status,
            seconds * 1000,
        )
        if self._on_call is not None:
            self._on_call(Call(request.function, seconds, outcome, status))


def outcome_of(error: errors.EkomiError) -> CallOutcome:
    """How metrics name this error."""
    return next((outcome for kind, outcome in _OUTCOMES if isinstance(error, kind)), CallOutcome.UNKNOWN)
