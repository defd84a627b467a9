"""How often a request to a shop is repeated, and how long to wait before."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception_type, wait_exponential, wait_random

from ekomi_reconcile.ekomi.values import Stop
from ekomi_reconcile.orders.magento.failure import Kind, ShopFailure

T = TypeVar("T")

LONGEST_RETRY_AFTER = 120.0
"""Seconds. When the shop asks for a longer pause, the rest is left to a later run."""

ATTEMPTS: Mapping[Kind, int] = {
    Kind.UNREACHABLE: 3,
    Kind.BUSY: 5,
    Kind.GATEWAY: 2,
    Kind.BROKEN: 2,
}
"""Requests altogether. What is not named is asked once: waiting again for the same page is no help."""

_PAUSE = wait_exponential(multiplier=1, max=30) + wait_random(0, 1)


DIVISIBLE: Mapping[Kind, int] = {kind: count for kind, count in ATTEMPTS.items() if kind is not Kind.BROKEN}
"""The same for a request that is asked again in smaller parts where orders in it are broken."""


def run(attempt: Callable[[], T], *, stop: Stop, attempts: Mapping[Kind, int] = ATTEMPTS) -> T:
    """The first result, or the last failure. Once ``stop`` is set nothing is repeated.

    Raises:
        ShopFailure: it failed for good, or too often.
    """
    retrying = Retrying(
        retry=retry_if_exception_type(ShopFailure),
        stop=lambda state: stop.is_set() or _enough(state, attempts),
        wait=lambda state: max(_PAUSE(state), _failure(state).retry_after or 0.0),
        sleep=lambda seconds: _rest(stop, seconds),
        reraise=True,
    )
    return retrying(attempt)


def _rest(stop: Stop, seconds: float) -> None:
    stop.wait(seconds)


def _enough(state: RetryCallState, attempts: Mapping[Kind, int]) -> bool:
    failure = _failure(state)
    too_long = (failure.retry_after or 0.0) > LONGEST_RETRY_AFTER
    return too_long or state.attempt_number >= attempts.get(failure.kind, 1)


def _failure(state: RetryCallState) -> ShopFailure:
    error = state.outcome.exception() if state.outcome else None
    if not isinstance(error, ShopFailure):
        raise TypeError("only failures of the shop are repeated")
    return error
