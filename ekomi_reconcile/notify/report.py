"""How a run ended, as far as others are told: figures, names of accounts, errors. No personal data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from ekomi_reconcile.config.settings import Occasion
from ekomi_reconcile.model.instant import Instant
from ekomi_reconcile.model.result import Done, Failure, Result

CHANGES = frozenset(
    {
        Done.ADDED,
        Done.CHANGED,
        Done.DESTROYED,
        Done.REVIEWS_NEW,
        Done.REVIEWS_CHANGED,
        Done.REVIEWS_GONE,
        Done.SCHEDULED,
        Done.RESCHEDULED,
        Done.CANCELLED,
        Done.SENT,
        Done.FAILED,
        Done.UNKNOWN,
    }
)
"""Figures that say that something is otherwise than before."""

WORK = CHANGES | {Done.SYNCED, Done.IMPORTED}
"""Figures that say that something was done."""


class Outcome(StrEnum):
    """How a run ended."""

    SUCCESS = "success"
    INCOMPLETE = "incomplete"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class ChangedAccount:
    """An account that a run created, updated, replaced or deleted."""

    name: str
    action: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunReport:
    """A run that ended. ``command`` is ``apply`` or ``run``; times are UTC.

    ``failures``: what could not be done, by what it was and why; a run that failed as a whole has one.
    """

    command: str
    project: str
    outcome: Outcome
    began_at: Instant
    ended_at: Instant
    counts: Mapping[Done, int] = field(default_factory=dict)
    accounts: tuple[ChangedAccount, ...] = ()
    failures: tuple[Failure, ...] = ()
    not_tried: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def occasions(self) -> frozenset[Occasion]:
        """What this run is an occasion of."""
        main = Occasion.SUCCESS if self.outcome is Outcome.SUCCESS else Occasion.FAILURE
        return frozenset(
            {main, Occasion.CHANGES} if any(self.counts.get(each) for each in CHANGES) else {main}
        )


@dataclass(slots=True, kw_only=True)
class RunRecord:
    """A run while it goes on; what is known of it is put in here, and at its end becomes a report."""

    command: str
    began_at: Instant
    counts: dict[Done, int] = field(default_factory=dict)
    accounts: list[ChangedAccount] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    not_tried: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    outcome: Outcome | None = None

    @property
    def idle(self) -> bool:
        """Was there nothing to do, and nothing wrong?"""
        return self.outcome is Outcome.SUCCESS and not any(self.counts.get(each) for each in WORK)

    def ended(self, result: Result, changes: Iterable[ChangedAccount], problems: Iterable[str]) -> None:
        """It was carried out. ``problems`` are what could not be read, so that it was not planned."""
        self.counts.update(result.counts)
        self.failures += result.failures
        self.failures += [Failure(subject="plan", message=each) for each in problems]
        self.not_tried += result.not_tried
        self.notes += result.notes
        failed = {each.subject for each in result.failures}
        self.accounts += [each for each in changes if f"{each.name}: {each.action}" not in failed]
        if self.outcome is None:
            good = not (self.failures or self.not_tried)
            self.outcome = Outcome.SUCCESS if good else Outcome.INCOMPLETE

    def failed(self, message: str, mend: str | None) -> None:
        """It could not be done as it was meant to be."""
        self.failures.insert(0, Failure(subject=self.command, message=message, mend=mend))
        self.outcome = Outcome.FAILED

    def report(self, *, project: str, ended_at: Instant) -> RunReport | None:
        """What there is to tell; ``None`` if nothing was tried, since a person said no."""
        if self.outcome is None:
            return None
        return RunReport(
            command=self.command,
            project=project,
            outcome=self.outcome,
            began_at=self.began_at,
            ended_at=ended_at,
            counts=self.counts,
            accounts=tuple(self.accounts),
            failures=tuple(self.failures),
            not_tried=tuple(self.not_tried),
            notes=tuple(self.notes),
        )
