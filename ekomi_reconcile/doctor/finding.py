"""What a check found."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """How bad it is. ``fail`` makes the whole self-test fail."""

    PASS = "pass"  # noqa: S105
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """One thing to say, about one account or about all; ``mend`` says what to do."""

    status: Verdict
    message: str
    account: str | None = None
    mend: str | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """A note with the id and the group of the check that made it."""

    check: str
    group: str
    note: Note


def passed(message: str, *, account: str | None = None) -> Note:
    """All is well."""
    return Note(status=Verdict.PASS, message=message, account=account)


def warned(message: str, *, mend: str | None = None, account: str | None = None) -> Note:
    """Worth a look."""
    return Note(status=Verdict.WARN, message=message, account=account, mend=mend)


def failed(message: str, *, mend: str | None = None, account: str | None = None) -> Note:
    """Must be put right."""
    return Note(status=Verdict.FAIL, message=message, account=account, mend=mend)


def healthy(findings: Iterable[Finding]) -> bool:
    """Did nothing fail?"""
    return all(each.note.status is not Verdict.FAIL for each in findings)
