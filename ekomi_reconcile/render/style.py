"""Colour as an addition: every sign that has a colour also has a word or a symbol."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Tone(StrEnum):
    """What a piece of text means."""

    ADD = "32"
    CHANGE = "33"
    REMOVE = "31"
    SEND = "36"
    STRONG = "1"
    FAINT = "2"


@dataclass(frozen=True, slots=True)
class Paint:
    """Puts text into colour, or leaves it as it is."""

    colour: bool = False

    def __call__(self, tone: Tone, text: str) -> str:
        return f"\033[{tone.value}m{text}\033[0m" if self.colour else text


def plural(count: int, word: str) -> str:
    """``1 account``, ``2 accounts``, ``2 replies``."""
    if count == 1:
        return f"1 {word}"
    return f"{count} {word[:-1]}ies" if word.endswith("y") else f"{count} {word}s"


def printable(text: str) -> str:
    """Text from elsewhere with control characters shown, so that it cannot play tricks on a terminal."""
    return "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in text)


def moment(instant_iso: str) -> str:
    """``2026-11-30T12:00:00Z`` as people read it: ``2026-11-30 12:00 UTC``."""
    return f"{instant_iso[:10]} {instant_iso[11:16]} UTC"
