"""Is the service alive, and is it of use?"""

from __future__ import annotations

import threading
from dataclasses import dataclass

from ekomi_reconcile.model.instant import Instant
from ekomi_reconcile.service.loop import Cycle, Outcome

PATIENCE = 4
"""So many intervals without the end of a cycle, and the service counts as stuck."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Yes or no, with a line that says why."""

    good: bool
    text: str


class Health:
    """What the last cycles say of the service; told to by the loop, asked by HTTP threads."""

    def __init__(self, *, every: float, started_at: Instant) -> None:
        self._lock = threading.Lock()
        self._every = every
        self._last_end = started_at
        self._last: Cycle | None = None

    def record(self, cycle: Cycle) -> None:
        """A cycle has ended."""
        with self._lock:
            self._last, self._last_end = cycle, cycle.ended_at

    def alive(self, now: Instant) -> Answer:
        """Does the loop still turn? A long cycle is no fault until it lasts several intervals."""
        with self._lock:
            age = now - self._last_end
        if age > max(PATIENCE * self._every, 600):
            return Answer(good=False, text=f"no cycle has ended for {age} seconds")
        return Answer(good=True, text="alive")

    def ready(self) -> Answer:
        """Did the last cycle do what it should?"""
        with self._lock:
            last = self._last
        if last is None:
            return Answer(good=False, text="the first cycle has not ended yet")
        if last.outcome is Outcome.FAILED:
            return Answer(good=False, text=last.message or "the last cycle failed")
        return Answer(good=True, text=f"last cycle: {last.outcome.value}")
