"""A run and the state it writes to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

import msgspec

from ekomi_reconcile.model.diagnostic import Incident
from ekomi_reconcile.model.errors import OutcomeUnknown, ReconcileError
from ekomi_reconcile.model.instant import Instant
from ekomi_reconcile.model.invitation import Status, StatusChange
from ekomi_reconcile.model.review import NewReview


@dataclass(frozen=True, slots=True, kw_only=True)
class Meta:
    """The state itself: ``serial`` counts changes of accounts and state commands."""

    format_version: int
    lineage: str
    serial: int
    created_at: Instant
    tool_version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NewState:
    """A state that is about to be created, with the ``key`` of its digests."""

    key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class LockInfo:
    """Who holds the lock: ``ID`` is what ``force-unlock`` asks for, ``Created`` ISO 8601 in UTC.

    ``Info`` says which plan or commit is carried out, ``Version`` is that of the tool, ``Path`` where the
    state is, without a password.
    """

    ID: str
    Operation: str
    Who: str
    Created: str
    PID: int
    Job: str | None = None
    Info: str | None = None
    Version: str | None = None
    Path: str | None = None

    def __str__(self) -> str:
        job = "".join(f", {each}" for each in (self.Info, self.Job) if each)
        return (
            f"{self.Operation} by {self.Who}, process {self.PID}, since {self.Created}{job} (lock {self.ID})"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """What replaced the records of a state. ``replaced`` is the copy of the state before, if there was one.

    ``closed_since`` is the number of orders that were closed after the copy or the export was made, and stay
    closed; ``None``: not known, as the state before could not be read or was an older one. Then what was
    recorded from ``lost_since`` on is lost. ``key_fits``: the digests in it were made with the present key.
    """

    serial: int
    accounts: int
    invitations: int
    replaced: Path | None
    closed_since: int | None
    lost_since: Instant | None = None
    key_fits: bool = True


@dataclass(frozen=True, slots=True)
class TableDigest:
    """How many rows a table has, and the SHA-256 of all of them in the order of their keys."""

    rows: int
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """A state that was copied to another place: its tables by name, the same in both places.

    ``key_file`` is where the key of the digests is, if it is in a file.
    """

    origin: str
    target: str
    serial: int
    tables: Mapping[str, TableDigest]
    key_file: Path | None


class Work(StrEnum):
    """What is done to one account or one invitation."""

    CREATE = "create"
    UPDATE = "update"
    REPLACE = "replace"
    DELETE = "delete"
    SYNC = "sync"
    IMPORT = "import"
    SEND = "send"


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One thing to do. ``invitation`` (the id of its row) and ``order`` (its number) are set for a send."""

    work: Work
    account: str
    interface_id: str
    invitation: int | None = None
    order: str | None = None


@dataclass(frozen=True, slots=True)
class Started:
    """A task has begun."""

    task: Task


