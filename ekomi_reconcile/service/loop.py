"""Cycles, one after the other: never two at once, with a pause that differs a little each time."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from ekomi_reconcile.model.instant import Instant

JITTER = 0.1
"""The share by which a pause may be shorter or longer, so that many services do not ask at the same time."""


class Outcome(StrEnum):
    """How a cycle ended."""

    OK = "ok"
    INCOMPLETE = "incomplete"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cycle:
    """A finished cycle. ``message`` says in words what went wrong."""

    outcome: Outcome
    began_at: Instant
    ended_at: Instant
    message: str | None = None


class Stop(Protocol):
    """Says when the service has to end; all waiting goes through it."""

    def is_set(self) -> bool: ...
    def wait(self, timeout: float | None = None) -> bool: ...


@dataclass(slots=True)
class Loop:
    """Runs ``cycle`` every ``every`` seconds, counted from the beginning of one to that of the next.

    A cycle that takes longer is followed at once by the next one. ``report`` hears of every end.
    """

    cycle: Callable[[], Cycle]
    every: float
    stop: Stop
    report: Callable[[Cycle], None]
    clock: Callable[[], float]
    chance: random.Random = field(default_factory=random.Random)

    def run(self) -> None:
        """Go on until the stop is set."""
        while not self.stop.is_set():
            began = self.clock()
            self.report(self.cycle())
            factor = 1 + self.chance.uniform(-JITTER, JITTER)
            pause = self.every * factor - (self.clock() - began)
            if pause > 0:
                self.stop.wait(pause)
