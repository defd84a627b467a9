"""The HTTP client that eKomi and shops share; the clock that servers tell.

It is compared with the ``Date`` of answers that the run gets anyway, and with the last run in the state. No
request is made for it.
"""

from __future__ import annotations

import html
import json
import logging
import re
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from email.utils import mktime_tz, parsedate_tz
from functools import cache
from http.cookiejar import CookieJar, DefaultCookiePolicy
from math import inf
from ssl import SSLContext
from typing import Any
from urllib.parse import quote, quote_plus

import httpcore
import httpx

from ekomi_reconcile import __version__
from ekomi_reconcile.http import server_dates

LONGEST_QUOTE = 200
"""Characters of eKomi's own text that a message may hold."""

_EMAIL = re.compile(r"[^\s@<>\"'(),;:]{1,254}(?:@|%40|&#0*64;)[^\s@<>\"'(),;:]+", re.IGNORECASE)
_PHONE = re.compile(r"\+?(?:\d[\s()/.\-]{0,2}){6,}\d")
_CONSIDERED = 65_536
"""Characters in which given values are looked for; far more than are shown, so that none is cut in half."""
_MATCHED = 4_000
"""Characters in which addresses and numbers are looked for, after that."""


@dataclass(frozen=True, slots=True, repr=False)
class Redactor:
    """Replaces ``secrets`` and ``personal`` values, and all that looks like an address or phone number.

    ``keep`` are numbers that may stay, such as the order's.
    """

    secrets: tuple[str, ...] = ()
    personal: tuple[str, ...] = ()
    keep: frozenset[str] = frozenset()

    def quote(self, text: str) -> str:
        """``text`` on one line, redacted, and then cut to ``LONGEST_QUOTE`` characters."""
        text = text[:_CONSIDERED]
        for form in _longest_first(form for secret in self.secrets for form in _forms(secret)):
            text = re.sub(re.escape(form), "[password]", text, flags=re.IGNORECASE)
        for form in _longest_first(form for value in self.personal for form in _forms(value)):
            text = re.sub(rf"(?<!\w){re.escape(form)}(?!\w)", "[personal]", text, flags=re.IGNORECASE)
        text = _PHONE.sub(self._number, _EMAIL.sub("[e-mail]", text[:_MATCHED]))
        line = "".join(each if each.isprintable() else " " for each in text)
        return _cut(" ".join(line.split()))

    def _number(self, match: re.Match[str]) -> str:
        found = match.group()
        return found if found in self.keep else "[number]"


def _forms(value: str) -> set[str]:
    """``value`` as it may come back: plain, in a URL, in JSON, in HTML."""
    safe = value.encode("utf-8", "replace").decode("utf-8")
    escaped = {json.dumps(safe)[1:-1], json.dumps(safe, ensure_ascii=False)[1:-1], html.escape(safe)}
    return {form for form in {value, quote(safe, safe=""), quote(safe), quote_plus(safe)} | escaped if form}


def _longest_first(forms: Iterable[str]) -> list[str]:
    return sorted(set(forms), key=len, reverse=True)


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_QUOTE else text[: LONGEST_QUOTE - 1] + "…"


TRANSPORT_ERRORS = (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, ValueError, OSError)
"""Everything the HTTP library raises for a request, an address or an answer it cannot handle."""

_LOCATION = "ekomi_reconcile.location"
_ends: ContextVar[float] = ContextVar("ends", default=inf)
"""When (``time.monotonic``) what this thread asks for must be over."""


@cache
def tls_context() -> SSLContext:
    """One context for all clients: reading the authorities takes about 20 ms."""
    return httpx.create_ssl_context()


