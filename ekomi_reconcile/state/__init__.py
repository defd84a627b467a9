"""The state: how accounts are recorded, and what a state records about itself."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from ekomi_reconcile.model import keys
from ekomi_reconcile.model.account import Account, AccountRecord, Json
from ekomi_reconcile.model.errors import StateDamaged
from ekomi_reconcile.model.instant import DAY, Instant
from ekomi_reconcile.model.review import ShopData
from ekomi_reconcile.model.rule import InvitationRule
from ekomi_reconcile.model.run import Meta

UNREADABLE = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, msgspec.MsgspecError)
"""What a value in the state that is not what its column promises can lead to where it is used."""


_PATTERN = Account(name="", interface_id="", interface_password="").canonical()
_FULLEST = keys.canonical(
    Account(name="", interface_id="", interface_password="", invitations=InvitationRule(spread=DAY)),
    whole=True,
)
"""With every key that an account is recorded without where it has its default."""


_FREE = frozenset(each.name for each in keys.every_key(Account) if each.is_free)
"""Keys of an account that take more than one kind of value."""


class DesiredSettings(Mapping[str, Json]):
    """The settings of an account as the state has them in ``text``, read when they are needed.

    Reading raises ``StateDamaged`` where they are not settings.
    """

    __slots__ = ("_interface_id", "_read", "text")

    def __init__(self, text: str, interface_id: str) -> None:
        self.text = text
        self._interface_id = interface_id
        self._read: Mapping[str, Json] | None = None

    def __getitem__(self, key: str) -> Json:
        return self._settings[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._settings)

    def __len__(self) -> int:
        return len(self._settings)

    def __repr__(self) -> str:
        return f"Desired({self._interface_id})"

    @property
    def _settings(self) -> Mapping[str, Json]:
        if self._read is None:
            found, wrong = read_settings(self.text)
            if wrong is not None:
                raise StateDamaged(
                    f"account {self._interface_id} in the state: column desired {wrong}",
                    hint="list all damage with `ekomi-reconcile state check`, then restore a backup: "
                    "ekomi-reconcile state restore FILE",
                )
            self._read = found
        return self._read


def read_settings(text: object) -> tuple[dict[str, Json], str | None]:
    """The settings of an account in the column ``desired``, and what is wrong with them, if anything."""
    try:
        found = msgspec.json.decode(text) if isinstance(text, str) else None
    except (msgspec.DecodeError, UnicodeError):
        found = None
    if found is None:
        return {}, "is not JSON"
    wrong = unlike_account(found)
    return (found, None) if wrong is None else ({}, f"is not an account: {wrong}")


def unlike_account(desired: Json, place: str = "$") -> str | None:
    """Why this is not how an account is recorded, or ``None`` if it is."""
    return next(_unlike(desired, _PATTERN, _FULLEST, place=place), None)


def _unlike(value: Json, pattern: Json, fullest: Json, *, place: str) -> Iterator[str]:
    """Where a value has neither the form of the pattern nor that of the fullest account."""
    if not isinstance(pattern, dict) or not isinstance(fullest, dict):
        if type(value) not in (type(pattern), type(fullest)):
            yield f"Expected `{type(fullest).__name__}` - at `{place}`"
        return
    if not isinstance(value, dict) or not set(pattern) <= set(value) <= set(fullest):
        yield f"Expected an object with {', '.join(sorted(pattern))} - at `{place}`"
        return
    for key, each in value.items():
        if key not in _FREE:
            least = {} if isinstance(fullest[key], dict) else fullest[key]
            yield from _unlike(each, pattern.get(key, least), fullest[key], place=f"{place}.{key}")


_OWN = tuple(name for name in AccountRecord.__struct_fields__ if name not in ("shop", "text"))
_SHOP = ShopData.__struct_fields__
_INTERFACE_ID, _DESIRED, _PROTECT = map(_OWN.index, ("interface_id", "desired", "protect"))
_ACTIVE = _SHOP.index("active")
ACCOUNT_COLUMNS = (*_OWN, *_SHOP)
"""What ``to_account`` takes, in its order: a column for each field of the record."""


def to_account(row: Sequence[Any]) -> AccountRecord:
    """The account in a row of ``ACCOUNT_COLUMNS``; a driver may give its booleans as numbers."""
    own, shop = list(row[: len(_OWN)]), list(row[len(_OWN) :])
    text = own[_DESIRED]
    own[_DESIRED] = DesiredSettings(text, own[_INTERFACE_ID])
    own[_PROTECT] = bool(own[_PROTECT])
    if shop[_ACTIVE] is not None:
        shop[_ACTIVE] = bool(shop[_ACTIVE])
    return AccountRecord(*[*own, text, ShopData(*shop)])


FORMAT_VERSION = 8
"""The format of the state that this version writes."""


KEY_CHECK = "key_check"
"""Where the value stands by which a state knows its key again."""


ADDRESSES = "addresses"
"""The key of the remote addresses that the last run used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StateIdentity:
    """Which state this is, and in which version; ``key_check`` tells the key of its digests."""

    lineage: str
    serial: int
    created_at: Instant
    key_check: str | None = None


_RESTORE = "restore a backup of the state"


def format_version(values: Mapping[str, str]) -> int:
    """The format of a state of any age.

    Raises:
        StateDamaged: it does not say.
    """
    text = values.get("format_version", "")
    if not (text.isascii() and text.isdigit()):
        raise StateDamaged("the state does not say which format it has", hint=_RESTORE)
    return int(text)


def parse_addresses(values: Mapping[str, str]) -> dict[str, str]:
    """The remote addresses that the last run used, by their keys; none where it did not record any."""
    try:
        found = json.loads(values.get(ADDRESSES, "{}"))
    except ValueError:
        return {}
    return {str(key): str(value) for key, value in found.items()} if isinstance(found, dict) else {}


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
        raise StateDamaged(f"the state's own data is damaged: {error}", hint=_RESTORE) from error
