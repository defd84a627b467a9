"""Records that cannot be read: collected within a bound, and told as diagnostics."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from ekomi_reconcile.model.diagnostic import Diagnostic, Place, Severity

UNREADABLE = "order-unreadable"
UNFINISHED = "order-unfinished"
REMARK = "order-file"

_WRITTEN_BESIDE = "write the file under another name, and rename it when it is complete"

MAX_FLAWS = 20
"""Flaws that are reported one by one; of the others only how many there are."""


class Flaw(msgspec.Struct, frozen=True):
    """A record that cannot be read; ``reason`` holds no values.

    ``unfinished``: it is the last one, no newline ends it, and the rest may still come.
    """

    line: int
    reason: str
    order_id: int | None = None
    unfinished: bool = False


class Flaws:
    """The flaws of one pass: how many in all, and the first of them."""

    def __init__(self, count: int = 0, first: Sequence[Flaw] = ()) -> None:
        self.count = count
        self.first = list(first)

    def add(self, flaw: Flaw) -> None:
        """One more."""
        self.count += 1
        if len(self.first) < MAX_FLAWS:
            self.first.append(flaw)

    def settled(self, replaced: Callable[[int | None], bool]) -> Flaws:
        """Those that still stand after more lines: without unfinished ones, and orders written again."""
        left = [each for each in self.first if not each.unfinished and not replaced(each.order_id)]
        return Flaws(self.count - len(self.first) + len(left), left)


def diagnostics(path: Path, flaws: Flaws) -> list[Diagnostic]:
    """The errors; a last line without a newline is one like any other."""
    found = [_diagnostic(path, flaw) for flaw in flaws.first]
    if flaws.count > len(flaws.first):
        more = Flaw(flaws.first[-1].line, f"{flaws.count - len(flaws.first)} more orders cannot be read")
        found.append(_diagnostic(path, more))
    return found


def _diagnostic(path: Path, flaw: Flaw) -> Diagnostic:
    subject = "" if flaw.order_id is None else f"order {flaw.order_id}: "
    return Diagnostic(
        severity=Severity.ERROR,
        rule=UNFINISHED if flaw.unfinished else UNREADABLE,
        message=subject + flaw.reason,
        place=Place(path=str(path), line=flaw.line),
        mend=_WRITTEN_BESIDE if flaw.unfinished else None,
    )


def remarks(path: Path, found: Sequence[Flaw]) -> list[Diagnostic]:
    """Warnings about the file as a whole."""
    return [
        Diagnostic(
            severity=Severity.WARNING,
            rule=REMARK,
            message=each.reason,
            place=Place(path=str(path), line=each.line),
        )
        for each in found
    ]
