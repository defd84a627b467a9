"""Accounts as applied, with what eKomi reported about them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby
from typing import Any

from msgspec.structs import asdict
from sqlalchemy import delete, exists, func, insert, or_, select, update

from ekomi_reconcile.model.account import Account, AccountRecord, AppliedAccount, Json
from ekomi_reconcile.model.errors import StateError
from ekomi_reconcile.model.instant import Instant
from ekomi_reconcile.model.invitation import ACCOUNT_DELETED, BLOCKING, LOOP, Status
from ekomi_reconcile.model.order import id_rank
from ekomi_reconcile.model.review import ShopData
from ekomi_reconcile.state.engine.tables import (
    PENDING,
    account,
    invitation,
    invitation_history,
    journal,
    observation,
    position,
)
from ekomi_reconcile.state.records import ACCOUNT_COLUMNS, to_account
from ekomi_reconcile.state.repositories.invitations import HistoryStore
from ekomi_reconcile.state.repositories.journal import JournalStore

PRODUCT_REVIEWS = "product reviews"
"""The action of the journal; its subject is the account's name, its detail the interface id."""


class Offer(StrEnum):
    """What eKomi said about product reviews of an account."""

    OFFERED = "offered"
    NOT_OFFERED = "not offered"


class OfferStore(JournalStore):
    """Remembering what was told once."""

    def without_product_reviews(self) -> frozenset[str]:
        """The interface ids of the accounts that were refused product reviews, when last told."""
        told = select(journal.c.detail, journal.c.outcome).where(journal.c.action == PRODUCT_REVIEWS)
        last = {row.detail: row.outcome for row in self._rows(told.order_by(journal.c.id))}
        return frozenset(key for key, outcome in last.items() if outcome == Offer.NOT_OFFERED.value)

    def note_product_reviews(self, interface_id: str, offer: Offer, *, name: str, now: Instant) -> None:
        """Write down that eKomi offers, or no longer offers, product reviews."""
        self.journal(PRODUCT_REVIEWS, subject=name, outcome=offer.value, detail=interface_id, now=now)


_COLUMNS = [account.c[name] for name in ACCOUNT_COLUMNS]


