"""Invitations for people: one, or those that fit a filter."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import ColumnElement, or_, select

from ekomi_reconcile.model.invitation import Invitation
from ekomi_reconcile.state.history import no_invitation
from ekomi_reconcile.state.records import InvitationFilter
from ekomi_reconcile.state.rows import COLUMNS, to_invitation
from ekomi_reconcile.state.session import ROWS_PER_PAGE, Session
from ekomi_reconcile.state.tables import invitation

_EVERYTHING = InvitationFilter()
_LARGEST_ID = 2**63 - 1


class ListingStore(Session):
    """Reading rows in the order of their ids."""

    def invitation(self, invitation_id: int) -> Invitation:
        """One row.

        Raises:
            StateError: there is no such invitation.
        """
        found = self.find_invitation(invitation_id)
        if found is None:
            raise no_invitation(invitation_id)
        return found

    def find_invitation(self, invitation_id: int) -> Invitation | None:
        """One row, or ``None`` if there is no such invitation."""
        row = self._execute(select(*COLUMNS).where(invitation.c.id == invitation_id)).first()
        return None if row is None else to_invitation(row, self._names())

    def list_invitations(self, wanted: InvitationFilter = _EVERYTHING) -> Iterator[Invitation]:
        """The rows that fit, by id; safe to change meanwhile."""
        statement = select(*COLUMNS).where(*self._conditions(wanted)).order_by(invitation.c.id)
        left, after = wanted.limit, 0
        while left is None or left > 0:
            size = ROWS_PER_PAGE if left is None else min(left, ROWS_PER_PAGE)
            rows = self._rows(statement.where(invitation.c.id > after).limit(size))
            names = self._names()
            yield from (to_invitation(row, names) for row in rows)
            if len(rows) < size:
                return
            left, after = (None if left is None else left - size), rows[-1].id

    def _conditions(self, wanted: InvitationFilter) -> Iterator[ColumnElement[bool]]:
        if wanted.interface_ids is not None:
            yield invitation.c.account_id.in_(self._any_account_ids(wanted.interface_ids))
        if wanted.statuses is not None:
            yield invitation.c.status.in_(sorted(each.value for each in wanted.statuses))
        if wanted.customer is not None:
            yield invitation.c.customer == wanted.customer
        if wanted.order is not None:
            by_number = invitation.c.number == wanted.order
            key = wanted.order.removeprefix("#")
            is_key = key.isascii() and key.isdigit() and int(key) <= _LARGEST_ID
            yield or_(by_number, invitation.c.order_id == int(key)) if is_key else by_number
