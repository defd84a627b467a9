"""What a run tells while it works: a task begins, still runs, ends. No personal data and no secret."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ekomi_reconcile.model.invitation import Status


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
    """A task has ended after ``seconds``; ``error`` says why it failed, ``status`` where a row stands now."""

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
