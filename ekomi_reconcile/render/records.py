"""What renderers show of the state: its records as they see them, without knowing where they come from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from ekomi_reconcile.model.account import Json
from ekomi_reconcile.model.instant import Instant
from ekomi_reconcile.model.invitation import Status
from ekomi_reconcile.model.review import Review, ShopData


class ShownAccount(Protocol):
    """An account as last applied, with what eKomi told; ``deleted_at`` marks a tombstone."""

    @property
    def id(self) -> int: ...
    @property
    def interface_id(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def desired(self) -> Mapping[str, Json]: ...
    @property
    def password_digest(self) -> str | None: ...
    @property
    def protect(self) -> bool: ...
    @property
    def created_at(self) -> Instant: ...
    @property
    def updated_at(self) -> Instant: ...
    @property
    def deleted_at(self) -> Instant | None: ...
    @property
    def shop(self) -> ShopData: ...
    @property
    def last_fetched_at(self) -> Instant | None: ...
    @property
    def last_import_at(self) -> Instant | None: ...
    @property
    def last_full_import_at(self) -> Instant | None: ...
    @property
    def last_error(self) -> str | None: ...
    @property
    def last_error_at(self) -> Instant | None: ...


class ShownChange(Protocol):
    """One step in the life of an invitation; the first has no ``from_status``."""

    @property
    def at(self) -> Instant: ...
    @property
    def from_status(self) -> Status | None: ...
    @property
    def to_status(self) -> Status: ...
    @property
    def actor(self) -> str: ...
    @property
    def detail(self) -> str | None: ...


class ShownReview(Protocol):
    """A review and since when it is known; ``gone_at``: a full import no longer found it."""

    @property
    def interface_id(self) -> str: ...
    @property
    def review(self) -> Review: ...
    @property
    def first_seen_at(self) -> Instant: ...
    @property
    def changed_at(self) -> Instant: ...
    @property
    def gone_at(self) -> Instant | None: ...


class ShownError(Protocol):
    """A failed call to eKomi; the message is redacted."""

    @property
    def at(self) -> Instant: ...
    @property
    def interface_id(self) -> str | None: ...
    @property
    def operation(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def http_status(self) -> int | None: ...
    @property
    def message(self) -> str: ...


class ShownEntry(Protocol):
    """An entry of the journal: who did what."""

    @property
    def at(self) -> Instant: ...
    @property
    def who(self) -> str: ...
    @property
    def host(self) -> str: ...
    @property
    def action(self) -> str: ...
    @property
    def outcome(self) -> str: ...
    @property
    def subject(self) -> str | None: ...
    @property
    def detail(self) -> str | None: ...
    @property
    def commit(self) -> str | None: ...
    @property
    def plan_digest(self) -> str | None: ...


class ShownHolder(Protocol):
    """Who holds the writer lock: ``Who`` is user@host, ``Created`` ISO 8601 in UTC."""

    @property
    def ID(self) -> str: ...  # noqa: N802
    @property
    def Operation(self) -> str: ...  # noqa: N802
    @property
    def Who(self) -> str: ...  # noqa: N802
    @property
    def Created(self) -> str: ...  # noqa: N802
    @property
    def PID(self) -> int: ...  # noqa: N802
    @property
    def Job(self) -> str | None: ...  # noqa: N802
    @property
    def Info(self) -> str | None: ...  # noqa: N802
    @property
    def Version(self) -> str | None: ...  # noqa: N802
    @property
    def Path(self) -> str | None: ...  # noqa: N802
