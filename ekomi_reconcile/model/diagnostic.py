"""Diagnostics: what is wrong with the input, where, and how to mend it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnostic:
    """One finding: ``rule`` is its stable id, ``mend`` says what to write instead.

    ``key`` is the path of the key (``invitations.pending_period``), ``found`` what stands there,
    ``allowed`` what may stand there.
    """

    severity: Severity
    rule: str
    message: str
    place: Place | None = None
    key: str | None = None
    found: str | None = None
    allowed: str | None = None
    mend: str | None = None
    account: str | None = None

    @property
    def is_error(self) -> bool:
        """Does it stop the run?"""
        return self.severity is Severity.ERROR
