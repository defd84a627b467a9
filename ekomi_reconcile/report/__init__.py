"""Assemble the report from the state."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from ekomi_reconcile import __version__
from ekomi_reconcile.model import invitation
from ekomi_reconcile.model.account import AccountRecord, GridRow
from ekomi_reconcile.model.instant import DAY, HOUR, Instant
from ekomi_reconcile.model.invitation import Status
from ekomi_reconcile.model.review import Response, week_of
from ekomi_reconcile.model.sending_times import SendingSchedule
from ekomi_reconcile.report import data
from ekomi_reconcile.state.repositories.aggregates import TroubleFigure
from ekomi_reconcile.state.repositories.journal import APPLY, INCOMPLETE
from ekomi_reconcile.state.repositories.positions import MERGED
from ekomi_reconcile.state.store import State

OVERDUE_AFTER = 2 * HOUR
"""Seconds after which a due invitation counts as overdue; the self-test uses the same limit."""

SILENT_AFTER = DAY + OVERDUE_AFTER
"""Seconds without a run after which even a daily job has not run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Findings:
    """What notices are about: live accounts, since when eKomi refuses some, failed calls of the last run."""

    records: Collection[AccountRecord]
    queue: data.QueueFigures
    runs: Sequence[data.Run]
    refused: Collection[Instant]
    errors: int
    now: Instant


def find_notices(found: _Findings) -> tuple[data.Notice, ...]:
    """What a person should see: the worst first, of one level the oldest first."""
    levels = list(data.NoticeLevel)
    notices = [*_of_queue(found), *_of_accounts(found), *_of_runs(found)]
    return tuple(sorted(notices, key=lambda each: (levels.index(each.level), each.since or found.now)))


def _of_queue(found: _Findings) -> Iterator[data.Notice]:
    queue = found.queue
    if count := queue.by_status[Status.UNKNOWN]:
        yield data.Notice(
            level=data.NoticeLevel.CRITICAL,
            title=f"{_invitations(count)} with unknown outcome",
            text="The call to eKomi broke off: they were sent, or not. They are never sent again on their "
            "own. Look each order up at eKomi, then record what you found.",
            section="cases",
            since=queue.oldest.get(Status.UNKNOWN),
            commands=(
                "ekomi-reconcile invitations resolve ID --sent",
                "ekomi-reconcile invitations resolve ID --resend",
            ),
        )
    if count := queue.by_status[Status.FAILED]:
        yield data.Notice(
            level=data.NoticeLevel.WARNING,
            title=f"{_invitations(count)} failed",
            text="eKomi refused them, or every attempt was used up. Fix the cause, then try again.",
            section="cases",
            since=queue.oldest.get(Status.FAILED),
            commands=(
                "ekomi-reconcile invitations list --status failed",
                "ekomi-reconcile invitations retry ID",
            ),
        )
    if queue.oldest_due is not None and queue.oldest_due < found.now - OVERDUE_AFTER:
        yield _overdue(found, queue.oldest_due)
    if queue.held:
        yield data.Notice(
            level=data.NoticeLevel.NOTE,
            title=f"{_invitations(queue.held)} held",
            text="Their accounts are disabled. They go on once invitations are enabled again.",
            section="queue",
        )


def _overdue(found: _Findings, since: Instant) -> data.Notice:
    """Due invitations that are still there: no run came for them, or one did and left them."""
    applied = (each.began_at for each in found.runs if each.entry.action == APPLY)
    last = max(applied, default=None)
    silence = found.now - (since if last is None else last)
    level = data.NoticeLevel.CRITICAL if silence > SILENT_AFTER else data.NoticeLevel.WARNING
    text = "No run is on record since then. Does the scheduled job run?"
    if silence <= OVERDUE_AFTER:
        level = data.NoticeLevel.NOTE
        text = "The last run left them: orders on hold or not readable, or `safety.max_sends` was reached."
    return data.Notice(
        level=level,
        title=f"{_invitations(found.queue.due)} due and not sent",
        text=text,
        section="queue",
        since=since,
        commands=("ekomi-reconcile doctor",),
    )