class BoundedTransport(httpx.HTTPTransport):
    """Connections whose every wait ends with ``within``, whatever timeouts the client has.

    A timeout of the library counts from each byte on: a head that is sent byte by byte never meets one.
    No proxy and no setting of the environment is used.
    """

    def __init__(self, limits: httpx.Limits | None = None) -> None:
        limits = limits or httpx.Limits(max_connections=100, max_keepalive_connections=20)
        super().__init__(verify=tls_context(), trust_env=False, limits=limits)
        self._pool = httpcore.ConnectionPool(
            ssl_context=tls_context(),
            max_connections=limits.max_connections,
            max_keepalive_connections=limits.max_keepalive_connections,
            keepalive_expiry=limits.keepalive_expiry,
            network_backend=_Network(),
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send it, and remember what time the server says it is."""
        response = super().handle_request(request)
        date = http_date(response.headers.get("Date", ""))
        if date is not None:
            server_dates.note(date, age=response.headers.get("Age", ""))
        return response


class PlainTransport(httpx.BaseTransport):
    """Passes requests to ``inner`` and hides from the HTTP library what it would act on by itself.

    The library builds the next request of every redirect, even of one that is not followed, and parses
    every cookie, even one that is refused: an odd ``Location`` or ``Set-Cookie`` would fail the call.
    """

    def __init__(self, inner: httpx.BaseTransport) -> None:
        self._inner = inner

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send it; ``location_of`` has the target of a redirect."""
        response = self._inner.handle_request(request)
        response.extensions = {**response.extensions, _LOCATION: response.headers.get("Location")}
        for name in ("Location", "Set-Cookie"):
            response.headers.pop(name, None)
        return response

    def close(self) -> None:
        """Close the connections."""
        self._inner.close()


def location_of(response: httpx.Response) -> str | None:
    """The ``Location`` of an answer that came over a ``PlainTransport``."""
    found = response.extensions.get(_LOCATION)
    return found if isinstance(found, str) else None


def open_client(
    transport: httpx.BaseTransport | None = None,
    *,
    timeout: httpx.Timeout | float,
    headers: Mapping[str, str] | None = None,
) -> httpx.Client:
    """A client that follows no redirect and keeps no cookie.

    No proxy and no ``.netrc`` of the environment is used, since they would see passwords.
    """
    keep_libraries_quiet()
    return httpx.Client(
        transport=PlainTransport(transport or BoundedTransport()),
        timeout=timeout,
        trust_env=False,
        follow_redirects=False,
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
        headers={
            "User-Agent": f"ekomi-reconcile/{__version__}",
            "Accept-Encoding": "gzip",
            **(headers or {}),
        },
    )


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """End every request of this thread over bounded transports after ``seconds``, answers included.

    Whoever still waits then gets the timeout error of the library.
    """
    before = _ends.set(min(_ends.get(), time.monotonic() + seconds))
    try:
        yield
    finally:
        _ends.reset(before)


class _Network(httpcore.NetworkBackend):
    def __init__(self) -> None:
        self._network = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        left = _left(timeout, httpcore.ConnectTimeout)
        try:
            return _Stream(self._network.connect_tcp(host, port, left, local_address, socket_options))
        except ValueError as error:  # a host name that cannot be looked up, such as `a..b`
            raise httpcore.ConnectError("not a host name") from error


class _Stream(httpcore.NetworkStream):
    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _left(timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _left(timeout, httpcore.WriteTimeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        left = _left(timeout, httpcore.ConnectTimeout)
        return _Stream(self._stream.start_tls(ssl_context, server_hostname, left))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _left(timeout: float | None, late: type[httpcore.TimeoutException]) -> float | None:
    """The seconds that a wait may still take.

    Raises:
        httpcore.TimeoutException: there are none left.
    """
    ends = _ends.get()
    if ends == inf:
        return timeout
    left = ends - time.monotonic()
    if left <= 0:
        raise late("out of time")
    return left if timeout is None else min(timeout, left)


def keep_libraries_quiet() -> None:
    """Below WARNING they log whole addresses, and an address may hold a password."""
    for name in ("httpx", "httpcore"):
        logger = logging.getLogger(name)
        logger.setLevel(max(logger.level, logging.WARNING))


def http_date(text: str) -> int | None:
    """An HTTP date (RFC 9110) as UTC epoch seconds; ``None`` if it is none."""
    try:
        found = parsedate_tz(text)
        return None if found is None else int(mktime_tz(found))
    except (ValueError, OverflowError):
        return None


_ERRNO = re.compile(r"^\[Errno -?\d+\] ")
_PORTS = {"http": 80, "https": 443}


def unconnected(error: httpx.ConnectError | httpx.ConnectTimeout) -> str:
    """Why connecting failed, and to which host and port."""
    try:
        url = error.request.url
        where = f" to {url.host}:{url.port or _PORTS.get(url.scheme, 0)}"
    except RuntimeError:  # the library knows no request
        where = ""
    if isinstance(error, httpx.ConnectTimeout):
        return f"the connection{where} could not be made in time"
    cause = _ERRNO.sub("", str(error))
    return f"no connection{where}{f' ({cause})' if cause else ''}"
