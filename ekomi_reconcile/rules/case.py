"""One order before one rule: its key, what is known of it, and criteria about its customer.

eKomi knows an order by its number alone. Two stores may share a number range, a shop may be imported again
under new ids, and an order source may get another name: an order is therefore blocked by its id within the
source and also by its number at the interface.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple, Protocol, TypeAlias

from msgspec import Struct

from ekomi_reconcile.model import invitation
from ekomi_reconcile.model.account import Account
from ekomi_reconcile.model.diagnostic import Diagnostic, Incident, Severity
from ekomi_reconcile.model.errors import OrderSourceError
from ekomi_reconcile.model.instant import Instant, iso
from ekomi_reconcile.model.order import Agreement, HistoryEntry, Order, OrderId, id_rank
from ekomi_reconcile.model.rule import Deliver
from ekomi_reconcile.rules.conditions import ConditionTrace
from ekomi_reconcile.rules.order_fields import consent_attribute, consent_key
from ekomi_reconcile.rules.rulebook import Rule, channel_of, deliverable, pending_days, scheduled_at


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderKey:
    """An order as far as numbers are concerned."""

    source: str
    order_id: OrderId
    number: str
    created_at: Instant
    store_view: str | None = None

    @property
    def rank(self) -> tuple[Instant, tuple[int, str], str]:
        """Orders with one number are compared by this: the lowest is invited."""
        return self.created_at, id_rank(self.order_id), self.source

    def __str__(self) -> str:
        where = "" if self.store_view is None else f", store view {self.store_view}"
        return f"order id {self.order_id} ({self.source}{where}, {iso(self.created_at)})"


def key_of_row(row: invitation.Invitation | invitation.ScheduleStep) -> OrderKey:
    """The order of an invitation, or of one that is about to be scheduled."""
    return OrderKey(
        source=row.source,
        order_id=row.order_id,
        number=row.number,
        created_at=row.order_date,
        store_view=row.store_view,
    )


def key_of_order(order: Order, source: str) -> OrderKey:
    """The key of an order that was read from this source."""
    return OrderKey(
        source=source,
        order_id=order.order_id,
        number=order.number,
        created_at=order.created_at,
        store_view=order.store_view,
    )


def rival_of(
    rows: Iterable[invitation.Invitation], key: OrderKey, interface_id: str
) -> invitation.Invitation | None:
    """The invitation of another order that holds this order's number at this interface.

    A pending invitation holds the number only against orders that come after its own.
    """
    found = (row for row in rows if row.interface_id == interface_id and not is_of(row, key))
    return next((row for row in found if _holds(row, key)), None)


def is_sole(rows: Iterable[invitation.Invitation], key: OrderKey, interface_id: str) -> bool:
    """Has no other order an invitation with this number at this interface?"""
    return all(is_of(row, key) for row in rows if row.interface_id == interface_id)


def own_review(
    submitted: Iterable[Instant], rows: Iterable[invitation.Invitation], key: OrderKey, interface_id: str
) -> Instant | None:
    """When the order was reviewed first, of the reviews of its number: one after the order date is its own.

    ``None`` if it was not, or if other orders have ``rows`` with the number there: then it may be theirs.
    """
    own = min((at for at in submitted if at > key.created_at), default=None)
    return own if own is not None and is_sole(rows, key, interface_id) else None


def _holds(row: invitation.Invitation, key: OrderKey) -> bool:
    return row.status in invitation.BLOCKING or (
        row.status is invitation.Status.PENDING and key_of_row(row).rank < key.rank
    )


def is_of(row: invitation.Invitation, key: OrderKey) -> bool:
    """Is this an invitation of this very order, by id and source?"""
    return row.order_id == key.order_id and row.source == key.source


def is_same_order(row: invitation.Invitation, key: OrderKey, customer: str | None) -> bool:
    """Is this the same order under another id or source: imported again, or its source renamed?"""
    same = row.number == key.number and row.order_date == key.created_at and row.store_view == key.store_view
    return same and (None in (row.customer, customer) or row.customer == customer)


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
    def cap(self) -> invitation.CustomerLimit | None:
        """The limit per customer, if there is one."""

    @property
    def asked(self) -> Sequence[Instant]:
        """When the customer was, or will be, invited for other orders."""

    @property
    def holder(self) -> invitation.Invitation | None:
        """The invitation that has the order: no other account is offered it."""

    def reviewed_at(self, interface_id: str) -> Instant | None:
        """When the order's review at this interface was submitted, if it has one."""

    def rival(self, interface_id: str) -> invitation.Invitation | None:
        """The invitation of another order that holds this order's number at this interface."""

    def claim(self, rule: Rule) -> invitation.Invitation | Account | None:
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
    reached: invitation.Reached | None
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
    """What is known about an order, given as values; by default nothing prevents inviting it.

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
    evidence: invitation.Reached | None = None
    judged_at: Instant | None = None
    opted_out: bool = False
    reviewed: Instant | None = None
    cap: invitation.CustomerLimit | None = None
    asked: Sequence[Instant] = ()
    holder: invitation.Invitation | None = None
    same_number: invitation.Invitation | None = None
    invited: invitation.Invitation | Account | None = None
    names: Mapping[str, str] = field(default_factory=dict)

    def reviewed_at(self, interface_id: str) -> Instant | None:  # noqa: ARG002 - as in Known
        """When its review was submitted, if it has one."""
        return self.reviewed

    def rival(self, interface_id: str) -> invitation.Invitation | None:
        """The invitation of another order with this number, if it is one of this interface."""
        found = self.same_number
        return found if found is not None and found.interface_id == interface_id else None

    def claim(self, rule: Rule) -> invitation.Invitation | Account | None:
        """What keeps the order from the account of the rule: ``invited``, or an invitation not its own."""
        return self.invited or held_from(rule, self.holder)

    def name(self, interface_id: str) -> str:
        """The name of the account, or its interface id."""
        return self.names.get(interface_id, interface_id)


def held_from(rule: Rule, holder: invitation.Invitation | None) -> invitation.Invitation | None:
    """The invitation that has the order, unless it is this account's own and pending."""
    if holder is None:
        return None
    own = holder.interface_id == rule.interface_id and holder.status is invitation.Status.PENDING
    return None if own else holder