def _of_accounts(found: _Findings) -> Iterator[data.Notice]:
    if found.refused:
        yield data.Notice(
            level=data.NoticeLevel.CRITICAL,
            title=f"{_accounts(len(found.refused))} refused by eKomi",
            text="eKomi refuses every invitation of them: credentials, quota or tariff. Each run tries one.",
            section="accounts",
            since=min(found.refused),
            commands=("ekomi-reconcile doctor", "ekomi-reconcile accounts check"),
        )
    if broken := [each for each in found.records if each.last_error]:
        yield data.Notice(
            level=data.NoticeLevel.WARNING,
            title=f"{_accounts(len(broken))} with a failed call to eKomi",
            text="The last sync or import failed; the figures shown are those from before.",
            section="accounts",
            since=min((each.last_error_at for each in broken if each.last_error_at), default=None),
            commands=("ekomi-reconcile errors", "ekomi-reconcile accounts check"),
        )
    if never := sum(each.last_fetched_at is None for each in found.records):
        yield data.Notice(
            level=data.NoticeLevel.NOTE,
            title=f"{_accounts(never)} never synced",
            text="Total, score and name at eKomi come with the first sync.",
            section="accounts",
            commands=("ekomi-reconcile sync",),
        )


def _of_runs(found: _Findings) -> Iterator[data.Notice]:
    last = next((each for each in found.runs if each.entry.action == APPLY), None)
    if last is None:
        return
    failures, not_tried = last.figures.failures, last.figures.not_tried
    parts = [f"{count:,} {what}" for count, what in ((failures, "failed"), (not_tried, "not tried")) if count]
    if last.outcome == INCOMPLETE:
        yield data.Notice(
            level=data.NoticeLevel.WARNING,
            title=f"The last run is incomplete: {', '.join(parts)}"
            if parts
            else "The last run is incomplete",
            text="The next run goes on where it ended. "
            + (
                "Its failed calls are on record."
                if found.errors
                else "No call to eKomi failed: see its output."
            ),
            section="runs",
            since=last.ended_at,
            commands=("ekomi-reconcile errors",) if found.errors else ("ekomi-reconcile doctor",),
        )
    elif last.outcome is None:
        yield data.Notice(
            level=data.NoticeLevel.NOTE,
            title="The last run has no recorded end",
            text="It is still running, or was killed. In that case the next run settles what it left.",
            section="runs",
            since=last.began_at,
            commands=("ekomi-reconcile lock show",),
        )


def _invitations(count: int) -> str:
    return f"{count:,} invitation{'' if count == 1 else 's'}"


def _accounts(count: int) -> str:
    return f"{count:,} account{'' if count == 1 else 's'}"


DAYS_AHEAD = 30
WAITING_DAYS = 14

LOOP_REASONS = frozenset(
    {
        *(each.value for each in invitation.Criterion),
        *(invitation.ACCOUNT_DELETED, invitation.SOURCE_CHANGED, MERGED, *invitation.FINAL_REASONS),
    }
)
"""Reasons that a run gives for what it cancels; some are followed by a colon and more."""

_OWN = frozenset({Status.UNKNOWN, Status.FAILED, Status.PENDING, Status.SENDING})
"""In these states the reason is that of a run; a person may have written the others."""


