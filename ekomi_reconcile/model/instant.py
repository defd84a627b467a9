"""Instants, whole seconds since 1970 in UTC as plain integers; and durations as the files write them."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TypeAlias

Instant: TypeAlias = int
"""UTC, whole seconds since 1970-01-01."""

HOUR = 3_600
DAY = 86_400


def now() -> Instant:
    """The present instant."""
    return int(time.time())


def parse(text: str) -> Instant:
    """Read ``YYYY-MM-DD``, ``YYYY-MM-DD HH:MM:SS`` or ISO 8601; without a zone it is UTC.

    Raises:
        ValueError: the text is no such time.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return int(moment.timestamp())


def iso(instant: Instant) -> str:
    """ISO 8601 with ``Z``, as in every JSON output.

    Raises:
        OverflowError, ValueError: the year is out of range.
    """
    try:
        moment = datetime.fromtimestamp(instant, UTC)
    except OSError as error:  # what the C library says of years that do not fit its type
        raise OverflowError(str(error)) from None
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_or_none(text: str | None) -> Instant | None:
    """Like ``parse``; an absent time stays absent."""
    return None if text is None else parse(text)


def iso_or_none(instant: Instant | None) -> str | None:
    """Like ``iso``; an absent instant stays absent."""
    return None if instant is None else iso(instant)


_SECONDS = {"s": 1, "m": 60, "h": HOUR, "d": DAY, "w": 7 * DAY}


def seconds(duration: str) -> int:
    """The seconds of a ``Duration`` or ``Spread`` such as ``6h``."""
    return int(duration[:-1]) * _SECONDS[duration[-1]]


def duration(span: int) -> str:
    """Seconds as the files may have them, such as ``6h``: equal spans have equal forms."""
    unit = next(each for each in "dhms" if span % _SECONDS[each] == 0)
    return f"{span // _SECONDS[unit]}{unit}"
