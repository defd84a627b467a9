"""What a test of credentials found."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Credential(StrEnum):
    """What is known about an interface id and its password."""

    OK = "ok"
    WRONG = "wrong"
    UNCHECKED = "could not check"
    UNRESOLVED = "password reference unresolved"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """The verdict on one account; ``message`` says why it is not ok."""

    name: str
    interface_id: str
    verdict: Credential
    message: str | None = None
    mend: str | None = None
