"""The report from the state: a fixed number of queries, none of which hands out every row."""

from __future__ import annotations

from ekomi_reconcile import __version__
from ekomi_reconcile.model.instant import Instant
from ekomi_reconcile.report.accounts import account_grid
from ekomi_reconcile.report.data import Limits, ReportData
from ekomi_reconcile.report.notices import find_notices
from ekomi_reconcile.report.queue import read_queue
from ekomi_reconcile.report.reasons import read_reasons
from ekomi_reconcile.report.reviews import read_reviews
from ekomi_reconcile.report.runs import read_runs
from ekomi_reconcile.state.store import State

LIMITS = Limits()


def make_report(state: State, *, now: Instant, limits: Limits = LIMITS) -> ReportData:
    """Everything that the report shows, from one snapshot of the state."""
    records = state.accounts(include_deleted=True)
    names = {each.interface_id: each.name for each in records}
    live = [each for each in records if each.deleted_at is None]
    counts = state.counts()
    accounts = account_grid(live, counts, limit=limits.accounts)
    queue = read_queue(state, live, counts, names=names, now=now, limits=limits)
    runs = read_runs(state, limit=limits.runs)
    meta = state.meta
    return ReportData(
        made_at=now,
        tool_version=__version__,
        lineage=meta.lineage,
        serial=meta.serial,
        looked_at=max((each.evaluated_at for each in state.positions().values()), default=None),
        accounts=accounts,
        queue=queue,
        reasons=read_reasons(state, names=names, now=now, limit=limits.by_account),
        reviews=read_reviews(state, names=names, now=now, limit=limits.by_account),
        runs=runs,
        notices=find_notices(live, queue, runs, now=now),
    )
