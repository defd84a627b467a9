"""One HTTP request to a shop, its answer, and what failures mean.

The address is sent exactly as given, because it is signed; no cookie is kept, because two requests with
one PHP session wait for each other; no redirect is followed here, and no proxy or ``.netrc`` used, because
they would see the token. A failure is a value because the library's exceptions carry the request.

Any status can come with a web page or nothing (a proxy, a firewall, maintenance), so the body is looked
at before it is trusted. A shop's own words are quoted on one line, with placeholders filled in and without
secrets and addresses.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import httpx
import msgspec

from ekomi_reconcile.http import client
from ekomi_reconcile.model.errors import OrderSourceError
from ekomi_reconcile.model.instant import Instant


class FailureKind(Enum):
    """What kind of failure it is; this decides what is tried next."""

    UNREACHABLE = "unreachable"
    """No connection, or it was cut."""
    BUSY = "busy"
    """429, 503 and the like, or a web page where data was expected."""
    SLOW = "slow"
    """No complete answer in time."""
    GATEWAY = "gateway"
    """502, 504, or a 500 that is not Magento's own: perhaps the page was too large."""
    BROKEN = "broken"
    """Magento's own 500: something in the orders asked for cannot be read."""
    REFUSED = "refused"
    """401: the login, or a permission."""
    FORBIDDEN = "forbidden"
    """403: a firewall in front of the shop."""
    NOT_FOUND = "not_found"
    """404."""
    PAGE_SIZE = "page_size"
    """The page is larger than the shop allows; ``limit`` says how large it may be."""
    REJECTED = "rejected"
    """Any other answer that asking again does not change."""
    STOPPED = "stopped"
    """The run was stopped."""


PASSING = frozenset({FailureKind.UNREACHABLE, FailureKind.BUSY, FailureKind.SLOW, FailureKind.GATEWAY})
"""What may be over in a moment."""

SMALLER_HELPS = frozenset({FailureKind.SLOW, FailureKind.GATEWAY})
"""What a smaller page may hint."""


