"""The figures of a run on one line."""

from __future__ import annotations

from collections.abc import Mapping

from ekomi_reconcile.model.result import Done

_WORDS = {
    Done.REVIEWS_NEW: "new reviews",
    Done.REVIEWS_CHANGED: "changed reviews",
    Done.REVIEWS_GONE: "reviews gone",
    Done.REVIEWS_UNREADABLE: "reviews unreadable",
    Done.RETRY_LATER: "to try again",
    Done.FAILED: "failed for good",
    Done.UNKNOWN: "perhaps sent",
    Done.LEFT_OUT: "left out",
}


def run_words(counts: Mapping[str, int], *, failures: int = 0, not_tried: int = 0) -> str:
    """``5 added, 81 sent, 1 failure``; empty where there is nothing to count. ``counts`` are by ``Done``."""
    parts = [f"{count:,} {_word(each, count)}" for each in Done if (count := counts.get(each.value, 0))]
    if failures:
        parts.append(f"{failures:,} failure{'' if failures == 1 else 's'}")
    if not_tried:
        parts.append(f"{not_tried:,} not tried")
    return ", ".join(parts)


def _word(what: Done, count: int) -> str:
    word = _WORDS.get(what, what.value)
    return word.replace("reviews", "review") if count == 1 else word
