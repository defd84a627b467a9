"""Aggregates over the whole queue and all reviews.

Days are numbers: whole days since 1970-01-01 in UTC.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Integer,
    Select,
    and_,
    case,
    cast,
    func,
    literal,
    or_,
    select,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from ekomi_reconcile.model.instant import DAY, Instant
from ekomi_reconcile.model.invitation import Invitation, Status
from ekomi_reconcile.model.review import STARS, Period, ReviewStatistics, SentOutcome, Tally
from ekomi_reconcile.state.engine import tables
from ekomi_reconcile.state.engine.session import ROWS_PER_PAGE, Repository, chunks
from ekomi_reconcile.state.engine.tables import CANCELLED, PENDING, SENT, account, invitation, review
from ekomi_reconcile.state.repositories.invitations import COLUMNS, to_invitation
from ekomi_reconcile.state.repositories.reviews import SOLE, of_product

BEFORE = -1
"""The key of all days before the first requested one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DueFigure:
    """How many rows of an account are due, and since when the oldest of them."""

    count: int
    oldest: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewFigure:
    """The reviews of an account that were submitted on one day, or ``BEFORE``; ``stars`` is their sum."""

    interface_id: str
    day: int
    count: int
    stars: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseFigure:
    """What an account sent on one day, and how many of these orders were reviewed afterwards."""

    interface_id: str
    day: int
    invited: int
    reviewed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TroubleFigure:
    """Invitations that failed, or are unknown, since one day; ``oldest`` is the first of them."""

    status: Status
    day: int
    count: int
    oldest: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderCohort:
    """Orders with an invitation (``eligible``), and how many of them were ``invited`` and ``reviewed``."""

    eligible: int
    invited: int
    reviewed: int