def read_queue(
    state: State,
    records: Collection[AccountRecord],
    counts: Mapping[str, Mapping[Status, int]],
    troubles: Sequence[TroubleFigure],
    *,
    now: Instant,
    limits: data.ListLimits,
    schedule: SendingSchedule,
) -> data.QueueFigures:
    """The queue; ``records`` are all accounts, ``counts`` rows by interface id and status."""
    names = {each.interface_id: each.name for each in records}
    enabled = {each.interface_id for each in records if each.deleted_at is None and each.invites}
    by_status = {status: sum(each.get(status, 0) for each in counts.values()) for status in Status}
    pending = {key: each.get(Status.PENDING, 0) for key, each in counts.items()}
    due = {key: each for key, each in state.aggregates.due_by_account(now).items() if key in enabled}
    overdue = (now - schedule.open_seconds(key, each.oldest, now) for key, each in due.items())
    today, end = now // DAY, (now // DAY + DAYS_AHEAD) * DAY
    in_time = sum(pending.get(key, 0) for key in enabled)
    inviting = None if in_time == sum(pending.values()) else enabled
    ahead = state.aggregates.scheduled_by_day(inviting, after=now, before=end)
    late = sum(state.aggregates.scheduled_by_day(inviting, after=-1, before=now + 1).values())
    soon = sum(count for day, count in ahead.items() if day < today + WAITING_DAYS)

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
        held=sum(pending.values()) - in_time,
        waiting=late + soon,
        scheduled=tuple(
            data.DayCount(day=day, count=ahead.get(day, 0)) for day in range(today, today + DAYS_AHEAD)
        ),
        later=in_time - late - sum(ahead.values()),
        oldest={each.status: each.oldest for each in sorted(troubles, key=lambda each: -each.day)},
        latest=listed(limits.invitations),
        unknown=listed(limits.unclear, Status.UNKNOWN) if by_status[Status.UNKNOWN] else (),
        failed=listed(limits.unclear, Status.FAILED) if by_status[Status.FAILED] else (),
    )


def _row(
    row: invitation.Invitation, names: Mapping[str, str], leaves_at: Instant | None
) -> data.InvitationRow:
    own = row.status in _OWN or (row.reason or "").partition(":")[0] in LOOP_REASONS
    return data.InvitationRow(names[row.interface_id], row if own else replace(row, reason=None), leaves_at)


WEEKS = 13
"""The number of weeks shown, the current one last."""

DAYS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sent:
    """What was sent: all of it, and by interface id the response and what was sent in 30 days."""

    figures: data.ResponseFigures
    by_account: Mapping[str, Response]
    last_month: Mapping[str, int]


