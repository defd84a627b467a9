"""Rate limits and retries of calls."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from limits import RateLimitItemPerSecond
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception,
    stop_after_attempt,
    wait_exponential,
    wait_random,
)

from ekomi_reconcile.http import Stop
from ekomi_reconcile.model.errors import EkomiUnavailable

UNREACHABLE = 10_000.0
"""Requests per second that one process cannot make (one costs it some tenths of a ms): no limit."""

_LONGEST_WINDOW = 10
_SHORTEST_WAIT = 0.001


class RateLimiter:
    """At most ``requests_per_second`` (any positive number, ``inf`` too) in every window of its size.

    One per account, used by any number of threads.

    Raises:
        ValueError: the rate is not positive.
    """

    def __init__(self, requests_per_second: float) -> None:
        if not requests_per_second > 0:
            raise ValueError("requests_per_second must be greater than 0")
        self._lock = threading.Lock()
        self._window: _Window | None = None
        if requests_per_second < UNREACHABLE:
            self._window = _Window(*window_for(requests_per_second))

    def take(self) -> float | None:
        """Use up a turn at once, or say after how many seconds to ask again."""
        if self._window is None:
            return None
        with self._lock:
            return self._window.take()

    def acquire(self, stop: Stop) -> bool:
        """Wait for a turn; false if ``stop`` came first, and then no turn is used up."""
        while not stop.is_set():
            wait = self.take()
            if wait is None:
                return True
            stop.wait(wait)
        return False


class SharedLimiter(RateLimiter):
    """The pace of an account that other processes share: ``turn`` takes a turn as ``take`` does."""

    def __init__(self, turn: Callable[[], float | None]) -> None:
        super().__init__(math.inf)
        self._turn = turn

    def take(self) -> float | None:
        """See ``RateLimiter``; raises whatever ``turn`` does."""
        return self._turn()


class _Window:
    """A window of ``limits``, which goes by the wall clock. Not thread-safe by itself."""

    def __init__(self, amount: int, seconds: int) -> None:
        self._seconds = seconds
        self._item = RateLimitItemPerSecond(amount, seconds)
        self._storage = MemoryStorage()
        self._limiter = MovingWindowRateLimiter(self._storage)

    def take(self) -> float | None:
        """Use up a turn, or say after how many seconds to ask again."""
        if self._limiter.hit(self._item):
            return None
        wait = self._limiter.get_window_stats(self._item).reset_time - time.time()
        if wait > self._seconds + _SHORTEST_WAIT:  # the clock was set back: what it recorded is void
            self._storage.reset()
        return min(max(wait, _SHORTEST_WAIT), self._seconds)


def window_for(rate: float) -> tuple[int, int]:
    """How many requests in how many whole seconds come closest to ``rate`` without exceeding it."""
    if rate * _LONGEST_WINDOW < 1:
        return 1, math.ceil(1 / rate)
    windows = ((math.floor(rate * seconds), seconds) for seconds in range(1, _LONGEST_WINDOW + 1))
    return max(windows, key=lambda window: (window[0] / window[1], -window[1]))


T = TypeVar("T")

LONGEST_RETRY_AFTER = 60.0
"""Seconds. When eKomi asks for a longer pause, the call is left to a later run."""

_PASSING_STATUS = frozenset({408, 425, 429})


@dataclass(frozen=True, slots=True)
class Retry:
    """Ask up to ``attempts`` times, with growing pauses (seconds, with jitter) between.

    Only ``EkomiUnavailable`` is repeated, and only where asking again may help: not after a redirect
    or a client error. The pause is at least what eKomi asked for.
    """

    attempts: int
    first_pause: float = 0.5
    longest_pause: float = 10.0

    def run(self, attempt: Callable[[], T], *, stop: Stop) -> T:
        """The first result, or the last error. Once ``stop`` is set nothing is repeated."""
        backoff = wait_exponential(multiplier=self.first_pause, max=self.longest_pause) + wait_random(0, 0.5)
        enough = stop_after_attempt(self.attempts)
        retrying = Retrying(
            retry=retry_if_exception(may_help),
            stop=lambda state: stop.is_set() or enough(state),
            wait=lambda state: max(backoff(state), _asked_for(state)),
            sleep=lambda seconds: _rest(stop, seconds),
            reraise=True,
        )
        return retrying(attempt)


READS = Retry(attempts=4)
"""For reads and for putOrder, which is idempotent."""

SENDS = Retry(attempts=3)
"""For add-recipient, whose ``EkomiUnavailable`` means that the request had no effect."""


def may_help(error: BaseException) -> bool:
    """May the same request succeed in a moment?"""
    if not isinstance(error, EkomiUnavailable) or (error.retry_after or 0) > LONGEST_RETRY_AFTER:
        return False
    status = error.status
    return status is None or not 300 <= status < 500 or status in _PASSING_STATUS


def _rest(stop: Stop, seconds: float) -> None:
    stop.wait(seconds)


def _asked_for(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    return (error.retry_after or 0.0) if isinstance(error, EkomiUnavailable) else 0.0
