"""Single invitations: lists, history, operator actions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import ColumnElement, or_, select, update

from ekomi_reconcile.model.errors import StateError
from ekomi_reconcile.model.instant import Instant
from ekomi_reconcile.model.invitation import (
    LOOP,
    Invitation,
    InvitationFilter,
    Resolution,
    Status,
    StatusChange,
)
from ekomi_reconcile.model.order import order_id_of
from ekomi_reconcile.state.engine.session import ROWS_PER_PAGE, Repository
from ekomi_reconcile.state.engine.tables import CANCELLED, invitation, invitation_history
from ekomi_reconcile.state.repositories.invitation_rows import (
    COLUMNS,
    no_invitation,
    record_changes,
    to_invitation,
)

_EVERYTHING = InvitationFilter()
_SKIPPABLE = frozenset({Status.PENDING, Status.CANCELLED, Status.FAILED})
_MENDS = {
    Status.PENDING: "it waits for its time; see: ekomi-reconcile invitations show {}",
    Status.SENDING: "wait until the run that is sending it has ended",
    Status.SENT: "the customer was asked already, and is asked only once",
    Status.SKIPPED: "first: ekomi-reconcile invitations unskip {}",
    Status.CANCELLED: "it comes back by itself once the order matches again",
    Status.FAILED: "see: ekomi-reconcile invitations retry {}",
    Status.UNKNOWN: "find out whether it was sent: ekomi-reconcile invitations resolve {} --sent|--resend",
}


class InvitationRepository(Repository):
    """Reading single invitations and lists by id, their histories, and what operators do with them.

    What operators do (skip, unskip, push, retry, resolve) returns the invitation as it is afterwards, and
    raises ``StateError`` if there is no such invitation, or if its status does not allow it.
    """

    def get(self, invitation_id: int) -> Invitation:
        """One row.

        Raises:
            StateError: there is no such invitation.
        """
        found = self.find(invitation_id)
        if found is None:
            raise no_invitation(invitation_id)
        return found

    def find(self, invitation_id: int) -> Invitation | None:
        """One row, or ``None`` if there is no such invitation."""
        row = self._session.execute(select(*COLUMNS).where(invitation.c.id == invitation_id)).first()
        return None if row is None else to_invitation(row, self._keys.names())

    def search(self, wanted: InvitationFilter = _EVERYTHING) -> Iterator[Invitation]:
        """The rows that fit, by id; safe to change meanwhile."""
        statement = select(*COLUMNS).where(*self._conditions(wanted)).order_by(invitation.c.id)
        left, after = wanted.limit, 0
        while left is None or left > 0:
            size = ROWS_PER_PAGE if left is None else min(left, ROWS_PER_PAGE)
            rows = self._session.rows(statement.where(invitation.c.id > after).limit(size))
            names = self._keys.names()
            yield from (to_invitation(row, names) for row in rows)
            if len(rows) < size:
                return
            left, after = (None if left is None else left - size), rows[-1].id

    def _conditions(self, wanted: InvitationFilter) -> Iterator[ColumnElement[bool]]:
        if wanted.interface_ids is not None:
            yield invitation.c.account_id.in_(self._keys.any_of(wanted.interface_ids))
        if wanted.statuses is not None:
            yield invitation.c.status.in_(sorted(each.value for each in wanted.statuses))
        if wanted.customer is not None:
            yield invitation.c.customer == wanted.customer
        if wanted.order is not None:
            by_number = invitation.c.number == wanted.order
            yield or_(by_number, invitation.c.order_id == order_id_of(wanted.order.removeprefix("#")))

    def history(self, invitation_id: int) -> tuple[StatusChange, ...]:
        """Every change of this invitation, the oldest first.

        Raises:
            StateError: there is no such invitation.
        """
        judged = select(invitation.c.judged_at).where(invitation.c.id == invitation_id)
        begun = self._session.execute(judged).scalar()
        if begun is None:
            raise no_invitation(invitation_id)
        table = invitation_history
        rows = self._session.rows(
            select(table).where(table.c.invitation_id == invitation_id).order_by(table.c.id)
        )
        first = Status(rows[0].from_status) if rows else self._status_of(invitation_id)
        return (
            StatusChange(at=begun, from_status=None, to_status=first, actor=LOOP),
            *(
                StatusChange(
                    at=row.at,
                    from_status=Status(row.from_status),
                    to_status=Status(row.to_status),
                    actor=row.actor,
                    detail=row.detail,
                )
                for row in rows
            ),
        )

    def _status_of(self, invitation_id: int) -> Status:
        return Status(
            self._session.execute(
                select(invitation.c.status).where(invitation.c.id == invitation_id)
            ).scalar_one()
        )

    def skip(self, invitation_id: int, *, now: Instant, actor: str, reason: str | None = None) -> Invitation:
        """Never send it, and never offer its order again. A skipped row stays as it is."""
        with self._session.joined():
            row = self._get(invitation_id)
            if row.status is Status.SKIPPED:
                return row
            self._allow(row, _SKIPPABLE, "skipped")
            if row.status is Status.CANCELLED:
                self._refuse_second(row)
            return self._turn(row, Status.SKIPPED, now=now, actor=actor, reason=reason, next_attempt_at=None)

    def unskip(self, invitation_id: int, *, now: Instant, actor: str) -> Invitation:
        """Let a skipped row wait for its time again."""
        with self._session.joined():
            row = self._get(invitation_id)
            self._allow(row, {Status.SKIPPED}, "unskipped")
            return self._back(row, now=now, actor=actor)

    def push(self, invitation_id: int, *, now: Instant, actor: str, at_once: bool = False) -> Invitation:
        """Send a pending row in the next run, whatever its time; changed rules no longer move it.

        ``at_once``: it does not wait for a sending window either.
        """
        with self._session.joined():
            row = self._get(invitation_id)
            self._allow(row, {Status.PENDING}, "pushed")
            due = min(row.scheduled_at, now)
            at_once = at_once or row.at_once
            return self._back(row, now=now, actor=actor, scheduled_at=due, pushed=True, at_once=at_once)

    def retry(self, invitation_id: int, *, now: Instant, actor: str) -> Invitation:
        """Try a failed row again, or at once one that waits for another attempt; attempts start again.

        So does one that was cancelled because eKomi could not be reached, or its order was gone.
        """
        with self._session.joined():
            row = self._get(invitation_id)
            waits = row.status is Status.PENDING and row.next_attempt_at is not None
            ended = row.status is Status.CANCELLED and row.closed
            self._allow(row, {Status.FAILED, row.status} if waits or ended else {Status.FAILED}, "retried")
            if ended:
                self._refuse_second(row)
            return self._back(row, now=now, actor=actor, **({"scheduled_at": now} if ended else {}))

    def resolve(self, invitation_id: int, resolution: Resolution, *, now: Instant, actor: str) -> Invitation:
        """Record what a person found out about a row whose outcome was unknown."""
        with self._session.joined():
            row = self._get(invitation_id)
            self._allow(row, {Status.UNKNOWN}, "resolved")
            if resolution is Resolution.RESEND:
                return self._back(row, now=now, actor=actor)
            return self._turn(row, Status.SENT, now=now, actor=actor, reason=None, sent_at=row.changed_at)

    def _get(self, invitation_id: int) -> Invitation:
        """The row, which no other process changes until the transaction ends."""
        mine = select(*COLUMNS).where(invitation.c.id == invitation_id).with_for_update()
        row = self._session.execute(mine).first()
        if row is None:
            raise no_invitation(invitation_id)
        return to_invitation(row, self._keys.names())

    def _allow(self, row: Invitation, allowed: frozenset[Status] | set[Status], done: str) -> None:
        if row.status not in allowed:
            raise StateError(
                f"invitation {row.id} of order {row.number} is {row.status.value}: it cannot be {done}",
                mend=_MENDS[row.status].format(row.id),
            )

    def _refuse_second(self, row: Invitation) -> None:
        live = select(invitation.c.id).where(
            invitation.c.source == row.source,
            invitation.c.order_id == row.order_id,
            invitation.c.status != CANCELLED,
        )
        if (other := self._session.execute(live).scalar()) is not None:
            raise StateError(
                f"order {row.number} has another invitation, {other}, which is not cancelled",
                mend=f"see: ekomi-reconcile invitations show {other}",
            )

    def _back(self, row: Invitation, *, now: Instant, actor: str, **values: Any) -> Invitation:
        """Make the row pending, with all attempts before it."""
        if row.interface_id not in self._keys.live():
            raise StateError(
                f"the account of invitation {row.id} was deleted",
                mend=f"add the account with interface id {row.interface_id} again first",
            )
        again = {"attempts": 0, "next_attempt_at": None, "refusal": None, "refusals": 0, "unreached": 0}
        fresh = {"reason": None, "channel": None, **again, **values}
        return self._turn(row, Status.PENDING, now=now, actor=actor, **fresh)

    def _turn(
        self, row: Invitation, status: Status, *, now: Instant, actor: str, **values: Any
    ) -> Invitation:
        self._session.execute(
            update(invitation)
            .where(invitation.c.id == row.id)
            .values(status=status.value, changed_at=now, **values)
        )
        detail = values.get("reason") or ("pushed" if values.get("pushed") else None)
        record_changes(self._session, [row.id], row.status, status, at=now, actor=actor, detail=detail)
        return self._get(row.id)
