"""Assemble the report from the state."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from ekomi_reconcile import __version__
from ekomi_reconcile.model.account import AccountRecord
from ekomi_reconcile.model.instant import DAY, HOUR, Instant
from ekomi_reconcile.model.invitation import ACCOUNT_DELETED, Criterion, Invitation, Status
from ekomi_reconcile.model.run import OTHERS, JournalEntry, RunFigures, add_reasons, read_figures
from ekomi_reconcile.model.sending_times import SendingSchedule
from ekomi_reconcile.report import data
from ekomi_reconcile.report.data import account_grid, read_reviews
from ekomi_reconcile.state.repositories.journal import APPLY, INCOMPLETE, STARTED
from ekomi_reconcile.state.store import State

_NOTHING = RunFigures()


def read_runs(state: State, *, limit: int) -> tuple[data.Run, ...]:
    """The latest entries, the latest first. Remarks of people are left out: they may be personal."""
    entries = state.journal.entries(2 * limit + 1)
    return tuple(reversed(_joined(reversed(entries))))[:limit]


def _joined(entries: Iterable[JournalEntry]) -> list[data.Run]:
    """One run per beginning and end of the same runner; what has no end yet keeps its beginning only."""
    runs: list[data.Run] = []
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


def _run(entry: JournalEntry, *, began_at: int) -> data.Run:
    open_ended = entry.action == APPLY and entry.outcome == STARTED
    figures = (read_figures(entry.detail) if entry.action == APPLY else None) or _NOTHING
    return data.Run(
        began_at=began_at,
        ended_at=None if open_ended else entry.at,
        entry=replace(entry, detail=None),
        figures=figures,
    )


OVERDUE_AFTER = 2 * HOUR
"""Seconds after which a due invitation counts as overdue; the self-test uses the same limit."""


def find_notices(
    records: Collection[AccountRecord], queue: data.QueueFigures, runs: Sequence[data.Run], *, now: Instant
) -> tuple[data.Notice, ...]:
    """What there is to do, then what there is to know; ``records`` are the live accounts."""
    found = [*_of_queue(queue, now), *_of_accounts(records), *_of_runs(runs)]
    return tuple(sorted(found, key=lambda each: each.urgency is not data.Urgency.ACT))


def _of_queue(queue: data.QueueFigures, now: Instant) -> Iterator[data.Notice]:
    if count := queue.by_status[Status.UNKNOWN]:
        yield data.Notice(
            urgency=data.Urgency.ACT,
            title=f"{_invitations(count)} perhaps sent",
            text="The call to eKomi broke off, so nobody knows whether the customer was asked. They are "
            "never sent again on their own. Look each order up at eKomi, then say what you found.",
            commands=(
                "ekomi-reconcile invitations resolve ID --sent",
                "ekomi-reconcile invitations resolve ID --resend",
            ),
        )
    if count := queue.by_status[Status.FAILED]:
        yield data.Notice(
            urgency=data.Urgency.ACT,
            title=f"{_invitations(count)} failed for good",
            text="eKomi refused them, or every attempt was used up. Fix the cause, then try again.",
            commands=(
                "ekomi-reconcile invitations list --status failed",
                "ekomi-reconcile invitations retry ID",
            ),
        )
    if queue.oldest_due is not None and queue.oldest_due < now - OVERDUE_AFTER:
        yield data.Notice(
            urgency=data.Urgency.ACT,
            title=f"{_invitations(queue.due)} overdue",
            text="They should have been sent more than two hours ago. Does the scheduled job run? Orders on "
            "hold, and what a limit on sends puts off, wait as well.",
            commands=("ekomi-reconcile doctor",),
        )
    if queue.held:
        yield data.Notice(
            urgency=data.Urgency.KNOW,
            title=f"{_invitations(queue.held)} held",
            text="Their accounts are disabled. They go on once invitations are enabled again.",
        )


def _of_accounts(records: Collection[AccountRecord]) -> Iterator[data.Notice]:
    broken = [each for each in records if each.last_error]
    if broken:
        yield data.Notice(
            urgency=data.Urgency.ACT,
            title=f"{_accounts(len(broken))} with a failed call to eKomi",
            text="The last sync or import failed; the figures shown are those from before.",
            commands=("ekomi-reconcile errors", "ekomi-reconcile accounts check"),
        )
    if never := sum(each.last_fetched_at is None for each in records):
        yield data.Notice(
            urgency=data.Urgency.KNOW,
            title=f"{_accounts(never)} never synced",
            text="Total, score and name at eKomi come with the first sync.",
            commands=("ekomi-reconcile sync",),
        )


def _of_runs(runs: Sequence[data.Run]) -> Iterator[data.Notice]:
    last = next((each for each in runs if each.entry.action == APPLY), None)
    if last is None:
        return
    if last.outcome == INCOMPLETE:
        yield data.Notice(
            urgency=data.Urgency.ACT,
            title="The last run is incomplete",
            text="Something failed or was not tried. The next run goes on where this one ended.",
            commands=("ekomi-reconcile errors",),
        )
    elif last.outcome is None:
        yield data.Notice(
            urgency=data.Urgency.KNOW,
            title="The last run has no recorded end",
            text="It is still running, or was killed. In that case the next run settles what it left.",
            commands=("ekomi-reconcile lock show",),
        )


def _invitations(count: int) -> str:
    return f"{count:,} invitation{'' if count == 1 else 's'}"


def _accounts(count: int) -> str:
    return f"{count:,} account{'' if count == 1 else 's'}"


DAYS_BEHIND = 90
DAYS_AHEAD = 30

LOOP_REASONS = frozenset({*(each.value for each in Criterion), ACCOUNT_DELETED})
"""Reasons that the loop gives for what it cancels."""

_TOLD = frozenset({Status.UNKNOWN, Status.FAILED, Status.PENDING, Status.SENDING})
"""In these states the reason is the loop's own; a person may have written the others."""


