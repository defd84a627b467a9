"""What a state records about itself: format, lineage, serial, key check, addresses."""

from __future__ import annotations

import json
from collections.abc import Mapping

from sqlalchemy import insert, select, update

from ekomi_reconcile.model.state import Meta
from ekomi_reconcile.state.engine.key import check_value
from ekomi_reconcile.state.engine.metadata import (
    ADDRESSES,
    KEY_CHECK,
    StateIdentity,
    parse_addresses,
    parse_meta,
)
from ekomi_reconcile.state.engine.session import Repository
from ekomi_reconcile.state.engine.tables import meta

_RUNS = "applies"


class MetaRepository(Repository):
    """The keys and values of the table ``meta``."""

    def read(self) -> Meta:
        """The state's own data as of now.

        Raises:
            StateDamaged: a part of it is missing or not a number.
        """
        return parse_meta(self._session.meta_values())

    @property
    def identity(self) -> StateIdentity:
        """Which state this is, in which version."""
        known = self.read()
        return StateIdentity(
            lineage=known.lineage,
            serial=known.serial,
            created_at=known.created_at,
            key_check=self.key_check(),
        )

    def key_check(self) -> str | None:
        """The value by which the state knows its key again; ``None`` before digests were made."""
        return self._session.meta_values().get(KEY_CHECK)

    def adopt_key(self, key: bytes | None) -> None:
        """Make this key the one of the state, where it has none yet."""
        if key is not None and self.key_check() is None:
            with self._session.joined():
                self._session.execute(insert(meta).values(key=KEY_CHECK, value=check_value(key)))

    def take_lineage(self, lineage: str) -> None:
        """Give a state that is about to be created this identity."""
        with self._session.joined():
            self._session.execute(update(meta).where(meta.c.key == "lineage").values(value=lineage))

    def take_identity(self, identity: StateIdentity, serial: int) -> None:
        """Become the state with this identity, in this version."""
        values = {"lineage": identity.lineage, "created_at": str(identity.created_at), "serial": str(serial)}
        if identity.key_check is not None:
            values[KEY_CHECK] = identity.key_check
        self._save(values)

    def addresses(self) -> dict[str, str]:
        """The remote addresses that the last run used, by their keys in the project file."""
        return parse_addresses(self._session.meta_values())

    def record_addresses(self, addresses: Mapping[str, str]) -> None:
        """Record which remote addresses are used; nothing is written where they are the same."""
        if self.addresses() != addresses:
            self._save({ADDRESSES: json.dumps(dict(addresses))})

    def bump_serial(self) -> int:
        """Count a change of accounts or a state command; the new serial."""
        with self._session.joined():
            self._lock("serial")
            serial = self.read().serial + 1
            self._session.execute(update(meta).where(meta.c.key == "serial").values(value=str(serial)))
        return serial

    def count_run(self) -> int:
        """Count a run of ``apply`` that did something; how many there have been."""
        with self._session.joined():
            runs = int(self._lock(_RUNS) or 0) + 1
            self._save({_RUNS: str(runs)})
        return runs

    def _lock(self, key: str) -> str | None:
        """The value of this key, which no other process changes until the transaction ends."""
        statement = select(meta.c.value).where(meta.c.key == key).with_for_update()
        found: str | None = self._session.execute(statement).scalar()
        return found

    def _save(self, values: Mapping[str, str]) -> None:
        insert = self._session.dialect.insert(meta)
        statement = insert.on_conflict_do_update(
            index_elements=["key"], set_={"value": insert.excluded["value"]}
        )
        with self._session.joined():
            self._session.execute(statement, [{"key": key, "value": each} for key, each in values.items()])
