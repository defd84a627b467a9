"""The client of one shop."""

from __future__ import annotations

import html
import logging
import re
import threading
import time
from collections.abc import Callable, Mapping
from typing import TypeVar
from urllib.parse import quote, urljoin

import httpx
import msgspec
from tenacity import RetryCallState, Retrying, retry_if_exception_type, wait_exponential, wait_random

from ekomi_reconcile.http import Lanes, Stop
from ekomi_reconcile.model.errors import OrderSourceError
from ekomi_reconcile.model.instant import Instant
from ekomi_reconcile.orders.magento import wire
from ekomi_reconcile.orders.magento.auth import Login

T = TypeVar("T")

LONGEST_RETRY_AFTER = 120.0
"""Seconds. When the shop asks for a longer pause, the rest is left to a later run."""

ATTEMPTS: Mapping[wire.FailureKind, int] = {
    wire.FailureKind.UNREACHABLE: 3,
    wire.FailureKind.BUSY: 5,
    wire.FailureKind.GATEWAY: 2,
    wire.FailureKind.BROKEN: 2,
}
"""Requests altogether. Kinds not listed are not retried."""

_PAUSE = wait_exponential(multiplier=1, max=30) + wait_random(0, 1)


DIVISIBLE: Mapping[wire.FailureKind, int] = {
    kind: count for kind, count in ATTEMPTS.items() if kind is not wire.FailureKind.BROKEN
}
"""The same for a request that is asked again in smaller parts where orders in it are broken."""


def run(attempt: Callable[[], T], *, stop: Stop, attempts: Mapping[wire.FailureKind, int] = ATTEMPTS) -> T:
    """The first result, or the last failure. Once ``stop`` is set nothing is repeated.

    Raises:
        ShopFailure: it failed for good, or too often.
    """
    retrying = Retrying(
        retry=retry_if_exception_type(wire.ShopFailure),
        stop=lambda state: stop.is_set() or _enough(state, attempts),
        wait=lambda state: max(_PAUSE(state), _failure(state).retry_after or 0.0),
        sleep=lambda seconds: _rest(stop, seconds),
        reraise=True,
    )
    return retrying(attempt)


def _rest(stop: Stop, seconds: float) -> None:
    stop.wait(seconds)


def _enough(state: RetryCallState, attempts: Mapping[wire.FailureKind, int]) -> bool:
    failure = _failure(state)
    too_long = (failure.retry_after or 0.0) > LONGEST_RETRY_AFTER
    return too_long or state.attempt_number >= attempts.get(failure.kind, 1)


def _failure(state: RetryCallState) -> wire.ShopFailure:
    error = state.outcome.exception() if state.outcome else None
    if not isinstance(error, wire.ShopFailure):
        raise TypeError("only failures of the shop are repeated")
    return error


_log = logging.getLogger("ekomi_reconcile.orders.magento")

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MOST_REDIRECTS = 3
_DOWN = frozenset({502, 503, 504})
_TROUBLE = frozenset({wire.FailureKind.BUSY, wire.FailureKind.SLOW, wire.FailureKind.GATEWAY})
_PERHAPS_DONE = frozenset(
    {
        wire.FailureKind.UNREACHABLE,
        wire.FailureKind.BUSY,
        wire.FailureKind.SLOW,
        wire.FailureKind.GATEWAY,
        wire.FailureKind.BROKEN,
    }
)
_WRONG_SIGNATURE = b"signature is invalid"
_WRONG_TIME = b"validating the nonce"


