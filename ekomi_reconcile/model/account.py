"""Accounts: what the files say of them, and what the state records.

Every key of the files is declared here, once (``model.keys``).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from typing import Annotated, ClassVar, Final, NamedTuple, TypeAlias

import msgspec

from ekomi_reconcile.model import keys
from ekomi_reconcile.model.instant import Instant
from ekomi_reconcile.model.invitation import Status
from ekomi_reconcile.model.keys import Recorded, key
from ekomi_reconcile.model.review import ShopData
from ekomi_reconcile.model.rule import InvitationRule

Json: TypeAlias = keys.Json
"""A JSON value: the canonical form in which accounts are stored, compared and shown."""

_ALWAYS: Final = Recorded.ALWAYS
_IMPORTED: Final = "imported from eKomi"


@dataclass(frozen=True, slots=True, kw_only=True)
class Links:
    """Pages of the shop at eKomi; left out, they are imported from eKomi."""

    webshop_url: keys.PageUrl | None = key(
        "Address of the shop.",
        default=None,
        recorded=_ALWAYS,
        absent=_IMPORTED,
        examples=("https://shop.example.com/de",),
    )
    submit_url: keys.PageUrl | None = key(
        "Page where a customer writes a review.",
        default=None,
        recorded=_ALWAYS,
        absent=_IMPORTED,
        examples=("https://shop.example.com/review",),
    )


class Derived(NamedTuple):
    """What follows from an account, and costs more to work out than to keep.

    ``text`` is the canonical form as JSON: equal accounts have equal texts. ``rule_digest`` changes exactly
    when the rule asks for something else (name, links, tags and protection do not count): ``sha256:`` and 64
    digits.
    """

    text: str
    rule_digest: str


class _Derives:
    """Room for what is derived; no field, so that a changed copy derives again."""

    __slots__ = ("_derived",)

    _derived: Derived


@dataclass(frozen=True, slots=True, kw_only=True)
class Account(_Derives):
    """One eKomi account and its invitation rule.

    ``interface_password`` is a secret reference such as ``${env:NAME}``, never the secret.
    ``orders`` names the order source. Among accounts that match one order the highest ``priority``
    wins, then the lowest interface id.
    """

    SCHEMA: ClassVar = "AccountDocument"
    TITLE: ClassVar = "eKomi account"

    name: keys.Name = key(
        "Name of your own, unique among the accounts (upper and lower case are the same). It may be changed "
        "at any time.",
        own=True,
        recorded=_ALWAYS,
        examples=("Germany",),
    )
    interface_id: keys.InterfaceId = key(
        "The interface id of the eKomi dashboard, in quotes. It is the identity of the account and never "
        "changes.",
        own=True,
        recorded=_ALWAYS,
    )
    interface_password: keys.SecretReference = key(
        "Where the interface password of the eKomi dashboard is found: a reference such as `${env:NAME}`, "
        "`${file:/path}` or `${keyring:service/user}`, never the password itself.",
        own=True,
        recorded=_ALWAYS,
    )
    links: Links = key("Pages of the shop.", default=Links(), own=True, recorded=_ALWAYS, absent=_IMPORTED)
    protect: bool = key(
        "Deleting or replacing the account fails until an apply with false. Kept in the state, it holds also "
        "when the whole file is gone.",
        default=False,
        recorded=_ALWAYS,
    )
    tags: keys.Names = key(
        "Words of your own. `digital` or `service` say that nothing is shipped: a short pending period is "
        "fine then.",
        default=(),
        recorded=_ALWAYS,
        absent="no tags",
        examples=(["dach"], ["digital"]),
    )
    priority: Annotated[int, keys.Whole(low=-1_000_000, high=1_000_000)] = key(
        "When several accounts match an order the highest wins, then the lowest interface id.",
        default=0,
        recorded=_ALWAYS,
    )
    orders: keys.SourceName = key(
        "Name of the order source in the project file.",
        default="default",
        recorded=_ALWAYS,
        absent="the source called `default`, or the only one",
        examples=("eu",),
    )
    invitations: InvitationRule = key(
        "Which orders get an invitation, when, and how.",
        default=InvitationRule(),
        recorded=_ALWAYS,
        absent="no invitations are sent",
    )

    @property
    def address(self) -> str:
        """How plans and ``--target`` name it: ``account["Germany"]``."""
        return account_address(self.name)

    @property
    def rank(self) -> tuple[int, int, str]:
        """Sort key: the account that wins an order comes first."""
        return (-self.priority, int(self.interface_id), self.interface_id)

    def canonical(self) -> dict[str, Json]:
        """What is recorded of it, as JSON values; equal accounts have equal forms."""
        return keys.canonical(self)

    @property
    def derived(self) -> Derived:
        """What follows from it; worked out once."""
        try:
            return self._derived
        except AttributeError:
            self.keep(_derive(self.canonical()))
            return self._derived

    def keep(self, derived: Derived) -> None:
        """Take what was derived from an equal account before."""
        object.__setattr__(self, "_derived", derived)


def _derive(canonical: dict[str, Json]) -> Derived:
    text = msgspec.json.encode(canonical, order="sorted").decode()
    wanted = {**canonical["invitations"], "priority": canonical["priority"], "orders": canonical["orders"]}
    for name, default in keys.undigested(InvitationRule).items():
        if wanted[name] == default:
            del wanted[name]
    if isinstance(wanted.get("deliver"), list):  # which channels there are is the rule, not their order
        wanted["deliver"] = sorted(wanted["deliver"])
    for name in keys.beside_rule(InvitationRule) & wanted.keys():
        del wanted[name]
    digest = sha256(msgspec.json.encode(wanted, order="deterministic")).hexdigest()
    return Derived(text, f"sha256:{digest}")


def account_address(name: str) -> str:
    """The address of the account with this name."""
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'account["{escaped}"]'


class Credential(StrEnum):
    """What is known about an interface id and its password."""

    OK = "ok"
    WRONG = "wrong"
    UNCHECKED = "could not check"
    UNRESOLVED = "password reference unresolved"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """The verdict on one account; ``message`` says why it is not ok."""

    name: str
    interface_id: str
    verdict: Credential
    message: str | None = None
    hint: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AppliedAccount:
    """An account as applied, with the keyed digest of its password, to be recorded."""

    account: Account
    password_digest: str | None = None


class AccountRecord(msgspec.Struct, frozen=True):
    """An account as last applied, with what eKomi reported. ``deleted_at`` marks a tombstone.

    ``desired`` is the canonical form that was applied, ``text`` the same as JSON text.
    """

    id: int
    interface_id: str
    name: str
    desired: Mapping[str, Json]
    password_digest: str | None
    protect: bool
    created_at: Instant
    updated_at: Instant
    deleted_at: Instant | None = None
    last_fetched_at: Instant | None = None
    last_import_at: Instant | None = None
    last_full_import_at: Instant | None = None
    last_error: str | None = None
    last_error_at: Instant | None = None
    text: str = ""
    shop: ShopData = ShopData()

    @property
    def invites(self) -> bool:
        """Whether its invitations are enabled, as last applied."""
        return bool(self.desired["invitations"]["enabled"])


@dataclass(frozen=True, slots=True)
class GridRow:
    """A row of the accounts grid: an account and its number of invitations by status."""

    account: AccountRecord
    queue: Mapping[Status, int]

    @property
    def total(self) -> int:
        """The number of its invitations."""
        return sum(self.queue.values())

    @property
    def pending(self) -> int:
        """The number of its pending invitations."""
        return self.queue.get(Status.PENDING, 0)


class PositionRecord(msgspec.Struct, frozen=True):
    """Up to where the orders of a source were evaluated for an account, and by which rules."""

    source: str
    rule_digest: str
    cursor: str
    evaluated_at: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountStop:
    """eKomi refuses what an account sends: ``message`` is its text, ``refusal`` what is compared.

    ``probe_id`` is the invitation that was last sent to find out whether it still does, at ``probed_at``.
    """

    interface_id: str
    refusal: str
    message: str
    since: Instant
    probe_id: int | None = None
    probed_at: Instant | None = None


@dataclass(frozen=True, slots=True)
class ValueChange:
    """One value that differs, at its key path in the files; ``None`` where there is none."""

    path: tuple[str | int, ...]
    before: Json
    after: Json


def value_at(fields: Json, path: Collection[str | int]) -> Json:
    """The value at a key path; ``None`` where there is none."""
    value = fields
    for step in path:
        value = value.get(step) if isinstance(value, Mapping) and isinstance(step, str) else None
    return value


def value_changes(path: tuple[str | int, ...], before: Json, after: Json) -> Iterator[ValueChange]:
    """The smallest values that differ: mappings and lists of one shape are compared entry by entry."""
    if isinstance(before, Mapping) and isinstance(after, Mapping) and before.keys() & after.keys():
        for key in [*after, *(key for key in before if key not in after)]:
            if before.get(key) != after.get(key):
                yield from value_changes((*path, key), before.get(key), after.get(key))
    elif _same_shape(before, after):
        for at, (old, new) in enumerate(zip(before, after, strict=True)):
            if old != new:
                yield from value_changes((*path, at), old, new)
    else:
        yield ValueChange(path, before, after)


def _same_shape(before: Json, after: Json) -> bool:
    if not (isinstance(before, list | tuple) and isinstance(after, list | tuple)):
        return False
    return len(before) == len(after) and all(
        old == new or (isinstance(old, Mapping) and isinstance(new, Mapping) and old.keys() == new.keys())
        for old, new in zip(before, after, strict=True)
    )
