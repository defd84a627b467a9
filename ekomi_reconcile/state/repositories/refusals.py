"""Accounts that eKomi refuses, as recorded."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import and_, delete, or_, select, update

from ekomi_reconcile.model.account_record import AccountStop
from ekomi_reconcile.model.instant import Instant
from ekomi_reconcile.model.invitation import LOOP, Status
from ekomi_reconcile.state.engine.session import Repository, chunks
from ekomi_reconcile.state.engine.tables import PENDING, account_stop, invitation
from ekomi_reconcile.state.repositories.invitation_rows import record_each

PROBE_LASTS = 120
"""Seconds for which the probe of one runner keeps others from sending one."""

_c = account_stop.c


class RefusalRepository(Repository):
    """Stopping accounts and trying them again. A change joins the open transaction, or commits one."""

    def read(self) -> dict[str, AccountStop]:
        """The accounts that are stopped, by interface id."""
        names = self._keys.names()
        return {
            names[row.account_id]: AccountStop(
                interface_id=names[row.account_id],
                refusal=row.refusal,
                message=row.message,
                since=row.since,
                probe_id=row.probe_id,
                probed_at=row.probed_at,
            )
            for row in self._session.rows(select(account_stop).order_by(_c.account_id))
        }

    def stop(self, stop: AccountStop, *, refused: Collection[int] = ()) -> None:
        """Stop an account, or keep it stopped with the text of now.

        ``refused`` are the invitations whose refusals showed it: these count for the account, and no longer
        for the invitations.
        """
        key = self._keys.of(stop.interface_id)
        values = {"refusal": stop.refusal, "message": stop.message}
        insert = self._session.dialect.insert(account_stop).values(account_id=key, since=stop.since, **values)
        with self._session.joined():
            self._session.execute(insert.on_conflict_do_update(index_elements=["account_id"], set_=values))
            for ids in chunks(sorted(refused)):
                mine = and_(invitation.c.id.in_(ids), invitation.c.refusals > 0)
                self._session.execute(
                    update(invitation).where(mine).values(refusals=invitation.c.refusals - 1)
                )

    def begin_probe(self, interface_id: str, invitation_id: int, *, before: int | None, now: Instant) -> bool:
        """Record which invitation tries a stopped account; false where another runner is trying one.

        ``before`` is the probe that this runner knows as the last one: if there was another since, somebody
        else has tried the account at the same time, and nothing is gained by a second one.
        """
        free = or_(_c.probed_at.is_(None), _c.probed_at <= now - PROBE_LASTS, _c.probed_at > now)
        known = _c.probe_id.is_not_distinct_from(before)
        mine = and_(_c.account_id == self._keys.of(interface_id), free, known)
        values = {"probe_id": invitation_id, "probed_at": now}
        with self._session.joined():
            return self._session.execute(update(account_stop).where(mine).values(values)).rowcount == 1

    def end_probe(self, interface_id: str, *, lifted: bool) -> None:
        """Record how a probe ended: the account is no longer stopped, or it still is."""
        mine = _c.account_id == self._keys.of(interface_id)
        with self._session.joined():
            if lifted:
                self._session.execute(delete(account_stop).where(mine))
            else:
                self._session.execute(update(account_stop).where(mine).values(probed_at=None))

    def fail_refused(self, ids: Collection[int], *, now: Instant, actor: str = LOOP) -> int:
        """Turn pending invitations that were refused too often into failed ones; how many."""
        failed = 0
        with self._session.joined():
            for chunk in chunks(sorted(ids)):
                mine = and_(invitation.c.id.in_(chunk), invitation.c.status == PENDING)
                statement = update(invitation).where(mine).values(status=Status.FAILED.value, changed_at=now)
                rows = self._session.rows(statement.returning(invitation.c.id, invitation.c.reason))
                pending, end = Status.PENDING.value, Status.FAILED.value
                changes = ((row.id, pending, end, now, actor, row.reason) for row in rows)
                record_each(self._session, changes)
                failed += len(rows)
        return failed