@dataclass(frozen=True, slots=True)
class Running:
    """A task that began ``seconds`` ago has not ended yet."""

    task: Task
    seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A task has ended after ``seconds``; ``error`` is why it failed, ``status`` that of its invitation."""

    task: Task
    seconds: int
    error: str | None = None
    status: Status | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueWritten:
    """The queue is as planned; ``left_out`` rows had changed since the plan was made."""

    scheduled: int
    rescheduled: int
    cancelled: int
    left_out: int


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
    """One thing that failed: ``subject`` names it, ``message`` says why. Nothing personal, no secret.

    ``in_doubt``: it may have been done; nobody knows.
    """

    subject: str
    message: str
    hint: str | None = None
    in_doubt: bool = False
    incident: Incident | None = None


@dataclass(slots=True)
class Result:
    """The sum of a run. ``not_tried`` says what was left undone, and because of what.

    ``notes`` are worth knowing, but nothing that failed. ``reviews`` are new ones of accounts whose reviews
    were imported before.
    """

    counts: dict[Done, int] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)
    not_tried: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    reviews: list[NewReview] = field(default_factory=list)

    def count(self, what: Done, number: int = 1) -> None:
        """Add to a figure."""
        if number:
            self.counts[what] = self.counts.get(what, 0) + number

    def fail(self, subject: str, error: ReconcileError) -> None:
        """Record that this failed."""
        in_doubt = isinstance(error, OutcomeUnknown)
        self.failures.append(
            Failure(
                subject=subject,
                message=error.message,
                hint=error.hint,
                in_doubt=in_doubt,
                incident=error.incident,
            )
        )

    @property
    def incidents(self) -> frozenset[Incident]:
        """The known incidents that the failures are signs of."""
        unknown = {Incident.UNKNOWN_INVITATIONS} if self.counts.get(Done.UNKNOWN) else set()
        return frozenset({each.incident for each in self.failures if each.incident} | unknown)

    @property
    def succeeded(self) -> bool:
        """Did everything that was to be done get done?"""
        return not (self.failures or self.not_tried)


KEPT_ACCOUNTS = 100
"""The number of accounts whose reasons a run keeps apart; those with fewer orders are summed up."""

OTHERS = ""
"""The name of the accounts that are summed up."""


class RunFigures(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The figures of one run, without anything personal.

    ``counts`` are those of the ``Result``, by the value of ``Done``; what is in doubt is counted there, and
    not in ``failures``. ``not_invited`` counts orders by interface id and by the first criterion that failed.
    """

    counts: dict[str, int] = {}
    failures: int = 0
    not_tried: int = 0
    not_invited: dict[str, dict[str, int]] = {}

    def text(self) -> str:
        """The figures as the journal keeps them."""
        return msgspec.json.encode(self).decode("utf-8")


def figures_of(result: Result, not_invited: Mapping[str, Mapping[str, int]]) -> RunFigures:
    """The figures of a run; ``not_invited`` is by interface id."""
    return RunFigures(
        counts={what.value: number for what, number in result.counts.items()},
        failures=sum(not each.in_doubt for each in result.failures),
        not_tried=len(result.not_tried),
        not_invited=_bounded(not_invited),
    )


def read_figures(text: str | None) -> RunFigures | None:
    """The figures in a remark of the journal; ``None`` where it is something else, or nothing."""
    if text is None:
        return None
    try:
        return msgspec.json.decode(text, type=RunFigures)
    except msgspec.DecodeError:
        return None


def add_reasons(sums: dict[str, int], more: Mapping[str, int]) -> None:
    """Add counts by reason to others."""
    for reason, count in more.items():
        sums[reason] = sums.get(reason, 0) + count


def _bounded(not_invited: Mapping[str, Mapping[str, int]]) -> dict[str, dict[str, int]]:
    largest = sorted(not_invited, key=lambda key: (-sum(not_invited[key].values()), key))
    kept = {key: dict(not_invited[key]) for key in sorted(largest[:KEPT_ACCOUNTS])}
    others: dict[str, int] = {}
    for key in largest[KEPT_ACCOUNTS:]:
        add_reasons(others, not_invited[key])
    return kept | ({OTHERS: others} if others else {})


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalEntry:
    """Who did what: ``action`` and ``outcome`` are words of the caller, ``detail`` free text."""

    at: Instant
    who: str
    host: str
    action: str
    outcome: str
    subject: str | None = None
    detail: str | None = None
    commit: str | None = None
    plan_digest: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeOrigin:
    """A change of an invitation, the run that made it, and the change of its account that was in force.

    ``rule`` is the last one before that created the account or changed its rule.
    """

    change: StatusChange
    run: JournalEntry | None = None
    rule: JournalEntry | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiError:
    """A failed call to eKomi; ``message`` was redacted by who recorded it.

    ``account`` is the name of an account that was not in the state then: it has no ``interface_id`` here.
    """

    at: Instant
    interface_id: str | None
    operation: str
    kind: str
    http_status: int | None
    message: str
    account: str | None = None
