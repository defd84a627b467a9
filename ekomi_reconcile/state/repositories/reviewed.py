"""Which orders of the queue have a review already."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from sqlalchemy import Select, exists, select, tuple_, update

from ekomi_reconcile.model.instant import Instant
from ekomi_reconcile.model.invitation import LOOP, Criterion, Invitation, Status
from ekomi_reconcile.state.engine.session import Repository, chunks
from ekomi_reconcile.state.engine.tables import PENDING, invitation, review
from ekomi_reconcile.state.repositories.invitation_rows import COLUMNS, record_changes, to_invitation

_ANY = select(review.c.id).limit(1)
_PAIRS = 400
_LIVE = review.c.gone_at.is_(None)
_OTHER = invitation.alias("other")
_SOLE = ~exists().where(
    _OTHER.c.number == invitation.c.number,
    _OTHER.c.account_id == invitation.c.account_id,
    _OTHER.c.id != invitation.c.id,
)
"""No other order is recorded with this number at this interface."""


def _of_invitation() -> Any:
    """A review of the order of an invitation, submitted after the order date."""
    return (
        _LIVE
        & (review.c.account_id == invitation.c.account_id)
        & (review.c.order_id == invitation.c.number)
        & (review.c.submitted_at > invitation.c.order_date)
    )


def reviewed_rows(keys: Collection[int], since: Instant) -> Select[Any]:
    """Pending invitations of these accounts whose orders have a review that was submitted since then."""
    return (
        select(*COLUMNS)
        .distinct()
        .select_from(review)
        .join(invitation, _of_invitation())
        .where(
            review.c.account_id.in_(keys),
            review.c.submitted_at >= since,
            invitation.c.status == PENDING,
        )
    )


class ReviewedRepository(Repository):
    """Looking up reviews by order number, and what follows from them."""

    def any(self) -> bool:
        """Is there any review of any account?"""
        return self._session.execute(_ANY).scalar() is not None

    def submitted(self, pairs: Collection[tuple[str, str]]) -> dict[tuple[str, str], tuple[Instant, ...]]:
        """When reviews with these interface ids and order numbers were submitted; without any: left out."""
        found: dict[tuple[str, str], tuple[Instant, ...]] = {}
        if not pairs or not self.any():
            return found
        names = self._keys.names()
        ids = {name: key for key, name in names.items()}
        wanted = [(ids[name], number) for name, number in sorted(set(pairs)) if name in ids]
        statement = select(review.c.account_id, review.c.order_id, review.c.submitted_at).where(_LIVE)
        for at in range(0, len(wanted), _PAIRS):
            mine = tuple_(review.c.account_id, review.c.order_id).in_(wanted[at : at + _PAIRS])
            for key, number, submitted in self._session.rows(statement.where(mine)):
                place = (names[key], number)
                found[place] = (*found.get(place, ()), submitted)
        return found

    def pending(self, interface_ids: Collection[str], since: Instant) -> Iterator[Invitation]:
        """Pending invitations whose orders have a review that was submitted since then, by id."""
        for chunk in chunks(self._keys.any_of(interface_ids)):
            names = self._keys.names()
            rows = self._session.rows(reviewed_rows(chunk, since).order_by(invitation.c.id))
            yield from (to_invitation(row, names) for row in rows)

    def settle(self, interface_id: str, *, now: Instant) -> int:
        """Record as sent what was perhaps sent and has been reviewed; how many. Nobody knows when it was.

        An invitation whose number another order has at this interface stays unknown.
        """
        mine = select(invitation.c.id).where(
            invitation.c.account_id.in_(self._keys.any_of([interface_id])),
            invitation.c.status == Status.UNKNOWN.value,
            exists().where(_of_invitation()),
            _SOLE,
        )
        with self._session.joined():
            ids = [row.id for row in self._session.rows(mine)]
            for chunk in chunks(ids):
                self._session.execute(
                    update(invitation)
                    .where(invitation.c.id.in_(chunk))
                    .values(
                        status=Status.SENT.value,
                        reason=Criterion.REVIEWED.value,
                        sent_at=None,
                        next_attempt_at=None,
                        changed_at=now,
                    )
                )
            record_changes(
                self._session,
                ids,
                Status.UNKNOWN,
                Status.SENT,
                at=now,
                actor=LOOP,
                detail=Criterion.REVIEWED.value,
            )
        return len(ids)
