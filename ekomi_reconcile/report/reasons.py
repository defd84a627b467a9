"""Why orders were not invited: what runs wrote down, and why waiting invitations were cancelled."""

from __future__ import annotations

from collections.abc import Mapping

from ekomi_reconcile.model.instant import DAY, Instant
from ekomi_reconcile.model.invitation import Criterion
from ekomi_reconcile.model.run import OTHERS, add_reasons, read_figures
from ekomi_reconcile.report.data import OTHER_REASON, ReasonRow, Reasons
from ekomi_reconcile.report.queue import LOOP_REASONS
from ekomi_reconcile.state.records import ACCOUNT_DELETED
from ekomi_reconcile.state.store import State

DAYS = 30
RUNS = 10_000
"""So many runs are read at most: one every five minutes for a month is fewer."""

_ORDER = (*(each.value for each in Criterion), ACCOUNT_DELETED, OTHER_REASON)


def read_reasons(state: State, *, names: Mapping[str, str], now: Instant, limit: int) -> Reasons:
    """The reasons of the last ``DAYS`` days, the accounts with the most orders first."""
    since = now - DAYS * DAY
    sums: dict[str, dict[str, int]] = {}
    runs = 0
    for remark in state.run_remarks(since, RUNS):
        figures = read_figures(remark)
        if figures is None or not figures.not_invited:
            continue
        runs += 1
        for key, counts in figures.not_invited.items():
            add_reasons(sums.setdefault(key, {}), counts)
    cancelled = state.cancelled_by_reason(LOOP_REASONS, OTHER_REASON)
    return Reasons(
        since=since,
        runs=runs,
        reasons=_columns(sums),
        rows=_rows(sums, names=names, limit=limit),
        cancelled_reasons=_columns(cancelled),
        cancelled=_rows(cancelled, names=names, limit=limit),
    )


def _columns(sums: Mapping[str, Mapping[str, int]]) -> tuple[str, ...]:
    found = {reason for counts in sums.values() for reason in counts}
    return tuple(each for each in _ORDER if each in found)


def _rows(
    sums: Mapping[str, Mapping[str, int]], *, names: Mapping[str, str], limit: int
) -> tuple[ReasonRow, ...]:
    """Accounts that are not known any more, or are too many, are summed up in the last row."""
    known = [key for key in sums if key != OTHERS and key in names]
    ordered = sorted(known, key=lambda key: (-sum(sums[key].values()), names[key].casefold()))
    shown = [ReasonRow(account=names[key], counts=sums[key]) for key in ordered[:limit]]
    others: dict[str, int] = {}
    for key in sums.keys() - set(ordered[:limit]):
        add_reasons(others, sums[key])
    return (*shown, ReasonRow(account=None, counts=others)) if others else tuple(shown)