Check: TypeAlias = Callable[[Case], bool]


class Shown(NamedTuple):
    """What the order has for a criterion (``None``: nothing), and what is wanted; conditions part by part."""

    value: str | None
    wanted: str
    conditions: ConditionTrace | None = None


@dataclass(frozen=True, slots=True)
class CriterionRule:
    """One criterion. ``compiled`` gives the check of a rule, ``None`` where every order passes.

    ``remedy`` says what would make it hold; it reads on from "would be invited if". ``by_store_view``: it
    holds for every rule that was found by the order's store view.
    """

    criterion: invitation.Criterion
    compiled: Callable[[Rule], Check | None]
    shown: Callable[[Case], Shown]
    remedy: Callable[[Case], str]
    by_store_view: bool = False


def _consent(rule: Rule) -> Check | None:
    consent = rule.account.invitations.consent
    return None if consent is None else _consent_check(consent_key(consent_attribute(consent)))


@lru_cache
def _consent_check(key: str) -> Check:
    return lambda case: _agreement(case, key) is Agreement.ACCEPTED


def _agreement(case: Case, key: str) -> Agreement:
    return (case.order.consents or {}).get(key, Agreement.ABSENT)


def _consent_shown(case: Case) -> Shown:
    consent = case.rule.account.invitations.consent
    if consent is None:
        return Shown(None, "not required")
    wanted = f"{consent.field} accepted: {' or '.join(consent.accept)}"
    return Shown(_agreement(case, consent_key(consent_attribute(consent))).value, wanted)


def _consent_remedy(case: Case) -> str:
    consent = case.rule.account.invitations.consent
    return "" if consent is None else f"{consent.field} of the order were {' or '.join(consent.accept)}"


def _deliverable(rule: Rule) -> Check | None:
    channels = rule.account.invitations.channels
    return None if Deliver.LINK in channels else _delivery_check(channels)


