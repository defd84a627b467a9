"""Renaming an account or an order source in the state alone."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from sqlalchemy import delete, exists, func, or_, select, update

from ekomi_reconcile.errors import StateError
from ekomi_reconcile.model.instant import Instant
from ekomi_reconcile.model.invitation import BLOCKING, Status
from ekomi_reconcile.state.accounts import AccountStore, name_key
from ekomi_reconcile.state.tables import account, invitation, invitation_history, observation, position

LONGEST_NAME = 255

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


class RenameStore(AccountStore):
    """``state mv`` and ``state mv-source``."""

    def check_rename(self, interface_id: str, name: str) -> None:
        """Make sure that a live account may be called so.

        Raises:
            StateError: there is no such account, the name belongs to another one, or it is no name.
        """
        if not 1 <= len(name) <= LONGEST_NAME or not name.strip():
            raise StateError(f"a name has 1 to {LONGEST_NAME} characters, not all of them blanks")
        mine = self._account_id(interface_id)
        taken = select(account.c.interface_id).where(
            account.c.name_key == name_key(name), account.c.deleted_at.is_(None), account.c.id != mine
        )
        found: Sequence[str] = self._execute(taken).scalars().all()
        if found:
            raise StateError(
                f'the name "{name}" belongs to the account with interface id {found[0]}',
                mend="rename that account first",
            )

    def rename_account(self, interface_id: str, name: str, *, now: Instant) -> None:
        """Call a live account by another name; raises like ``check_rename``."""
        with self._joined():
            self.check_rename(interface_id, name)
            mine = account.c.interface_id == interface_id
            desired = json.loads(self._execute(select(account.c.desired).where(mine)).scalar_one())
            text = json.dumps(
                desired | {"name": name}, sort_keys=True, ensure_ascii=False, separators=(",", ":")
            )
            values = {"name": name, "name_key": name_key(name), "desired": text, "updated_at": now}
            self._execute(update(account).where(mine).values(values))

    def source_rows(self, source: str, new: str | None = None) -> SourceRows:
        """What is recorded under this name of a source, and how many orders are under ``new`` as well."""
        invitations, positions, observations = (
            int(self._execute(select(func.count()).where(table.c.source == source)).scalar_one())
            for table in (invitation, position, observation)
        )
        merged = 0 if new is None else sum(1 for _ in self._under_both(source, new))
        return SourceRows(
            invitations=invitations, positions=positions, observations=observations, merged=merged
        )

    def rename_source(self, old: str, new: str, *, now: Instant) -> SourceRows:
        """Put everything that is recorded under one name of an order source under another one.

        An order with invitations under both names keeps one: the first that blocks it, else a pending one.
        """
        with self._joined():
            found = self.source_rows(old, new)
            for rows in list(self._under_both(old, new)):
                self._merge(rows, now=now)
            twin = observation.alias()
            known = exists().where(twin.c.source == new, twin.c.order_id == observation.c.order_id)
            self._execute(delete(observation).where(observation.c.source == old, known))
            for table in (invitation, observation, position):
                self._execute(update(table).where(table.c.source == old).values(source=new))
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
        rows = self._rows(
            select(table.id, table.order_id, table.account_id, table.status, table.changed_at).where(
                or_(table.source == old, table.source == new), table.order_id.in_(both)
            )
        )
        ranked = sorted(rows, key=lambda row: (row.order_id, _weight(row.status), row.changed_at, row.id))
        for _, group in groupby(ranked, key=lambda row: row.order_id):
            yield list(group)

    def _merge(self, rows: Sequence[Any], *, now: Instant) -> None:
        """Leave one invitation per account, and one that is not cancelled."""
        kept: dict[int, int] = {}
        for number, row in enumerate(rows):
            first = kept.setdefault(row.account_id, row.id)
            if first != row.id:
                history = update(invitation_history).where(invitation_history.c.invitation_id == row.id)
                self._execute(history.values(invitation_id=first))
                self._execute(delete(invitation).where(invitation.c.id == row.id))
            elif number and row.status != Status.CANCELLED.value:
                reason = f"{MERGED}: {row.status}"
                values = {"status": Status.CANCELLED.value, "reason": reason, "changed_at": now}
                self._execute(update(invitation).where(invitation.c.id == row.id).values(values))


def _weight(status: str) -> int:
    if status in {each.value for each in BLOCKING}:
        return 0
    return 1 if status == Status.PENDING.value else 2
