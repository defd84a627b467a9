"""What was done last, by whom: the journal with beginnings and ends brought together."""

from __future__ import annotations

from collections.abc import Iterable

from ekomi_reconcile.model.run import RunFigures, read_figures
from ekomi_reconcile.report.data import Run
from ekomi_reconcile.state.journal import APPLY, STARTED
from ekomi_reconcile.state.records import JournalEntry
from ekomi_reconcile.state.store import State

_NOTHING = RunFigures()


def read_runs(state: State, *, limit: int) -> tuple[Run, ...]:
    """The latest entries, the latest first. Remarks of people are left out: they may be personal."""
    entries = state.journal_entries(2 * limit + 1)
    return tuple(reversed(_joined(reversed(entries))))[:limit]


def _joined(entries: Iterable[JournalEntry]) -> list[Run]:
    """One run per beginning and end of the same runner; what has no end yet keeps its beginning only."""
    runs: list[Run] = []
    begun: dict[tuple[str, str], int] = {}
    for each in entries:
        runner = (each.who, each.host)
        if each.action == APPLY and each.outcome == STARTED:
            begun[runner] = len(runs)
            runs.append(_run(each, began_at=each.at))
        elif each.action == APPLY and runner in begun:
            place = begun.pop(runner)
            runs[place] = _run(each, began_at=runs[place].began_at)
        else:
            runs.append(_run(each, began_at=each.at))
    return runs


def _run(entry: JournalEntry, *, began_at: int) -> Run:
    open_ended = entry.action == APPLY and entry.outcome == STARTED
    figures = (read_figures(entry.detail) if entry.action == APPLY else None) or _NOTHING
    return Run(
        began_at=began_at,
        ended_at=None if open_ended else entry.at,
        who=entry.who,
        host=entry.host,
        action=entry.action,
        subject=entry.subject,
        outcome=None if open_ended else entry.outcome,
        commit=entry.commit,
        counts=figures.counts,
        failures=figures.failures,
        not_tried=figures.not_tried,
    )
