"""What happens during a run, told to whoever listens. Carries no personal data and no secret."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias


class Stage(StrEnum):
    """The parts of a run, in order."""

    ORDERS = "orders"
    ACCOUNTS = "accounts"
    FETCHES = "fetches"
    QUEUE = "queue"
    SENDING = "sending"


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """So far ``done`` of ``total`` of a stage (``None``: not known). ``subject`` is what was just done."""

    stage: Stage
    done: int
    total: int | None = None
    subject: str | None = None
    note: str | None = None


Listener: TypeAlias = Callable[[Progress], None]


def nobody(progress: Progress) -> None:
    """A listener that does not listen."""
