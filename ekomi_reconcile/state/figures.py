"""Figures of the whole queue and of all reviews: summed by the database, however many rows there are.

Days are numbers: whole days since 1970-01-01 in UTC.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, case, func, literal, or_, select

from ekomi_reconcile.model.instant import DAY, Instant
from ekomi_reconcile.model.invitation import Invitation, Status
from ekomi_reconcile.state.journal import APPLY
from ekomi_reconcile.state.rows import COLUMNS, to_invitation
from ekomi_reconcile.state.session import ROWS_PER_PAGE, Session, chunks
from ekomi_reconcile.state.tables import CANCELLED, PENDING, invitation, journal, review

BEFORE = -1
"""Stands for all days before the first one that is asked for."""


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


class FigureStore(Session):
    """Sums over many rows, and the latest few of them."""

    def sent_by_day(self, since: Instant) -> dict[int, int]:
        """How many invitations were sent on each day from then on."""
        sent = (invitation.c.status == Status.SENT.value) & (invitation.c.sent_at >= since)
        return self._by_day(invitation.c.sent_at, sent)

    def scheduled_by_day(
        self, interface_ids: Collection[str], *, after: Instant, before: Instant
    ) -> dict[int, int]:
        """How many pending rows of these accounts are scheduled on each day within these instants."""
        at, found = invitation.c.scheduled_at, dict[int, int]()
        waiting = (invitation.c.status == PENDING) & (at > after) & (at < before)
        for ids in chunks(self._any_account_ids(interface_ids)):
            for day, count in self._by_day(at, waiting & invitation.c.account_id.in_(ids)).items():
                found[day] = found.get(day, 0) + count
        return found

    def due_by_account(self, now: Instant) -> dict[str, DueFigure]:
        """The pending rows whose time has come, for another attempt too; accounts without any: left out."""
        table = invitation.c
        statement = (
            select(
                table.account_id, func.count().label("count"), func.min(table.scheduled_at).label("oldest")
            )
            .where(
                table.status == PENDING,
                table.scheduled_at <= now,
                or_(table.next_attempt_at.is_(None), table.next_attempt_at <= now),
            )
            .group_by(table.account_id)
        )
        names = self._names()
        return {
            names[row.account_id]: DueFigure(count=row.count, oldest=row.oldest)
            for row in self._rows(statement)
        }

    def latest_invitations(self, limit: int, status: Status | None = None) -> tuple[Invitation, ...]:
        """The rows that were made last, the latest first; of one status, or of all."""
        statement = select(*COLUMNS).order_by(invitation.c.id.desc()).limit(limit)
        if status is not None:
            statement = statement.where(invitation.c.status == status.value)
        names = self._names()
        return tuple(to_invitation(row, names) for row in self._rows(statement))

    def cancelled_by_reason(self, reasons: Collection[str], other: str) -> dict[str, dict[str, int]]:
        """How many rows of each account are cancelled, by reason; reasons but these count as ``other``."""
        table = invitation.c
        reason = case((table.reason.in_(sorted(reasons)), table.reason), else_=literal(other))
        labelled = (
            select(table.account_id, reason.label("reason")).where(table.status == CANCELLED).subquery()
        )
        columns = (labelled.c.account_id, labelled.c.reason)
        statement = select(*columns, func.count()).group_by(*columns).order_by(*columns)
        found: dict[str, dict[str, int]] = {}
        names = self._names()
        for key, why, count in self._rows(statement):
            found.setdefault(names[key], {})[why] = count
        return found

    def review_figures(self, since: Instant) -> Iterator[ReviewFigure]:
        """Reviews of the shop by account and day from then on, and by account before.

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
        names = self._names()
        with self._connection.execute(statement, execution_options={"yield_per": ROWS_PER_PAGE}) as rows:
            for key, found, count, stars in rows:
                yield ReviewFigure(interface_id=names[key], day=found, count=count, stars=stars)

    def run_remarks(self, since: Instant, limit: int) -> Sequence[str]:
        """The remarks on runs that ended from then on, the latest first."""
        statement = (
            select(journal.c.detail)
            .where(journal.c.action == APPLY, journal.c.at >= since, journal.c.detail.is_not(None))
            .order_by(journal.c.id.desc())
            .limit(limit)
        )
        return self._execute(statement).scalars().all()

    def _by_day(self, at: ColumnElement[Any], wanted: ColumnElement[bool]) -> dict[int, int]:
        labelled = select((at // DAY).label("day")).where(wanted).subquery()
        statement = select(labelled.c.day, func.count()).group_by(labelled.c.day)
        return {row[0]: row[1] for row in self._rows(statement)}
