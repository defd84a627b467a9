"""Accounts as applied, with what eKomi told about them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from sqlalchemy import Row, delete, insert, select, update

from ekomi_reconcile.errors import StateError
from ekomi_reconcile.model.account import Account, Json
from ekomi_reconcile.model.instant import Instant
from ekomi_reconcile.model.invitation import Status
from ekomi_reconcile.model.review import ShopData
from ekomi_reconcile.state.history import HistoryStore
from ekomi_reconcile.state.records import ACCOUNT_DELETED, LOOP, AccountRecord, AppliedAccount, Desired
from ekomi_reconcile.state.tables import PENDING, account, invitation, position

_SHOP_FIELDS = tuple(each.name for each in fields(ShopData))


class AccountStore(HistoryStore):
    """Creating, changing, deleting and reviving accounts."""

    def accounts(self, *, include_deleted: bool = False) -> tuple[AccountRecord, ...]:
        """The accounts in the order of their ids; tombstones only on request."""
        statement = select(account).order_by(account.c.id)
        if not include_deleted:
            statement = statement.where(account.c.deleted_at.is_(None))
        return tuple(_record(row) for row in self._rows(statement))

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
        values = {name: getattr(shop, name) for name in _SHOP_FIELDS}
        with self._joined():
            key = self._account_id(interface_id)
            self._change(key, **values, last_fetched_at=now, last_error=None, last_error_at=None)

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


def _record(row: Row[Any]) -> AccountRecord:
    return AccountRecord(
        id=row.id,
        interface_id=row.interface_id,
        name=row.name,
        desired=Desired(row.desired, row.interface_id),
        text=row.desired,
        password_digest=row.password_digest,
        protect=row.protect,
        created_at=row.created_at,
        updated_at=row.updated_at,
        deleted_at=row.deleted_at,
        shop=ShopData(**{name: getattr(row, name) for name in _SHOP_FIELDS}),
        last_fetched_at=row.last_fetched_at,
        last_import_at=row.last_import_at,
        last_full_import_at=row.last_full_import_at,
        last_error=row.last_error,
        last_error_at=row.last_error_at,
    )
