"""Accounts as applied, with their records, what eKomi reported about them, and their products."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from msgspec.structs import asdict
from sqlalchemy import delete, func, insert, select, update

from ekomi_reconcile.model.account import Account, AccountRecord, AppliedAccount, Json
from ekomi_reconcile.model.errors import StateError
from ekomi_reconcile.model.instant import Instant
from ekomi_reconcile.model.invitation import ACCOUNT_DELETED, LOOP, Status
from ekomi_reconcile.model.review import OrderedProduct, ShopData
from ekomi_reconcile.state import ACCOUNT_COLUMNS, to_account
from ekomi_reconcile.state.engine.session import Repository, chunks
from ekomi_reconcile.state.engine.tables import PENDING, account, invitation, position, product, review
from ekomi_reconcile.state.repositories.invitations import record_changes

_c = product.c


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductFigure:
    """The reviews of a product; ``product`` is the shop's own identifier, where it is known."""

    interface_id: str
    product_id: str
    product: str | None
    name: str | None
    count: int
    stars: float


class ProductRepository(Repository):
    """Products that customers were asked about, by account and id at eKomi."""

    def identifiers(self, interface_id: str, product_ids: Iterable[str]) -> dict[str, str]:
        """The shop's own identifiers by id at eKomi, of those that are recorded."""
        key = self._keys.of(interface_id)
        found: dict[str, str] = {}
        for chunk in chunks(product_ids):
            known = select(_c.product_id, _c.identifier).where(_c.account_id == key, _c.product_id.in_(chunk))
            found |= {row.product_id: row.identifier for row in self._session.rows(known)}
        return found

    def save(self, interface_id: str, products: Iterable[OrderedProduct]) -> None:
        """Record these products; the name of one that is recorded already is the latest.

        Raises:
            StateError: there is no such live account.
        """
        rows = {each.product_id: each for each in products}
        if not rows:
            return
        insert = self._session.dialect.insert(product)
        new = insert.excluded
        statement = insert.on_conflict_do_update(
            index_elements=["account_id", "product_id"],
            set_={"name": new.name},
            where=_c.name != new.name,
        )
        with self._session.joined():
            key = self._keys.of(interface_id)
            values = [
                {
                    "account_id": key,
                    "product_id": each.product_id,
                    "identifier": each.identifier,
                    "name": each.name,
                }
                for each in sorted(rows.values(), key=lambda each: each.product_id)
            ]
            self._session.execute(statement, values)

    def figures(self, limit: int) -> tuple[ProductFigure, ...]:
        """The products with the most reviews that are still at eKomi."""
        mine = (_c.account_id == review.c.account_id) & (_c.product_id == review.c.product_id)
        columns = (review.c.account_id, review.c.product_id, _c.identifier, _c.name)
        statement = (
            select(*columns, func.count().label("reviews"), func.sum(review.c.rating).label("stars"))
            .outerjoin_from(review, product, mine)
            .where(review.c.gone_at.is_(None), review.c.product_id != "")
            .group_by(*columns)
            .order_by(func.count().desc(), review.c.account_id, review.c.product_id)
            .limit(limit)
        )
        names = self._keys.names()
        return tuple(
            ProductFigure(
                interface_id=names[row.account_id],
                product_id=row.product_id,
                product=row.identifier,
                name=row.name,
                count=row.reviews,
                stars=row.stars,
            )
            for row in self._session.rows(statement)
        )

    def count_reviewed(self) -> int:
        """How many products have reviews that are still at eKomi."""
        each = (
            select(review.c.account_id, review.c.product_id)
            .where(review.c.gone_at.is_(None), review.c.product_id != "")
            .distinct()
        )
        return int(self._session.execute(select(func.count()).select_from(each.subquery())).scalar_one())

    def remove(self, interface_id: str, product_ids: Iterable[str]) -> None:
        """Forget what these products, given by their ids at eKomi, are called."""
        key = self._keys.of(interface_id)
        with self._session.joined():
            for chunk in chunks(product_ids):
                self._session.execute(delete(product).where(_c.account_id == key, _c.product_id.in_(chunk)))


LONGEST_NAME = 255
"""Characters of an account's name."""

_COLUMNS = [account.c[name] for name in ACCOUNT_COLUMNS]