class AccountStore(HistoryStore):
    """Creating, changing, deleting and reviving accounts."""

    def accounts(self, *, include_deleted: bool = False) -> tuple[AccountRecord, ...]:
        """The accounts in the order of their ids; tombstones only on request."""
        statement = select(*_COLUMNS).order_by(account.c.id)
        if not include_deleted:
            statement = statement.where(account.c.deleted_at.is_(None))
        return tuple(to_account(row) for row in self._rows(statement))

    def save_account(self, desired: Account, *, now: Instant, password_digest: str | None = None) -> int:
        """Create, update or revive one account and return its id; see ``save_accounts``."""
        (key,) = self.save_accounts(
            [AppliedAccount(account=desired, password_digest=password_digest)], now=now
        )
        return key

    def save_accounts(self, changes: Sequence[AppliedAccount], *, now: Instant) -> tuple[int, ...]:
        """Create, update or revive accounts and return their ids, which stay for ever.

        All names are taken at once, so accounts may swap them. An absent password digest leaves the
        recorded one as it is.

        Raises:
            StateError: a name belongs to another live account, in whatever letter case.
        """
        with self._joined():
            self._release_names(changes)
            self._check_names(changes)
            keys = tuple(self._save(change, now) for change in changes)
            self._forget_accounts()
        return keys

    def delete_account(self, interface_id: str, *, now: Instant, actor: str = LOOP) -> int:
        """Leave a tombstone, cancel the pending rows, forget the position; how many were cancelled.

        Raises:
            StateError: there is no such live account.
        """
        with self._joined():
            key = self._account_id(interface_id)
            cancelled = self._cancel_pending_of(key, now=now, actor=actor)
            self._execute(delete(position).where(position.c.account_id == key))
            self._change(key, deleted_at=now, updated_at=now)
            self._forget_accounts()
        return cancelled

    def record_shop_data(self, interface_id: str, shop: ShopData, *, now: Instant) -> None:
        """Keep what a sync brought; the last error is over."""
        with self._joined():
            key = self._account_id(interface_id)
            self._change(key, **asdict(shop), last_fetched_at=now, last_error=None, last_error_at=None)

    def record_account_error(self, interface_id: str, message: str, *, now: Instant) -> None:
        """Keep the last failure of an account; ``message`` must be redacted already."""
        with self._joined():
            self._change(self._account_id(interface_id), last_error=message, last_error_at=now)

    def _save(self, change: AppliedAccount, now: Instant) -> int:
        desired, key = change.account, change.account.interface_id
        values: dict[str, Json] = {
            "name": desired.name,
            "name_key": name_key(desired.name),
            "desired": desired.derived.text,
            "protect": desired.protect,
            "updated_at": now,
            "deleted_at": None,
        }
        if change.password_digest is not None:
            values["password_digest"] = change.password_digest
        known = self._execute(select(account.c.id).where(account.c.interface_id == key)).scalar()
        if known is not None:
            self._change(known, **values)
            return int(known)
        created = insert(account).values(interface_id=key, created_at=now, **values).returning(account.c.id)
        return int(self._execute(created).scalar_one())

    def _release_names(self, changes: Sequence[AppliedAccount]) -> None:
        """No name of these accounts is taken for the rest of this transaction."""
        for change in changes:
            interface_id = change.account.interface_id
            self._execute(
                update(account)
                .where(account.c.interface_id == interface_id)
                .values(name_key=f"\n{interface_id}")
            )

    def _check_names(self, changes: Sequence[AppliedAccount]) -> None:
        taken = select(account.c.name, account.c.interface_id).where(account.c.deleted_at.is_(None))
        for change in changes:
            row = self._execute(taken.where(account.c.name_key == name_key(change.account.name))).first()
            if row is not None:
                raise StateError(
                    f'the name "{row.name}" belongs to the account with interface id {row.interface_id}',
                    mend="rename or delete that account first",
                )

    def _change(self, key: int, **values: Any) -> None:
        self._execute(update(account).where(account.c.id == key).values(**values))

    def _cancel_pending_of(self, key: int, *, now: Instant, actor: str) -> int:
        mine = (invitation.c.account_id == key) & (invitation.c.status == PENDING)
        ids = [row.id for row in self._rows(select(invitation.c.id).where(mine))]
        self._execute(
            update(invitation)
            .where(mine)
            .values(status=Status.CANCELLED.value, reason=ACCOUNT_DELETED, changed_at=now)
        )
        self._record_changes(
            ids, Status.PENDING, Status.CANCELLED, at=now, actor=actor, detail=ACCOUNT_DELETED
        )
        return len(ids)


def name_key(name: str) -> str:
    """The form in which names of live accounts are unique."""
    return name.casefold()


LONGEST_NAME = 255

