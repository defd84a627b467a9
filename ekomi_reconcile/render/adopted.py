"""What adopting the past of another tool did."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ekomi_reconcile.model.account import Json
from ekomi_reconcile.past import BadLine
from ekomi_reconcile.render.style import Paint, Tone, plural, printable


@dataclass(frozen=True, slots=True, kw_only=True)
class AdoptedPast:
    """``new`` orders were not in the queue, ``waiting`` ones were; ``present`` ones were dealt with already.

    ``written``: it was done, and not only looked at.
    """

    new: int
    waiting: int
    present: int
    bad: Sequence[BadLine]
    written: bool
    dry_run: bool


def adopted_json(each: AdoptedPast) -> dict[str, Json]:
    """The object of ``invitations mark-sent --format json``."""
    return {
        "written": each.written,
        "dry_run": each.dry_run,
        "marked": each.new + each.waiting,
        "were_waiting": each.waiting,
        "present": each.present,
        "problems": [{"line": bad.line, "problem": bad.problem} for bad in each.bad],
    }


def adopted_text(each: AdoptedPast, paint: Paint) -> str:
    """The same for people."""
    lines = [
        f"line {bad.line}: {paint(Tone.REMOVE, 'error')}: {printable(bad.problem)}\n" for bad in each.bad
    ]
    marked = plural(each.new + each.waiting, "order")
    verb = "marked" if each.written else "would be marked"
    waited = f" ({each.waiting} of them waited to be sent)" if each.waiting else ""
    lines.append(f"{paint(Tone.ADD, f'{marked} {verb} as sent')}{waited}, {each.present} were already.\n")
    if each.bad and not each.written:
        bad = plural(len(each.bad), "line")
        lines.append(f"Nothing was written because of {bad}; --keep-going leaves such lines out.\n")
    return "".join(lines)
