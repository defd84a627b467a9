"""Requests and values on the wire to eKomi.

A failure is a value because an exception of the HTTP library carries the request, and with it the
password; what is raised later must not have it in its chain.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self, TypeAlias

import httpx

from ekomi_reconcile.http import client

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
"""Raised before a connection exists: name lookup, connecting, TLS handshake."""

_WORDS: tuple[tuple[type[Exception], str], ...] = (
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
    """Plain words; the library's own are shown only where no address of a customer can be in them."""
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
        return client.unconnected(error)
    return next((words for kind, words in _WORDS if isinstance(error, kind)), "the connection was cut")


def _seconds(retry_after: str) -> float | None:
    """Retry-After as seconds from now: a number, or an HTTP date (RFC 9110)."""
    text = retry_after.strip()
    if re.fullmatch(r"[0-9]{1,12}", text):
        return min(float(text), LONGEST_RETRY_AFTER)
    moment = client.http_date(text)
    return None if moment is None else min(max(moment - time.time(), 0.0), LONGEST_RETRY_AFTER)
