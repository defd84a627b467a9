"""Format, lineage, serial and key check of a state: read and written."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping

from sqlalchemy import Connection, insert, select, update

from ekomi_reconcile import __version__
from ekomi_reconcile.model.instant import Instant
from ekomi_reconcile.model.state import Meta
from ekomi_reconcile.state.engine.described import (
    ADDRESSES,
    FORMAT_VERSION,
    KEY_CHECK,
    parse_addresses,
    parse_meta,
)
from ekomi_reconcile.state.engine.key import KeyedDigest, Purpose, check_value, proven_key
from ekomi_reconcile.state.engine.session import Session
from ekomi_reconcile.state.engine.tables import meta


class MetaStore(Session):
    """Format, lineage, serial and key."""

    key: bytes | None = None

    @property
    def meta(self) -> Meta:
        """The state's own data as of now.

        Raises:
            StateDamaged: a part of it is missing or no number.
        """
        return parse_meta(read_meta(self._connection))

    def take_lineage(self, lineage: str) -> None:
        """Give a state that is about to be created this identity."""
        with self._joined():
            self._execute(update(meta).where(meta.c.key == "lineage").values(value=lineage))

    def addresses(self) -> dict[str, str]:
        """The remote addresses that the last run used, by their keys in the project file."""
        return parse_addresses(read_meta(self._connection))

    def record_addresses(self, addresses: Mapping[str, str]) -> None:
        """Record which remote addresses are used; nothing is written where they are the same."""
        if self.addresses() == addresses:
            return
        insert = self._dialect.insert(meta).values(key=ADDRESSES, value=json.dumps(dict(addresses)))
        with self._joined():
            self._execute(
                insert.on_conflict_do_update(index_elements=["key"], set_={"value": insert.excluded["value"]})
            )

    def bump_serial(self) -> int:
        """Count a change of accounts or a state command; the new serial."""
        with self._joined():
            self._execute(select(meta.c.value).where(meta.c.key == "serial").with_for_update())
            serial = self.meta.serial + 1
            self._execute(update(meta).where(meta.c.key == "serial").values(value=str(serial)))
        return serial

    def digest(self, purpose: Purpose, text: str) -> str:
        """The keyed digest of a text, in hex.

        Raises:
            StateError: the key is lost, or another one than before.
        """
        return KeyedDigest(self.require_key(), purpose)(text)

    def require_key(self) -> bytes:
        """The key of this state, which is certainly the one its digests were made with.

        Raises:
            StateError: the key is lost, or another one than before.
        """
        return proven_key(self.key, self._key_check())

    @property
    def has_key(self) -> bool:
        """Were digests made with some key already?"""
        return self._key_check() is not None

    def adopt_key(self) -> None:
        """Make the present key the one of this state, where it has none yet."""
        if self.key is not None and not self.has_key:
            with self._joined():
                self._execute(insert(meta).values(key=KEY_CHECK, value=check_value(self.key)))

    def _key_check(self) -> str | None:
        found = self._execute(select(meta.c.value).where(meta.c.key == KEY_CHECK)).scalar()
        return None if found is None else str(found)


def write_meta(connection: Connection, *, now: Instant) -> None:
    """Give a new state its identity."""
    values = {
        "format_version": str(FORMAT_VERSION),
        "lineage": str(uuid.uuid4()),
        "serial": "0",
        "created_at": str(now),
        "tool_version": __version__,
    }
    connection.execute(insert(meta), [{"key": key, "value": value} for key, value in values.items()])


def read_meta(connection: Connection) -> dict[str, str]:
    """Keys and values as they stand."""
    return {row.key: row.value for row in connection.execute(select(meta))}
