"""What the report shows, read from the state.

Days, weeks (from Monday) and months are those of UTC, as in `reviews stats` and `reviews funnel`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache
from typing import TypeAlias

from ekomi_reconcile.model.account import GridRow
from ekomi_reconcile.model.instant import DAY, Instant
from ekomi_reconcile.model.invitation import Invitation, Status
from ekomi_reconcile.model.review import Response, Tally
from ekomi_reconcile.model.run import JournalEntry, RunFigures, read_figures
from ekomi_reconcile.state.repositories.accounts import ProductFigure
from ekomi_reconcile.state.repositories.aggregates import BEFORE, ReviewFigure
from ekomi_reconcile.state.repositories.journal import APPLY, STARTED
from ekomi_reconcile.state.store import State

OTHER_REASON = "other"
"""Shown instead of reasons that a person typed, which the report does not repeat."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListLimits:
    """How many rows the lists of a report have at most, whatever the size of the state."""

    accounts: int = 1_000
    invitations: int = 50
    unclear: int = 20
    runs: int = 20
    products: int = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class WeekFigure:
    """What happened to invitations in the week that begins on day ``monday``.

    ``response`` is about those that were sent in it; the others failed, or became unknown, in it.
    """

    monday: int
    response: Response
    unknown: int
    failed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseFigures:
    """What was sent since the first of ``weeks`` (of which the last one is running).

    ``last_month`` is what was sent in 30 days, ``month_before`` in the 30 days before them.
    """

    since: Instant
    weeks: tuple[WeekFigure, ...]
    whole: Response
    last_month: int
    month_before: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderFunnel:
    """The orders placed since then, each counted once: all, taken by an account, invited, reviewed."""

    since: Instant
    orders: int
    eligible: int
    response: Response


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountRow:
    """An account with its queue, what it sent in 30 days, its response and its months of reviews."""

    grid: GridRow
    last_month: int
    response: Response
    problems: tuple[str, ...]
    months: tuple[MonthFigure, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountGrid:
    """The accounts by name: ``rows`` are the first of ``count``, of which ``inviting`` are enabled."""

    count: int
    inviting: int
    rows: tuple[AccountRow, ...]


@dataclass(frozen=True, slots=True)
class InvitationRow:
    """A row of the invitations grid. Its ``reason`` is left out where a person may have written it.

    A pending one can leave at ``leaves_at``.
    """

    account: str
    invitation: Invitation
    leaves_at: Instant | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DayCount:
    """How many on one day."""

    day: int
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueFigures:
    """The queue of all accounts, of deleted ones too.

    ``due`` and ``oldest_due`` are of enabled accounts; ``held`` are pending invitations of disabled ones.
    ``scheduled`` has the coming days, the present one first; ``later`` is what comes after them; ``waiting``
    is what is due within ``data.WAITING_DAYS``. ``oldest`` tells since when the first one has a status.
    """

    total: int
    by_status: Mapping[Status, int]
    due: int
    oldest_due: Instant | None
    held: int
    waiting: int
    scheduled: tuple[DayCount, ...]
    later: int
    oldest: Mapping[Status, Instant]
    latest: tuple[InvitationRow, ...]
    unknown: tuple[InvitationRow, ...]
    failed: tuple[InvitationRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReasonFigures:
    """Why orders placed since then were not invited, and why invitations were cancelled: counts by reason.

    An order that no account takes counts once, with the reason of the account that came nearest.
    """

    since: Instant
    not_invited: Mapping[str, int]
    cancelled: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthFigure:
    """The reviews of one month, 1 to 12; without any there is no ``average``."""

    year: int
    month: int
    count: int
    average: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewedProduct:
    """The imported reviews of a product, which is named as the shop names it, where that is known."""

    account: str
    product: str
    name: str
    count: int
    average: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewFigures:
    """The imported reviews of the shop, of ``accounts`` that have any; ``stars`` are those of the months.

    ``recent`` is about the last 90 days, ``before`` about the 90 days before them. ``by_account`` has the
    months by interface id. ``products`` are those with the most reviews, of ``product_count``.
    """

    count: int
    average: float | None
    recent: Tally
    before: Tally
    stars: Mapping[int, int]
    months: tuple[MonthFigure, ...]
    accounts: int
    by_account: Mapping[str, tuple[MonthFigure, ...]]
    products: tuple[ReviewedProduct, ...] = ()
    product_count: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Something that was done. Without ``ended_at`` its end is not on record: it goes on, or was killed.

    ``entry`` is its last one in the journal, without the detail: a person may have written that.
    """

    began_at: Instant
    ended_at: Instant | None
    entry: JournalEntry
    figures: RunFigures

    @property
    def outcome(self) -> str | None:
        """How it ended, or ``None`` where that is not on record."""
        return None if self.ended_at is None else self.entry.outcome


class NoticeLevel(StrEnum):
    """How much a notice matters, the worst first."""

    CRITICAL = "critical"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Something that a person should see: what it is, what to do, and the ``commands`` for it.

    ``since`` is how long the oldest case has been open, ``section`` where the report shows more.
    """

    level: NoticeLevel
    title: str
    text: str
    section: str
    since: Instant | None = None
    commands: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportData:
    """Everything that the report shows, as of ``made_at``.

    ``looked_at`` is when orders were evaluated last. Instants are shown in ``timezone``, an IANA name.
    """

    project: str
    timezone: str
    made_at: Instant
    tool_version: str
    lineage: str
    serial: int
    looked_at: Instant | None
    accounts: AccountGrid
    queue: QueueFigures
    responses: ResponseFigures
    funnel: OrderFunnel
    reasons: ReasonFigures
    reviews: ReviewFigures
    runs: tuple[Run, ...]
    notices: tuple[Notice, ...]


MONTHS = 24
"""The number of months shown, the current one last."""

RECENT_DAYS = 90
"""The days whose average is compared with that of as many days before."""


@dataclass(slots=True)
class _Sum:
    count: int = 0
    stars: float = 0.0

    def add(self, figure: ReviewFigure) -> None:
        self.count += figure.count
        self.stars += figure.stars

    @property
    def tally(self) -> Tally:
        return Tally(self.count, self.stars)


_Months: TypeAlias = dict[int, _Sum]


def read_reviews(state: State, *, names: Mapping[str, str], now: Instant, limit: int) -> ReviewFigures:
    """The reviews of all accounts, and of the ``limit`` products that have the most."""
    today = now // DAY
    shown = range(month_of(today) - MONTHS + 1, month_of(today) + 1)
    since = first_instant(shown[0])
    month = cache(month_of)
    whole, recent, before = _Sum(), _Sum(), _Sum()
    months, by_account = defaultdict[int, _Sum](_Sum), defaultdict[str, _Months](lambda: defaultdict(_Sum))
    for each in state.aggregates.review_figures(since):
        whole.add(each)
        mine = by_account[each.interface_id]
        if each.day == BEFORE:
            continue
        mine[month(each.day)].add(each)
        months[month(each.day)].add(each)
        if today - each.day < 2 * RECENT_DAYS:
            (recent if today - each.day < RECENT_DAYS else before).add(each)
    return ReviewFigures(
        count=whole.count,
        average=whole.tally.average,
        recent=recent.tally,
        before=before.tally,
        stars=state.aggregates.star_counts(since),
        months=_figures(months, shown),
        accounts=len(by_account),
        by_account={key: _figures(each, shown) for key, each in by_account.items()},
        products=tuple(_product_row(names, each) for each in state.products.figures(limit)),
        product_count=state.products.count_reviewed(),
    )


def month_of(day: int) -> int:
    """The number of the month of a day: twelve for every year."""
    date = datetime.fromtimestamp(day * DAY, UTC)
    return date.year * 12 + date.month - 1


def first_instant(month: int) -> Instant:
    """When a month begins."""
    return int(datetime(month // 12, month % 12 + 1, 1, tzinfo=UTC).timestamp())


def _figures(sums: _Months, months: Iterable[int]) -> tuple[MonthFigure, ...]:
    found = ((month, sums[month].tally if month in sums else Tally()) for month in months)
    return tuple(
        MonthFigure(year=month // 12, month=month % 12 + 1, count=each.reviews, average=each.average)
        for month, each in found
    )


def _product_row(names: Mapping[str, str], figure: ProductFigure) -> ReviewedProduct:
    return ReviewedProduct(
        account=names.get(figure.interface_id, figure.interface_id),
        product=figure.product or figure.product_id,
        name=figure.name or "",
        count=figure.count,
        average=figure.stars / figure.count,
    )


_NOTHING = RunFigures()


def read_runs(state: State, *, limit: int) -> tuple[Run, ...]:
    """The latest entries, the latest first. Remarks of people are left out: they may be personal."""
    entries = state.journal.entries(2 * limit + 1)
    runs = sorted(_joined(reversed(entries)), key=lambda each: each.began_at)
    return tuple(reversed(runs))[:limit]


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
        entry=replace(entry, detail=None),
        figures=figures,
    )
