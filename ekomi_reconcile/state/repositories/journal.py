"""The journal, and records that a state lost.

What such a state has as pending may have been sent. To accept the loss, all that may have left in the lost
time becomes ``unknown``, so that nobody is invited twice.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Row, exists, func, insert, or_, select, update

from ekomi_reconcile.model.diagnostic import Incident
from ekomi_reconcile.model.errors import StateLost
from ekomi_reconcile.model.instant import Instant, iso
from ekomi_reconcile.model.invitation import STATE_LOST, Status, StatusChange
from ekomi_reconcile.model.run import ApiError, ChangeOrigin, JournalEntry
from ekomi_reconcile.state.engine import tables
from ekomi_reconcile.state.engine.lock import host, user
from ekomi_reconcile.state.engine.session import Memory, Repository
from ekomi_reconcile.state.repositories.invitations import record_changes

ACCEPT_LOSS = "state accept-loss"
_SETTLING = (ACCEPT_LOSS, "state restore", "state push")
"""Actions of the journal after which a state counts as it is, whatever it had recorded before."""

_PAGE = 10_000
_NAMED = ": "
"""Between the name of an account that the state does not have and the operation."""


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
        last = self._session.rows(
            select(tables.journal.c.id, tables.journal.c.at).order_by(tables.journal.c.id.desc()).limit(1)
        )
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
                hint="restore a backup: ekomi-reconcile state restore FILE; if the new one is right, start "
                "this run again",
            )
        since = self._lost_since(memory)
        if since is None or self._settled_after(since):
            return
        raise StateLost(
            f"{self._session.location} has lost what this run recorded at {iso(since)}: the server was "
            "restored or failed over to a replica that was behind",
            hint="stop all runs; run `ekomi-reconcile apply --no-send` to read the orders of the lost period "
            "again; then, with a TIME before the first lost record: ekomi-reconcile state accept-loss "
            "--since TIME",
            incident=Incident.FAILOVER_LOST_DATA,
        )

    def due_by(self, now: Instant, *, before: Instant) -> tuple[DueCount, ...]:
        """The pending invitations that may have left by ``now``, by account."""
        earlier = func.count().filter(tables.invitation.c.scheduled_at < before)
        statement = select(tables.invitation.c.account_id, func.count(), earlier).where(*_may_have_left(now))
        rows = self._session.rows(statement.group_by(tables.invitation.c.account_id))
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
            chosen = select(tables.invitation.c.id).where(*_may_have_left(now)).limit(_PAGE).with_for_update()
            values = {"status": Status.UNKNOWN.value, "reason": STATE_LOST, "changed_at": now}
            statement = update(tables.invitation).where(tables.invitation.c.id.in_(chosen)).values(values)
            pending, unknown = Status.PENDING, Status.UNKNOWN
            while rows := self._session.rows(statement.returning(tables.invitation.c.id)):
                ids, detail = sorted(row.id for row in rows), f"{STATE_LOST} since {iso(since)}"
                record_changes(self._session, ids, pending, unknown, at=now, actor=actor, detail=detail)
                changed += len(ids)
        return changed

    def _lost_since(self, memory: Memory) -> Instant | None:
        """When the oldest of these records was made that the state lacks."""
        lost = []
        if memory.journal is not None:
            number, at = memory.journal
            kept = exists().where(tables.journal.c.id == number, tables.journal.c.at == at)
            older = exists().where(tables.journal.c.at <= at)
            if self._session.execute(select(~kept & older)).scalar():
                lost.append(at)
        if memory.claim is not None:
            key, at = memory.claim
            changes = tables.invitation_history.c
            claimed = changes.to_status == Status.SENDING.value
            kept = exists().where(changes.invitation_id == key, claimed, changes.at == at)
            here = exists().where(tables.invitation.c.id == key)
            older = exists().where(tables.journal.c.at <= at)
            if self._session.execute(select(~kept & here & older)).scalar():
                lost.append(at)
        return min(lost, default=None)

    def _lineage(self) -> str:
        return str(
            self._session.execute(
                select(tables.meta.c.value).where(tables.meta.c.key == "lineage")
            ).scalar_one()
        )

    def _settled_after(self, at: Instant) -> bool:
        later = exists().where(tables.journal.c.action.in_(_SETTLING), tables.journal.c.at >= at)
        return bool(self._session.execute(select(later)).scalar())


def _may_have_left(now: Instant) -> tuple[ColumnElement[bool], ...]:
    attempt = tables.invitation.c.next_attempt_at
    return (
        tables.invitation.c.status == tables.PENDING,
        tables.invitation.c.scheduled_at <= now,
        or_(attempt.is_(None), attempt <= now),
    )


APPLY = "apply"
"""The action of executing a plan."""

STARTED = "started"
DONE = "done"
INCOMPLETE = "incomplete"
"""The outcomes of executing a plan: it began, it ended well, something of it is left."""


PRODUCT_REVIEWS = "product reviews"
"""The action of the journal; its subject is the account's name, its detail the interface id."""


