"""One HTTP request to a shop and what came of it, as a value: nothing here raises for a remote failure.

The address is sent exactly as given, because it is signed; no cookie is kept, because two requests with
one PHP session wait for each other; no redirect is followed here, and no proxy or ``.netrc`` used, because
they would see the token. A failure is a value because the library's exceptions carry the request.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import httpx

from ekomi_reconcile.model.instant import Instant
from ekomi_reconcile.transport import TRANSPORT_ERRORS, http_date, location_of, open_client, within

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
    (httpx.ConnectTimeout, "the connection could not be made in time"),
    (httpx.ConnectError, "no connection"),
    (httpx.PoolTimeout, "no connection was free in time"),
    (httpx.DecodingError, "the answer could not be decoded"),
    (ValueError, "the answer is not valid HTTP"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
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


class Wire:
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
        self._http = open_client(
            transport, timeout=httpx.Timeout(timeout, connect=min(timeout, CONNECT_TIMEOUT))
        )

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def send(
        self, method: str, url: str, headers: Mapping[str, str], content: bytes | None = None
    ) -> Answer | NoAnswer:
        """Send it once and read the whole answer."""
        with within(self._longest):
            return self._send(method, url, headers, content)

    def _send(
        self, method: str, url: str, headers: Mapping[str, str], content: bytes | None
    ) -> Answer | NoAnswer:
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
        except TRANSPORT_ERRORS as error:
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
        except TRANSPORT_ERRORS as error:
            return _no_answer(error)
        return bytes(body)


def _answer(response: httpx.Response, body: bytes) -> Answer:
    return Answer(
        status=response.status_code,
        body=body,
        date=http_date(response.headers.get("Date", "")),
        retry_after=_seconds(response.headers.get("Retry-After", "")),
        location=location_of(response),
    )


def _no_answer(error: Exception) -> NoAnswer:
    if isinstance(error, _SLOW):
        return NoAnswer("no answer in time", slow=True)
    return NoAnswer(
        next((words for kind, words in _WORDS if isinstance(error, kind)), "the connection was cut")
    )


def _seconds(retry_after: str) -> float | None:
    text = retry_after.strip()
    if re.fullmatch(r"[0-9]{1,9}", text):
        return float(text)
    moment = http_date(text)
    return None if moment is None else max(moment - time.time(), 0.0)
