"""Invitations: one order's request for a review through one account."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from msgspec import Struct

from ekomi_reconcile.model.instant import Instant


class Status(StrEnum):
    """Where an invitation stands."""

    PENDING = "pending"
    SENDING = "sending"
    SENT = "sent"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"
    FAILED = "failed"
    UNKNOWN = "unknown"


BLOCKING = frozenset({Status.SENDING, Status.SENT, Status.SKIPPED, Status.FAILED, Status.UNKNOWN})
"""A row in one of these, of whatever account, means that the order is never offered again."""


UNREACHABLE = "unreachable"
"""Why an invitation is cancelled that could not be handed to eKomi for too long."""

ORDER_GONE = "order_gone"
"""Why an invitation is cancelled whose order the shop no longer has."""

STATE_LOST = "state_lost"
"""Why an invitation is unknown that was due in a time of which the state lost its records."""

FINAL_REASONS = frozenset({UNREACHABLE, ORDER_GONE})
"""Cancelled for one of these, only a person brings an invitation back."""

GONE_AFTER = 30
"""Days after which an order that its source does not have is given up."""

ON_HOLD_MARK = "(on hold)"
MISSING_MARK = "(missing)"
MARKS = frozenset({ON_HOLD_MARK, MISSING_MARK})
"""Noted in place of a status while a pending invitation waits for its order; no status of a shop."""


class Criterion(StrEnum):
    """What must hold for an order to be invited, in the order in which it is judged."""

    ENABLED = "enabled"
    STORE_VIEW = "store_view"
    CUSTOMER_GROUP = "customer_group"
    ORDER_STATUS = "order_status"
    REFUNDED = "refunded"
    ORDER_AGE = "order_age"
    CONDITIONS = "conditions"
    DELIVERABLE = "deliverable"
    SUPPRESSED = "suppressed"
    DUPLICATE_NUMBER = "duplicate_number"
    ALREADY_INVITED = "already_invited"


class Evidence(StrEnum):
    """Where the instant at which an order reached its trigger status comes from, best first."""

    HISTORY = "history"
    SHIPMENT = "shipment"
    INVOICE = "invoice"
    OBSERVED = "observed"
    SOLE_HISTORY = "sole_history"
    CREATED = "created_at"
    UPDATED = "updated_at"


class Reached(Struct, frozen=True, gc=False):
    """When an order first reached the trigger status ``status``, and how that is known."""

    at: Instant
    status: str
    source: Evidence


@dataclass(frozen=True, slots=True, kw_only=True)
class Invitation:
    """A row of the queue. No personal data: the order is its ids, the customer a keyed digest.

    ``judged_at`` is the instant at which the order's age was judged, when it was first scheduled.
    ``pushed`` marks a row whose time a person has set. ``attempts`` counts calls that failed. ``refusal`` is
    the text that eKomi last refused it with, ``refusals`` how often it did so with an unlisted one,
    ``unreached`` how many calls in a row did not reach eKomi.
    """

    id: int
    interface_id: str
    source: str
    order_id: int
    number: str
    store_view: str | None
    order_date: Instant
    status: Status
    reached: Reached
    judged_at: Instant
    scheduled_at: Instant
    sent_at: Instant | None = None
    link: str | None = None
    reason: str | None = None
    attempts: int = 0
    next_attempt_at: Instant | None = None
    pushed: bool = False
    customer: str | None = None
    changed_at: Instant = 0
    refusal: str | None = None
    refusals: int = 0
    unreached: int = 0

    @property
    def closed(self) -> bool:
        """Is its order never offered again, unless a person acts?"""
        return self.status in BLOCKING or (self.status is Status.CANCELLED and self.reason in FINAL_REASONS)


def holder_of(rows: Sequence[Invitation]) -> Invitation | None:
    """Of an order's invitations the one that has the order: no other account is offered it."""
    live = (row for row in rows if row.status is not Status.CANCELLED)
    return next(live, None) or next((row for row in rows if row.closed), None)
