"""Accounts and their invitation rules: what the files can say of them, and what the state records.

Every key of the files is declared here, once (``model.keys``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from typing import Annotated, ClassVar, Final, NamedTuple, TypeAlias

import msgspec

from ekomi_reconcile.model import keys
from ekomi_reconcile.model.keys import Recorded, key

DELETED_STORE_VIEW = "(deleted)"
"""Stands for the store view of an order whose store view the shop no longer has; no code is written so."""

Json: TypeAlias = keys.Json
"""A JSON value: the canonical form in which accounts are stored, compared and shown."""

_ALWAYS: Final = Recorded.ALWAYS
_IMPORTED: Final = "imported from eKomi"


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

    @classmethod
    def of(cls, written: Json) -> Selection:
        """The selection that a valid file has: a list, or ``exclude`` with a list."""
        if isinstance(written, dict):
            return cls(frozenset(written["exclude"]), exclude=True)
        return cls(frozenset(written))

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


Chosen: TypeAlias = Annotated[
    Selection, keys.Format(name="selection", parse=Selection.of, form=Selection.canonical)
]
Condition: TypeAlias = Annotated[Mapping[str, Json], keys.Format(name="condition")]
"""A condition in the form of the files: one key per mapping."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class InvitationRule:
    """Which orders get an invitation, when, and how.

    Periods are whole days of 24 hours, ``spread`` is whole hours in seconds. ``conditions`` is the custom
    condition in the form of the files (design: one key per mapping).
    """

    SCHEMA: ClassVar = "Invitations"

    enabled: bool = key(
        "Are invitations sent at all? While false, what waits in the queue is held back.",
        default=False,
        recorded=_ALWAYS,
    )
    pending_period: keys.Days = key(
        "Days from the trigger status to the invitation: time for the parcel to arrive and the goods to be "
        "tried. A day is 24 hours.",
        default=14,
        recorded=_ALWAYS,
    )
    spread: keys.Spread = key(
        "Sends up to so much later than the pending period says, by an offset that every order keeps: a "
        "day with many orders does not become a minute with many requests.",
        default=0,
        recorded=_ALWAYS,
        absent="0d, no spread",
        examples=("3d",),
    )
    skip_orders_older_than: keys.Days = key(
        "Orders older than so many days are never invited, counted from the order date; an order of exactly "
        "this age still is. 0 means no limit: then a first apply may ask for years back.",
        default=30,
        recorded=_ALWAYS,
    )
    store_views: Chosen = key(
        "Codes of the store views whose orders are meant: a list, or `exclude` with a list.",
        default=Selection(),
        recorded=_ALWAYS,
        absent="all store views",
        examples=(["de", "at"], {"exclude": ["b2b"]}),
    )
    customer_groups: Chosen = key(
        "Names of the customer groups whose orders are meant: a list, or `exclude` with a list. Guests are "
        "the group NOT LOGGED IN.",
        default=Selection(),
        recorded=_ALWAYS,
        absent="all customer groups",
        examples=(["General", "Retailer"], {"exclude": ["NOT LOGGED IN"]}),
    )
    order_statuses: keys.Names = key(
        "Trigger statuses: the first of them that an order reaches starts the clock. A status that means "
        "canceled, closed or on hold is refused.",
        default=("complete",),
        recorded=_ALWAYS,
    )
    cancel_statuses: keys.Names = key(
        "Statuses that end an order although its state does not, such as a status for returned parcels: "
        "the order is not invited, and a pending invitation is cancelled. Upper and lower case are the same.",
        default=(),
        absent="no status ends an order by itself",
        examples=(["returned"],),
    )
    skip_refunded: bool = key(
        "Fully refunded orders are not invited.",
        default=True,
    )
    deliver: Deliver = key(
        "Who asks the customer, and how.",
        default=Deliver.EKOMI_EMAIL,
        recorded=Recorded.UNDIGESTED,
        labels=(
            "eKomi writes an e-mail; an order without a usable address is not invited.",
            "eKomi writes a text message; an order without a mobile number is not invited.",
            "Nobody is written to: the review link stands in the queue for a mailer of your own.",
        ),
    )
    conditions: Condition | None = key(
        "What else must hold for an order: one attribute with its operators, a test of its items, or a "
        "group (`all`, `any`, `not`).",
        default=None,
        recorded=_ALWAYS,
        absent="nothing else",
        examples=({"all": [{"grand_total": {"gte": 50}}]},),
    )

    def canonical(self) -> dict[str, Json]:
        """What is recorded of it, as JSON values."""
        return keys.canonical(self)


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
    digest = sha256(msgspec.json.encode(wanted, order="deterministic")).hexdigest()
    return Derived(text, f"sha256:{digest}")


def account_address(name: str) -> str:
    """The address of the account with this name."""
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'account["{escaped}"]'
