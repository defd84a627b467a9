"""What is recorded under the name of an order source, and its renaming."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from sqlalchemy import delete, exists, func, or_, select, update

from ekomi_reconcile.model.instant import Instant
from ekomi_reconcile.model.invitation import BLOCKING, Status
from ekomi_reconcile.model.order import id_rank
from ekomi_reconcile.state.engine.session import Repository
from ekomi_reconcile.state.engine.tables import invitation, invitation_history, observation, position

MERGED = "source_merged"
"""Why an invitation is cancelled whose order has another one under the new name of its source."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRows:
    """What is recorded under the name of an order source; ``merged`` orders are under both names."""

    invitations: int
    positions: int
    observations: int
    merged: int = 0

    def __bool__(self) -> bool:
        return bool(self.invitations or self.positions or self.observations)


class OrderSourceRepository(Repository):
    """``state mv-source``."""

    def recorded(self, source: str, new: str | None = None) -> SourceRows:
        """What is recorded under this name of a source, and how many orders are under ``new`` as well."""
        invitations, positions, observations = (
            int(self._session.execute(select(func.count()).where(table.c.source == source)).scalar_one())
            for table in (invitation, position, observation)
        )
        merged = 0 if new is None else sum(1 for _ in self._under_both(source, new))
        return SourceRows(
            invitations=invitations, positions=positions, observations=observations, merged=merged
        )

    def rename(self, old: str, new: str, *, now: Instant) -> SourceRows:
        """Put everything that is recorded under one name of an order source under another one.

        An order with invitations under both names keeps one: the first that blocks it, else a pending one.
        """
        with self._session.joined():
            found = self.recorded(old, new)
            for rows in list(self._under_both(old, new)):
                self._merge(rows, now=now)
            twin = observation.alias()
            known = exists().where(twin.c.source == new, twin.c.order_id == observation.c.order_id)
            self._session.execute(delete(observation).where(observation.c.source == old, known))
            for table in (invitation, observation, position):
                self._session.execute(update(table).where(table.c.source == old).values(source=new))
        return found

    def _under_both(self, old: str, new: str) -> Iterator[Sequence[Any]]:
        """The rows of each order that has some under both names, the most important first."""
        mine, other = invitation.alias(), invitation.alias()
        both = (
            select(mine.c.order_id)
            .join(other, mine.c.order_id == other.c.order_id)
            .where(mine.c.source == old, other.c.source == new)
        )
        table = invitation.c
        rows = self._session.rows(
            select(table.id, table.order_id, table.account_id, table.status, table.changed_at).where(
                or_(table.source == old, table.source == new), table.order_id.in_(both)
            )
        )
        ranked = sorted(
            rows, key=lambda row: (id_rank(row.order_id), _weight(row.status), row.changed_at, row.id)
        )
        for _, group in groupby(ranked, key=lambda row: row.order_id):
            yield list(group)

    def _merge(self, rows: Sequence[Any], *, now: Instant) -> None:
        """Leave one invitation per account, and one that is not cancelled."""
        kept: dict[int, int] = {}
        for number, row in enumerate(rows):
            first = kept.setdefault(row.account_id, row.id)
            if first != row.id:
                history = update(invitation_history).where(invitation_history.c.invitation_id == row.id)
                self._session.execute(history.values(invitation_id=first))
                self._session.execute(delete(invitation).where(invitation.c.id == row.id))
            elif number and row.status != Status.CANCELLED.value:
                reason = f"{MERGED}: {row.status}"
                values = {"status": Status.CANCELLED.value, "reason": reason, "changed_at": now}
                self._session.execute(update(invitation).where(invitation.c.id == row.id).values(values))


def _weight(status: str) -> int:
    if status in {each.value for each in BLOCKING}:
        return 0
    return 1 if status == Status.PENDING.value else 2