class MagentoClient:
    """Asks one shop; safe to share among a few threads. Every wait ends when ``stop`` is set.

    At most ``parallelism`` reads are in flight.

    ``base_url`` is the shop's address, with its path or ``/index.php`` if it needs one. Failures are
    ``ShopFailure``; no message, log or cause holds the login or a customer's data.

    Raises:
        OrderSourceError: the address is none.
    """

    def __init__(
        self,
        base_url: str,
        login: Login,
        *,
        stop: Stop | None = None,
        transport: httpx.BaseTransport | None = None,
        timeout: float = wire.READ_TIMEOUT,
        clock: Callable[[], float] = time.monotonic,
        parallelism: int = 2,
    ) -> None:
        self.lanes = Lanes(parallelism)
        self._base = _address(base_url)
        self._login = login
        self._stop: Stop = stop or threading.Event()
        self._clock = clock
        self._wire = wire.ShopWire(transport=transport, timeout=timeout, clock=clock)
        self._reporter = wire.ShopReporter(self._base.host, secrets=login.secrets, refused=login.refused)
        self._sign_without_port = False
        self.patient = True
        """Are requests that may succeed in a moment repeated? A self-test asks once."""
        self._dated: tuple[Instant, float] | None = None

    def __repr__(self) -> str:
        return f"MagentoClient({self._base.host})"

    @property
    def stopped(self) -> bool:
        """Must the run end now?"""
        return self._stop.is_set()

    @property
    def clock_skew(self) -> int | None:
        """Seconds that the shop's clock is ahead of ours; ``None`` before an answer told it."""
        return None if self._dated is None else self.server_now() - int(time.time())

    def server_now(self) -> Instant:
        """The shop's time, from the last answer's ``Date``; ours where no answer tells it."""
        if self._dated is None:
            return int(time.time())
        date, at = self._dated
        return date + int(self._clock() - at)

    def get(
        self,
        path: str,
        query: str = "",
        *,
        attempts: Mapping[wire.FailureKind, int] = ATTEMPTS,
        store: str | None = None,
    ) -> bytes:
        """The JSON text at ``/rest/V1/<path>``, or as customers of a store view see it.

        ``query`` is encoded as it is to be sent.

        Raises:
            ShopFailure: the shop did not give it.
        """
        scope = "" if store is None else f"/{quote(store, safe='')}"
        url = f"{self._base}/rest{scope}/V1/{path}{f'?{query}' if query else ''}"
        attempts = attempts if self.patient else {}
        return run(lambda: self._read(url, path), stop=self._stop, attempts=attempts)

    def _read(self, url: str, subject: str) -> bytes:
        """One read, once there is a lane for it."""
        with self.lanes.one():
            began = time.monotonic()
            try:
                body = self._ask("GET", url, subject=subject)
            except wire.ShopFailure as failure:
                if failure.kind in _TROUBLE:
                    self.lanes.trouble()
                raise
            self.lanes.answered(len(body), time.monotonic() - began)
            return body

    def annotate(self, order_id: int, text: str) -> None:
        """Write a comment into an order's history, unseen by the customer.

        It changes neither the order's status nor its ``updated_at``. Needs ``Magento_Sales::comment``. Where
        the shop may have stored it although it failed, the order's comments are read before it is repeated.

        Raises:
            ShopFailure: the shop did not do it, or it is not known whether it did.
        """
        failure = self._comment(order_id, text)
        if failure is not None and failure.kind in _PERHAPS_DONE:
            failure = self._comment_again(order_id, text, failure)
        if failure is not None:
            raise failure

    def _comment_again(self, order_id: int, text: str, failure: wire.ShopFailure) -> wire.ShopFailure | None:
        """Write it again if the order does not have it; ``failure`` where that cannot be read."""
        try:
            done = self._has_comment(order_id, text)
        except wire.ShopFailure:
            return failure
        return None if done else self._comment(order_id, text)

    def _has_comment(self, order_id: int, text: str) -> bool:
        """Is this comment among those of the order? Magento may store it without markup."""
        found = msgspec.json.decode(self.get(f"orders/{order_id}/comments"))
        items = found.get("items") if isinstance(found, dict) else None
        entries = items if isinstance(items, list) else ()
        comments = [each.get("comment") for each in entries if isinstance(each, dict)]
        return _plain(text) in {_plain(each) for each in comments if isinstance(each, str)}

    def _comment(self, order_id: int, text: str) -> wire.ShopFailure | None:
        """Return the failure: raised in its place, a later one would carry it along."""
        entry = {"comment": text, "is_customer_notified": 0, "is_visible_on_front": 0}
        path = f"orders/{order_id}/comments"
        content = msgspec.json.encode({"statusHistory": entry})
        try:
            self._ask("POST", f"{self._base}/rest/V1/{path}", content, subject=path)
        except wire.ShopFailure as failure:
            return failure
        return None

    def may_annotate(self) -> None:
        """Return if the integration has ``Magento_Sales::comment``. Nothing is written.

        The shop checks the permission before it looks at a request; this one lacks what it needs.

        Raises:
            ShopFailure: the permission is missing, or the shop did not say.
        """
        path = "orders/0/comments"
        try:
            self._ask("POST", f"{self._base}/rest/V1/{path}", b"{}", subject=path)
        except wire.ShopFailure as failure:
            if failure.kind not in {
                wire.FailureKind.REJECTED,
                wire.FailureKind.NOT_FOUND,
                wire.FailureKind.BROKEN,
            }:
                raise

    def version(self) -> str | None:
        """Such as ``Magento/2.4 (Community)``; ``None`` where the shop does not tell. Needs no login.

        Raises:
            ShopFailure: the shop cannot be reached, or is in maintenance.
        """
        reply = self._send("GET", f"{self._base}/magento_version", {"Accept": "*/*"})
        down = isinstance(reply, wire.NoAnswer) or reply.status in _DOWN
        if down and (failure := self._reporter.failure("magento_version", reply)):
            raise failure
        text = (
            reply.body[:200].decode("utf-8", "replace").strip() if isinstance(reply, wire.ShopAnswer) else ""
        )
        return text if text.startswith("Magento/") and text.isprintable() and len(text) < 80 else None

    def close(self) -> None:
        """Close the connections."""
        self._wire.close()

    def _ask(self, method: str, url: str, content: bytes | None = None, *, subject: str) -> bytes:
        """One request, with the redirects within the shop that a GET may take."""
        if self._stop.is_set():
            raise wire.ShopFailure(wire.FailureKind.STOPPED, "the run was stopped while orders were read")
        reply = self._authorized(method, url, content)
        for _ in range(_MOST_REDIRECTS):
            if method != "GET" or isinstance(reply, wire.NoAnswer) or reply.status not in _REDIRECTS:
                break
            url = self._redirected(url, reply)
            reply = self._authorized(method, url, None)
        failure = self._reporter.failure(subject, reply)
        if failure is not None:
            raise failure
        return reply.body if isinstance(reply, wire.ShopAnswer) else b""

    def _authorized(self, method: str, url: str, content: bytes | None) -> wire.ShopAnswer | wire.NoAnswer:
        """Send it with the login. Some web servers hide the port from the shop, which then signs without.

        A time more than ten minutes ahead of the shop's is refused; its answer says what time it is there.
        """
        reply = self._signed(method, url, content)
        if isinstance(reply, wire.ShopAnswer) and reply.status == 401 and _WRONG_TIME in reply.body:
            reply = self._signed(method, url, content)
        refused = (
            isinstance(reply, wire.ShopAnswer) and reply.status == 401 and _WRONG_SIGNATURE in reply.body
        )
        if not refused or self._base.port is None or self._sign_without_port:
            return reply
        self._sign_without_port = True
        again = self._signed(method, url, content)
        self._sign_without_port = isinstance(again, wire.ShopAnswer) and again.status != 401
        return again if self._sign_without_port else reply

    def _signed(self, method: str, url: str, content: bytes | None) -> wire.ShopAnswer | wire.NoAnswer:
        port = f":{self._base.port}"
        believed = url.replace(port, "", 1) if self._sign_without_port else url
        authorization = self._login.authorization(method, believed, now=self.server_now())
        headers = {"Authorization": authorization, "Accept": "application/json"}
        if content is not None:
            headers["Content-Type"] = "application/json"
        return self._send(method, url, headers, content)

    def _send(
        self, method: str, url: str, headers: dict[str, str], content: bytes | None = None
    ) -> wire.ShopAnswer | wire.NoAnswer:
        began = self._clock()
        reply = self._wire.send(method, url, headers, content)
        status = reply.status if isinstance(reply, wire.ShopAnswer) else reply.reason
        took = (self._clock() - began) * 1000
        _log.debug("%s %s status=%s %.0f ms", method, httpx.URL(url).path, status, took)
        if isinstance(reply, wire.ShopAnswer) and reply.date is not None:
            self._dated = (reply.date, self._clock())
        return reply

    def _redirected(self, url: str, reply: wire.ShopAnswer) -> str:
        """Where the shop points to, if that is the shop itself: elsewhere the login would be given away."""
        target = _target(url, reply.location)
        if target is None or _origin(target) != _origin(self._base):
            place = "nowhere" if target is None else f"{target.scheme}://{target.netloc.decode('ascii')}"
            raise wire.ShopFailure(
                wire.FailureKind.REJECTED,
                f"{self._base.host}: the shop redirects to {place}; the credentials are not sent there",
                status=reply.status,
                hint="set orders.base_url to the address that the shop redirects to",
            )
        return str(target)


def _plain(comment: str) -> str:
    return " ".join(re.sub(r"<[^>]*>", "", html.unescape(comment)).split())


def _address(base_url: str) -> httpx.URL:
    try:
        url = httpx.URL(base_url.rstrip("/").removesuffix("/rest"))
        complete = url.scheme in {"http", "https"} and bool(url.host)
    except (httpx.InvalidURL, ValueError):
        complete = False
    if not complete:
        raise OrderSourceError("orders.base_url is not the address of a shop", hint="write https://…")
    return httpx.URL(str(url.copy_with(userinfo=b"", query=None, fragment=None)).rstrip("/"))


def _target(url: str, location: str | None) -> httpx.URL | None:
    if not location:
        return None
    try:
        target = httpx.URL(urljoin(url, location)).copy_with(fragment=None)
        return target if target.host else None
    except (httpx.InvalidURL, ValueError):  # reading the host decodes it, which may fail too
        return None


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port
