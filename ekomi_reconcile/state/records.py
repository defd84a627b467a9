"""How accounts are recorded: their settings and their rows; the state's own data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from ekomi_reconcile.model import keys
from ekomi_reconcile.model.account import Account, Json
from ekomi_reconcile.model.account_record import AccountRecord
from ekomi_reconcile.model.errors import StateDamaged
from ekomi_reconcile.model.instant import DAY
from ekomi_reconcile.model.review import ShopData
from ekomi_reconcile.model.rule import InvitationRule

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
                    mend="see all damage with `ekomi-reconcile state check`, then restore a copy: "
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
