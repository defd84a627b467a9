"""Accounts and their invitation rules: what the files can say of them, and what the state records.

Every key of the files is declared here, once (``model.keys``).
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import Annotated, ClassVar, Final, NamedTuple, TypeAlias

import msgspec

from ekomi_reconcile.model import keys
from ekomi_reconcile.model.keys import Recorded, key
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