MERGED = "source_merged"
"""Why an invitation is cancelled whose order has another one under the new name of its source."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRows:
    """What is recorded under the name of an order source; ``merged`` orders are under both names."""

    invitations: int
    positions: int
    observations: int
    merged: int = 0

    def __bool__(self) -> bool:
        return bool(self.invitations or self.positions or self.observations)


class RenameStore(AccountStore):
    """``state mv`` and ``state mv-source``."""

    def check_rename(self, interface_id: str, name: str) -> None:
        """Make sure that a live account may be called so.

        Raises:
            StateError: there is no such account, the name belongs to another one, or it is no name.
        """
        if not 1 <= len(name) <= LONGEST_NAME or not name.strip():
            raise StateError(f"a name has 1 to {LONGEST_NAME} characters, not all of them blanks")
        mine = self._account_id(interface_id)
        taken = select(account.c.interface_id).where(
            account.c.name_key == name_key(name), account.c.deleted_at.is_(None), account.c.id != mine
        )
        found: Sequence[str] = self._execute(taken).scalars().all()
        if found:
            raise StateError(
                f'the name "{name}" belongs to the account with interface id {found[0]}',
                mend="rename that account first",
            )

    def rename_account(self, interface_id: str, name: str, *, now: Instant) -> None:
        """Call a live account by another name; raises like ``check_rename``."""
        with self._joined():
            self.check_rename(interface_id, name)
            mine = account.c.interface_id == interface_id
            desired = json.loads(self._execute(select(account.c.desired).where(mine)).scalar_one())
            text = json.dumps(
                desired | {"name": name}, sort_keys=True, ensure_ascii=False, separators=(",", ":")
            )
            values = {"name": name, "name_key": name_key(name), "desired": text, "updated_at": now}
            self._execute(update(account).where(mine).values(values))

    def source_rows(self, source: str, new: str | None = None) -> SourceRows:
        """What is recorded under this name of a source, and how many orders are under ``new`` as well."""
        invitations, positions, observations = (
            int(self._execute(select(func.count()).where(table.c.source == source)).scalar_one())
            for table in (invitation, position, observation)
        )
        merged = 0 if new is None else sum(1 for _ in self._under_both(source, new))
        return SourceRows(
            invitations=invitations, positions=positions, observations=observations, merged=merged
        )

    def rename_source(self, old: str, new: str, *, now: Instant) -> SourceRows:
        """Put everything that is recorded under one name of an order source under another one.

        An order with invitations under both names keeps one: the first that blocks it, else a pending one.
        """
        with self._joined():
            found = self.source_rows(old, new)
            for rows in list(self._under_both(old, new)):
                self._merge(rows, now=now)
            twin = observation.alias()
            known = exists().where(twin.c.source == new, twin.c.order_id == observation.c.order_id)
            self._execute(delete(observation).where(observation.c.source == old, known))
            for table in (invitation, observation, position):
                self._execute(update(table).where(table.c.source == old).values(source=new))
        return found

    def _under_both(self, old: str, new: str) -> Iterator[Sequence[Any]]:
        """The rows of each order that has some under both names, the most important first."""
        mine, other = invitation.alias(), invitation.alias()
        both = (
            select(mine.c.order_id)
            .join(other, mine.c.order_id == other.c.order_id)
            .where(mine.c.source == old, other.c.source == new)
        )
        table = invitation.c
        rows = self._rows(
            select(table.id, table.order_id, table.account_id, table.status, table.changed_at).where(
                or_(table.source == old, table.source == new), table.order_id.in_(both)
            )
        )
        ranked = sorted(
            rows, key=lambda row: (id_rank(row.order_id), _weight(row.status), row.changed_at, row.id)
        )
        for _, group in groupby(ranked, key=lambda row: row.order_id):
            yield list(group)

    def _merge(self, rows: Sequence[Any], *, now: Instant) -> None:
        """Leave one invitation per account, and one that is not cancelled."""
        kept: dict[int, int] = {}
        for number, row in enumerate(rows):
            first = kept.setdefault(row.account_id, row.id)
            if first != row.id:
                history = update(invitation_history).where(invitation_history.c.invitation_id == row.id)
                self._execute(history.values(invitation_id=first))
                self._execute(delete(invitation).where(invitation.c.id == row.id))
            elif number and row.status != Status.CANCELLED.value:
                reason = f"{MERGED}: {row.status}"
                values = {"status": Status.CANCELLED.value, "reason": reason, "changed_at": now}
                self._execute(update(invitation).where(invitation.c.id == row.id).values(values))


def _weight(status: str) -> int:
    if status in {each.value for each in BLOCKING}:
        return 0
    return 1 if status == Status.PENDING.value else 2
