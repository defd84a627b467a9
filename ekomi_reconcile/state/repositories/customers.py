"""What the state holds about one customer.

A customer is known by the rows of the queue that carry the digest; reviews and the log of failed calls
belong to a customer through the orders of these rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, func, select, tuple_, update

from ekomi_reconcile.model.instant import Instant
from ekomi_reconcile.model.invitation import Invitation, Status
from ekomi_reconcile.model.review import RecordedReview
from ekomi_reconcile.model.run import ApiError, JournalEntry
from ekomi_reconcile.state.engine import tables
from ekomi_reconcile.state.engine.session import Repository, chunks
from ekomi_reconcile.state.repositories.invitations import COLUMNS, record_changes, to_invitation
from ekomi_reconcile.state.repositories.journal import to_entry, to_error
from ekomi_reconcile.state.repositories.reviews import erase_reviews, to_review

ERASED = "erased"
"""Why a row is skipped whose customer asked to be forgotten."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasureCounts:
    """What was erased; ``skipped`` rows were pending and are never sent."""

    invitations: int = 0
    skipped: int = 0
    reviews: int = 0
    errors: int = 0


class CustomerRepository(Repository):
    """Everything by customer."""

    def invitations(self, customer: str) -> tuple[Invitation, ...]:
        """The rows of a customer, by id."""
        rows = self._session.rows(
            select(*COLUMNS).where(tables.invitation.c.customer == customer).order_by(tables.invitation.c.id)
        )
        return tuple(to_invitation(row, self._keys.names()) for row in rows)

    def erase(self, customer: str, *, now: Instant, actor: str) -> ErasureCounts:
        """Forget a customer, but not that the orders were dealt with: ids, status and times stay.

        Rows still pending are skipped. The texts of the reviews of the orders go, and remarks with them.
        """
        with self._session.joined():
            rows = self._session.rows(
                select(
                    tables.invitation.c.id,
                    tables.invitation.c.account_id,
                    tables.invitation.c.number,
                    tables.invitation.c.status,
                )
                .where(tables.invitation.c.customer == customer)
                .order_by(tables.invitation.c.id)
            )
            waiting = [row.id for row in rows if row.status == Status.PENDING.value]
            for ids in chunks([row.id for row in rows]):
                self._forget(ids)
            self._skip_erased(waiting, now=now, actor=actor)
            return ErasureCounts(
                invitations=len(rows),
                skipped=len(waiting),
                reviews=erase_reviews(self._session, ((row.account_id, row.number) for row in rows), now=now),
                errors=sum(self._forget_remarks(chunk) for chunk in chunks(rows)),
            )

    def reviews(self, rows: Sequence[Invitation]) -> Iterator[RecordedReview]:
        """The reviews of the orders of these rows."""
        names = self._keys.names()
        for chunk in chunks(rows):
            mine = tuple_(tables.review.c.account_id, tables.review.c.order_id).in_(self._by_account(chunk))
            for row in self._session.rows(select(tables.review).where(mine).order_by(tables.review.c.id)):
                yield to_review(row, names[row.account_id])

    def errors(self, rows: Sequence[Invitation]) -> Iterator[ApiError]:
        """The logged failures of sending these rows, the oldest first."""
        names = self._keys.names()
        for chunk in chunks(rows):
            calls = [(key, _operation(number)) for key, number in self._by_account(chunk)]
            mine = tuple_(tables.api_error.c.account_id, tables.api_error.c.operation).in_(calls)
            for row in self._session.rows(
                select(tables.api_error).where(mine).order_by(tables.api_error.c.id)
            ):
                yield to_error(row, names)

    def journal(self, rows: Sequence[Invitation]) -> Iterator[JournalEntry]:
        """What people did with these rows, the oldest first."""
        for chunk in chunks(rows):
            mine = tables.journal.c.subject.in_([subject_of(row.id, row.number) for row in chunk])
            yield from map(
                to_entry, self._session.rows(select(tables.journal).where(mine).order_by(tables.journal.c.id))
            )

    def _by_account(self, rows: Sequence[Invitation]) -> list[tuple[int, str]]:
        """Account id and number of the orders of these rows."""
        ids = {name: key for key, name in self._keys.names().items()}
        return [(ids[row.interface_id], row.number) for row in rows]

    def _forget(self, ids: list[int]) -> None:
        mine = tables.invitation.c.id.in_(ids)
        self._session.execute(
            update(tables.invitation).where(mine).values(customer=None, link=None, reason=None)
        )
        of_these = tables.invitation_history.c.invitation_id.in_(ids)
        self._session.execute(update(tables.invitation_history).where(of_these).values(detail=None))

    def _skip_erased(self, ids: list[int], *, now: Instant, actor: str) -> None:
        values = {
            "status": Status.SKIPPED.value,
            "reason": ERASED,
            "next_attempt_at": None,
            "changed_at": now,
        }
        for chunk in chunks(ids):
            self._session.execute(
                update(tables.invitation).where(tables.invitation.c.id.in_(chunk)).values(values)
            )
        record_changes(self._session, ids, Status.PENDING, Status.SKIPPED, at=now, actor=actor, detail=ERASED)

    def _forget_remarks(self, rows: Sequence[Any]) -> int:
        subjects = [subject_of(row.id, row.number) for row in rows]
        self._session.execute(
            update(tables.journal).where(tables.journal.c.subject.in_(subjects)).values(detail=None)
        )
        calls = [(row.account_id, _operation(row.number)) for row in rows]
        mine = tuple_(tables.api_error.c.account_id, tables.api_error.c.operation).in_(calls)
        count = self._session.execute(
            select(func.count()).select_from(tables.api_error).where(mine)
        ).scalar_one()
        self._session.execute(delete(tables.api_error).where(mine))
        return int(count)


def subject_of(invitation_id: int, number: str) -> str:
    """How the journal names an invitation."""
    return f"invitation {invitation_id} of order {number}"


def _operation(number: str) -> str:
    """How the log of failed calls names the sending of an order."""
    return f"send {number}"
