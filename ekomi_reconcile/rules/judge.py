"""Which orders a rule invites, when, and otherwise the first criterion that stands against it."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from hashlib import sha256
from typing import TypeAlias

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


Check: TypeAlias = Callable[[Order, Instant, Reached | None], bool]
"""Does a criterion hold for this order, its age judged at that instant, with that evidence?"""


def refusal(rule: Rule, order: Order, *, judged_at: Instant, reached: Reached | None) -> Criterion | None:
    """The first criterion that fails, ``None`` if the order is to be invited.

    ``suppressed`` and ``already_invited`` are left to the caller, who knows the state. ``judged_at`` is
    the instant at which the order's age is judged, ``reached`` when it reached a trigger status.
    """
    for criterion, holds in _checks_of(rule):
        if not holds(order, judged_at, reached):
            return criterion
    return None


@lru_cache(maxsize=4096)
def _checks_of(rule: Rule) -> tuple[tuple[Criterion, Check], ...]:
    """What this rule asks for: of every order the same, so it is worked out once."""
    checks = ((criterion, make(rule)) for criterion, make in CHECKS)
    return tuple((criterion, holds) for criterion, holds in checks if holds is not None)


def scheduled_at(rule: Rule, reached: Reached, order_id: int, *, judged_at: Instant) -> Instant:
    """When the invitation is due: the pending period, in days of exactly 24 hours, after the status was
    reached.

    With a spread the order's offset is added; what was overdue when it was first judged counts from then, or
    else it would be asked at once whatever the spread.
    """
    wanted = rule.account.invitations
    due = reached.at + wanted.pending_period * DAY
    return max(due, judged_at) + spread_offset(rule, order_id) if wanted.spread else due


def spread_offset(rule: Rule, order_id: int) -> int:
    """By how many seconds the account's spread delays this order: at least 0 and below the spread.

    The first 8 bytes of the SHA-256 of ``INTERFACE_ID:ORDER_ID`` as a number, modulo the spread: the same in
    every run and plan, whatever else changes.
    """
    spread = rule.account.invitations.spread
    if not spread:
        return 0
    drawn = sha256(f"{rule.account.interface_id}:{order_id}".encode()).digest()[:8]
    return int.from_bytes(drawn) % spread


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


def _enabled(rule: Rule) -> Check | None:
    return None if rule.account.invitations.enabled else lambda order, at, reached: False  # noqa: ARG005


def _store_view(rule: Rule) -> Check | None:
    views = rule.account.invitations.store_views
    return None if views.names is None else lambda order, at, reached: views.admits(order.store_view)  # noqa: ARG005


def _customer_group(rule: Rule) -> Check | None:
    groups = rule.account.invitations.customer_groups
    if groups.names is None:
        return None
    return lambda order, at, reached: groups.admits(order.customer_group)  # noqa: ARG005


def _order_status(rule: Rule) -> Check:  # noqa: ARG001 - what a rule waits for is in the evidence
    return lambda order, at, reached: reached is not None and not blocked_state(order)  # noqa: ARG005


def _order_age(rule: Rule) -> Check | None:
    limit = rule.account.invitations.skip_orders_older_than * DAY
    return None if limit == 0 else lambda order, at, reached: at - order.created_at <= limit  # noqa: ARG005


def _conditions(rule: Rule) -> Check | None:
    if rule.account.invitations.conditions is None:
        return None
    hold = rule.conditions
    return lambda order, at, reached: hold(order)  # noqa: ARG005


def _deliverable(rule: Rule) -> Check | None:
    deliver = rule.account.invitations.deliver
    return None if deliver is Deliver.LINK else lambda order, at, reached: deliverable(order, deliver)  # noqa: ARG005


CHECKS: tuple[tuple[Criterion, Callable[[Rule], Check | None]], ...] = (
    (Criterion.ENABLED, _enabled),
    (Criterion.STORE_VIEW, _store_view),
    (Criterion.CUSTOMER_GROUP, _customer_group),
    (Criterion.ORDER_STATUS, _order_status),
    (Criterion.ORDER_AGE, _order_age),
    (Criterion.CONDITIONS, _conditions),
    (Criterion.DELIVERABLE, _deliverable),
)
"""How each criterion is checked, in the order in which they are judged; ``None`` where every order passes.

Explaining goes through the same table.
"""
