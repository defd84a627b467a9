"""A state that lost its last records, as after a failover: noticing it, and accepting it.

What such a state has as pending may have been sent. To accept the loss, all that may have left in the lost
time becomes ``unknown``, so that nobody is invited twice.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from sqlalchemy import ColumnElement, exists, func, or_, select, update

from ekomi_reconcile.model.errors import StateLost
from ekomi_reconcile.model.instant import Instant, iso
from ekomi_reconcile.model.invitation import STATE_LOST, Status
from ekomi_reconcile.state.engine.session import Memory, Repository
from ekomi_reconcile.state.engine.tables import PENDING, invitation, invitation_history, journal, meta
from ekomi_reconcile.state.repositories.invitation_rows import record_changes

ACCEPT_LOSS = "state accept-loss"
_SETTLING = (ACCEPT_LOSS, "state restore", "state push")
"""Actions of the journal after which a state counts as it is, whatever it had recorded before."""

_PAGE = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class DueCount:
    """How many pending invitations of an account are due, and how many of them were due before an instant."""

    interface_id: str
    due: int
    due_before: int


class LostRecords(Repository):
    """Noticing and accepting that the last records are gone."""

    def remember(self) -> None:
        """Keep in the memory of the session how far the state has come, whoever brought it there."""
        last = self._session.rows(select(journal.c.id, journal.c.at).order_by(journal.c.id.desc()).limit(1))
        lineage = self._lineage()
        entry = (last[0].id, last[0].at) if last else None
        self._session.memory = replace(self._session.memory, lineage=lineage, journal=entry)

    def check(self, memory: Memory) -> None:
        """Make sure that the state still has what this process has committed.

        What retention has deleted since is not missed.

        Raises:
            StateLost: it has not, and nobody has accepted that; or it is another state.
        """
        if memory.lineage is not None and memory.lineage != (found := self._lineage()):
            raise StateLost(
                f"{self._session.location} is another state than before: its lineage is {found}, it was "
                f"{memory.lineage}",
                mend="restore a backup: ekomi-reconcile state restore FILE; if the new one is right, start "
                "this run again",
            )
        since = self._lost_since(memory)
        if since is None or self._settled_after(since):
            return
        raise StateLost(
            f"{self._session.location} has lost what this run recorded at {iso(since)}: the server was "
            "restored or failed over to a replica that was behind",
            mend="stop all runs and let `ekomi-reconcile apply --no-send` read the orders of the lost time "
            "again; then, with a TIME before the first lost record: ekomi-reconcile state accept-loss "
            "--since TIME",
        )

    def due_by(self, now: Instant, *, before: Instant) -> tuple[DueCount, ...]:
        """The pending invitations that may have left by ``now``, by account."""
        earlier = func.count().filter(invitation.c.scheduled_at < before)
        statement = select(invitation.c.account_id, func.count(), earlier).where(*_may_have_left(now))
        rows = self._session.rows(statement.group_by(invitation.c.account_id))
        names = self._keys.names()
        counts = (DueCount(interface_id=names[key], due=due, due_before=past) for key, due, past in rows)
        return tuple(sorted(counts, key=lambda each: each.interface_id))

    def accept(self, *, since: Instant, now: Instant, actor: str) -> int:
        """Turn every pending invitation that may have left from ``since`` to ``now`` into ``unknown``.

        That includes what was due before and still pending: the first run after ``since`` sends that too.
        How many there were is returned.
        """
        changed = 0
        with self._session.joined():
            self._session.commit_durably()
            chosen = select(invitation.c.id).where(*_may_have_left(now)).limit(_PAGE).with_for_update()
            values = {"status": Status.UNKNOWN.value, "reason": STATE_LOST, "changed_at": now}
            statement = update(invitation).where(invitation.c.id.in_(chosen)).values(values)
            pending, unknown = Status.PENDING, Status.UNKNOWN
            while rows := self._session.rows(statement.returning(invitation.c.id)):
                ids, detail = sorted(row.id for row in rows), f"{STATE_LOST} since {iso(since)}"
                record_changes(self._session, ids, pending, unknown, at=now, actor=actor, detail=detail)
                changed += len(ids)
        return changed

    def _lost_since(self, memory: Memory) -> Instant | None:
        """When the oldest of these records was made that the state lacks."""
        lost = []
        if memory.journal is not None:
            number, at = memory.journal
            kept = exists().where(journal.c.id == number, journal.c.at == at)
            older = exists().where(journal.c.at <= at)
            if self._session.execute(select(~kept & older)).scalar():
                lost.append(at)
        if memory.claim is not None:
            key, at = memory.claim
            changes = invitation_history.c
            claimed = changes.to_status == Status.SENDING.value
            kept = exists().where(changes.invitation_id == key, claimed, changes.at == at)
            here = exists().where(invitation.c.id == key)
            older = exists().where(journal.c.at <= at)
            if self._session.execute(select(~kept & here & older)).scalar():
                lost.append(at)
        return min(lost, default=None)

    def _lineage(self) -> str:
        return str(self._session.execute(select(meta.c.value).where(meta.c.key == "lineage")).scalar_one())

    def _settled_after(self, at: Instant) -> bool:
        later = exists().where(journal.c.action.in_(_SETTLING), journal.c.at >= at)
        return bool(self._session.execute(select(later)).scalar())


def _may_have_left(now: Instant) -> tuple[ColumnElement[bool], ...]:
    attempt = invitation.c.next_attempt_at
    return (
        invitation.c.status == PENDING,
        invitation.c.scheduled_at <= now,
        or_(attempt.is_(None), attempt <= now),
    )
