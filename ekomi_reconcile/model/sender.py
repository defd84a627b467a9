"""Whom customers see as the sender of a request, and what text messages can carry of it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, ClassVar, Final, TypeAlias

from ekomi_reconcile.model import keys
from ekomi_reconcile.model.keys import key
from ekomi_reconcile.model.paths import CONTROL, SPACE

Address: TypeAlias = Annotated[
    str,
    keys.Text(
        pattern=f'^[^{CONTROL}{SPACE}@<>,;"]+@[^{CONTROL}{SPACE}@<>,;"]+\\.[^{CONTROL}{SPACE}@<>,;".]+$',
        longest=254,
        more={"examples": ["shop@example.com"]},
    ),
]
"""An e-mail address."""

SENDER_LENGTH: Final = 11
"""Characters of the longest sender of a text message."""

_SENDER: Final = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9 &+_-]+")


def sms_sender_fault(name: str) -> str | None:
    """What keeps a text message from having this sender; ``None`` if nothing does."""
    if len(name) > SENDER_LENGTH:
        return f"{len(name)} characters, at most {SENDER_LENGTH} are possible"
    if _SENDER.fullmatch(name) is None:
        return "only the letters A to Z, digits, spaces and & + - _ are possible, and one letter is needed"
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class SenderSettings:
    """Whom customers see as the sender of a request."""

    NOT_EMPTY: ClassVar = True

    name: keys.Name | None = key(
        "The name. In a text message it has at most 11 characters: letters from A to Z, digits, spaces and "
        "`& + - _`, one letter at least.",
        default=None,
        absent="the shop's name at eKomi",
        examples=("Shop DE",),
    )
    email: Address | None = key(
        "The address of e-mails.",
        default=None,
        absent="the address that is set at eKomi",
        examples=("shop@example.com",),
    )