@lru_cache
def _delivery_check(channels: tuple[Deliver, ...]) -> Check:
    return lambda case: any(deliverable(case.order, each) for each in channels)


_ADDRESSES: Mapping[Deliver, str] = {
    Deliver.EKOMI_EMAIL: "e-mail address",
    Deliver.EKOMI_SMS: "mobile number",
}


def _deliverable_shown(case: Case) -> Shown:
    rule, contact = case.rule.account.invitations, case.order.contact
    if Deliver.LINK in rule.channels:
        return Shown(None, "nothing: the shop shows the link itself")
    wanted = " or ".join(f"a usable {_ADDRESSES[each]}" for each in rule.channels)
    chosen = channel_of(case.order, rule)
    if chosen is not None:
        more = f" ({chosen.value})" if len(rule.channels) > 1 else ""
        return Shown(f"{_ADDRESSES[chosen]} usable{more}", wanted)
    given = {Deliver.EKOMI_EMAIL: contact.email, Deliver.EKOMI_SMS: contact.telephone}
    unusable = [f"{_ADDRESSES[each]} not usable" for each in rule.channels if given[each] is not None]
    return Shown(", ".join(unusable) or None, wanted)


def _deliverable_remedy(case: Case) -> str:
    channels = case.rule.account.invitations.channels
    return f"the order had {' or '.join(f'a usable {_ADDRESSES[each]}' for each in channels)}"


CONSENT = CriterionRule(invitation.Criterion.CONSENT, _consent, _consent_shown, _consent_remedy)
DELIVERABLE = CriterionRule(
    invitation.Criterion.DELIVERABLE, _deliverable, _deliverable_shown, _deliverable_remedy
)


SAME_DATE = 900
"""Seconds by which an order's creation date may differ, say because an export was made in another way."""

MOVED_ORDERS = 3
"""Known order ids with another number or creation date from which on a source is another shop's."""


def difference(row: invitation.Invitation, order: Order) -> str:
    """What an order id refers to now, and what it referred to before."""
    return (
        f"id {order.order_id} was {row.number} of {iso(row.order_date)} and is {order.number} of "
        f"{iso(order.created_at)}"
    )


def another_shop(source: str, differences: Sequence[str]) -> OrderSourceError:
    """The error about a source that has other orders under known ids; a few may only have changed."""
    if len(differences) < MOVED_ORDERS:
        return OrderSourceError(
            f"{len(differences)} of the recorded orders have another number now, so their invitations are "
            f"not sent: {'; '.join(differences)}",
            hint="correct the number at the source of the orders, or skip the invitation: "
            "ekomi-reconcile invitations skip ID",
        )
    return OrderSourceError(
        f"{len(differences)} of the recorded orders have another number or creation date now, so this is "
        f"another shop: {'; '.join(differences[:MOVED_ORDERS])}",
        hint=f"point {source} back to the shop it was; give another shop a name of its own under orders:",
        incident=Incident.SHOP_REIMPORTED,
    )


def duplicate(account: str, *, invited: OrderKey, other: OrderKey) -> Diagnostic:
    """The warning about an order that is not invited, as an order with the same number is."""
    near = abs(invited.created_at - other.created_at) < SAME_DATE
    if not near or invited.store_view != other.store_view:
        said = f"two orders have the number {other.number}: {invited} is invited, {other} is not"
        return duplicates(account, said)
    return Diagnostic(
        severity=Severity.WARNING,
        rule="duplicate-number",
        message=f"the order {other.number} has two ids: {invited} is invited, {other} is the same order",
        hint="if the shop was imported again, give it a name of its own under orders:",
        account=account,
        incident=Incident.SHOP_REIMPORTED,
    )


def duplicates(account: str | None, message: str) -> Diagnostic:
    """A warning about orders of several stores that have the same number."""
    return Diagnostic(
        severity=Severity.WARNING,
        rule="duplicate-number",
        message=message,
        hint="give each store its own number range, or each store an eKomi account of its own",
        account=account,
    )
