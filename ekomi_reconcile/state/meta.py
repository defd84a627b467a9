"""What the state knows about itself: format, lineage, serial, and the check value of its key."""

from __future__ import annotations

import uuid
from collections.abc import Mapping

from sqlalchemy import Connection, insert, select, update

from ekomi_reconcile import __version__
from ekomi_reconcile.errors import StateDamaged, StateError
from ekomi_reconcile.model.instant import Instant
from ekomi_reconcile.state.key import Purpose, check_value, digest
from ekomi_reconcile.state.records import Meta
from ekomi_reconcile.state.session import Session
from ekomi_reconcile.state.tables import FORMAT_VERSION, account, invitation, meta

_RESTORE = "restore a backup of the state"
_KEY_CHECK = "key_check"


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
        return digest(self.require_key(), purpose, text)

    def require_key(self) -> bytes:
        """The key of this state, which is certainly the one its digests were made with.

        Raises:
            StateError: the key is lost, or another one than before.
        """
        expected = self._key_check()
        if self.key is None:
            raise StateError(
                "the key of the digests is missing: changed passwords and customers asked before "
                "cannot be noticed",
                mend="restore the file <state>.key, or set privacy.key to the key used before",
            )
        if expected is not None and expected != check_value(self.key):
            raise StateError(
                "the key of the digests is not the one this state was made with: every password would look "
                "changed, and customers asked before would be asked again",
                mend="set privacy.key (or the file <state>.key) back to the key used before",
            )
        return self.key

    @property
    def has_key(self) -> bool:
        """Were digests made with some key already?"""
        return self._key_check() is not None

    def adopt_key(self) -> None:
        """Make the present key the one of this state, where it has none yet."""
        if self.key is not None and not self.has_key:
            with self._joined():
                self._execute(insert(meta).values(key=_KEY_CHECK, value=check_value(self.key)))

    def replace_key(self, key: bytes) -> None:
        """Go on with another key: the digests made with the old one mean nothing more and are removed."""
        with self._joined():
            self._execute(update(account).values(password_digest=None))
            self._execute(update(invitation).where(invitation.c.customer.is_not(None)).values(customer=None))
            self._execute(meta.delete().where(meta.c.key == _KEY_CHECK))
            self._execute(insert(meta).values(key=_KEY_CHECK, value=check_value(key)))
        self.key = key

    def _key_check(self) -> str | None:
        found = self._execute(select(meta.c.value).where(meta.c.key == _KEY_CHECK)).scalar()
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


def format_version(values: Mapping[str, str]) -> int:
    """The format of a state of any age.

    Raises:
        StateDamaged: it does not say.
    """
    text = values.get("format_version", "")
    if not (text.isascii() and text.isdigit()):
        raise StateDamaged("the state does not say which format it has", mend=_RESTORE)
    return int(text)


def parse_meta(values: Mapping[str, str]) -> Meta:
    """The data of a state of the present format.

    Raises:
        StateDamaged: a part is missing or no number.
    """
    try:
        return Meta(
            format_version=format_version(values),
            lineage=values["lineage"],
            serial=int(values["serial"]),
            created_at=int(values["created_at"]),
            tool_version=values["tool_version"],
        )
    except (KeyError, ValueError) as error:
        raise StateDamaged(f"the state's own data is damaged: {error}", mend=_RESTORE) from error