class ShopFailure(OrderSourceError):
    """A request that failed.

    ``resource`` is the permission that a 401 names, ``report`` the id under which the shop's own log has
    the cause, ``limit`` the largest page, ``retry_after`` seconds that the shop asked to wait.
    """

    def __init__(
        self,
        kind: FailureKind,
        message: str,
        *,
        status: int | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.kind = kind
        self.refused = kind is FailureKind.REFUSED
        self.status = status
        self.resource: str | None = None
        self.report: str | None = None
        self.limit: int | None = None
        self.retry_after: float | None = None


READ_TIMEOUT = 120.0
"""Seconds without a byte: a page of 300 orders takes a shop several seconds, a busy one far more."""

CONNECT_TIMEOUT = 15.0
LONGEST_ANSWER = 300.0
"""Seconds in which an answer must be complete."""
LARGEST_ANSWER = 64 << 20
"""Bytes; 300 whole orders have about 4 MB."""

_SLOW = (httpx.ReadTimeout, httpx.WriteTimeout)
_CODINGS = frozenset({"", "identity", "gzip", "deflate"})
_WORDS: tuple[tuple[type[Exception], str], ...] = (
    (httpx.PoolTimeout, "no connection was free in time"),
    (httpx.DecodingError, "the answer could not be decoded"),
    (ValueError, "the answer is not valid HTTP"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShopAnswer:
    """What came back. ``date`` is the shop's clock (UTC), ``retry_after`` seconds."""

    status: int
    body: bytes = field(repr=False)
    date: Instant | None = None
    retry_after: float | None = None
    location: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """Nothing complete came back; ``slow``: it did not come in time."""

    reason: str
    slow: bool = False


class ShopWire:
    """Connections to one shop; safe to share among a few threads. TLS is verified."""

    def __init__(
        self,
        *,
        transport: httpx.BaseTransport | None = None,
        timeout: float = READ_TIMEOUT,
        longest: float = LONGEST_ANSWER,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock, self._longest = clock, longest
        self._http = client.open_client(
            transport, timeout=httpx.Timeout(timeout, connect=min(timeout, CONNECT_TIMEOUT))
        )

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def send(
        self, method: str, url: str, headers: Mapping[str, str], content: bytes | None = None
    ) -> ShopAnswer | NoAnswer:
        """Send it once and read the whole answer."""
        with client.within(self._longest):
            return self._send(method, url, headers, content)

    def _send(
        self, method: str, url: str, headers: Mapping[str, str], content: bytes | None
    ) -> ShopAnswer | NoAnswer:
        ends = self._clock() + self._longest
        try:
            request = self._http.build_request(method, url, headers=dict(headers), content=content)
            if str(request.url) != url:
                return NoAnswer("the address is not written as it is sent")
        except (httpx.InvalidURL, ValueError):
            return NoAnswer("the address cannot be sent")
        try:
            response = self._http.send(request, stream=True)
            try:
                body = self._body(response, ends)
                return body if isinstance(body, NoAnswer) else _answer(response, body)
            finally:
                response.close()
        except client.TRANSPORT_ERRORS as error:
            return _no_answer(error)

    def _body(self, response: httpx.Response, ends: float) -> bytes | NoAnswer:
        if response.headers.get("Content-Encoding", "").strip().lower() not in _CODINGS:
            return NoAnswer("the answer is encoded in a way that was not asked for")
        body = bytearray()
        try:
            for part in response.iter_bytes():
                body += part
                if len(body) > LARGEST_ANSWER:
                    return NoAnswer(f"the answer is larger than {LARGEST_ANSWER >> 20} MiB", slow=True)
                if self._clock() > ends:
                    return NoAnswer("the answer did not end in time", slow=True)
        except client.TRANSPORT_ERRORS as error:
            return _no_answer(error)
        return bytes(body)


def _answer(response: httpx.Response, body: bytes) -> ShopAnswer:
    return ShopAnswer(
        status=response.status_code,
        body=body,
        date=client.http_date(response.headers.get("Date", "")),
        retry_after=_seconds(response.headers.get("Retry-After", "")),
        location=client.location_of(response),
    )


def _no_answer(error: Exception) -> NoAnswer:
    if isinstance(error, _SLOW):
        return NoAnswer("no answer in time", slow=True)
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
        return NoAnswer(client.unconnected(error))
    return NoAnswer(
        next((words for kind, words in _WORDS if isinstance(error, kind)), "the connection was cut")
    )


def _seconds(retry_after: str) -> float | None:
    text = retry_after.strip()
    if re.fullmatch(r"[0-9]{1,9}", text):
        return float(text)
    moment = client.http_date(text)
    return None if moment is None else max(moment - time.time(), 0.0)


_BUSY = frozenset({408, 425, 429, 503, 520, 521, 522, 523, 525, 526, 527, 529, 530})
_GATEWAY = frozenset({502, 504, 524})
_PLACEHOLDER = re.compile(r"%(\w{1,64})", re.ASCII)
_LONGEST_MESSAGE = 4_000
"""Characters of a shop's message that are looked at."""
_LONGEST_VALUE = 200
"""Characters of one value that is put into a message."""
_REPORT = re.compile(r"\b(?:webapi-[0-9a-f]+|api/[0-9]+)")


class ShopReporter:
    """Turns answers into failures. ``where`` names the shop (its host)."""

    def __init__(self, where: str, *, secrets: tuple[str, ...], refused: str) -> None:
        self._where = where
        self._redactor = client.Redactor(secrets=secrets)
        self._refused = refused

    def failure(self, subject: str, reply: ShopAnswer | NoAnswer) -> ShopFailure | None:
        """What went wrong with the request for ``subject``; ``None`` if the answer is data."""
        if isinstance(reply, NoAnswer):
            kind = FailureKind.SLOW if reply.slow else FailureKind.UNREACHABLE
            return ShopFailure(kind, f"{self._where}: {subject}: {reply.reason}")
        document = _json(reply.body)
        if 200 <= reply.status < 300 and document is not _NO_JSON and not _only_message(document):
            return None
        found = self._failure(subject, reply, document)
        found.retry_after = reply.retry_after
        return found

    def _failure(self, subject: str, reply: ShopAnswer, document: Any) -> ShopFailure:
        status, data = reply.status, document is not _NO_JSON
        if 200 <= status < 300:
            return self._not_data(subject, reply, document)
        if status == 401:
            return self._unauthorized(subject, document)
        if status == 400:
            return self._bad_request(subject, document)
        kind = _kind(status, data=data)
        if kind is FailureKind.BROKEN:
            return self._broken(subject, status, document)
        hint = _FIREWALL if status == 403 else _ADDRESS if status == 404 and not data else None
        return self._make(kind, subject, status, document, hint=hint)

    def _not_data(self, subject: str, reply: ShopAnswer, document: Any) -> ShopFailure:
        """Old releases answer a broken order with 200 and a message; others send pages instead of data."""
        if document is not _NO_JSON:
            return self._broken(subject, reply.status, document)
        what = "an empty answer" if not reply.body.strip() else "a web page or half an answer, not data"
        return ShopFailure(
            FailureKind.BUSY, f"{self._where}: {subject}: {what}", status=reply.status, hint=_FIREWALL
        )

    def _unauthorized(self, subject: str, document: Any) -> ShopFailure:
        if document is _NO_JSON:
            return self._make(
                FailureKind.REFUSED,
                subject,
                401,
                document,
                hint="the web server in front of the shop asks for a login",
            )
        resource = _parameters(document).get("resources")
        named = resource if isinstance(resource, str) and re.fullmatch(r"[\w:, ]{1,200}", resource) else None
        if named is None:
            return self._make(FailureKind.REFUSED, subject, 401, document, hint=self._refused)
        found = ShopFailure(
            FailureKind.REFUSED,
            f"{self._where}: the shop refused access to {named} (HTTP 401), needed for {subject}",
            status=401,
            hint=self._refused,
        )
        found.resource = named
        return found

    def _bad_request(self, subject: str, document: Any) -> ShopFailure:
        limit = _parameters(document).get("max")
        if isinstance(limit, int | str) and re.fullmatch("[1-9][0-9]{0,8}", str(limit)):
            found = self._make(FailureKind.PAGE_SIZE, subject, 400, document)
            found.limit = int(limit)
            return found
        return self._make(FailureKind.REJECTED, subject, 400, document)

    def _broken(self, subject: str, status: int, document: Any) -> ShopFailure:
        report = _REPORT.search(_message(document))
        told = f"report {report.group()}" if report else self._quoted(document)
        found = ShopFailure(
            FailureKind.BROKEN,
            f"{self._where}: {subject}: the shop failed (HTTP {status}){f': {told}' if told else ''}",
            status=status,
            hint="the shop's log has the cause under this report number" if report else None,
        )
        found.report = report.group() if report else None
        return found

    def _make(
        self, kind: FailureKind, subject: str, status: int, document: Any, hint: str | None = None
    ) -> ShopFailure:
        told = self._quoted(document)
        return ShopFailure(
            kind,
            f"{self._where}: {subject}: HTTP {status}{f': {told}' if told else ''}",
            status=status,
            hint=hint,
        )

    def _quoted(self, document: Any) -> str:
        return "" if document is _NO_JSON else self._redactor.quote(_message(document))


_FIREWALL = "something in front of the shop (a firewall, a CDN, maintenance mode) answers in its place"
_ADDRESS = "check orders.base_url: the address of the shop, without /rest"
_NO_JSON = object()
_KINDS = {403: FailureKind.FORBIDDEN, 404: FailureKind.NOT_FOUND, **dict.fromkeys(_BUSY, FailureKind.BUSY)}


def _kind(status: int, *, data: bool) -> FailureKind:
    """The kind of an error that only its status tells; Magento's own 500 comes with data."""
    if status in _GATEWAY or (status >= 500 and not data):
        return _KINDS.get(status, FailureKind.GATEWAY)
    return _KINDS.get(status, FailureKind.BROKEN if status >= 500 else FailureKind.REJECTED)


def _json(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _NO_JSON


def _only_message(document: Any) -> bool:
    """A failure that comes with status 200: a message, and no data beside it."""
    return (
        isinstance(document, dict)
        and "message" in document
        and document.keys() <= {*("message", "parameters", "errors", "code", "trace")}
    )


def _parameters(document: Any) -> dict[str, Any]:
    found = document.get("parameters") if isinstance(document, dict) else None
    return found if isinstance(found, dict) else {}


def _message(document: Any) -> str:
    """The message with its placeholders filled in: ``%1`` from a list, ``%name`` from an object."""
    if not isinstance(document, dict):
        return ""
    text, parameters = document.get("message"), document.get("parameters")
    if not isinstance(text, str):
        return _fatal_message(document)
    values: dict[str, Any] = parameters if isinstance(parameters, dict) else {}
    if isinstance(parameters, list):
        values = {str(at): value for at, value in enumerate(parameters, 1)}
    return _PLACEHOLDER.sub(lambda found: _filled(found, values), text[:_LONGEST_MESSAGE])


def _filled(found: re.Match[str], values: dict[str, Any]) -> str:
    """The value of a placeholder, of the longest name that there is; a value is not expanded again."""
    name = found[1]
    known = next((size for size in range(len(name), 0, -1) if name[:size] in values), None)
    if known is None:
        return found[0]
    value = values[name[:known]]
    shown = str(value) if isinstance(value, str | int | float) else "…"
    return shown[:_LONGEST_VALUE] + name[known:]


def _fatal_message(document: dict[str, Any]) -> str:
    """The other form: ``{"messages": {"error": [{"code": 500, "message": "…"}]}}``."""
    messages = document.get("messages")
    errors = messages.get("error") if isinstance(messages, dict) else None
    first = errors[0] if isinstance(errors, list) and errors else None
    text = first.get("message") if isinstance(first, dict) else None
    return text if isinstance(text, str) else ""