class AggregateRepository(Repository):
    """Sums over many rows, and the latest few of them."""

    def responses(self, since: Instant | None, *, until: Instant | None = None) -> Iterator[ResponseFigure]:
        """What was sent from ``since`` to ``until``, by account and day, as ``sent_invitations`` has it."""
        sent = _sent(None, since, until).subquery()
        keys = ((sent.c.account_id + 0).label("account_id"), (sent.c.sent_at // DAY).label("day"))
        counts = (func.count().label("invited"), func.count(sent.c.reviewed_at).label("reviewed"))
        names = self._keys.names()
        for row in self._session.rows(select(*keys, *counts).group_by(*keys)):
            yield ResponseFigure(
                interface_id=names[row.account_id], day=row.day, invited=row.invited, reviewed=row.reviewed
            )

    def troubles(self) -> tuple[TroubleFigure, ...]:
        """The failed and the unknown invitations, by the day since when they are."""
        table = invitation.c
        day = (table.changed_at // DAY).label("day")
        oldest = func.min(table.changed_at).label("oldest")
        columns = (table.status, day, func.count().label("number"), oldest)
        wanted = table.account_id.in_(_ACCOUNTS) & table.status.in_(["failed", "unknown"])
        return tuple(
            TroubleFigure(status=Status(row.status), day=row.day, count=row.number, oldest=row.oldest)
            for row in self._session.rows(select(*columns).where(wanted).group_by(table.status, day))
        )

    def cohort(self, since: Instant) -> OrderCohort:
        """The orders placed since then that an account has taken, each counted once."""
        table = invitation.c
        sent = table.status == SENT
        columns = (table.source, table.order_id)
        orders = (
            select(
                func.max(case((sent, 1), else_=0)).label("invited"),
                func.max(case((sent & _first_review().is_not(None), 1), else_=0)).label("reviewed"),
            )
            .where(table.order_date >= since)
            .group_by(*columns)
            .subquery()
        )
        names = ("invited", "reviewed")
        sums = (func.coalesce(func.sum(orders.c[name]), 0).label(name) for name in names)
        (found,) = self._session.rows(select(func.count().label("eligible"), *sums))
        return OrderCohort(eligible=found.eligible, invited=found.invited, reviewed=found.reviewed)

    def star_counts(self, since: Instant) -> dict[int, int]:
        """How many reviews of shops since then have how many stars; those that are gone do not count."""
        ratings = select(_c.rating, func.count()).where(
            _OF_SHOP, _c.gone_at.is_(None), _c.submitted_at >= since
        )
        found = dict.fromkeys(STARS, 0)
        for rating, count in self._session.rows(ratings.group_by(_c.rating)):
            found[min(max(int(rating + 0.5), STARS[-1]), STARS[0])] += count
        return found

    def scheduled_by_day(
        self, interface_ids: Collection[str] | None, *, after: Instant, before: Instant
    ) -> dict[int, int]:
        """How many pending rows of these accounts (``None``: all) are scheduled on each day in between."""
        at, found = invitation.c.scheduled_at, defaultdict[int, int](int)
        day = (at // DAY).label("day")
        waiting = (invitation.c.status == PENDING) & (at > after) & (at < before)
        keys = None if interface_ids is None else self._keys.any_of(interface_ids)
        for ids in [None] if keys is None else chunks(keys):
            mine = select(day, func.count()).where(waiting).group_by(day)
            if ids is not None:
                mine = mine.where(invitation.c.account_id.in_(ids))
            for number, count in self._session.rows(mine):
                found[number] += count
        return found

    def due_by_account(self, now: Instant) -> dict[str, DueFigure]:
        """The pending rows whose time has come, for another attempt too; accounts without any: left out.

        One that was already late when it was scheduled is due since then.
        """
        table = invitation.c
        since = case((table.judged_at > table.scheduled_at, table.judged_at), else_=table.scheduled_at)
        owner = (table.account_id + 0).label("account_id")  # not in the order of accounts, but of times
        statement = (
            select(owner, func.count().label("count"), func.min(since).label("oldest"))
            .where(
                table.status == PENDING,
                table.scheduled_at <= now,
                or_(table.next_attempt_at.is_(None), table.next_attempt_at <= now),
            )
            .group_by(owner)
        )
        names = self._keys.names()
        return {
            names[row.account_id]: DueFigure(count=row.count, oldest=row.oldest)
            for row in self._session.rows(statement)
        }

    def latest_invitations(self, limit: int, status: Status | None = None) -> tuple[Invitation, ...]:
        """The rows that were made, or whose status changed, last; of one status, or of all."""
        key, changes = invitation.c.id, tables.invitation_history.c
        made = select(key).order_by(key.desc()).limit(limit)
        changed = select(changes.invitation_id).order_by(changes.id.desc()).limit(limit)
        wanted = key.in_(made) | key.in_(changed)
        if status is not None:
            wanted = invitation.c.account_id.in_(_ACCOUNTS) & (invitation.c.status == status.value)
        latest = (invitation.c.changed_at.desc(), key.desc())
        statement = select(*COLUMNS).where(wanted).order_by(*latest).limit(limit)
        names = self._keys.names()
        return tuple(to_invitation(row, names) for row in self._session.rows(statement))

    def cancelled_by_reason(self, reasons: Collection[str], other: str) -> dict[str, dict[str, int]]:
        """How many rows of each account are cancelled, by reason (up to a colon); others as ``other``."""
        table = invitation.c
        mine = table.account_id.in_(_ACCOUNTS)
        known = {each: table.reason.in_([each]) | table.reason.startswith(f"{each}: ") for each in reasons}
        reason = case(*((known[each], literal(each)) for each in sorted(known)), else_=literal(other))
        labelled = (
            select(table.account_id, reason.label("reason")).where(mine, table.status == CANCELLED).subquery()
        )
        columns = (labelled.c.account_id, labelled.c.reason)
        statement = select(*columns, func.count()).group_by(*columns).order_by(*columns)
        found: dict[str, dict[str, int]] = {}
        names = self._keys.names()
        for key, why, count in self._session.rows(statement):
            found.setdefault(names[key], {})[why] = count
        return found

    def review_figures(self, since: Instant) -> Iterator[ReviewFigure]:
        """Reviews of the shop by account and day since then, and by account before.

        What is gone does not count, nor do reviews of products: eKomi's figures leave them out, too.
        Read to the end before anything else.
        """
        table = review.c
        day = case((table.submitted_at < since, literal(BEFORE)), else_=table.submitted_at // DAY)
        counted = table.gone_at.is_(None) & (table.product_id == "")
        labelled = select(table.account_id, day.label("day"), table.rating).where(counted)
        inner = labelled.subquery()
        columns = (inner.c.account_id, inner.c.day)
        statement = select(*columns, func.count(), func.sum(inner.c.rating)).group_by(*columns)
        names = self._keys.names()
        with self._session.connection.execute(
            statement, execution_options={"yield_per": ROWS_PER_PAGE}
        ) as rows:
            for key, found, count, stars in rows:
                yield ReviewFigure(interface_id=names[key], day=found, count=count, stars=stars)

    def review_statistics(
        self,
        interface_ids: Iterable[str] | None = None,
        *,
        by: Period,
        since: Instant | None = None,
        product_id: str | None = None,
    ) -> tuple[ReviewStatistics, ...]:
        """The figures of these accounts, one each in a stable order; without any named, of all live ones.

        ``since`` counts only later reviews, ``product_id`` (eKomi's, or the shop's own identifier) only
        those of one product.
        """
        keys = self._keys.any_of(self._keys.live() if interface_ids is None else interface_ids)
        names = self._keys.names()
        groups: defaultdict[int, list[Any]] = defaultdict(list)
        for chunk in [None] if interface_ids is None else chunks(keys):
            for row in self._session.rows(_sums(chunk, by=by, since=since, product_id=product_id)):
                groups[row.account].append(row)
        known = product_id is None
        return tuple(_statistics(names[key], groups[key], by=by, answers_known=known) for key in keys)

    def sent_invitations(
        self, interface_ids: Iterable[str] | None = None, *, since: Instant | None = None
    ) -> Iterator[SentOutcome]:
        """What was sent by these accounts (none named: by all) since then, and whether it led to a review.

        A review counts from the instant of sending, also one that eKomi no longer shows, unless another order
        has the number there: then it may be that one's.
        """
        keys = None if interface_ids is None else self._keys.any_of(interface_ids)
        names = self._keys.names()
        for chunk in [None] if keys is None else chunks(keys):
            for row in self._session.rows(_sent(chunk, since)):
                yield SentOutcome(
                    interface_id=names[row.account_id],
                    sent_at=row.sent_at,
                    channel=row.channel,
                    pending_days=row.pending_days,
                    reviewed_at=row.reviewed_at,
                )


_c = review.c
_ACCOUNTS = select(account.c.id)
"""Beside a status: then the index of both is used."""
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


def _first_review() -> Any:
    """When the order of a sent invitation was first reviewed after it."""
    table = invitation.c
    own = (
        _OF_SHOP
        & (_c.account_id == table.account_id)
        & (_c.order_id == table.number)
        & (_c.submitted_at >= table.sent_at)
    )
    return select(func.min(_c.submitted_at)).where(own, SOLE).correlate(invitation).scalar_subquery()


def _sent(keys: Collection[int] | None, since: Instant | None, until: Instant | None = None) -> Select[Any]:
    """The sent invitations of these accounts, each with its first review."""
    table = invitation.c
    wanted = [table.status == SENT, table.sent_at.is_not(None)]
    wanted += [] if keys is None else [table.account_id.in_(keys)]
    wanted += [] if since is None else [table.sent_at >= since]
    wanted += [] if until is None else [table.sent_at <= until]
    columns = (table.account_id, table.sent_at, table.channel, table.pending_days)
    return select(*columns, _first_review().label("reviewed_at")).where(*wanted)


def _sums(
    keys: Collection[int] | None, *, by: Period, since: Instant | None, product_id: str | None
) -> Select[Any]:
    """One row per account and period; where all are wanted, reviews of products are summed up beside.

    For all accounts the table is read from end to end: looking up its rows in the order of the index takes
    ten times as long, and adding nothing to the id keeps SQLite from doing that.
    """
    wanted = _OF_SHOP if product_id is None else of_product(product_id)
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
        yield of_product(product_id)


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
