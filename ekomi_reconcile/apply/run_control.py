"""Listening to a run, and stopping it: at a signal, at its deadline, or where its clock is wrong."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from ekomi_reconcile.model import run
from ekomi_reconcile.model.errors import ClockError

if TYPE_CHECKING:
    from ekomi_reconcile.http import RunClock

Event: TypeAlias = run.Progress | run.Started | run.Running | run.Ended | run.QueueWritten
Listener: TypeAlias = Callable[[Event], None]
"""Is called in the thread that carries out the run, never in two at a time."""


def nobody(event: Event) -> None:
    """A listener that does not listen."""


def both(one: Listener, other: Listener) -> Listener:
    """A listener for two."""

    def listen(event: Event) -> None:
        one(event)
        other(event)

    return listen


class StopSignal:
    """Set by a signal, or by itself once ``deadline`` seconds have passed; all waiting goes through it."""

    def __init__(self, deadline: float | None = None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._event = threading.Event()
        self._clock = clock
        self._ends = None if deadline is None else clock() + deadline

    def set(self) -> None:
        """End the run as soon as what is in flight has ended."""
        self._event.set()

    @property
    def interrupted(self) -> bool:
        """Was it a person or a signal, not the deadline, that ended the run?"""
        return self._event.is_set()

    def is_set(self) -> bool:
        """Must the run end now?"""
        return self._event.is_set() or (self._ends is not None and self._clock() >= self._ends)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait up to ``timeout`` seconds; true as soon as the run must end."""
        left = None if self._ends is None else max(0.0, self._ends - self._clock())
        limits = [each for each in (timeout, left) if each is not None]
        self._event.wait(min(limits) if limits else None)
        return self.is_set()


@dataclass(slots=True)
class SendClock:
    """Whether the clock allows sending: known before the first call, or else from its answer."""

    clock: RunClock | None
    answered: bool = False
    error: ClockError | None = None
    reported: bool = False
    _right: bool = False

    def most(self, parallelism: int) -> int:
        """How many calls may be under way: one, until something is known about the clock."""
        known = self.clock is None or self.answered or self.clock.ahead is not None
        return parallelism if known else 1

    def wrong(self) -> bool:
        """Is it further off than sending allows?"""
        if self.clock is None or self._right or self.error is not None:
            return self.error is not None
        try:
            self.clock.check()
        except ClockError as error:
            self.error = error
        self._right = self.error is None and self.clock.ahead is not None
        return self.error is not None
