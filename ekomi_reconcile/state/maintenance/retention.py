"""Forget what is older than the retention period."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from sqlalchemy import delete, insert, or_, select, update

from ekomi_reconcile.model.instant import DAY, Instant, iso
from ekomi_reconcile.model.invitation import Status
from ekomi_reconcile.state.engine.session import Session
from ekomi_reconcile.state.engine.tables import (
    api_error,
    invitation,
    invitation_history,
    journal,
    meta,
    observation,
    review,
)
from ekomi_reconcile.state.store import State

OPERATION = "privacy retention"

_PRUNED = "pruned_before"
_OPEN = (Status.PENDING.value, Status.SENDING.value)
_REMOVED = ("store_view", "link", "reason", "customer")


@dataclass(frozen=True, slots=True, kw_only=True)
class PruneCounts:
    """What was forgotten; ``reduced`` invitations keep ids, status and times."""

    reviews: int = 0
    errors: int = 0
    journal: int = 0
    changes: int = 0
    observations: int = 0
    reduced: int = 0

    @property
    def total(self) -> int:
        """How many rows were concerned."""
        return sum(getattr(self, each.name) for each in fields(self))

    def __str__(self) -> str:
        shown = {each.name: getattr(self, each.name) for each in fields(self)}
        return ", ".join(f"{count} {name}" for name, count in shown.items() if count)


def prune(state: State, before: Instant, now: Instant) -> PruneCounts:
    """Delete reviews, logs and histories from before, and reduce invitations that ended before.

    An invitation keeps what is needed never to ask twice: ids, status and times. What is open stays.
    At most once a day something is done, and what was done is journaled.
    """
    session = state.session
    with session.joined():
        last = session.execute(select(meta.c.value).where(meta.c.key == _PRUNED)).scalar()
        if last is not None and int(last) <= before < int(last) + DAY:
            return PruneCounts()
        _remember(session, before, known=last is not None)
        counts = PruneCounts(
            reviews=_delete(session, review, review.c.submitted_at < before),
            errors=_delete(session, api_error, api_error.c.at < before),
            journal=_delete(session, journal, journal.c.at < before),
            changes=_delete(session, invitation_history, invitation_history.c.at < before),
            observations=_delete(session, observation, observation.c.since < before),
            reduced=_reduce(session, before),
        )
        if counts.total:
            state.journal.add(OPERATION, subject=f"before {iso(before)}", outcome=str(counts), now=now)
    return counts


def _delete(session: Session, table: Any, old: Any) -> int:
    return session.execute(delete(table).where(old)).rowcount


def _reduce(session: Session, before: Instant) -> int:
    holds = or_(*(invitation.c[name].is_not(None) for name in _REMOVED))
    ended = invitation.c.status.not_in(_OPEN) & (invitation.c.changed_at < before)
    values = dict.fromkeys(_REMOVED)
    return session.execute(update(invitation).where(ended, holds).values(values)).rowcount


def _remember(session: Session, before: Instant, *, known: bool) -> None:
    mine = update(meta).where(meta.c.key == _PRUNED).values(value=str(before))
    session.execute(mine if known else insert(meta).values(key=_PRUNED, value=str(before)))
