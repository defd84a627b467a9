"""The journal: who did what, and which calls failed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from enum import StrEnum
from typing import Any

from sqlalchemy import Row, exists, insert, select

from ekomi_reconcile.model.instant import Instant
from ekomi_reconcile.model.run import ApiError, JournalEntry
from ekomi_reconcile.state.engine.lock import host, user
from ekomi_reconcile.state.engine.session import Repository
from ekomi_reconcile.state.engine.tables import api_error, journal

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
            number = self._session.execute(insert(journal).values(entry).returning(journal.c.id)).scalar_one()
            self._session.note_journal()
        if not open_yet:
            self._session.memory = replace(self._session.memory, journal=(int(number), now))
        return int(number)

    def entries(self, limit: int | None = None) -> tuple[JournalEntry, ...]:
        """What was done, the latest first."""
        rows = self._session.rows(select(journal).order_by(journal.c.id.desc()).limit(limit))
        return tuple(map(to_entry, rows))

    def last_run_at(self) -> Instant | None:
        """When the last run was recorded."""
        runs = select(journal.c.at).where(journal.c.action == APPLY).order_by(journal.c.id.desc())
        found = self._session.execute(runs.limit(1)).scalar()
        return None if found is None else int(found)

    def applied(self, plan_digest: str) -> bool:
        """Has the execution of this plan been written down before?"""
        same = (journal.c.plan_digest == plan_digest) & (journal.c.action == APPLY)
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
    ) -> None:
        """Write down a failed call; ``message`` must be redacted already.

        Raises:
            StateError: there is no such live account.
        """
        with self._session.joined():
            entry = {
                "at": now,
                "account_id": None if interface_id is None else self._keys.of(interface_id),
                "operation": operation,
                "kind": kind,
                "http_status": http_status,
                "message": message,
            }
            self._session.execute(insert(api_error).values(entry))

    def errors(
        self, interface_id: str | None = None, *, since: Instant | None = None
    ) -> tuple[ApiError, ...]:
        """Failed calls, the latest first; of one account, or of all."""
        statement = select(api_error).order_by(api_error.c.id.desc())
        if interface_id is not None:
            statement = statement.where(api_error.c.account_id.in_(self._keys.any_of([interface_id])))
        if since is not None:
            statement = statement.where(api_error.c.at >= since)
        names = self._keys.names()
        return tuple(to_error(row, names) for row in self._session.rows(statement))

    def without_product_reviews(self) -> frozenset[str]:
        """The interface ids of the accounts that were refused product reviews, when last told."""
        told = select(journal.c.detail, journal.c.outcome).where(journal.c.action == PRODUCT_REVIEWS)
        last = {row.detail: row.outcome for row in self._session.rows(told.order_by(journal.c.id))}
        return frozenset(key for key, outcome in last.items() if outcome == Offer.NOT_OFFERED.value)

    def note_product_reviews(self, interface_id: str, offer: Offer, *, name: str, now: Instant) -> None:
        """Write down that eKomi offers, or no longer offers, product reviews."""
        self.add(PRODUCT_REVIEWS, subject=name, outcome=offer.value, detail=interface_id, now=now)


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
    return ApiError(
        at=row.at,
        interface_id=None if row.account_id is None else interface_ids[row.account_id],
        operation=row.operation,
        kind=row.kind,
        http_status=row.http_status,
        message=row.message,
    )
