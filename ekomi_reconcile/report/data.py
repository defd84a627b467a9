"""What the report shows, read from the state."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum

from ekomi_reconcile.model.account import AccountRecord, GridRow
from ekomi_reconcile.model.instant import DAY, Instant
from ekomi_reconcile.model.invitation import Invitation, Status
from ekomi_reconcile.model.run import JournalEntry, RunFigures
from ekomi_reconcile.state.repositories.accounts import ProductFigure
from ekomi_reconcile.state.repositories.aggregates import BEFORE, ReviewFigure
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
    by_account: int = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountGrid:
    """The accounts by name: ``rows`` are the first of ``count``, of which ``inviting`` are enabled."""

    count: int
    inviting: int
    rows: tuple[GridRow, ...]


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
    """The queue as it stands, of deleted accounts too.

    ``due`` and ``oldest_due`` are of enabled accounts; ``held`` are pending rows of disabled ones.
    ``scheduled`` has the coming days, the present one first; ``later`` is what comes after them.
    """

    total: int
    by_status: Mapping[Status, int]
    due: int
    oldest_due: Instant | None
    held: int
    sent: tuple[DayCount, ...]
    scheduled: tuple[DayCount, ...]
    later: int
    latest: tuple[InvitationRow, ...]
    unknown: tuple[InvitationRow, ...]
    failed: tuple[InvitationRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReasonRow:
    """How many orders of an account were not invited, by reason; ``account`` is ``None`` for all others."""

    account: str | None
    counts: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reasons:
    """Why orders were not invited: ``runs`` runs since then looked at them; ``reasons`` are the columns."""

    since: Instant
    runs: int
    reasons: tuple[str, ...]
    rows: tuple[ReasonRow, ...]
    cancelled_reasons: tuple[str, ...]
    cancelled: tuple[ReasonRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthFigure:
    """The reviews of one month, 1 to 12; without any there is no ``average``."""

    year: int
    month: int
    count: int
    average: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountReviews:
    """The imported reviews of an account, in all and by month."""

    account: str
    count: int
    average: float
    months: tuple[MonthFigure, ...]


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
    """The imported reviews; ``rows`` are the accounts with the most, of ``accounts`` that have any.

    ``products`` are those with the most reviews, of ``product_count`` that have any.
    """

    count: int
    average: float | None
    months: tuple[MonthFigure, ...]
    accounts: int
    rows: tuple[AccountReviews, ...]
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


class Urgency(StrEnum):
    """Does somebody have to do something?"""

    ACT = "to do"
    KNOW = "to know"


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Something that a person should see: what it is, what to do, and the ``commands`` for it."""

    urgency: Urgency
    title: str
    text: str
    commands: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportData:
    """Everything that the report shows, as of ``made_at``.

    ``looked_at`` is when orders were evaluated last.
    """

    made_at: Instant
    tool_version: str
    lineage: str
    serial: int
    looked_at: Instant | None
    accounts: AccountGrid
    queue: QueueFigures
    reasons: Reasons
    reviews: ReviewFigures
    runs: tuple[Run, ...]
    notices: tuple[Notice, ...]


def account_grid(
    records: Collection[AccountRecord], counts: Mapping[str, Mapping[Status, int]], *, limit: int
) -> AccountGrid:
    """The live accounts by name; ``counts`` are their invitations by interface id and status."""
    ordered = sorted(records, key=lambda each: (each.name.casefold(), each.interface_id))
    return AccountGrid(
        count=len(ordered),
        inviting=sum(each.invites for each in ordered),
        rows=tuple(GridRow(each, counts.get(each.interface_id, {})) for each in ordered[:limit]),
    )


MONTHS = 24
"""The number of months shown, the current one last."""


@dataclass(slots=True)
class _Sum:
    count: int = 0
    stars: float = 0.0

    def add(self, figure: ReviewFigure) -> None:
        self.count += figure.count
        self.stars += figure.stars

    @property
    def average(self) -> float | None:
        return self.stars / self.count if self.count else None


@dataclass(slots=True)
class _Sums:
    """Sums in all, and by number of the month."""

    whole: _Sum = field(default_factory=_Sum)
    months: dict[int, _Sum] = field(default_factory=dict)


def read_reviews(state: State, *, names: Mapping[str, str], now: Instant, limit: int) -> ReviewFigures:
    """The reviews of all accounts, and of those that have the most."""
    last = month_of(now // DAY)
    shown = range(last - MONTHS + 1, last + 1)
    sums = _summed(state.aggregates.review_figures(first_instant(shown[0])))
    everything = _everything(sums.values())
    largest = sorted(sums, key=lambda key: (-sums[key].whole.count, names[key].casefold()))
    return ReviewFigures(
        count=everything.whole.count,
        average=everything.whole.average,
        months=_figures(everything, shown),
        accounts=len(sums),
        rows=tuple(_review_row(names[key], sums[key], shown) for key in largest[:limit]),
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


def _summed(figures: Iterable[ReviewFigure]) -> dict[str, _Sums]:
    sums: dict[str, _Sums] = {}
    months: dict[int, int] = {}
    for each in figures:
        mine = sums.setdefault(each.interface_id, _Sums())
        mine.whole.add(each)
        if each.day == BEFORE:
            continue
        if each.day not in months:
            months[each.day] = month_of(each.day)
        mine.months.setdefault(months[each.day], _Sum()).add(each)
    return sums


def _everything(sums: Iterable[_Sums]) -> _Sums:
    found = _Sums()
    for each in sums:
        found.whole.count += each.whole.count
        found.whole.stars += each.whole.stars
        for month, one in each.months.items():
            total = found.months.setdefault(month, _Sum())
            total.count += one.count
            total.stars += one.stars
    return found


def _figures(sums: _Sums, months: Iterable[int]) -> tuple[MonthFigure, ...]:
    found = ((month, sums.months.get(month, _Sum())) for month in months)
    return tuple(
        MonthFigure(year=month // 12, month=month % 12 + 1, count=each.count, average=each.average)
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


def _review_row(name: str, sums: _Sums, months: Iterable[int]) -> AccountReviews:
    return AccountReviews(
        account=name,
        count=sums.whole.count,
        average=sums.whole.average or 0.0,
        months=_figures(sums, months),
    )
