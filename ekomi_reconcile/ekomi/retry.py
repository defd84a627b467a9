"""Repeating calls, where a repetition is safe."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception,
    stop_after_attempt,
    wait_exponential,
    wait_random,
)

from ekomi_reconcile.ekomi.values import Stop
from ekomi_reconcile.errors import EkomiUnavailable

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
