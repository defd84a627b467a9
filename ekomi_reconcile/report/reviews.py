"""Accounts and reviews in the report."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from ekomi_reconcile.model.account_record import AccountRecord, GridRow
from ekomi_reconcile.model.instant import DAY, Instant
from ekomi_reconcile.model.invitation import Status
from ekomi_reconcile.report.data import (
    AccountGrid,
    AccountReviews,
    MonthFigure,
    ReviewedProduct,
    ReviewFigures,
)
from ekomi_reconcile.state.repositories.aggregates import BEFORE, ProductFigure, ReviewFigure
from ekomi_reconcile.state.store import State


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
"""So many months are shown, the present one last."""


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
        products=tuple(_product_row(names, each) for each in state.aggregates.product_figures(limit)),
        product_count=state.aggregates.count_products(),
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