def read_queue(
    state: State,
    records: Collection[AccountRecord],
    counts: Mapping[str, Mapping[Status, int]],
    *,
    names: Mapping[str, str],
    now: Instant,
    limits: data.ListLimits,
    schedule: SendingSchedule,
) -> data.QueueFigures:
    """The queue; ``records`` are the live accounts, ``counts`` rows by interface id and status."""
    enabled = {each.interface_id for each in records if each.invites}
    by_status = {status: sum(each.get(status, 0) for each in counts.values()) for status in Status}
    waiting = {key: each.get(Status.PENDING, 0) for key, each in counts.items()}
    due = {key: each for key, each in state.aggregates.due_by_account(now).items() if key in enabled}
    overdue = (now - schedule.open_seconds(key, each.oldest, now) for key, each in due.items())
    today, end = now // DAY, (now // DAY + DAYS_AHEAD) * DAY
    ahead = state.aggregates.scheduled_by_day(enabled, after=now, before=end)
    in_time = sum(waiting.get(key, 0) for key in enabled)
    until_end = sum(state.aggregates.scheduled_by_day(enabled, after=-1, before=end).values())
    behind = Counter[int]()
    for each in state.aggregates.responses((today - DAYS_BEHIND + 1) * DAY):
        behind[each.day] += each.invited

    def listed(limit: int, status: Status | None = None) -> tuple[data.InvitationRow, ...]:
        return tuple(
            _row(each, names, schedule.of_pending(each, now=now))
            for each in state.aggregates.latest_invitations(limit, status)
        )

    return data.QueueFigures(
        total=sum(by_status.values()),
        by_status=by_status,
        due=sum(each.count for each in due.values()),
        oldest_due=min(overdue, default=None),
        held=sum(waiting.values()) - in_time,
        sent=_days(behind, first=today - DAYS_BEHIND + 1, last=today),
        scheduled=_days(ahead, first=today, last=today + DAYS_AHEAD - 1),
        later=in_time - until_end,
        latest=listed(limits.invitations),
        unknown=listed(limits.unclear, Status.UNKNOWN) if by_status[Status.UNKNOWN] else (),
        failed=listed(limits.unclear, Status.FAILED) if by_status[Status.FAILED] else (),
    )


def _days(counts: Mapping[int, int], *, first: int, last: int) -> tuple[data.DayCount, ...]:
    return tuple(data.DayCount(day=day, count=counts.get(day, 0)) for day in range(first, last + 1))


def _row(row: Invitation, names: Mapping[str, str], leaves_at: Instant | None) -> data.InvitationRow:
    told = row.status in _TOLD or row.reason in LOOP_REASONS
    shown = row if told else replace(row, reason=None)
    return data.InvitationRow(names[row.interface_id], shown, leaves_at)


DAYS = 30
RUNS = 10_000
"""At most this number of runs is read: one every five minutes for a month is fewer."""

_ORDER = (*(each.value for each in Criterion), ACCOUNT_DELETED, data.OTHER_REASON)


def read_reasons(state: State, *, names: Mapping[str, str], now: Instant, limit: int) -> data.Reasons:
    """The reasons of the last ``DAYS`` days, the accounts with the most orders first."""
    since = now - DAYS * DAY
    sums: dict[str, dict[str, int]] = {}
    runs = 0
    for entry in state.journal.entries(RUNS):
        figures = read_figures(entry.detail) if entry.action == APPLY and entry.at >= since else None
        if figures is None or not figures.not_invited:
            continue
        runs += 1
        for key, counts in figures.not_invited.items():
            add_reasons(sums.setdefault(key, {}), counts)
    cancelled = state.aggregates.cancelled_by_reason(LOOP_REASONS, data.OTHER_REASON)
    return data.Reasons(
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
) -> tuple[data.ReasonRow, ...]:
    """Accounts that are not known any more, or are too many, are summed up in the last row."""
    known = [key for key in sums if key != OTHERS and key in names]
    ordered = sorted(known, key=lambda key: (-sum(sums[key].values()), names[key].casefold()))
    shown = [data.ReasonRow(account=names[key], counts=sums[key]) for key in ordered[:limit]]
    others: dict[str, int] = {}
    for key in sums.keys() - set(ordered[:limit]):
        add_reasons(others, sums[key])
    return (*shown, data.ReasonRow(account=None, counts=others)) if others else tuple(shown)


LIMITS = data.ListLimits()


def make_report(
    state: State,
    *,
    now: Instant,
    limits: data.ListLimits = LIMITS,
    schedule: SendingSchedule | None = None,
) -> data.ReportData:
    """Everything that the report shows, from one snapshot of the state."""
    records = state.accounts.read(include_deleted=True)
    names = {each.interface_id: each.name for each in records}
    live = [each for each in records if each.deleted_at is None]
    counts = state.queue.counts()
    accounts = account_grid(live, counts, limit=limits.accounts)
    queue = read_queue(
        state, live, counts, names=names, now=now, limits=limits, schedule=schedule or SendingSchedule()
    )
    runs = read_runs(state, limit=limits.runs)
    meta = state.meta.read()
    return data.ReportData(
        made_at=now,
        tool_version=__version__,
        lineage=meta.lineage,
        serial=meta.serial,
        looked_at=max((each.evaluated_at for each in state.positions.read().values()), default=None),
        accounts=accounts,
        queue=queue,
        reasons=read_reasons(state, names=names, now=now, limit=limits.by_account),
        reviews=read_reviews(state, names=names, now=now, limit=limits.by_account),
        runs=runs,
        notices=find_notices(live, queue, runs, now=now),
    )
