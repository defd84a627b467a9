"""How often one account may ask eKomi: a moving window shared by all worker threads."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable

from limits import RateLimitItemPerSecond
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from ekomi_reconcile.ekomi.values import Stop

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
