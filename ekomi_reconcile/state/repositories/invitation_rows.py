"""Rows of the queue as records, and the recording of their changes of status."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ekomi_reconcile.model.errors import StateError
from ekomi_reconcile.model.instant import Instant
from ekomi_reconcile.model.invitation import Evidence, Invitation, NewInvitation, Reached, Status
from ekomi_reconcile.model.rule import Deliver
from ekomi_reconcile.state.engine.session import Session
from ekomi_reconcile.state.engine.tables import invitation, invitation_history

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
)
"""What ``new_row`` gives, in its order."""

_STATUS = {each.value: each for each in Status}
_CHANNELS = {each.value: each for each in Deliver}
_EVIDENCE = {each.value: each for each in Evidence}


def to_invitation(row: Sequence[Any], interface_ids: Mapping[int, str]) -> Invitation:
    """The invitation in a row of ``COLUMNS``."""
    return Invitation(
        id=row[0],
        interface_id=interface_ids[row[1]],
        source=row[2],
        order_id=row[3],
        number=row[4],
        store_view=row[5],
        order_date=row[6],
        status=_STATUS[row[7]],
        reached=Reached(row[8], row[9], _EVIDENCE[row[10]]),
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


def new_row(account_id: int, row: NewInvitation, status: Status, now: Instant) -> tuple[object, ...]:
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
    )


_CHANGE = ("invitation_id", "from_status", "to_status", "at", "actor", "detail")


def record_changes(
    session: Session,
    ids: Iterable[int],
    before: Status,
    after: Status,
    *,
    at: Instant,
    actor: str,
    detail: str | None = None,
) -> None:
    """Record that these invitations have gone from one status to another."""
    record_each(session, ((key, before.value, after.value, at, actor, detail) for key in ids))


def record_each(session: Session, changes: Iterable[tuple[int, str, str, Instant, str, str | None]]) -> None:
    """Record changes of status: invitation, status before and after, instant, actor, detail."""
    session.insert_rows(invitation_history, _CHANGE, list(changes))


def no_invitation(invitation_id: int) -> StateError:
    """There is no row with this id."""
    return StateError(
        f"the state has no invitation {invitation_id}", mend="see: ekomi-reconcile invitations list"
    )
