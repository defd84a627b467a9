"""Records of the state."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

import msgspec

from ekomi_reconcile.model.account import Account, InvitationRule, Json
from ekomi_reconcile.model.errors import StateDamaged
from ekomi_reconcile.model.instant import DAY, Instant
from ekomi_reconcile.model.invitation import Status
from ekomi_reconcile.model.review import Review, ShopData

UNREADABLE = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, msgspec.MsgspecError)
"""What a value in the state that is not what its column promises can lead to where it is used."""

_PATTERN = Account(name="", interface_id="", interface_password="").canonical()
_FULLEST = Account(
    name="",
    interface_id="",
    interface_password="",
    invitations=InvitationRule(spread=DAY, skip_refunded=False, cancel_statuses=("returned",)),
).canonical()
"""With every key that an account is recorded without where it has its default."""

_FREE = ("store_views", "customer_groups", "conditions", "webshop_url", "submit_url")
"""Keys of an account that take more than one kind of value."""

LOOP = "loop"
"""The actor of every change that no person asked for."""

ACCOUNT_DELETED = "account_deleted"
"""Why the pending rows of a deleted account are cancelled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Meta:
    """The state itself: ``serial`` counts changes of accounts and state commands."""

    format_version: int
    lineage: str
    serial: int
    created_at: Instant
    tool_version: str


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
            yield from _unlike(each, pattern.get(key, fullest[key]), fullest[key], place=f"{place}.{key}")


@dataclass(frozen=True, slots=True, kw_only=True)
class NewState:
    """A state that is about to be created, with the ``key`` of its digests."""

    key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class AppliedAccount:
    """What ``save_accounts`` records: the account as applied, and the keyed digest of its password."""

    account: Account
    password_digest: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountRecord:
    """An account as last applied, with what eKomi told. ``deleted_at`` marks a tombstone.

    ``text`` is ``desired`` as it stands in the state.
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
    shop: ShopData = field(default_factory=ShopData)
    last_fetched_at: Instant | None = None
    last_import_at: Instant | None = None
    last_full_import_at: Instant | None = None
    last_error: str | None = None
    last_error_at: Instant | None = None
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionRecord:
    """Up to where the orders of a source were evaluated for an account, and by which rules."""

    source: str
    rule_digest: str
    cursor: str
    evaluated_at: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """An order was seen in ``status`` since ``since``; ``moved``: it had another status before."""

    source: str
    order_id: int
    status: str
    since: Instant
    moved: bool = False


class Observed(Protocol):
    """Anything with the fields of an ``Observation``, a step of a plan for one."""

    @property
    def source(self) -> str: ...
    @property
    def order_id(self) -> int: ...
    @property
    def status(self) -> str: ...
    @property
    def since(self) -> Instant: ...
    @property
    def moved(self) -> bool: ...


class Scheduled(Protocol):
    """Anything with the fields of a ``NewInvitation``, a step of a plan for one."""

    @property
    def interface_id(self) -> str: ...
    @property
    def source(self) -> str: ...
    @property
    def order_id(self) -> int: ...
    @property
    def number(self) -> str: ...
    @property
    def store_view(self) -> str | None: ...
    @property
    def order_date(self) -> Instant: ...
    @property
    def reached_at(self) -> Instant: ...
    @property
    def reached_status(self) -> str: ...
    @property
    def reached_source(self) -> str: ...
    @property
    def judged_at(self) -> Instant: ...
    @property
    def scheduled_at(self) -> Instant: ...
    @property
    def customer(self) -> str | None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class NewInvitation:
    """A row to put into the queue; ``reached_source`` is the value of an ``Evidence``."""

    interface_id: str
    source: str
    order_id: int
    number: str
    store_view: str | None = None
    order_date: Instant
    reached_at: Instant
    reached_status: str
    reached_source: str
    judged_at: Instant
    scheduled_at: Instant
    customer: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleCounts:
    """What became of a batch; ``blocked`` rows met a live row of the same order and were left out."""

    inserted: int = 0
    revived: int = 0
    blocked: int = 0

    @property
    def scheduled(self) -> int:
        """How many rows are pending now that were not before."""
        return self.inserted + self.revived


class Rescheduled(Protocol):
    """Anything with the fields of a ``NewTime``, a step of a plan for one."""

    @property
    def row_id(self) -> int: ...
    @property
    def scheduled_at(self) -> Instant: ...
    @property
    def reached_at(self) -> Instant: ...
    @property
    def reached_status(self) -> str: ...
    @property
    def reached_source(self) -> str: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTime:
    """A pending row's new time, and the evidence that it was computed from."""

    row_id: int
    scheduled_at: Instant
    reached_at: Instant
    reached_status: str
    reached_source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SendOutcome:
    """How the handling of a claimed row ended.

    ``status`` is ``SENT``, ``PENDING`` (again at ``next_attempt_at``), ``FAILED``, ``UNKNOWN`` or
    ``CANCELLED``; ``failed_calls`` is added to the attempts of the row, ``refusals`` to its refusals.
    ``refusal`` is the text of a refusal, ``unreached`` how many calls in a row have not reached eKomi now.
    """

    id: int
    status: Status
    at: Instant
    link: str | None = None
    reason: str | None = None
    failed_calls: int = 0
    next_attempt_at: Instant | None = None
    refusal: str | None = None
    refusals: int = 0
    unreached: int = 0


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


class Resolution(StrEnum):
    """What a person found out about an invitation whose outcome was unknown."""

    SENT = "sent"
    RESEND = "resend"


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusChange:
    """One step in the life of an invitation; the first has no ``from_status``."""

    at: Instant
    from_status: Status | None
    to_status: Status
    actor: str
    detail: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class InvitationFilter:
    """Which invitations to list: ``None`` means all; ``order`` is a number or an order id."""

    interface_ids: frozenset[str] | None = None
    statuses: frozenset[Status] | None = None
    order: str | None = None
    customer: str | None = None
    limit: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedReview:
    """A review and since when we know it; ``gone_at``: a full import no longer found it."""

    interface_id: str
    review: Review
    first_seen_at: Instant
    changed_at: Instant
    gone_at: Instant | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportCounts:
    """What an import of reviews changed."""

    new: int = 0
    changed: int = 0
    gone: int = 0
    unchanged: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalEntry:
    """Who did what: ``action`` and ``outcome`` are words of the caller, ``detail`` free text."""

    at: Instant
    who: str
    host: str
    action: str
    outcome: str
    subject: str | None = None
    detail: str | None = None
    commit: str | None = None
    plan_digest: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiError:
    """A failed call to eKomi; ``message`` was redacted by who recorded it."""

    at: Instant
    interface_id: str | None
    operation: str
    kind: str
    http_status: int | None
    message: str
