"""What a run did, and what it could not do."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from ekomi_reconcile.errors import ReconcileError


class Done(StrEnum):
    """What is counted, in the order in which it is shown."""

    ADDED = "added"
    CHANGED = "changed"
    DESTROYED = "destroyed"
    SYNCED = "synced"
    IMPORTED = "imported"
    REVIEWS_NEW = "reviews_new"
    REVIEWS_CHANGED = "reviews_changed"
    REVIEWS_GONE = "reviews_gone"
    REVIEWS_UNREADABLE = "reviews_unreadable"
    SCHEDULED = "scheduled"
    RESCHEDULED = "rescheduled"
    CANCELLED = "cancelled"
    SENT = "sent"
    WAITING = "waiting"
    RETRY_LATER = "retry_later"
    FAILED = "failed"
    UNKNOWN = "unknown"
    LEFT_OUT = "left_out"


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """One thing that failed: ``subject`` names it, ``message`` says why. Nothing personal, no secret."""

    subject: str
    message: str
    mend: str | None = None


@dataclass(slots=True)
class Result:
    """The sum of a run. ``not_tried`` says what was left undone, and because of what.

    ``notes`` are worth knowing, but nothing that failed.
    """

    counts: dict[Done, int] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)
    not_tried: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def count(self, what: Done, number: int = 1) -> None:
        """Add to a figure."""
        if number:
            self.counts[what] = self.counts.get(what, 0) + number

    def fail(self, subject: str, error: ReconcileError) -> None:
        """Record that this failed."""
        self.failures.append(Failure(subject=subject, message=error.message, mend=error.mend))

    @property
    def succeeded(self) -> bool:
        """Did everything that was to be done get done?"""
        return not (self.failures or self.not_tried)
