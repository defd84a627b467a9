"""What happens during a run, told to whoever listens. Carries no personal data and no secret."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from ekomi_reconcile.model.event import Ended, Progress, QueueWritten, Running, Stage, Started

__all__ = ["Event", "Listener", "Progress", "Stage", "both", "nobody"]

Event: TypeAlias = Progress | Started | Running | Ended | QueueWritten
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