class AccountRepository(Repository):
    """Creating, changing, renaming, deleting and reviving accounts."""

    def read(self, *, include_deleted: bool = False) -> tuple[AccountRecord, ...]:
        """The accounts in the order of their ids; tombstones only on request."""
        statement = select(*_COLUMNS).order_by(account.c.id)
        if not include_deleted:
            statement = statement.where(account.c.deleted_at.is_(None))
        return tuple(to_account(row) for row in self._session.rows(statement))

    def save(self, desired: Account, *, now: Instant, password_digest: str | None = None) -> int:
        """Create, update or revive one account and return its id; see ``save_all``."""
        (key,) = self.save_all([AppliedAccount(account=desired, password_digest=password_digest)], now=now)
        return key

    def save_all(self, changes: Sequence[AppliedAccount], *, now: Instant) -> tuple[int, ...]:
        """Create, update or revive accounts and return their ids, which stay for ever.

        All names are taken at once, so accounts may swap them. An absent password digest leaves the
        recorded one as it is.

        Raises:
            StateError: a name belongs to another live account, in whatever letter case.
        """
        with self._session.joined():
            self._release_names(changes)
            self._check_names(changes)
            keys = tuple(self._save(change, now) for change in changes)
            self._keys.forget()
        return keys

    def delete(self, interface_id: str, *, now: Instant, actor: str = LOOP) -> int:
        """Leave a tombstone, cancel the pending rows, forget the position; how many were cancelled.

        Raises:
            StateError: there is no such live account.
        """
        with self._session.joined():
            key = self._keys.of(interface_id)
            cancelled = self._cancel_pending_of(key, now=now, actor=actor)
            self._session.execute(delete(position).where(position.c.account_id == key))
            self._change(key, deleted_at=now, updated_at=now)
            self._keys.forget()
        return cancelled

    def check_rename(self, interface_id: str, name: str) -> None:
        """Make sure that a live account may be called so.

        Raises:
            StateError: there is no such account, the name belongs to another one, or it is not a valid name.
        """
        if not 1 <= len(name) <= LONGEST_NAME or not name.strip():
            raise StateError(f"a name has 1 to {LONGEST_NAME} characters, not only spaces")
        mine = self._keys.of(interface_id)
        taken = select(account.c.interface_id).where(
            account.c.name_key == name_key(name), account.c.deleted_at.is_(None), account.c.id != mine
        )
        found: Sequence[str] = self._session.execute(taken).scalars().all()
        if found:
            raise StateError(
                f'the name "{name}" belongs to the account with interface id {found[0]}',
                hint="rename that account first",
            )

    def rename(self, interface_id: str, name: str, *, now: Instant) -> None:
        """Call a live account by another name; raises like ``check_rename``."""
        with self._session.joined():
            self.check_rename(interface_id, name)
            mine = account.c.interface_id == interface_id
            desired = json.loads(self._session.execute(select(account.c.desired).where(mine)).scalar_one())
            text = json.dumps(
                desired | {"name": name}, sort_keys=True, ensure_ascii=False, separators=(",", ":")
            )
            values = {"name": name, "name_key": name_key(name), "desired": text, "updated_at": now}
            self._session.execute(update(account).where(mine).values(values))

    def record_shop_data(self, interface_id: str, shop: ShopData, *, now: Instant) -> None:
        """Keep what a sync brought; the last error is over."""
        with self._session.joined():
            key = self._keys.of(interface_id)
            self._change(key, **asdict(shop), last_fetched_at=now, last_error=None, last_error_at=None)

    def record_error(self, interface_id: str, message: str, *, now: Instant) -> None:
        """Keep the last failure of an account; ``message`` must be redacted already."""
        with self._session.joined():
            self._change(self._keys.of(interface_id), last_error=message, last_error_at=now)

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
        known = self._session.execute(select(account.c.id).where(account.c.interface_id == key)).scalar()
        if known is not None:
            self._change(known, **values)
            return int(known)
        created = insert(account).values(interface_id=key, created_at=now, **values).returning(account.c.id)
        return int(self._session.execute(created).scalar_one())

    def _release_names(self, changes: Sequence[AppliedAccount]) -> None:
        """No name of these accounts is taken for the rest of this transaction."""
        for change in changes:
            interface_id = change.account.interface_id
            self._session.execute(
                update(account)
                .where(account.c.interface_id == interface_id)
                .values(name_key=f"\n{interface_id}")
            )

    def _check_names(self, changes: Sequence[AppliedAccount]) -> None:
        taken = select(account.c.name, account.c.interface_id).where(account.c.deleted_at.is_(None))
        for change in changes:
            row = self._session.execute(
                taken.where(account.c.name_key == name_key(change.account.name))
            ).first()
            if row is not None:
                raise StateError(
                    f'the name "{row.name}" belongs to the account with interface id {row.interface_id}',
                    hint="rename or delete that account first",
                )

    def _change(self, key: int, **values: Any) -> None:
        self._session.execute(update(account).where(account.c.id == key).values(**values))

    def _cancel_pending_of(self, key: int, *, now: Instant, actor: str) -> int:
        mine = (invitation.c.account_id == key) & (invitation.c.status == PENDING)
        ids = [row.id for row in self._session.rows(select(invitation.c.id).where(mine))]
        self._session.execute(
            update(invitation)
            .where(mine)
            .values(status=Status.CANCELLED.value, reason=ACCOUNT_DELETED, changed_at=now)
        )
        record_changes(
            self._session, ids, Status.PENDING, Status.CANCELLED, at=now, actor=actor, detail=ACCOUNT_DELETED
        )
        return len(ids)


def name_key(name: str) -> str:
    """The form in which names of live accounts are unique."""
    return name.casefold()
