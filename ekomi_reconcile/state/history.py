"""The life of invitations: every change of a status."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import select

from ekomi_reconcile.errors import StateError
from ekomi_reconcile.model.instant import Instant
from ekomi_reconcile.model.invitation import Status
from ekomi_reconcile.state.records import LOOP, StatusChange
from ekomi_reconcile.state.session import Session
from ekomi_reconcile.state.tables import invitation, invitation_history

_COLUMNS = ("invitation_id", "from_status", "to_status", "at", "actor", "detail")


class HistoryStore(Session):
    """Recording and reading changes of status."""

    def history_of(self, invitation_id: int) -> tuple[StatusChange, ...]:
        """Every change of this invitation, the oldest first.

        Raises:
            StateError: there is no such invitation.
        """
        judged = select(invitation.c.judged_at).where(invitation.c.id == invitation_id)
        begun = self._execute(judged).scalar()
        if begun is None:
            raise no_invitation(invitation_id)
        table = invitation_history
        rows = self._rows(select(table).where(table.c.invitation_id == invitation_id).order_by(table.c.id))
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
            self._execute(select(invitation.c.status).where(invitation.c.id == invitation_id)).scalar_one()
        )

    def _record_changes(
        self,
        ids: Iterable[int],
        before: Status,
        after: Status,
        *,
        at: Instant,
        actor: str,
        detail: str | None = None,
    ) -> None:
        self._record((key, before.value, after.value, at, actor, detail) for key in ids)

    def _record(self, changes: Iterable[tuple[int, str, str, Instant, str, str | None]]) -> None:
        self._insert_rows(invitation_history, _COLUMNS, list(changes))


def no_invitation(invitation_id: int) -> StateError:
    """There is no row with this id."""
    return StateError(
        f"the state has no invitation {invitation_id}", mend="see: ekomi-reconcile invitations list"
    )
