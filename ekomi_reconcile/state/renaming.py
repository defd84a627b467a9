"""Renaming an account in the state alone."""

from __future__ import annotations

import json
from collections.abc import Sequence

from sqlalchemy import select, update

from ekomi_reconcile.errors import StateError
from ekomi_reconcile.model.instant import Instant
from ekomi_reconcile.state.accounts import AccountStore, name_key
from ekomi_reconcile.state.tables import account

LONGEST_NAME = 255


class RenameStore(AccountStore):
    """``state mv``."""

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
