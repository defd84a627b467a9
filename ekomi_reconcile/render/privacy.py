"""The suppression list, and what is stored about a customer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ekomi_reconcile.model.account import Json
from ekomi_reconcile.model.invitation import StatusChange
from ekomi_reconcile.model.run import JournalEntry
from ekomi_reconcile.privacy.limits import OptOut
from ekomi_reconcile.render.invitations import Listed, change_json, invitation_json
from ekomi_reconcile.render.results import ListedError, error_json
from ekomi_reconcile.render.reviews import ListedReview, review_json
from ekomi_reconcile.render.state import entry_json as state_entry_json
from ekomi_reconcile.render.tables import Column, Layout, Paint, Row, Tone, cell, plural, printable

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


def opt_out_json(each: OptOut) -> dict[str, Json]:
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


_ELSEWHERE = "What eKomi and the shop hold is not erased by this.\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """Everything held about a customer, who is a keyed ``digest`` here; ``histories`` are by invitation."""

    digest: str
    suppressed: bool
    invitations: Sequence[Listed]
    histories: Mapping[int, Sequence[StatusChange]]
    reviews: Iterable[ListedReview]
    errors: Iterable[ListedError]
    journal: Iterable[JournalEntry]


@dataclass(frozen=True, slots=True, kw_only=True)
class Erased:
    """What was erased. ``suppressed`` tells that the customer is on the suppression list now.

    ``copies`` of the state still hold what was erased.
    """

    invitations: int
    skipped: int
    reviews: int
    errors: int
    suppressed: bool
    copies: Sequence[Path]


def held_json(held: Held) -> dict[str, Json]:
    """The object of ``privacy export``."""
    return {
        "format_version": "1.0",
        "digest": held.digest,
        "suppressed": held.suppressed,
        "invitations": [
            invitation_json(each)
            | {"history": [change_json(change) for change in held.histories[each.row.id]]}
            for each in held.invitations
        ],
        "reviews": [review_json(each) for each in held.reviews],
        "errors": [error_json(each) for each in held.errors],
        "journal": [state_entry_json(each) for each in held.journal],
    }


def erased_json(each: Erased) -> dict[str, Json]:
    """The object of ``privacy erase --format json``."""
    return {
        "invitations": each.invitations,
        "skipped": each.skipped,
        "reviews": each.reviews,
        "errors": each.errors,
        "suppressed": each.suppressed,
        "copies": [str(path) for path in each.copies],
    }


def erased_text(each: Erased, paint: Paint) -> str:
    """The same for people."""
    if not each.invitations:
        lines = ["Nothing is held about this customer.\n"]
    else:
        invitations, reviews = plural(each.invitations, "invitation"), plural(each.reviews, "review")
        gone = f"the customer of {invitations}, the texts of {reviews}, {plural(each.errors, 'logged error')}"
        lines = [
            f"{paint(Tone.REMOVE, 'Erased')}: {gone}.\n",
            "Kept: that these orders were dealt with, so that nobody is asked twice.\n",
        ]
    if each.skipped:
        lines.append(f"{plural(each.skipped, 'pending invitation')} will not be sent.\n")
    if each.suppressed:
        lines.append("The customer is on the suppression list.\n")
    if each.copies:
        lines.append("Copies of the state that still hold it; delete them when they are not needed:\n")
        lines += [f"  {printable(str(path))}\n" for path in each.copies]
    return "".join([*lines, _ELSEWHERE])
