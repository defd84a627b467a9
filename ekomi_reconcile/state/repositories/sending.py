"""Sending: intents, outcomes and refusals."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from sqlalchemy import Select, and_, bindparam, delete, exists, func, or_, select, tuple_, update

from ekomi_reconcile.model.account import AccountStop
from ekomi_reconcile.model.instant import Instant
from ekomi_reconcile.model.invitation import LOOP, Invitation, SendOutcome, Status
from ekomi_reconcile.model.rule import Deliver
from ekomi_reconcile.state.engine.runner import Runner
from ekomi_reconcile.state.engine.session import Repository, Session, chunks
from ekomi_reconcile.state.engine.tables import CANCELLED, PENDING, account_stop, invitation
from ekomi_reconcile.state.repositories.invitations import COLUMNS, record_changes, record_each, to_invitation
from ekomi_reconcile.state.repositories.journal import LostRecords

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


_SETTLE = (
    update(invitation)
    .where(invitation.c.id == bindparam("key"))
    .values(
        status=bindparam("new_status"),
        sent_at=bindparam("new_sent_at"),
        link=bindparam("new_link"),
        lease_owner=None,
        lease_until=None,
        reason=bindparam("new_reason"),
        attempts=bindparam("new_attempts"),
        next_attempt_at=bindparam("new_next_attempt_at"),
        refusal=bindparam("new_refusal"),
        refusals=bindparam("new_refusals"),
        unreached=bindparam("new_unreached"),
        channel=bindparam("new_channel"),
        changed_at=bindparam("now"),
    )
)
_RESULT = (
    invitation.c.id,
    invitation.c.status,
    invitation.c.attempts,
    invitation.c.link,
    invitation.c.lease_owner,
    invitation.c.lease_until,
    invitation.c.refusal,
    invitation.c.refusals,
    invitation.c.channel,
)
_SENT_AT = func.coalesce(invitation.c.sent_at, invitation.c.changed_at)
_MAYBE_SENT = (Status.SENDING.value, Status.SENT.value, Status.UNKNOWN.value)
_REQUESTS = (
    select(invitation.c.customer, _SENT_AT.label("at"))
    .where(
        invitation.c.customer.in_(bindparam("customers", expanding=True)),
        invitation.c.status.in_(_MAYBE_SENT),
        bindparam("since") <= _SENT_AT,
    )
    .order_by(invitation.c.id)
)
_ENDS = frozenset({Status.SENT, Status.PENDING, Status.FAILED, Status.UNKNOWN, Status.CANCELLED})


class SendingRepository(Repository):
    """Claiming invitations for this runner, and settling what became of them."""

    def __init__(self, session: Session, runner: Runner, lost_records: LostRecords) -> None:
        super().__init__(session)
        self._runner = runner
        self._lost_records = lost_records

    def customer_requests(
        self, customers: Collection[str], since: Instant
    ) -> defaultdict[str, list[Instant]]:
        """When these customers (keyed digests) were, or may have been, asked since then.

        What is pending does not count. A call without a known end counts from its last change, which is no
        earlier than the call.
        """
        found: defaultdict[str, list[Instant]] = defaultdict(list)
        for digests in chunks(sorted(customers)):
            for customer, at in self._session.rows(_REQUESTS, {"customers": digests, "since": since}):
                found[customer].append(at)
        return found

    def claim(
        self,
        ids: Sequence[int],
        *,
        now: Instant,
        actor: str = LOOP,
        channels: Mapping[int, Deliver] | None = None,
    ) -> tuple[Invitation, ...]:
        """Turn these rows, as far as they are still pending, into ``sending``, committed on return.

        ``channels`` are those through which they are sent, and are recorded with the rows.

        Only the rows returned, in the order of ``ids``, may be sent. Nobody waits for a row that another
        runner is claiming. If the connection is lost meanwhile, some may stay claimed that nobody sends.

        Raises:
            StateLost: the server came back without what was recorded last; nothing more may be sent.
        """
        claimed = self._runner.persist(
            partial(self._claim, ids, now=now, actor=actor, channels=channels or {})
        )
        if claimed:
            self._session.memory = replace(self._session.memory, claim=(claimed[-1].id, now))
        return claimed

    def settle(self, outcomes: Sequence[SendOutcome], *, actor: str = LOOP) -> int:
        """Record what became of claimed rows, committed on return; how many were still waiting for it.

        A row that became ``unknown`` meanwhile still takes ``SENT``: a request that was made is never
        forgotten. Any other row is left as it is.
        """
        return self._runner.persist(partial(self._settle, outcomes, actor=actor))

    def _claim(
        self, ids: Sequence[int], *, now: Instant, actor: str, channels: Mapping[int, Deliver]
    ) -> tuple[Invitation, ...]:
        if self._runner.reconnected:  # be it in the attempt before this one
            self._session.refresh()
            self._lost_records.check(self._session.memory)
        values = {
            "status": Status.SENDING.value,
            "changed_at": now,
            "lease_owner": self._runner.name,
            "lease_until": self._runner.lease_end(now),
        }
        with self._session.transaction():
            self._session.commit_durably()
            claimed: dict[int, Invitation] = {}
            for channel in dict.fromkeys(map(channels.get, ids)):
                own = values | {"channel": None if channel is None else channel.value}
                for chunk in chunks([key for key in ids if channels.get(key) is channel]):
                    statement = update(invitation).where(invitation.c.id.in_(_free(chunk))).values(**own)
                    rows, names = self._session.rows(statement.returning(*COLUMNS)), self._keys.names()
                    claimed.update((row[0], to_invitation(row, names)) for row in rows)
            record_changes(self._session, claimed, Status.PENDING, Status.SENDING, at=now, actor=actor)
        return tuple(claimed[key] for key in dict.fromkeys(ids) if key in claimed)

    def _settle(self, outcomes: Sequence[SendOutcome], *, actor: str) -> int:
        ids = [each.id for each in outcomes]
        if len(set(ids)) < len(ids):
            raise ValueError("two outcomes for one invitation")
        with self._session.transaction():
            known = self._waiting(ids)
            taken = [each for each in outcomes if self._accepts(known.get(each.id), each)]
            if taken:
                self._session.execute(_SETTLE, [_values(each, known[each.id]) for each in taken])
            changes = (
                (each.id, known[each.id].status, each.status.value, each.at, actor, each.reason)
                for each in taken
            )
            record_each(self._session, changes)
        return len(taken)

    def _waiting(self, ids: Sequence[int]) -> dict[int, Any]:
        """The rows by id, which no other process changes until the transaction ends."""
        statement = select(*_RESULT).order_by(invitation.c.id).with_for_update()
        return {
            row.id: row
            for chunk in chunks(sorted(ids))
            for row in self._session.rows(statement.where(invitation.c.id.in_(chunk)))
        }

    def _accepts(self, row: Any, outcome: SendOutcome) -> bool:
        if outcome.status not in _ENDS:
            raise ValueError(f"{outcome.status} is not the end of a call")
        if row is None:
            return False
        if row.status == Status.UNKNOWN.value:
            return outcome.status is Status.SENT
        return bool(row.status == Status.SENDING.value) and self._runner.may_settle(row, outcome)


_other = invitation.alias("other")
_NUMBER_TAKEN = exists().where(
    _other.c.number == invitation.c.number,
    _other.c.account_id == invitation.c.account_id,
    _other.c.id != invitation.c.id,
    _other.c.status != CANCELLED,
    or_(
        _other.c.status != PENDING,
        tuple_(_other.c.order_date, func.length(_other.c.order_id), _other.c.order_id, _other.c.source)
        < tuple_(
            invitation.c.order_date,
            func.length(invitation.c.order_id),
            invitation.c.order_id,
            invitation.c.source,
        ),
    ),
)
"""Another order has this number at this interface, and was invited or comes first (as by ``id_rank``)."""


def _free(ids: Sequence[int]) -> Select[tuple[int]]:
    """Those of these rows that are pending, that nobody else is changing, and whose number is free."""
    mine = invitation.c.id.in_(ids) & (invitation.c.status == PENDING)
    return (
        select(invitation.c.id).where(mine, ~_NUMBER_TAKEN).with_for_update(of=invitation, skip_locked=True)
    )


def _values(outcome: SendOutcome, row: Any) -> dict[str, Any]:
    return {
        "key": outcome.id,
        "new_status": outcome.status.value,
        "new_sent_at": outcome.at if outcome.status is Status.SENT else None,
        "new_link": outcome.link or row.link,
        "new_reason": outcome.reason,
        "new_attempts": row.attempts + outcome.failed_calls,
        "new_next_attempt_at": outcome.next_attempt_at,
        "new_refusal": outcome.refusal or row.refusal,
        "new_refusals": row.refusals + outcome.refusals,
        "new_unreached": outcome.unreached,
        "new_channel": None if outcome.status is Status.PENDING else row.channel,
        "now": outcome.at,
    }