def read_responses(state: State, troubles: Iterable[TroubleFigure], *, now: Instant) -> _Sent:
    """What was sent in the last ``WEEKS`` weeks and led to reviews, as ``reviews funnel`` counts it."""
    today, last = now // DAY, week_of(now) // DAY
    mondays = range(last - 7 * (WEEKS - 1), last + 1, 7)
    weeks = defaultdict[int, Response](Response)
    mine = defaultdict[str, Response](Response)
    month, before = Counter[str](), 0
    for each in state.aggregates.responses(mondays[0] * DAY):
        found = Response(each.invited, each.reviewed)
        weeks[week_of(each.day * DAY) // DAY] += found
        mine[each.interface_id] += found
        if today - each.day < DAYS:
            month[each.interface_id] += each.invited
        elif today - each.day < 2 * DAYS:
            before += each.invited
    stuck = Counter[tuple[Status, int]]()
    for trouble in troubles:
        stuck[trouble.status, week_of(trouble.day * DAY) // DAY] += trouble.count
    figures = data.ResponseFigures(
        since=mondays[0] * DAY,
        weeks=tuple(
            data.WeekFigure(
                monday=each,
                response=weeks[each],
                unknown=stuck[Status.UNKNOWN, each],
                failed=stuck[Status.FAILED, each],
            )
            for each in mondays
        ),
        whole=sum(mine.values(), Response()),
        last_month=month.total(),
        month_before=before,
    )
    return _Sent(figures=figures, by_account=mine, last_month=month)


def read_funnel(state: State, *, since: Instant) -> data.OrderFunnel:
    """What became of the orders that were placed since then."""
    cohort = state.aggregates.cohort(since)
    passed = sum(state.positions.passed_orders(since).values())
    response = Response(cohort.invited, cohort.reviewed)
    return data.OrderFunnel(
        since=since, orders=cohort.eligible + passed, eligible=cohort.eligible, response=response
    )


def read_reasons(state: State, *, now: Instant) -> data.ReasonFigures:
    """Why orders of the last ``DAYS`` days were not invited, and why invitations were cancelled."""
    cancelled = Counter[str]()
    for counts in state.aggregates.cancelled_by_reason(LOOP_REASONS, data.OTHER_REASON).values():
        cancelled.update(counts)
    since = now - DAYS * DAY
    passed = Counter(state.positions.passed_orders(since))
    return data.ReasonFigures(
        since=since, not_invited=dict(passed.most_common()), cancelled=dict(cancelled.most_common())
    )


def _account_grid(
    rows: Iterable[GridRow], sent: _Sent, reviews: data.ReviewFigures, refused: Collection[str], *, limit: int
) -> data.AccountGrid:
    ordered = sorted(rows, key=lambda each: (each.account.name.casefold(), each.account.interface_id))
    return data.AccountGrid(
        count=len(ordered),
        inviting=sum(each.account.invites for each in ordered),
        rows=tuple(
            data.AccountRow(
                grid=each,
                last_month=sent.last_month.get(each.account.interface_id, 0),
                response=sent.by_account.get(each.account.interface_id, Response()),
                problems=tuple(_problems(each, refused)),
                months=reviews.by_account.get(each.account.interface_id, ()),
            )
            for each in ordered[:limit]
        ),
    )


def _problems(row: GridRow, refused: Collection[str]) -> Iterator[str]:
    """What is wrong with an account, in a few words each."""
    if row.account.interface_id in refused:
        yield "refused by eKomi"
    for status in (Status.UNKNOWN, Status.FAILED):
        if count := row.queue.get(status, 0):
            yield f"{count:,} {status.value}"
    if row.account.last_error:
        yield "last call failed"


LIMITS = data.ListLimits()


def make_report(
    state: State,
    *,
    now: Instant,
    limits: data.ListLimits = LIMITS,
    schedule: SendingSchedule | None = None,
    project: str = "",
    timezone: str = "UTC",
) -> data.ReportData:
    """Everything that the report shows, from one snapshot of the state."""
    records = state.accounts.read(include_deleted=True)
    names = {each.interface_id: each.name for each in records}
    live = [each for each in records if each.deleted_at is None]
    counts, troubles = state.queue.counts(), state.aggregates.troubles()
    times = schedule or SendingSchedule()
    queue = read_queue(state, records, counts, troubles, now=now, limits=limits, schedule=times)
    runs, meta = data.read_runs(state, limit=limits.runs), state.meta.read()
    sent = read_responses(state, troubles, now=now)
    reviews = data.read_reviews(state, names=names, now=now, limit=limits.products)
    stops = {key: each.since for key, each in state.refusals.read().items()}
    last = next((each for each in runs if each.entry.action == APPLY), None)
    errors = 0 if last is None else len(state.journal.errors(since=last.began_at))
    found = _Findings(records=live, queue=queue, runs=runs, refused=stops.values(), errors=errors, now=now)
    grid = (GridRow(each, counts.get(each.interface_id, {})) for each in live)
    return data.ReportData(
        project=project,
        timezone=timezone,
        made_at=now,
        tool_version=__version__,
        lineage=meta.lineage,
        serial=meta.serial,
        looked_at=max((each.evaluated_at for each in state.positions.read().values()), default=None),
        accounts=_account_grid(grid, sent, reviews, stops, limit=limits.accounts),
        queue=queue,
        responses=sent.figures,
        funnel=read_funnel(state, since=sent.figures.since),
        reasons=read_reasons(state, now=now),
        reviews=reviews,
        runs=runs,
        notices=find_notices(found),
    )
