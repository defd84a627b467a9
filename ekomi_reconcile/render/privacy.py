"""What is held about a customer, and what was erased of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ekomi_reconcile.model.account import Json
from ekomi_reconcile.render.errors import ListedError, error_json
from ekomi_reconcile.render.invitations import Listed, change_json, invitation_json
from ekomi_reconcile.render.records import ShownChange, ShownEntry
from ekomi_reconcile.render.reviews import ListedReview, review_json
from ekomi_reconcile.render.state import entry_json
from ekomi_reconcile.render.style import Paint, Tone, plural, printable

_ELSEWHERE = "What eKomi and the shop hold is not erased by this.\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """Everything held about a customer, who is a keyed ``digest`` here; ``histories`` are by invitation."""

    digest: str
    suppressed: bool
    invitations: Sequence[Listed]
    histories: Mapping[int, Sequence[ShownChange]]
    reviews: Iterable[ListedReview]
    errors: Iterable[ListedError]
    journal: Iterable[ShownEntry]


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
        "journal": [entry_json(each) for each in held.journal],
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
