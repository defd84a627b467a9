"""The rate limiter, on a clock that only moves when somebody waits."""

from __future__ import annotations

import threading
import time
from itertools import pairwise

import pytest
import time_machine
from ekomi_support import Patience
from hypothesis import given
from hypothesis import strategies as st

from ekomi_reconcile.http.rate_limit import UNREACHABLE, RateLimiter, window_for

START = 1_750_000_000.0


def turns(rate: float, count: int) -> list[float]:
    """When ``count`` turns were given out, in seconds from the start, waiting as the limiter says."""
    with time_machine.travel(START, tick=False) as traveller:
        limiter, stop = RateLimiter(rate), Patience(on_wait=traveller.shift)
        given_at = []
        for _ in range(count):
            assert limiter.acquire(stop)
            given_at.append(time.time() - START)
    return given_at


@pytest.mark.parametrize("rate", [0.2, 0.5, 1, 2.5, 5, 40])
def test_never_faster_than_asked(rate):
    """In every window of the limit's size there are at most its number of turns, and little is wasted."""
    amount, seconds = window_for(rate)
    given_at = turns(rate, amount * 3 + 1)
    assert all(
        later - earlier >= seconds - 1e-6 for earlier, later in zip(given_at, given_at[amount:], strict=False)
    )
    assert given_at[-1] <= 3 * seconds * 1.05 + 0.05


@given(st.floats(min_value=0.001, max_value=20_000))
def test_windows_come_close(rate):
    """Any rate becomes whole requests in whole seconds, never faster and not much slower."""
    amount, seconds = window_for(rate)
    assert amount >= 1
    assert amount / seconds <= rate * (1 + 1e-9)
    assert amount / seconds >= rate * 0.5
    assert seconds <= max(10, 1 / rate + 1)


def test_plain_windows():
    """The usual rates are what they say."""
    assert [window_for(rate) for rate in (0.2, 0.01, 1, 2.5, 5, 1.1)] == [
        (1, 5),
        (1, 100),
        (1, 1),
        (5, 2),
        (5, 1),
        (11, 10),
    ]


@pytest.mark.parametrize("rate", [UNREACHABLE, 100_000, float("inf")])
def test_high_rates_never_wait(rate):
    """A rate that cannot be reached costs no wait and no bookkeeping."""
    limiter, stop = RateLimiter(rate), Patience()
    assert all(limiter.acquire(stop) for _ in range(1000))
    assert stop.waits == []


@pytest.mark.parametrize("rate", [0, -1, float("nan")])
def test_rates_must_be_positive(rate):
    """A rate that is none is a mistake of the caller."""
    with pytest.raises(ValueError, match="greater than 0"):
        RateLimiter(rate)


def test_stop_interrupts_waiting():
    """Whoever waits for a turn gives up when the stop is set, and takes no turn."""
    limiter = RateLimiter(0.001)
    assert limiter.acquire(Patience())
    stop = threading.Event()
    result: list[bool] = []
    waiter = threading.Thread(target=lambda: result.append(limiter.acquire(stop)))
    waiter.start()
    stop.set()
    waiter.join(5)
    assert result == [False]


@pytest.mark.parametrize("rate", [1, float("inf")])
def test_no_turn_after_the_stop(rate):
    """A stop that is set already gives no turn, though one would be free."""
    assert not RateLimiter(rate).acquire(Patience(ends_after=0))


def test_a_clock_set_back_does_not_block():
    """When the wall clock jumps back by an hour, the next turn still comes within a window."""
    with time_machine.travel(START, tick=False) as traveller:
        limiter, stop = RateLimiter(1), Patience(on_wait=traveller.shift)
        assert limiter.acquire(stop)
        traveller.shift(-3600)
        assert limiter.acquire(stop)
    assert sum(stop.waits) <= 2


def test_threads_share_the_limit():
    """Ten threads together get no more turns in a window than the limit allows."""
    limiter = RateLimiter(20)
    ends = time.monotonic() + 0.4
    taken: list[float] = []

    class Deadline(Patience):
        def is_set(self) -> bool:
            return time.monotonic() >= ends

        def wait(self, timeout: float | None = None) -> bool:
            return (
                threading.Event().wait(min(timeout or 0.0, max(ends - time.monotonic(), 0.0)))
                or self.is_set()
            )

    def work() -> None:
        while limiter.acquire(Deadline()):
            taken.append(time.monotonic())

    threads = [threading.Thread(target=work) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(taken) == 20
    assert all(earlier <= later for earlier, later in pairwise(sorted(taken)))
