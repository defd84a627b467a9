"""The suppression list, and what changing it did."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ekomi_reconcile.model.account import Json
from ekomi_reconcile.optouts import OptOut
from ekomi_reconcile.render.style import Paint, Tone, plural, printable
from ekomi_reconcile.render.tables import Column, Layout, Row, cell

LAYOUT: Layout = ((Column("Line", right=True), Column("Kind")), (Column("Entry", whole=False),))


@dataclass(frozen=True, slots=True)
class AddedEntry:
    """An entry; ``pending``: its customer's pending invitations (``None``: a domain or number, not known)."""

    entry: str
    added: bool
    pending: int | None


@dataclass(frozen=True, slots=True)
class RemovedEntries:
    """How many lines were taken out, and how many of the given names were on no line."""

    removed: int
    missing: int


def entry_json(each: OptOut) -> dict[str, Json]:
    """One object of ``suppress list --format json``."""
    return {"line": each.line, "kind": each.kind.value, "entry": each.entry}


def entry_row(each: OptOut) -> Row:
    """One line of the list."""
    return (cell(each.line), cell(each.kind.value), cell(each.entry))


def added_json(entries: Sequence[AddedEntry]) -> dict[str, Json]:
    """The object of ``suppress add --format json``."""
    return {
        "added": sum(each.added for each in entries),
        "present": sum(not each.added for each in entries),
        "pending": sum(each.pending or 0 for each in entries),
        "entries": [{"entry": each.entry, "added": each.added, "pending": each.pending} for each in entries],
    }


def added_text(entries: Sequence[AddedEntry], paint: Paint) -> str:
    """The same for people."""
    counts = added_json(entries)
    added, present = counts["added"], counts["present"]
    head = paint(Tone.ADD, f"{added} added") + (f", {present} on the list already" if present else "") + ".\n"
    waiting = ""
    if counts["pending"]:
        waiting = f"{plural(counts['pending'], 'pending invitation')}: the next apply cancels them.\n"
    if any(each.pending is None for each in entries):
        waiting += (
            "Pending invitations of a domain or number are cancelled when their order is read, at the latest "
            "before sending.\n"
        )
    return "".join([*(f"{printable(each.entry)}\n" for each in entries if each.added), head, waiting])


def removed_json(each: RemovedEntries) -> dict[str, Json]:
    """The object of ``suppress remove --format json``."""
    return {"removed": each.removed, "missing": each.missing}


def removed_text(each: RemovedEntries, paint: Paint) -> str:
    """The same for people."""
    missing = f", {each.missing} not on the list" if each.missing else ""
    return f"{paint(Tone.CHANGE, f'{each.removed} removed')}{missing}.\n"
