"""Findings: what is wrong, where, and what is in an order file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from ekomi_reconcile.model.order import OrderState


UNRESOLVED: Final = "password-unresolved"
"""The rule of a password that a run does not have. It is an error where it is there and cannot be right."""


class Incident(StrEnum):
    """What can go badly wrong in operation. The value is its stable id, and the anchor of its guide."""

    EKOMI_DOWN = "ekomi-down"
    STATE_LOST = "state-lost"
    STATE_TOO_OLD = "state-too-old"
    WRONG_PASSWORD = "wrong-password"  # noqa: S105
    TOO_MANY_MAILS = "too-many-mails"
    LOCK_HELD = "lock-held"
    UNKNOWN_INVITATIONS = "unknown-invitations"
    FAILOVER_LOST_DATA = "failover-lost-data"
    DISK_FULL = "disk-full"
    SHOP_REIMPORTED = "shop-re-imported"
    CLOCK_WRONG = "clock-wrong"
    SECOND_MAIL = "second-mail"

    @property
    def guide(self) -> str:
        """Where the documentation says what to do."""
        return f"docs/how-to/incidents.md#{self.value}"


class Severity(StrEnum):
    """How much a diagnostic matters."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A place in a file; lines and columns count from 1, columns in characters."""

    path: str
    line: int = 1
    column: int = 1
    end_line: int | None = None
    end_column: int | None = None

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Excerpt:
    """One line of a file around a finding: what is before the marked part, that part, and what follows it.

    Values of secrets are replaced, and long lines cut.
    """

    before: str
    marked: str
    after: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnostic:
    """One finding: ``rule`` is its stable id, ``hint`` says what to write instead.

    ``key`` is the path of the key (``invitations.pending_period``), ``found`` the value there,
    ``allowed`` the values allowed there. ``excerpt`` is the line at ``place``, where it can be shown.
    ``incident`` is the known incident that it is a sign of.
    """

    severity: Severity
    rule: str
    message: str
    place: Place | None = None
    key: str | None = None
    found: str | None = None
    allowed: str | None = None
    hint: str | None = None
    account: str | None = None
    excerpt: Excerpt | None = None
    incident: Incident | None = None

    @property
    def is_error(self) -> bool:
        """Does it stop the run?"""
        return self.severity is Severity.ERROR


@dataclass(frozen=True, slots=True)
class OrderWord:
    """A word that the orders have, how often, and for a status the state that it means."""

    field: str
    word: str
    count: int
    state: OrderState | None = None


@dataclass(frozen=True, slots=True)
class FileInspection:
    """What was found in an order file.

    ``fields`` tells for every column the field that it has, ``missing`` which fields of those that every
    invitation needs nothing has. ``mapping`` is what to write under ``orders:`` beside ``file``; empty where
    nothing needs to be. ``notes`` say what is left for people to decide.
    """

    path: Path
    layout: str
    fields: Mapping[str, str | None]
    missing: tuple[str, ...]
    mapping: Mapping[str, Any]
    notes: tuple[str, ...]
    orders: int
    words: tuple[OrderWord, ...]
    problems: tuple[Diagnostic, ...]
