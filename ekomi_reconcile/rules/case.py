"""What is judged: an order, a rule, and what is known about the order besides itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from msgspec import Struct

from ekomi_reconcile.model.account import Account
from ekomi_reconcile.model.instant import Instant
from ekomi_reconcile.model.invitation import CustomerLimit, Invitation, Reached, Status
from ekomi_reconcile.model.order import HistoryEntry, Order
from ekomi_reconcile.rules.rulebook import Rule, pending_days, scheduled_at


class Known(Protocol):
    """What is known about an order besides the order itself; read only when a criterion needs it."""

    @property
    def now(self) -> Instant:
        """The present, in seconds since 1970 (UTC)."""

    @property
    def source(self) -> str:
        """The name of the order source that has the order."""

    @property
    def opted_out(self) -> bool:
        """Is the customer on a suppression list?"""

    @property
    def cap(self) -> CustomerLimit | None:
        """The limit per customer, if there is one."""

    @property
    def asked(self) -> Sequence[Instant]:
        """When the customer was, or will be, invited for other orders."""

    @property
    def holder(self) -> Invitation | None:
        """The invitation that has the order: no other account is offered it."""

    def reviewed_at(self, interface_id: str) -> Instant | None:
        """When the order's review at this interface was submitted, if it has one."""

    def rival(self, interface_id: str) -> Invitation | None:
        """The invitation of another order that holds this order's number at this interface."""

    def claim(self, rule: Rule) -> Invitation | Account | None:
        """What keeps the order from this account: an invitation, or an account that is about to get it."""

    def name(self, interface_id: str) -> str:
        """The name of an account, present or deleted."""


class Case(Struct, gc=False):
    """One order, judged by one rule.

    ``judged_at`` is the instant by which its age is judged, ``reached`` when it got to a trigger status.
    ``recorded_days`` is the pending period that its invitation keeps.
    """

    rule: Rule
    order: Order
    judged_at: Instant
    reached: Reached | None
    known: Known
    recorded_days: int | None = None

    @property
    def pending_days(self) -> int:
        """The pending period that applies, in days."""
        recorded = self.recorded_days
        return pending_days(self.rule, self.order) if recorded is None else recorded

    @property
    def scheduled_at(self) -> Instant | None:
        """When an invitation is due; ``None`` while no trigger status was reached."""
        if self.reached is None:
            return None
        return scheduled_at(
            self.rule, self.reached, self.order.order_id, judged_at=self.judged_at, days=self.pending_days
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownFacts:
    """What is known about an order, given as values; by default nothing stands against inviting it.

    All instants are seconds since 1970 (UTC). ``observed`` says since when the order has had a status that it
    was seen to change to; ``recorded`` is the status in which it was last seen, whether or not that was a
    change. ``evidence`` and ``judged_at`` are what was recorded when the order was first scheduled: when it
    had reached its trigger status, and the instant by which its age was judged. ``reviewed`` is when the
    order was reviewed. ``same_number`` is the
    invitation of another order that holds its number, ``invited`` the invitation, or the account about to get
    the order, that keeps it from others. ``names`` are those of accounts by interface id.
    """

    now: Instant
    source: str = "default"
    observed: Mapping[str, Instant] = field(default_factory=dict)
    recorded: HistoryEntry | None = None
    evidence: Reached | None = None
    judged_at: Instant | None = None
    opted_out: bool = False
    reviewed: Instant | None = None
    cap: CustomerLimit | None = None
    asked: Sequence[Instant] = ()
    holder: Invitation | None = None
    same_number: Invitation | None = None
    invited: Invitation | Account | None = None
    names: Mapping[str, str] = field(default_factory=dict)

    def reviewed_at(self, interface_id: str) -> Instant | None:  # noqa: ARG002 - as in Known
        """When its review was submitted, if it has one."""
        return self.reviewed

    def rival(self, interface_id: str) -> Invitation | None:
        """The invitation of another order with this number, if it is one of this interface."""
        found = self.same_number
        return found if found is not None and found.interface_id == interface_id else None

    def claim(self, rule: Rule) -> Invitation | Account | None:
        """What keeps the order from the account of the rule: ``invited``, or an invitation not its own."""
        return self.invited or held_from(rule, self.holder)

    def name(self, interface_id: str) -> str:
        """The name of the account, or its interface id."""
        return self.names.get(interface_id, interface_id)


def held_from(rule: Rule, holder: Invitation | None) -> Invitation | None:
    """The invitation that has the order, unless it is this account's own and pending."""
    if holder is None:
        return None
    own = holder.interface_id == rule.interface_id and holder.status is Status.PENDING
    return None if own else holder
