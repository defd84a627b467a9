"""Which orders a rule invites, when, and otherwise the first criterion that stands against it."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from hashlib import sha256

from ekomi_reconcile.model.account import Deliver, InvitationRule, Selection
from ekomi_reconcile.model.instant import DAY, Instant
from ekomi_reconcile.model.invitation import Criterion, Reached
from ekomi_reconcile.model.order import Order
from ekomi_reconcile.rules.conditions import Predicate
from ekomi_reconcile.rules.contact import mobile_number, usable_email
from ekomi_reconcile.rules.rulebook import Check, Checks, Rule, key_of

ON_HOLD = frozenset({"holded", "on_hold", "on hold"})
ENDED = frozenset({"canceled", "cancelled", "closed"})
BLOCKED = ON_HOLD | ENDED
"""States (statuses, where no state is given) in which nobody is asked. Magento: canceled, closed, holded."""

_OF_CANDIDATES = frozenset({Criterion.ENABLED, Criterion.STORE_VIEW})
"""What is settled for a rule that ``RuleBook.candidates`` found."""


def refusal(
    rule: Rule, order: Order, *, judged_at: Instant, reached: Reached | None, candidate: bool = False
) -> Criterion | None:
    """The first criterion that fails, ``None`` if the order is to be invited.

    ``suppressed`` and ``already_invited`` are left to the caller, who knows the state. ``judged_at`` is
    the instant at which the order's age is judged, ``reached`` when it reached a trigger status. What
    ``RuleBook.candidates`` saw to is not asked again of a ``candidate`` for this order.
    """
    checks = rule.candidate_checks if candidate else rule.checks
    if checks is None:
        checks = _prepared(rule, candidate=candidate)
    for criterion, holds in checks:
        if not holds(order, judged_at, reached):
            return criterion
    return None


def _prepared(rule: Rule, *, candidate: bool) -> Checks:
    """What this rule asks for: of every order the same, so it is worked out once."""
    made = ((criterion, make(rule)) for criterion, make in CHECKS)
    checks = tuple((criterion, holds) for criterion, holds in made if holds is not None)
    rule.checks = checks
    rule.candidate_checks = _shared(tuple(each for each in checks if each[0] not in _OF_CANDIDATES))
    return rule.candidate_checks if candidate else checks


@lru_cache
def _shared(checks: Checks) -> Checks:
    return checks


def scheduled_at(rule: Rule, reached: Reached, order_id: int, *, judged_at: Instant) -> Instant:
    """When the invitation is due: the pending period, in days of exactly 24 hours, after the status was
    reached.

    With a spread the order's offset is added; what was overdue when it was first judged counts from then, or
    else it would be asked at once whatever the spread.
    """
    due = reached.at + rule.pending
    return max(due, judged_at) + spread_offset(rule, order_id) if rule.spread else due


def spread_offset(rule: Rule, order_id: int) -> int:
    """By how many seconds the account's spread delays this order: at least 0 and below the spread.

    The first 8 bytes of the SHA-256 of ``INTERFACE_ID:ORDER_ID`` as a number, modulo the spread: the same in
    every run and plan, whatever else changes.
    """
    if not rule.spread:
        return 0
    drawn = sha256(f"{rule.interface_id}:{order_id}".encode()).digest()[:8]
    return int.from_bytes(drawn) % rule.spread


def blocked_state(order: Order) -> bool:
    """Is the order canceled, closed or on hold?"""
    return _step(order) in BLOCKED


def ended_by(order: Order, rule: InvitationRule) -> str | None:
    """The status or state that ends the order for this rule; ``None`` where it is alive or on hold."""
    if order.status is not None and key_of(order.status) in map(key_of, rule.cancel_statuses):
        return order.status
    return (order.state or order.status) if _step(order) in ENDED else None


def on_hold(order: Order) -> bool:
    """Is the order on hold: neither alive nor ended?"""
    return _step(order) in ON_HOLD


def waits_on_hold(order: Order, rule: Rule) -> bool:
    """Is the order on hold, and does no cancel status of the rule end it?"""
    return on_hold(order) and ended_by(order, rule.account.invitations) is None


def deliverable(order: Order, deliver: Deliver) -> bool:
    """Is there an address at which the customer can be asked in this way?"""
    contact = order.contact
    if deliver is Deliver.EKOMI_EMAIL:
        return usable_email(contact.email)
    if deliver is Deliver.EKOMI_SMS:
        return mobile_number(contact.telephone, contact.country) is not None
    return True


def _step(order: Order) -> str:
    """The step of the workflow: the state, and where none is given the status."""
    return key_of(order.state or order.status or "")


# Rules of many accounts ask for the same: they share the checks, which then stay in the processor's cache.


def _enabled(rule: Rule) -> Check | None:
    return None if rule.account.invitations.enabled else _never


def _store_view(rule: Rule) -> Check | None:
    views = rule.account.invitations.store_views
    return None if views.names is None else lambda order, at, reached: views.admits(order.store_view)  # noqa: ARG005


def _customer_group(rule: Rule) -> Check | None:
    groups = rule.account.invitations.customer_groups
    return None if groups.names is None else _groups_check(groups)


def _order_status(rule: Rule) -> Check:
    """What a rule waits for is in the evidence."""
    ending = rule.account.invitations.cancel_statuses
    return _not_ended_check(frozenset(map(key_of, ending))) if ending else _reached_and_open


def _refunded(rule: Rule) -> Check | None:
    return _not_refunded if rule.account.invitations.skip_refunded else None


def _order_age(rule: Rule) -> Check | None:
    limit = rule.account.invitations.skip_orders_older_than
    return None if limit == 0 else _age_check(limit * DAY)


def _conditions(rule: Rule) -> Check | None:
    return None if rule.account.invitations.conditions is None else _conditions_check(rule.conditions)


def _deliverable(rule: Rule) -> Check | None:
    deliver = rule.account.invitations.deliver
    return None if deliver is Deliver.LINK else _delivery_check(deliver)


def _never(order: Order, at: Instant, reached: Reached | None) -> bool:  # noqa: ARG001 - a check like others
    return False


def _reached_and_open(order: Order, at: Instant, reached: Reached | None) -> bool:  # noqa: ARG001
    return reached is not None and not blocked_state(order)


def _not_refunded(order: Order, at: Instant, reached: Reached | None) -> bool:  # noqa: ARG001
    return not order.refunded


@lru_cache
def _not_ended_check(ending: frozenset[str]) -> Check:
    return lambda order, at, reached: (
        _reached_and_open(order, at, reached) and key_of(order.status or "") not in ending
    )


@lru_cache
def _groups_check(groups: Selection) -> Check:
    return lambda order, at, reached: groups.admits(order.customer_group)  # noqa: ARG005


@lru_cache
def _age_check(limit: int) -> Check:
    return lambda order, at, reached: at - order.created_at <= limit  # noqa: ARG005


@lru_cache
def _conditions_check(hold: Predicate) -> Check:
    return lambda order, at, reached: hold(order)  # noqa: ARG005


@lru_cache
def _delivery_check(deliver: Deliver) -> Check:
    return lambda order, at, reached: deliverable(order, deliver)  # noqa: ARG005


CHECKS: tuple[tuple[Criterion, Callable[[Rule], Check | None]], ...] = (
    (Criterion.ENABLED, _enabled),
    (Criterion.STORE_VIEW, _store_view),
    (Criterion.CUSTOMER_GROUP, _customer_group),
    (Criterion.ORDER_STATUS, _order_status),
    (Criterion.REFUNDED, _refunded),
    (Criterion.ORDER_AGE, _order_age),
    (Criterion.CONDITIONS, _conditions),
    (Criterion.DELIVERABLE, _deliverable),
)
"""How each criterion is checked, in the order in which they are judged; ``None`` where every order passes.

Explaining goes through the same table.
"""
