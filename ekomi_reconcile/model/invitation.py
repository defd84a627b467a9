"""Invitations: one order's request for a review through one account."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, ClassVar

from msgspec import Struct

from ekomi_reconcile.model import keys
from ekomi_reconcile.model.instant import DAY, Instant
from ekomi_reconcile.model.order import OrderId
from ekomi_reconcile.model.rule import Deliver


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


LOOP = "loop"
"""The actor of every change that no person asked for."""

SOURCE_CHANGED = "order_source"
"""Why an invitation is cancelled whose account now reads its orders elsewhere."""

ACCOUNT_DELETED = "account_deleted"
"""Why the pending rows of a deleted account are cancelled."""

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
    CONSENT = "consent"
    CONDITIONS = "conditions"
    DELIVERABLE = "deliverable"
    REVIEWED = "reviewed"
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
    ``pending_days`` is the pending period that applies to it, ``None`` where an earlier version scheduled it.
    ``pushed`` marks a row whose time a person has set, ``at_once`` one that does not wait for a sending
    window. ``attempts`` counts calls that failed. ``refusal`` is the text that eKomi last refused it with,
    ``refusals`` how often it did so with an unlisted one, ``unreached`` how many calls in a row did not reach
    eKomi. ``channel`` is the one it was sent through, ``None`` before that, and where an earlier version
    sent it.
    """

    id: int
    interface_id: str
    source: str
    order_id: OrderId
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
    pending_days: int | None = None
    at_once: bool = False
    channel: Deliver | None = None

    @property
    def closed(self) -> bool:
        """Is its order never offered again, unless a person acts?"""
        return self.status in BLOCKING or (self.status is Status.CANCELLED and self.reason in FINAL_REASONS)


@dataclass(frozen=True, slots=True)
class CustomerLimit:
    """At most ``count`` invitations per customer within ``days``."""

    SCHEMA: ClassVar = "CustomerCap"

    count: Annotated[int, keys.Whole(low=1, high=1_000)] = keys.key(
        "The most invitations.", recorded=keys.Recorded.ALWAYS, examples=(1,)
    )
    days: Annotated[int, keys.Whole(low=1, high=3_650)] = keys.key(
        "The number of days.", recorded=keys.Recorded.ALWAYS, examples=(90,)
    )

    def reached(self, when: Instant, asked: Iterable[Instant]) -> bool:
        """Would an invitation at ``when`` be one too many beside these? Exactly the days apart is allowed."""
        return sum(abs(when - at) < self.days * DAY for at in asked) >= self.count


def holder_of(rows: Sequence[Invitation]) -> Invitation | None:
    """Of an order's invitations the one that has the order: no other account is offered it."""
    live = (row for row in rows if row.status is not Status.CANCELLED)
    return next(live, None) or next((row for row in rows if row.closed), None)


class Observation(Struct, frozen=True, gc=False, array_like=True):
    """An order was seen in ``status`` since ``since``; ``moved``: it had another status before."""

    source: str
    order_id: OrderId
    status: str
    since: Instant
    moved: bool = False


PASSED_KEPT = 90 * DAY
"""Seconds after its order date for which an order that no account takes is remembered."""


class PassedOrder(Struct, frozen=True, gc=False, array_like=True):
    """An order that no account takes.

    ``reason`` is the value of the ``Criterion`` that failed at the account that came nearest to taking it.
    """

    source: str
    order_id: OrderId
    order_date: Instant
    reason: str


class NewInvitation(Struct, frozen=True, gc=False, array_like=True, kw_only=True):
    """An invitation to schedule. ``reached_source`` is the value of an ``Evidence``.

    ``customer`` is a keyed digest, ``pending_days`` the pending period that applies to the order.
    """

    interface_id: str
    source: str
    order_id: OrderId
    number: str
    store_view: str | None = None
    order_date: Instant
    reached_at: Instant
    reached_status: str
    reached_source: str
    judged_at: Instant
    scheduled_at: Instant
    customer: str | None = None
    pending_days: int | None = None


class ScheduleStep(NewInvitation, frozen=True, gc=False, array_like=True, kw_only=True):
    """Put an order into the queue of an account, or revive its cancelled invitation.

    ``rule_change``: a changed rule, not a new order, is the cause. ``leaves_at`` is when the invitation can
    be sent, after sending windows and pauses (``null``: never); ``channel`` is the first one that the order
    has an address for, ``products`` are the shop's identifiers of those to review. All are decided again
    before sending. ``released_by`` is the interface id of the account that gives the order up in this plan.
    """

    rule_change: bool = False
    leaves_at: Instant | None = None
    channel: Deliver | None = None
    products: tuple[str, ...] | None = None
    released_by: str | None = None


class RescheduleStep(Struct, frozen=True, gc=False, array_like=True, kw_only=True):
    """Move a pending row to another time; ``pending_days`` is the pending period that applies to it now.

    ``leaves_at``, ``channel`` and ``products`` are as in ``ScheduleStep``.
    """

    interface_id: str
    row_id: int
    source: str
    order_id: OrderId
    number: str
    scheduled_at: Instant
    previously: Instant
    reached_at: Instant
    reached_status: str
    reached_source: str
    rule_change: bool = False
    pending_days: int | None = None
    leaves_at: Instant | None = None
    channel: Deliver | None = None
    products: tuple[str, ...] | None = None


class CancelStep(Struct, frozen=True, gc=False, array_like=True, kw_only=True):
    """Take a pending row out of the queue; ``reason`` is the criterion that fails, or why there is none."""

    interface_id: str
    row_id: int
    source: str
    order_id: OrderId
    number: str
    reason: str
    rule_change: bool = False


class SendStep(Struct, frozen=True, gc=False, array_like=True, kw_only=True):
    """Send an invitation now. ``row_id`` is ``None`` for a row that the same plan schedules.

    ``moved_from`` is the time that it had before, where the same plan moves it. ``channel`` and ``products``
    are ``null`` where they depend on an order that was not read for this plan; it is read before sending.
    """

    interface_id: str
    row_id: int | None
    source: str
    order_id: OrderId
    number: str
    scheduled_at: Instant
    rule_change: bool = False
    channel: Deliver | None = None
    products: tuple[str, ...] | None = None
    moved_from: Instant | None = None


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


class Resolution(StrEnum):
    """What a person found out about an invitation whose outcome was unknown."""

    SENT = "sent"
    RESEND = "resend"


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusChange:
    """One step in the life of an invitation; the first has no ``from_status``.

    ``run_id`` is the number of the run that made it; ``None`` for a person, or where that is not recorded.
    """

    at: Instant
    from_status: Status | None
    to_status: Status
    actor: str
    detail: str | None = None
    run_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class InvitationFilter:
    """Which invitations to list: ``None`` means all; ``order`` is a number or an order id."""

    interface_ids: frozenset[str] | None = None
    statuses: frozenset[Status] | None = None
    order: str | None = None
    customer: str | None = None
    limit: int | None = None
