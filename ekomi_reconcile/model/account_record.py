"""Accounts as the state records them: as last applied, with what eKomi reported of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import msgspec

from ekomi_reconcile.model.account import Account, Json
from ekomi_reconcile.model.instant import Instant
from ekomi_reconcile.model.invitation import Status
from ekomi_reconcile.model.review import ShopData


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
