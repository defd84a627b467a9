"""Which orders a rule invites, when, and otherwise the first criterion that stands against it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import msgspec

from ekomi_reconcile.model.account import Deliver
from ekomi_reconcile.model.instant import DAY, Instant
from ekomi_reconcile.model.invitation import Criterion, Reached
from ekomi_reconcile.model.order import Order
from ekomi_reconcile.rules.contact import usable_email, usable_telephone
from ekomi_reconcile.rules.rulebook import Rule, key_of

ON_HOLD = frozenset({"holded", "on_hold", "on hold"})
ENDED = frozenset({"canceled", "cancelled", "closed"})
BLOCKED = ON_HOLD | ENDED
"""States (statuses, where no state is given) in which nobody is asked. Magento: canceled, closed, holded."""


class Case(msgspec.Struct, frozen=True, gc=False):
    """What is judged: ``judged_at`` is when the age is, ``reached`` when it got to a trigger status."""

    rule: Rule
    order: Order
    judged_at: Instant
    reached: Reached | None


Check: TypeAlias = Callable[[Case], bool]
"""Does this criterion hold?"""


def refusal(rule: Rule, order: Order, *, judged_at: Instant, reached: Reached | None) -> Criterion | None:
    """The first criterion that fails, ``None`` if the order is to be invited.

    ``suppressed`` and ``already_invited`` are left to the caller, who knows the state. ``judged_at`` is
    the instant at which the order's age is judged, ``reached`` when it reached a trigger status.
    """
    case = Case(rule, order, judged_at, reached)
    for criterion, holds in CHECKS:
        if not holds(case):
            return criterion
    return None


def scheduled_at(rule: Rule, reached: Reached) -> Instant:
    """When the invitation is due: exact multiples of 24 hours after the status was reached."""
    return reached.at + rule.account.invitations.pending_period * DAY


def blocked_state(order: Order) -> bool:
    """Is the order canceled, closed or on hold?"""
    return _step(order) in BLOCKED


def on_hold(order: Order) -> bool:
    """Is the order on hold: neither alive nor ended?"""
    return _step(order) in ON_HOLD


def deliverable(order: Order, deliver: Deliver) -> bool:
    """Is there an address at which the customer can be asked in this way?"""
    contact = order.contact
    if deliver is Deliver.EKOMI_EMAIL:
        return usable_email(contact.email)
    if deliver is Deliver.EKOMI_SMS:
        return usable_telephone(contact.telephone, contact.country) is not None
    return True


def _step(order: Order) -> str:
    """The step of the workflow: the state, and where none is given the status."""
    return key_of(order.state or order.status or "")


def _enabled(case: Case) -> bool:
    return case.rule.account.invitations.enabled


def _store_view(case: Case) -> bool:
    return case.rule.account.invitations.store_views.admits(case.order.store_view)


def _customer_group(case: Case) -> bool:
    return case.rule.account.invitations.customer_groups.admits(case.order.customer_group)


def _order_status(case: Case) -> bool:
    return case.reached is not None and not blocked_state(case.order)


def _order_age(case: Case) -> bool:
    limit = case.rule.account.invitations.skip_orders_older_than
    return limit == 0 or case.judged_at - case.order.created_at <= limit * DAY


def _conditions(case: Case) -> bool:
    return case.rule.conditions(case.order)


def _deliverable(case: Case) -> bool:
    return deliverable(case.order, case.rule.account.invitations.deliver)


CHECKS: tuple[tuple[Criterion, Check], ...] = (
    (Criterion.ENABLED, _enabled),
    (Criterion.STORE_VIEW, _store_view),
    (Criterion.CUSTOMER_GROUP, _customer_group),
    (Criterion.ORDER_STATUS, _order_status),
    (Criterion.ORDER_AGE, _order_age),
    (Criterion.CONDITIONS, _conditions),
    (Criterion.DELIVERABLE, _deliverable),
)
"""What must hold, in the order in which it is judged; explaining goes through the same table."""
