"""Accounts and their invitation rules, as the files define them and as the state records them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import sha256
from typing import Any, NamedTuple, TypeAlias

import msgspec

from ekomi_reconcile.model.instant import DAY, HOUR, Instant
from ekomi_reconcile.model.invitation import Status
from ekomi_reconcile.model.review import ShopData

DELETED_STORE_VIEW = "(deleted)"
"""Stands for the store view of an order whose store view the shop no longer has; no code is written so."""

Json: TypeAlias = Any
"""A JSON value: the canonical form in which accounts are stored, compared and shown."""


class Deliver(StrEnum):
    """Who asks the customer, and how."""

    EKOMI_EMAIL = "ekomi-email"
    EKOMI_SMS = "ekomi-sms"
    LINK = "link"


@dataclass(frozen=True, slots=True)
class Selection:
    """Which store views or customer groups are meant: all, only ``names``, or all but ``names``."""

    names: frozenset[str] | None = None
    exclude: bool = False

    def admits(self, name: str | None) -> bool:
        """Is this one meant? An unknown name (``None``) is in no list, so it passes an exclusion.

        A store view that was deleted may be one of those excluded: it passes none.
        """
        if self.names is None:
            return True
        if name == DELETED_STORE_VIEW:
            return False
        return (name in self.names) is not self.exclude

    def canonical(self) -> Json:
        """``"all"``, a sorted list, or ``{"exclude": [...]}``."""
        if self.names is None:
            return "all"
        names = sorted(self.names)
        return {"exclude": names} if self.exclude else names


@dataclass(frozen=True, slots=True, kw_only=True)
class InvitationRule:
    """Who is asked for a review, and when. Periods are whole days of 24 hours, ``spread`` is whole hours
    in seconds.

    ``conditions`` is the custom condition in the form of the files (design: one key per mapping).
    """

    enabled: bool = False
    pending_period: int = 14
    spread: int = 0
    skip_orders_older_than: int = 30
    store_views: Selection = field(default_factory=Selection)
    customer_groups: Selection = field(default_factory=Selection)
    order_statuses: tuple[str, ...] = ("complete",)
    deliver: Deliver = Deliver.EKOMI_EMAIL
    conditions: Mapping[str, Json] | None = None
    skip_refunded: bool = True
    cancel_statuses: tuple[str, ...] = ()

    def canonical(self) -> dict[str, Json]:
        """All fields as JSON values, sets sorted, absent conditions as ``None``.

        Keys that are newer than the first format are left out at their default, so that an upgrade changes
        neither an account nor a digest.
        """
        return {
            "enabled": self.enabled,
            "pending_period": self.pending_period,
            "spread": _span(self.spread) if self.spread else None,
            "skip_orders_older_than": self.skip_orders_older_than,
            "store_views": self.store_views.canonical(),
            "customer_groups": self.customer_groups.canonical(),
            "order_statuses": sorted(set(self.order_statuses)),
            "deliver": self.deliver.value,
            "conditions": self.conditions,
            **({} if self.skip_refunded else {"skip_refunded": False}),
            **({"cancel_statuses": sorted(set(self.cancel_statuses))} if self.cancel_statuses else {}),
        }


class Derived(NamedTuple):
    """What follows from an account, and costs more to work out than to keep.

    ``text`` is the canonical form as JSON: equal accounts have equal texts. ``rule_digest`` changes exactly
    when the rule asks for something else (name, links, tags and protection do not count): ``sha256:`` and 64
    digits.
    """

    text: str
    rule_digest: str


class _Derives:
    """Room for what is derived; no field, so that a changed copy derives anew."""

    __slots__ = ("_derived",)

    _derived: Derived


@dataclass(frozen=True, slots=True, kw_only=True)
class Account(_Derives):
    """One eKomi interface with its own rules.

    ``interface_password`` is a secret reference such as ``${env:NAME}``, never the secret.
    ``orders`` names the order source. Among accounts that match one order the highest ``priority``
    wins, then the lowest interface id.
    """

    name: str
    interface_id: str
    interface_password: str
    webshop_url: str | None = None
    submit_url: str | None = None
    protect: bool = False
    tags: tuple[str, ...] = ()
    priority: int = 0
    orders: str = "default"
    invitations: InvitationRule = field(default_factory=InvitationRule)

    @property
    def address(self) -> str:
        """How plans and ``--target`` name it: ``account["Germany"]``."""
        return account_address(self.name)

    @property
    def rank(self) -> tuple[int, int, str]:
        """Sort key: the account that wins an order comes first."""
        return (-self.priority, int(self.interface_id), self.interface_id)

    def canonical(self) -> dict[str, Json]:
        """All fields as JSON values; equal accounts have equal forms."""
        return {
            "name": self.name,
            "interface_id": self.interface_id,
            "interface_password": self.interface_password,
            "links": {"webshop_url": self.webshop_url, "submit_url": self.submit_url},
            "protect": self.protect,
            "tags": sorted(set(self.tags)),
            "priority": self.priority,
            "orders": self.orders,
            "invitations": self.invitations.canonical(),
        }

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
    if wanted["deliver"] == Deliver.EKOMI_EMAIL:  # as before there was another way: no digest changes
        del wanted["deliver"]
    digest = sha256(msgspec.json.encode(wanted, order="deterministic")).hexdigest()
    return Derived(text, f"sha256:{digest}")


def _span(seconds: int) -> str:
    """Whole hours as the files may write them; equal spans have equal forms."""
    return f"{seconds // DAY}d" if seconds % DAY == 0 else f"{seconds // HOUR}h"


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
    mend: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AppliedAccount:
    """What ``save_accounts`` records: the account as applied, and the keyed digest of its password."""

    account: Account
    password_digest: str | None = None


class AccountRecord(msgspec.Struct, frozen=True, kw_only=True):
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
