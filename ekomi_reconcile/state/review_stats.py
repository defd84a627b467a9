"""Statistics of reviews: the database adds up, and only its sums are read."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Integer, Select, and_, case, cast, func, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from ekomi_reconcile.model.instant import DAY, Instant
from ekomi_reconcile.model.statistics import STARS, Period, ReviewStatistics, Tally
from ekomi_reconcile.state.session import Session, chunks
from ekomi_reconcile.state.tables import review

_c = review.c
_OF_SHOP = _c.product_id == ""
_MONDAY = 3


class _Month(FunctionElement[int]):
    """Year and month of an instant as one number: 202611."""

    type = Integer()
    inherit_cache = True


@compiles(_Month, "sqlite")
def _month_in_sqlite(element: _Month, compiler: SQLCompiler, **more: Any) -> str:
    return f"CAST(strftime('%Y%m', {compiler.process(element.clauses, **more)}, 'unixepoch') AS INTEGER)"


@compiles(_Month, "postgresql")
def _month_in_postgresql(element: _Month, compiler: SQLCompiler, **more: Any) -> str:
    instant = compiler.process(element.clauses, **more)
    return f"CAST(to_char(to_timestamp({instant}) AT TIME ZONE 'UTC', 'YYYYMM') AS INTEGER)"


class ReviewStatisticsStore(Session):
    """Adding up reviews."""

    def review_statistics(
        self,
        interface_ids: Iterable[str] | None = None,
        *,
        by: Period,
        since: Instant | None = None,
        product_id: str | None = None,
    ) -> tuple[ReviewStatistics, ...]:
        """The figures of these accounts, one each in a stable order; without any named, of all live ones.

        ``since`` counts only later reviews, ``product_id`` only those of one product.
        """
        keys = self._any_account_ids(self._account_ids() if interface_ids is None else interface_ids)
        names = self._names()
        groups: defaultdict[int, list[Any]] = defaultdict(list)
        for chunk in [None] if interface_ids is None else chunks(keys):
            for row in self._rows(_sums(chunk, by=by, since=since, product_id=product_id)):
                groups[row.account].append(row)
        known = product_id is None
        return tuple(_statistics(names[key], groups[key], by=by, answers_known=known) for key in keys)

    def count_reviews(self, interface_id: str) -> int:
        """How many reviews of the shop itself are held of an account; those that are gone do not count."""
        mine = _c.account_id.in_(self._any_account_ids([interface_id]))
        counted = select(func.count()).select_from(review).where(mine, _OF_SHOP, _c.gone_at.is_(None))
        return int(self._execute(counted).scalar_one())


def _sums(
    keys: Collection[int] | None, *, by: Period, since: Instant | None, product_id: str | None
) -> Select[Any]:
    """One row per account and period; where all are wanted, reviews of products are summed up beside.

    For all accounts the table is read from end to end: looking up its rows in the order of the index takes
    ten times as long, and adding nothing to the id keeps SQLite from doing that.
    """
    wanted = _OF_SHOP if product_id is None else _c.product_id == product_id
    period = (_Month(_c.submitted_at) if by is Period.MONTH else _week()).label("period")
    stars = (_count(and_(wanted, _rounds_to(each))).label(f"stars_{each}") for each in STARS)
    account = (_c.account_id + 0).label("account")
    return (
        select(
            account,
            period,
            _count(wanted).label("reviews"),
            _ratings(wanted).label("ratings"),
            *stars,
            _count(and_(wanted, _c.comment != "")).label("answered"),
            _count(_c.product_id != "").label("product_reviews"),
            _ratings(_c.product_id != "").label("product_ratings"),
        )
        .where(*_conditions(keys, since=since, product_id=product_id))
        .group_by(account, period)
        .order_by(account, period)
    )


def _conditions(
    keys: Collection[int] | None, *, since: Instant | None, product_id: str | None
) -> Iterator[ColumnElement[bool]]:
    yield _c.gone_at.is_(None)
    if keys is not None:
        yield _c.account_id.in_(keys)
    if since is not None:
        yield _c.submitted_at >= since
    if product_id is not None:
        yield _c.product_id == product_id


def _week() -> ColumnElement[int]:
    return cast((_c.submitted_at // DAY + _MONDAY) // 7, BigInteger)


def _rounds_to(stars: int) -> ColumnElement[bool]:
    """Half a star is rounded up; left to themselves databases round halves differently."""
    return and_(_c.rating >= stars - 0.5, _c.rating < stars + 0.5)


def _count(where: ColumnElement[bool]) -> ColumnElement[int]:
    return func.sum(case((where, 1), else_=0))


def _ratings(where: ColumnElement[bool]) -> ColumnElement[float]:
    return func.sum(case((where, _c.rating), else_=0.0))


def _statistics(
    interface_id: str, rows: Collection[Any], *, by: Period, answers_known: bool
) -> ReviewStatistics:
    trend = {_number(row.period, by): Tally(row.reviews, row.ratings) for row in rows if row.reviews}
    return ReviewStatistics(
        interface_id=interface_id,
        total=sum(trend.values(), Tally()),
        stars={each: sum(getattr(row, f"stars_{each}") for row in rows) for each in STARS},
        answered=sum(row.answered for row in rows) if answers_known else None,
        trend=trend,
        products=sum((Tally(row.product_reviews, row.product_ratings) for row in rows), Tally()),
    )


def _number(found: int, by: Period) -> int:
    """The number of a period as the database tells it."""
    return found // 100 * 12 + found % 100 - 1 if by is Period.MONTH else found
