"""What a run did, for people. The summary is always printed."""

from __future__ import annotations

from collections.abc import Iterator

from ekomi_reconcile.model.result import Done, Result
from ekomi_reconcile.render.style import Paint, Tone, printable

_ALWAYS = (
    (Done.ADDED, Done.CHANGED, Done.DESTROYED),
    (Done.SYNCED, Done.IMPORTED),
    (Done.SCHEDULED, Done.RESCHEDULED, Done.CANCELLED, Done.SENT),
)
_REVIEWS = {Done.REVIEWS_NEW: "new", Done.REVIEWS_CHANGED: "changed", Done.REVIEWS_GONE: "gone"}
_IF_ANY = {
    Done.REVIEWS_UNREADABLE: "reviews without a date or a rating, left out",
    Done.WAITING: "due but waiting: the order is on hold or could not be read",
    Done.RETRY_LATER: "not delivered, to be tried again by a later run",
    Done.FAILED: "failed for good: see `invitations list --status failed`",
    Done.UNKNOWN: "perhaps sent, outcome unknown: see `invitations list --status unknown`",
    Done.LEFT_OUT: "left out: changed since the plan was made, or taken by another run",
}


def result_text(result: Result, paint: Paint, *, complete: bool) -> str:
    """Failures, what was not tried, then the figures; ends with a newline."""
    lines = list(details(result, paint))
    good = result.succeeded and complete
    head = paint(Tone.ADD, "Apply complete.") if good else paint(Tone.REMOVE, "Apply incomplete.")
    lines.append(f"{head} {_figures(result)}")
    return "\n".join(lines) + "\n"


def details(result: Result, paint: Paint) -> Iterator[str]:
    """What failed, what was not tried, and what else there is to know: one line each."""
    for failure in result.failures:
        yield f"{paint(Tone.REMOVE, 'failed')}: {printable(failure.subject)}: {printable(failure.message)}"
        if failure.mend:
            yield f"    mend: {printable(failure.mend)}"
    for text in result.not_tried:
        yield f"{paint(Tone.CHANGE, 'not tried')}: {printable(text)}"
    for text in result.notes:
        yield f"note: {printable(text)}"
    if any(result.counts.get(each) for each in (Done.IMPORTED, *_REVIEWS)):
        yield f"reviews: {', '.join(f'{result.counts.get(each, 0)} {_REVIEWS[each]}' for each in _REVIEWS)}"
    for what, words in _IF_ANY.items():
        if count := result.counts.get(what):
            yield f"{count} {words}"


def _figures(result: Result) -> str:
    groups = (", ".join(f"{result.counts.get(each, 0)} {each.value}" for each in group) for group in _ALWAYS)
    return "; ".join(groups) + "."
