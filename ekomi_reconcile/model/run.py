"""What a run did, in figures: written into the journal as text, read again by the report."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from ekomi_reconcile.model.result import Result

KEPT_ACCOUNTS = 100
"""For so many accounts a run keeps its reasons apart; those with fewer orders are summed up."""

OTHERS = ""
"""Stands for the accounts that are summed up."""


class RunFigures(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The figures of one run, without anything personal.

    ``counts`` are those of the ``Result``, by the value of ``Done``; ``not_invited`` counts orders by
    interface id and by the first criterion that failed.
    """

    counts: dict[str, int] = {}
    failures: int = 0
    not_tried: int = 0
    not_invited: dict[str, dict[str, int]] = {}

    def text(self) -> str:
        """The figures as the journal keeps them."""
        return msgspec.json.encode(self).decode("utf-8")


def figures_of(result: Result, not_invited: Mapping[str, Mapping[str, int]]) -> RunFigures:
    """The figures of a run; ``not_invited`` is by interface id."""
    return RunFigures(
        counts={what.value: number for what, number in result.counts.items()},
        failures=len(result.failures),
        not_tried=len(result.not_tried),
        not_invited=_bounded(not_invited),
    )


def read_figures(text: str | None) -> RunFigures | None:
    """The figures in a remark of the journal; ``None`` where it is something else, or nothing."""
    if text is None:
        return None
    try:
        return msgspec.json.decode(text, type=RunFigures)
    except msgspec.DecodeError:
        return None


def add_reasons(sums: dict[str, int], more: Mapping[str, int]) -> None:
    """Add counts by reason to others."""
    for reason, count in more.items():
        sums[reason] = sums.get(reason, 0) + count


def _bounded(not_invited: Mapping[str, Mapping[str, int]]) -> dict[str, dict[str, int]]:
    largest = sorted(not_invited, key=lambda key: (-sum(not_invited[key].values()), key))
    kept = {key: dict(not_invited[key]) for key in sorted(largest[:KEPT_ACCOUNTS])}
    others: dict[str, int] = {}
    for key in largest[KEPT_ACCOUNTS:]:
        add_reasons(others, not_invited[key])
    return kept | ({OTHERS: others} if others else {})
