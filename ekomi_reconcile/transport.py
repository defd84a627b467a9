"""What every HTTP client of this project shares: trusted authorities, silence of the libraries, dates."""

from __future__ import annotations

import logging
from email.utils import mktime_tz, parsedate_tz
from functools import cache
from ssl import SSLContext

import httpx


@cache
def tls_context() -> SSLContext:
    """One context for all clients: reading the authorities takes about 20 ms."""
    return httpx.create_ssl_context()


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
