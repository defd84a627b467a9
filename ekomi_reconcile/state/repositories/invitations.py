"""Invitations: rows, lists and histories."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, or_, select, update

from ekomi_reconcile.model import invitation as invitations
from ekomi_reconcile.model.errors import StateError
from ekomi_reconcile.model.instant import Instant
from ekomi_reconcile.model.order import order_id_of
from ekomi_reconcile.model.rule import Deliver
from ekomi_reconcile.state.engine.session import ROWS_PER_PAGE, Repository, Session
from ekomi_reconcile.state.engine.tables import CANCELLED, invitation, invitation_history

_c = invitation.c
COLUMNS = (
    _c.id,
    _c.account_id,
    _c.source,
    _c.order_id,
    _c.number,
    _c.store_view,
    _c.order_date,
    _c.status,
    _c.reached_at,
    _c.reached_status,
    _c.reached_source,
    _c.judged_at,
    _c.scheduled_at,
    _c.sent_at,
    _c.link,
    _c.reason,
    _c.attempts,
    _c.next_attempt_at,
    _c.pushed,
    _c.customer,
    _c.changed_at,
    _c.refusal,
    _c.refusals,
    _c.unreached,
    _c.pending_days,
    _c.at_once,
    _c.channel,
)
"""What ``to_invitation`` takes, in its order."""

NEW_COLUMNS = (
    "account_id",
    "source",
    "order_id",
    "number",
    "store_view",
    "order_date",
    "status",
    "reached_at",
    "reached_status",
    "reached_source",
    "judged_at",
    "scheduled_at",
    "customer",
    "changed_at",
    "pending_days",
    "run_id",
)
"""What ``new_row`` gives, in its order."""

_STATUS = {each.value: each for each in invitations.Status}
_CHANNELS = {each.value: each for each in Deliver}
_EVIDENCE = {each.value: each for each in invitations.Evidence}


def to_invitation(row: Sequence[Any], interface_ids: Mapping[int, str]) -> invitations.Invitation:
    """The invitation in a row of ``COLUMNS``."""
    return invitations.Invitation(
        id=row[0],
        interface_id=interface_ids[row[1]],
        source=row[2],
        order_id=row[3],
        number=row[4],
        store_view=row[5],
        order_date=row[6],
        status=_STATUS[row[7]],
        reached=invitations.Reached(row[8], row[9], _EVIDENCE[row[10]]),
        judged_at=row[11],
        scheduled_at=row[12],
        sent_at=row[13],
        link=row[14],
        reason=row[15],
        attempts=row[16],
        next_attempt_at=row[17],
        pushed=row[18],
        customer=row[19],
        changed_at=row[20],
        refusal=row[21],
        refusals=row[22],
        unreached=row[23],
        pending_days=row[24],
        at_once=row[25],
        channel=_CHANNELS.get(row[26]),
    )


def new_row(
    account_id: int,
    row: invitations.NewInvitation,
    status: invitations.Status,
    now: Instant,
    run_id: int | None,
) -> tuple[object, ...]:
    """A row that is put into the queue, as the values of ``NEW_COLUMNS``."""
    return (
        account_id,
        row.source,
        row.order_id,
        row.number,
        row.store_view,
        row.order_date,
        status.value,
        row.reached_at,
        row.reached_status,
        row.reached_source,
        row.judged_at,
        row.scheduled_at,
        row.customer,
        now,
        row.pending_days,
        run_id,
    )


_CHANGE = ("invitation_id", "from_status", "to_status", "at", "actor", "detail", "run_id")


def record_changes(
    session: Session,
    ids: Iterable[int],
    before: invitations.Status,
    after: invitations.Status,
    *,
    at: Instant,
    actor: str,
    detail: str | None = None,
) -> None:
    """Record that these invitations have gone from one status to another."""
    record_each(session, ((key, before.value, after.value, at, actor, detail) for key in ids))


def record_each(session: Session, changes: Iterable[tuple[int, str, str, Instant, str, str | None]]) -> None:
    """Record changes of status: invitation, status before and after, instant, actor, detail."""
    session.insert_rows(invitation_history, _CHANGE, [(*each, session.run_id) for each in changes])


def no_invitation(invitation_id: int) -> StateError:
    """No invitation has this id."""
    return StateError(
        f"the state has no invitation {invitation_id}", hint="see: ekomi-reconcile invitations list"
    )


_EVERYTHING = invitations.InvitationFilter()
_SKIPPABLE = frozenset({invitations.Status.PENDING, invitations.Status.CANCELLED, invitations.Status.FAILED})
_HINTS = {
    invitations.Status.PENDING: "it waits for its time; see: ekomi-reconcile invitations show {}",
    invitations.Status.SENDING: "wait until the run that is sending it has ended",
    invitations.Status.SENT: "the customer was asked already, and is asked only once",
    invitations.Status.SKIPPED: "first: ekomi-reconcile invitations unskip {}",
    invitations.Status.CANCELLED: "it comes back by itself once the order matches again",
    invitations.Status.FAILED: "see: ekomi-reconcile invitations retry {}",
    invitations.Status.UNKNOWN: "find out whether it was sent: "
    "ekomi-reconcile invitations resolve {} --sent|--resend",
}


class InvitationRepository(Repository):
    """Reading single invitations and lists by id, their histories, and what operators do with them.

    What operators do (skip, unskip, push, retry, resolve) returns the invitation as it is afterwards, and
    raises ``StateError`` if there is no such invitation, or if its status does not allow it.
    """

    def get(self, invitation_id: int) -> invitations.Invitation:
        """One row.

        Raises:
            StateError: there is no such invitation.
        """
        found = self.find(invitation_id)
        if found is None:
            raise no_invitation(invitation_id)
        return found

    def find(self, invitation_id: int) -> invitations.Invitation | None:
        """One row, or ``None`` if there is no such invitation."""
        row = self._session.execute(select(*COLUMNS).where(invitation.c.id == invitation_id)).first()
        return None if row is None else to_invitation(row, self._keys.names())

    def search(self, wanted: invitations.InvitationFilter = _EVERYTHING) -> Iterator[invitations.Invitation]:
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

    def _conditions(self, wanted: invitations.InvitationFilter) -> Iterator[ColumnElement[bool]]:
        if wanted.interface_ids is not None:
            yield invitation.c.account_id.in_(self._keys.any_of(wanted.interface_ids))
        if wanted.statuses is not None:
            yield invitation.c.status.in_(sorted(each.value for each in wanted.statuses))
        if wanted.customer is not None:
            yield invitation.c.customer == wanted.customer
        if wanted.order is not None:
            by_number = invitation.c.number == wanted.order
            yield or_(by_number, invitation.c.order_id == order_id_of(wanted.order.removeprefix("#")))

    def history(self, invitation_id: int) -> tuple[invitations.StatusChange, ...]:
        """Every change of this invitation, the oldest first.

        Raises:
            StateError: there is no such invitation.
        """
        first_step = select(_c.judged_at, _c.status, _c.run_id).where(_c.id == invitation_id)
        begun = self._session.execute(first_step).first()
        if begun is None:
            raise no_invitation(invitation_id)
        table = invitation_history
        rows = self._session.rows(
            select(table).where(table.c.invitation_id == invitation_id).order_by(table.c.id)
        )
        first = invitations.Status(rows[0].from_status if rows else begun.status)
        return (
            invitations.StatusChange(
                at=begun.judged_at,
                from_status=None,
                to_status=first,
                actor=invitations.LOOP,
                run_id=begun.run_id,
            ),
            *(
                invitations.StatusChange(
                    at=row.at,
                    from_status=invitations.Status(row.from_status),
                    to_status=invitations.Status(row.to_status),
                    actor=row.actor,
                    detail=row.detail,
                    run_id=row.run_id,
                )
                for row in rows
            ),
        )

    def skip(
        self, invitation_id: int, *, now: Instant, actor: str, reason: str | None = None
    ) -> invitations.Invitation:
        """Never send it, and never offer its order again. A skipped row stays as it is."""
        with self._session.joined():
            row = self._get(invitation_id)
            if row.status is invitations.Status.SKIPPED:
                return row
            self._allow(row, _SKIPPABLE, "skipped")
            if row.status is invitations.Status.CANCELLED:
                self._refuse_second(row)
            return self._turn(
                row, invitations.Status.SKIPPED, now=now, actor=actor, reason=reason, next_attempt_at=None
            )

    def unskip(self, invitation_id: int, *, now: Instant, actor: str) -> invitations.Invitation:
        """Let a skipped row wait for its time again."""
        with self._session.joined():
            row = self._get(invitation_id)
            self._allow(row, {invitations.Status.SKIPPED}, "unskipped")
            return self._back(row, now=now, actor=actor)

    def push(
        self, invitation_id: int, *, now: Instant, actor: str, at_once: bool = False
    ) -> invitations.Invitation:
        """Send a pending row in the next run, whatever its time; changed rules no longer move it.

        ``at_once``: it does not wait for a sending window either.
        """
        with self._session.joined():
            row = self._get(invitation_id)
            self._allow(row, {invitations.Status.PENDING}, "pushed")
            due = min(row.scheduled_at, now)
            at_once = at_once or row.at_once
            return self._back(row, now=now, actor=actor, scheduled_at=due, pushed=True, at_once=at_once)

    def retry(self, invitation_id: int, *, now: Instant, actor: str) -> invitations.Invitation:
        """Try a failed row again, or at once one that waits for another attempt; attempts start again.

        So does one that was cancelled because eKomi could not be reached, or its order was gone.
        """
        with self._session.joined():
            row = self._get(invitation_id)
            waits = row.status is invitations.Status.PENDING and row.next_attempt_at is not None
            ended = row.status is invitations.Status.CANCELLED and row.closed
            self._allow(
                row,
                {invitations.Status.FAILED, row.status} if waits or ended else {invitations.Status.FAILED},
                "retried",
            )
            if ended:
                self._refuse_second(row)
            return self._back(row, now=now, actor=actor, **({"scheduled_at": now} if ended else {}))

    def resolve(
        self, invitation_id: int, resolution: invitations.Resolution, *, now: Instant, actor: str
    ) -> invitations.Invitation:
        """Record what a person found out about a row whose outcome was unknown."""
        with self._session.joined():
            row = self._get(invitation_id)
            self._allow(row, {invitations.Status.UNKNOWN}, "resolved")
            if resolution is invitations.Resolution.RESEND:
                return self._back(row, now=now, actor=actor)
            return self._turn(
                row, invitations.Status.SENT, now=now, actor=actor, reason=None, sent_at=row.changed_at
            )

    def _get(self, invitation_id: int) -> invitations.Invitation:
        """The row, which no other process changes until the transaction ends."""
        mine = select(*COLUMNS).where(invitation.c.id == invitation_id).with_for_update()
        row = self._session.execute(mine).first()
        if row is None:
            raise no_invitation(invitation_id)
        return to_invitation(row, self._keys.names())

    def _allow(
        self,
        row: invitations.Invitation,
        allowed: frozenset[invitations.Status] | set[invitations.Status],
        done: str,
    ) -> None:
        if row.status not in allowed:
            raise StateError(
                f"invitation {row.id} of order {row.number} is {row.status.value}: it cannot be {done}",
                hint=_HINTS[row.status].format(row.id),
            )

    def _refuse_second(self, row: invitations.Invitation) -> None:
        live = select(invitation.c.id).where(
            invitation.c.source == row.source,
            invitation.c.order_id == row.order_id,
            invitation.c.status != CANCELLED,
        )
        if (other := self._session.execute(live).scalar()) is not None:
            raise StateError(
                f"order {row.number} has another invitation, {other}, which is not cancelled",
                hint=f"see: ekomi-reconcile invitations show {other}",
            )

    def _back(
        self, row: invitations.Invitation, *, now: Instant, actor: str, **values: Any
    ) -> invitations.Invitation:
        """Make the row pending, with all attempts before it."""
        if row.interface_id not in self._keys.live():
            raise StateError(
                f"the account of invitation {row.id} was deleted",
                hint=f"add the account with interface id {row.interface_id} again first",
            )
        again = {"attempts": 0, "next_attempt_at": None, "refusal": None, "refusals": 0, "unreached": 0}
        fresh = {"reason": None, "channel": None, **again, **values}
        return self._turn(row, invitations.Status.PENDING, now=now, actor=actor, **fresh)

    def _turn(
        self,
        row: invitations.Invitation,
        status: invitations.Status,
        *,
        now: Instant,
        actor: str,
        **values: Any,
    ) -> invitations.Invitation:
        self._session.execute(
            update(invitation)
            .where(invitation.c.id == row.id)
            .values(status=status.value, changed_at=now, **values)
        )
        detail = values.get("reason") or ("pushed" if values.get("pushed") else None)
        record_changes(self._session, [row.id], row.status, status, at=now, actor=actor, detail=detail)
        return self._get(row.id)
