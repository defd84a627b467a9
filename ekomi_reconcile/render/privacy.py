"""The suppression list, and what is stored about a customer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from ekomi_reconcile.model.document import Count, JsonObject, from_records
from ekomi_reconcile.model.invitation import StatusChange
from ekomi_reconcile.model.run import JournalEntry
from ekomi_reconcile.privacy.limits import OptOut
from ekomi_reconcile.privacy.suppression import EntryKind
from ekomi_reconcile.render.invitations import (
    ChangeEntry,
    InvitationDocument,
    Listed,
    change_json,
    invitation_json,
)
from ekomi_reconcile.render.results import ErrorEntry, ListedError, error_json
from ekomi_reconcile.render.reviews import ListedReview, ReviewEntry, review_json
from ekomi_reconcile.render.state import ActionEntry
from ekomi_reconcile.render.state import entry_json as state_entry_json
from ekomi_reconcile.render.tables import Column, Layout, Paint, Row, Tone, cell, plural, printable

LAYOUT: Layout = ((Column("Line", right=True), Column("Kind")), (Column("Entry", whole=False),))


class AddedEntry(JsonObject, frozen=True):
    """An entry; ``pending``: its customer's pending invitations (``null``: a domain or number, not known)."""

    entry: str
    added: bool
    pending: Count | None


class AddedEntries(JsonObject, frozen=True):
    """What became of the given entries: how many were added, how many were on the list already."""

    added: Count
    present: Count
    pending: Count
    entries: list[AddedEntry]


class RemovedEntries(JsonObject, frozen=True):
    """How many lines were taken out, and how many of the given entries were on no line."""

    removed: Count
    missing: Count


class SuppressionEntry(JsonObject, frozen=True):
    """A line of the suppression list."""

    line: Count
    kind: EntryKind
    entry: str


def opt_out_json(each: OptOut) -> SuppressionEntry:
    """One object of ``suppress list --format json``."""
    return from_records(SuppressionEntry, each)


def entry_row(each: OptOut) -> Row:
    """One line of the list."""
    return (cell(each.line), cell(each.kind.value), cell(each.entry))


def added_json(entries: Sequence[AddedEntry]) -> AddedEntries:
    """The object of ``suppress add --format json``."""
    return AddedEntries(
        added=sum(each.added for each in entries),
        present=sum(not each.added for each in entries),
        pending=sum(each.pending or 0 for each in entries),
        entries=list(entries),
    )


def added_text(entries: Sequence[AddedEntry], paint: Paint) -> str:
    """The same for people."""
    counts = added_json(entries)
    present = f", {counts.present} on the list already" if counts.present else ""
    head = f"{paint(Tone.ADD, f'{counts.added} added')}{present}.\n"
    waiting = ""
    if counts.pending:
        waiting = f"{plural(counts.pending, 'pending invitation')}: the next apply cancels them.\n"
    if any(each.pending is None for each in entries):
        waiting += (
            "Pending invitations of a domain or number are cancelled when their order is read, at the latest "
            "before sending.\n"
        )
    return "".join([*(f"{printable(each.entry)}\n" for each in entries if each.added), head, waiting])


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


class HeldInvitation(InvitationDocument, frozen=True):
    """An invitation in full, with its history."""

    history: list[ChangeEntry]


class HeldDocument(JsonObject, frozen=True):
    """Everything held about a customer, who is a keyed ``digest`` here."""

    digest: str
    suppressed: bool
    invitations: list[HeldInvitation]
    reviews: list[ReviewEntry]
    errors: list[ErrorEntry]
    journal: list[ActionEntry]


class Erased(JsonObject, frozen=True):
    """What was erased. ``suppressed`` tells that the customer is on the suppression list now.

    ``copies`` are the paths of copies of the state that still hold what was erased.
    """

    invitations: Count
    skipped: Count
    reviews: Count
    errors: Count
    suppressed: bool
    copies: list[str]


def held_json(held: Held) -> HeldDocument:
    """The object of ``privacy export``."""
    return HeldDocument(
        digest=held.digest,
        suppressed=held.suppressed,
        invitations=[_held_invitation(each, held.histories[each.row.id]) for each in held.invitations],
        reviews=[review_json(each) for each in held.reviews],
        errors=[error_json(each) for each in held.errors],
        journal=[state_entry_json(each) for each in held.journal],
    )


def _held_invitation(each: Listed, history: Sequence[StatusChange]) -> HeldInvitation:
    return HeldInvitation(
        **msgspec.structs.asdict(invitation_json(each)), history=[change_json(change) for change in history]
    )


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
        lines += [f"  {printable(path)}\n" for path in each.copies]
    return "".join([*lines, _ELSEWHERE])