class Offer(StrEnum):
    """What eKomi said about product reviews of an account."""

    OFFERED = "offered"
    NOT_OFFERED = "not offered"


class JournalRepository(Repository):
    """The journal and the log of failed calls; both only grow."""

    def add(
        self,
        action: str,
        *,
        outcome: str,
        now: Instant,
        subject: str | None = None,
        detail: str | None = None,
        commit: str | None = None,
        plan_digest: str | None = None,
    ) -> int:
        """Write down what was done, by this user on this machine; the number of the entry."""
        entry = {
            "at": now,
            "who": user(),
            "host": host(),
            "commit_id": commit,
            "plan_digest": plan_digest,
            "action": action,
            "subject": subject,
            "outcome": outcome,
            "detail": detail,
        }
        open_yet = self._session.writing  # what is not committed yet is not remembered
        with self._session.joined():
            number = self._session.execute(
                insert(tables.journal).values(entry).returning(tables.journal.c.id)
            ).scalar_one()
            self._session.note_journal()
        if not open_yet:
            self._session.memory = replace(self._session.memory, journal=(int(number), now))
        return int(number)

    def entries(self, limit: int | None = None) -> tuple[JournalEntry, ...]:
        """What was done, the latest first."""
        rows = self._session.rows(select(tables.journal).order_by(tables.journal.c.id.desc()).limit(limit))
        return tuple(map(to_entry, rows))

    def record_account(
        self, action: str, *, name: str, interface_id: str, changed: Iterable[str], now: Instant
    ) -> None:
        """Write down that an account was changed, by which run, and the keys that differ."""
        run, keys = self._session.run, " ".join(changed)
        self.add(
            action,
            subject=name,
            outcome=DONE,
            now=now,
            detail=f"{interface_id}: {keys}" if keys else interface_id,
            commit=run.commit if run else None,
            plan_digest=run.plan_digest if run else None,
        )

    def origins(self, interface_id: str, changes: Iterable[StatusChange]) -> tuple[ChangeOrigin, ...]:
        """Each of these changes with its run, and the rule in force; as far as the journal has them."""
        c = tables.journal.c
        rules = select(tables.journal).where(
            c.action.in_(_SETS_RULES),
            or_(c.detail == interface_id, c.detail.startswith(f"{interface_id}: ", autoescape=True)),
        )
        known = [row for row in self._session.rows(rules.order_by(c.id)) if _sets_rule(row)]
        return tuple(self._origin(change, known) for change in changes)

    def _origin(self, change: StatusChange, rules: Sequence[Row[Any]]) -> ChangeOrigin:
        run, c = self._run(change), tables.journal.c
        if run is None:
            return ChangeOrigin(change=change)
        # Accounts are changed right after a run begins, under the lock, and before another one begins.
        later = select(func.min(c.id)).where(c.id > run.id, c.action == APPLY, c.outcome == STARTED)
        end = self._session.execute(later).scalar() or math.inf
        rule = next((row for row in reversed(rules) if row.id < end), None)
        return ChangeOrigin(change=change, run=to_entry(run), rule=None if rule is None else to_entry(rule))

    def _run(self, change: StatusChange) -> Row[Any] | None:
        """The entry with which the run of a change began; none where it was deleted, or is another one."""
        c = tables.journal.c
        began = (c.id == change.run_id, c.action == APPLY, c.outcome == STARTED)
        return self._session.execute(select(tables.journal).where(*began)).first()

    def last_run_at(self) -> Instant | None:
        """When the last run was recorded."""
        runs = (
            select(tables.journal.c.at)
            .where(tables.journal.c.action == APPLY)
            .order_by(tables.journal.c.id.desc())
        )
        found = self._session.execute(runs.limit(1)).scalar()
        return None if found is None else int(found)

    def applied(self, plan_digest: str) -> bool:
        """Has the execution of this plan been written down before?"""
        same = (tables.journal.c.plan_digest == plan_digest) & (tables.journal.c.action == APPLY)
        return bool(self._session.execute(select(exists().where(same))).scalar())

    def record_error(
        self,
        interface_id: str | None,
        *,
        operation: str,
        kind: str,
        message: str,
        now: Instant,
        http_status: int | None = None,
        account: str | None = None,
    ) -> None:
        """Write down a failed call; ``message`` must be redacted already.

        ``account`` is the name of an account that the state does not have: it has no ``interface_id`` here.

        Raises:
            StateError: there is no such live account.
        """
        with self._session.joined():
            entry = {
                "at": now,
                "account_id": None if interface_id is None else self._keys.of(interface_id),
                "operation": operation if account is None else f"{account}{_NAMED}{operation}",
                "kind": kind,
                "http_status": http_status,
                "message": message,
            }
            self._session.execute(insert(tables.api_error).values(entry))

    def errors(
        self, interface_id: str | None = None, *, since: Instant | None = None
    ) -> tuple[ApiError, ...]:
        """Failed calls, the latest first; of one account, or of all."""
        statement = select(tables.api_error).order_by(tables.api_error.c.id.desc())
        if interface_id is not None:
            statement = statement.where(tables.api_error.c.account_id.in_(self._keys.any_of([interface_id])))
        if since is not None:
            statement = statement.where(tables.api_error.c.at >= since)
        names = self._keys.names()
        return tuple(to_error(row, names) for row in self._session.rows(statement))

    def without_product_reviews(self) -> frozenset[str]:
        """The interface ids of the accounts that were refused product reviews, when last told."""
        told = select(tables.journal.c.detail, tables.journal.c.outcome).where(
            tables.journal.c.action == PRODUCT_REVIEWS
        )
        last = {row.detail: row.outcome for row in self._session.rows(told.order_by(tables.journal.c.id))}
        return frozenset(key for key, outcome in last.items() if outcome == Offer.NOT_OFFERED.value)

    def note_product_reviews(self, interface_id: str, offer: Offer, *, name: str, now: Instant) -> None:
        """Write down that eKomi offers, or no longer offers, product reviews."""
        self.add(PRODUCT_REVIEWS, subject=name, outcome=offer.value, detail=interface_id, now=now)


_SETS_RULES = ("create", "update", "replace")


def _sets_rule(row: Row[Any]) -> bool:
    """Did this change of an account set its rule? What creates one does."""
    _, _, keys = row.detail.partition(": ")
    return row.action != "update" or any(key.split(".")[0] == "invitations" for key in keys.split())


def to_entry(row: Row[Any]) -> JournalEntry:
    """The entry in a row of the journal."""
    return JournalEntry(
        at=row.at,
        who=row.who,
        host=row.host,
        action=row.action,
        outcome=row.outcome,
        subject=row.subject,
        detail=row.detail,
        commit=row.commit_id,
        plan_digest=row.plan_digest,
    )


def to_error(row: Row[Any], interface_ids: Mapping[int, str]) -> ApiError:
    """The failed call in a row of the log."""
    known = row.account_id is not None
    account, _, operation = ("", "", row.operation) if known else row.operation.rpartition(_NAMED)
    return ApiError(
        at=row.at,
        interface_id=interface_ids[row.account_id] if known else None,
        account=account or None,
        operation=operation,
        kind=row.kind,
        http_status=row.http_status,
        message=row.message,
    )
