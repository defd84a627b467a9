"""What HTTP clients share: transports, rate limits, retries, the clock that servers tell."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from ekomi_reconcile.model import instant
from ekomi_reconcile.model.diagnostic import Diagnostic, Incident, Severity
from ekomi_reconcile.model.errors import ClockError
from ekomi_reconcile.model.instant import HOUR, Instant


class Revealing(Protocol):
    """A secret: only ``reveal`` returns it; its repr is safe."""

    def reveal(self) -> str:
        """The secret itself."""


class Stop(Protocol):
    """Whether work must end: a ``threading.Event``, or a deadline.

    All waiting goes through ``wait``, so whoever hands it in also decides how time passes.
    """

    def is_set(self) -> bool:
        """Must the work end now?"""

    def wait(self, timeout: float | None = None) -> bool:
        """Wait up to ``timeout`` seconds; true as soon as the work must end."""


WARN_FROM = 300
"""Seconds; a clock that is further off is reported."""


REFUSE_FROM = HOUR
"""Seconds; with a clock that is further off nothing is judged or sent."""


_HINT = "set the clock of this machine; if it is right: --accept-clock"
_LONGEST_AGE = 10
"""Digits."""


class ServerDates:
    """What time servers said it is, in their answers. Safe to use from several threads."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, Instant]] = deque(maxlen=100)
        self.monotonic = time.monotonic

    def note(self, date: Instant, *, age: str = "") -> None:
        """Remember the ``Date`` of an answer; a cached one is as much later as its ``Age`` says."""
        text = age.strip()
        seconds = int(text) if text.isascii() and text.isdigit() and len(text) < _LONGEST_AGE else 0
        self._seen.append((self.monotonic(), date + seconds))

    def since(self, begun: float) -> list[Instant]:
        """The present time by each answer that came since then."""
        now = self.monotonic()
        return [date + int(now - at) for at, date in list(self._seen) if at >= begun]


server_dates = ServerDates()
"""Of all connections of this process."""


@dataclass(slots=True)
class RunClock:
    """The clock during one run. ``accepted``: the user vouches for it."""

    accepted: bool = False
    now: Callable[[], Instant] = instant.now
    dates: ServerDates = server_dates
    _begun: float = field(init=False)
    _warned: bool = False

    def __post_init__(self) -> None:
        self._begun = self.dates.monotonic()

    @property
    def ahead(self) -> int | None:
        """By how many seconds this clock is ahead of the server that agrees best (negative: behind).

        ``None``: no server said what time it is since the run began.
        """
        found = self.dates.since(self._begun)
        now = self.now()
        return min((now - each for each in found), key=abs, default=None)

    def check(self) -> None:
        """Compare with the servers that answered so far.

        Raises:
            ClockError: the clock is off by more than an hour.
        """
        ahead = self.ahead
        if ahead is not None and abs(ahead) > REFUSE_FROM and not self.accepted:
            raise ClockError(
                f"the clock is {_span(ahead)} the time that servers report: it is "
                f"{instant.iso(self.now())} here",
                hint=_HINT,
            )

    def check_last_run(self, last: Instant | None) -> None:
        """Compare with the last run that the state has recorded; how long ago that was does not matter.

        Raises:
            ClockError: the clock is more than an hour behind it.
        """
        if last is not None and self.now() < last - REFUSE_FROM and not self.accepted:
            raise ClockError(
                f"the clock is {_span(self.now() - last)} the last run ({instant.iso(last)}): it is "
                f"{instant.iso(self.now())} here",
                hint="set the clock of this machine; if the last run had a wrong one: --accept-clock",
            )

    def warnings(self) -> Iterator[Diagnostic]:
        """One warning per run, where the clock is noticeably off."""
        ahead = self.ahead
        if ahead is None or abs(ahead) <= WARN_FROM or self._warned:
            return
        self._warned = True
        yield Diagnostic(
            severity=Severity.WARNING,
            rule="clock",
            message=f"the clock is {_span(ahead)} the time that servers report",
            hint="set the clock of this machine",
            incident=Incident.CLOCK_WRONG,
        )


def _span(ahead: int) -> str:
    """How far, in the largest unit that fits."""
    seconds = abs(ahead)
    units = ((86_400, "days"), (3_600, "hours"), (60, "minutes"), (1, "seconds"))
    size, unit = next(each for each in units if seconds >= each[0] * 2 or each[0] == 1)
    return f"{seconds / size:.0f} {unit} {'ahead of' if ahead > 0 else 'behind'}"


_SAMPLE = 5
"""Answers whose median is the present pace."""
_SLOWER = 2.0
"""How many times slower than its best pace a shop is slow."""
_CALM = 4
"""Samples without trouble after which one more request is tried."""
_SUBSTANTIAL = 4096
"""Bytes of an answer from which its time says something."""


class Lanes:
    """The requests in flight: at most ``most``, fewer while the shop has trouble. For any thread.

    A refusal (429, 503) or no answer in time halves their number; answers that take more than twice as long
    per byte as in the shop's best time make it one less, and some time without either one more.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.limit = most
        self._taken = 0
        self._free = threading.Condition()
        self._recent: list[float] = []
        self._best = math.inf
        self._calm = 0

    @contextmanager
    def one(self) -> Iterator[None]:
        """Wait for a free lane, and have it."""
        with self._free:
            self._free.wait_for(lambda: self._taken < self.limit)
            self._taken += 1
        try:
            yield
        finally:
            with self._free:
                self._taken -= 1
                self._free.notify_all()

    def trouble(self) -> None:
        """The shop refused a request, or did not answer in time."""
        with self._free:
            self.limit, self._calm = max(self.limit // 2, 1), 0
            self._recent.clear()

    def answered(self, size: int, seconds: float) -> None:
        """An answer of this many bytes came within this time."""
        if size < _SUBSTANTIAL:
            return
        with self._free:
            self._recent.append(seconds / size)
            if len(self._recent) == _SAMPLE:
                self._judge(sorted(self._recent)[_SAMPLE // 2])
                self._recent.clear()

    def _judge(self, pace: float) -> None:
        self._best = min(self._best, pace)
        slow = pace > self._best * _SLOWER
        self._calm = 0 if slow else self._calm + 1
        if slow:
            self.limit = max(self.limit - 1, 1)
        elif self._calm >= _CALM and self.limit < self.most:
            self.limit, self._calm = self.limit + 1, 0
            self._free.notify_all()
