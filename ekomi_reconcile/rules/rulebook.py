"""The rules of all accounts, compiled when first needed; due times and states of the workflow.

An order of one store view meets only the rules that admit it, so its cost does not grow with the
accounts that serve other store views.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property, lru_cache
from hashlib import sha256
from typing import Any, TypeAlias

from ekomi_reconcile.model.account import Account
from ekomi_reconcile.model.instant import DAY, Instant
from ekomi_reconcile.model.invitation import Criterion, Reached
from ekomi_reconcile.model.order import Order, OrderId, OrderState, order_state_of, status_key
from ekomi_reconcile.model.rule import Deliver, InvitationRule
from ekomi_reconcile.rules.conditions import Predicate, attributes, compile_condition
from ekomi_reconcile.rules.contact import TELEPHONE, mobile_number, usable_email
from ekomi_reconcile.rules.order_fields import consent_attribute

REFUNDED = "refunded"
"""The attribute that an order source is asked for where refunded orders are not invited."""

Checks: TypeAlias = tuple[tuple[Criterion, Callable[[Any], bool]], ...]
"""The criteria of a rule that can fail, compiled by ``rules.judge``."""


class Rule:
    """The invitation rule of one account, compiled.

    ``spread`` is in seconds, ``triggers`` are the trigger statuses: as they compare, and as the files write
    them. ``overrides`` are the other pending periods, in days, with their conditions. ``checks`` are its
    criteria that can fail, ``candidate_checks`` those that are left for an order whose store view led here;
    ``rules.judge`` compiles both when they are first needed. They are kept here because with very many rules
    each one is out of the processor's cache when its turn comes.
    """

    __slots__ = ("account", "candidate_checks", "checks", "interface_id", "overrides", "spread", "triggers")

    def __init__(self, account: Account) -> None:
        self.account = account
        self.interface_id = account.interface_id
        self.overrides = _overrides(account.invitations)
        self.spread = account.invitations.spread
        self.triggers = _triggers(account.invitations.order_statuses)
        self.checks: Checks | None = None
        self.candidate_checks: Checks | None = None

    def __repr__(self) -> str:
        return f"Rule({self.account.interface_id})"

    @property
    def digest(self) -> str:
        """Changes exactly when the rule asks for something else: ``sha256:`` and 64 digits."""
        return self.account.derived.rule_digest

    @property
    def conditions(self) -> Predicate:
        """The test that its custom conditions ask for."""
        return compile_condition(self.account.invitations.conditions)


def _overrides(rule: InvitationRule) -> tuple[tuple[Predicate, int], ...]:
    return tuple((compile_condition(each.when), each.days) for each in rule.pending_period_overrides)


@lru_cache(maxsize=4096)
def _triggers(statuses: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    return tuple({status_key(status): status for status in statuses}.items())


class RuleBook:
    """The rules of these accounts, disabled ones too."""

    def __init__(self, accounts: Iterable[Account]) -> None:
        self.rules: Sequence[Rule] = [Rule(each) for each in sorted(accounts, key=lambda each: each.rank)]
        """All rules, the account that wins an order first."""
        self._by_id = {each.account.interface_id: each for each in self.rules}
        self._open: list[int] = []
        self._named: defaultdict[str, list[int]] = defaultdict(list)
        self._found: dict[str | None, Sequence[Rule]] = {}
        for at, rule in enumerate(self.rules):
            self._enter(at, rule)

    def rule(self, interface_id: str) -> Rule | None:
        """The rule of this account, if it is among them."""
        return self._by_id.get(interface_id)

    def candidates(self, store_view: str | None) -> Sequence[Rule]:
        """The enabled rules that admit this store view, in winning order."""
        found = self._found.get(store_view)
        return self._find(store_view) if found is None else found

    @cached_property
    def attributes(self) -> frozenset[str]:
        """What enabled rules look at in orders: attributes of conditions, refunds, telephones, consent."""
        rules = [each.account.invitations for each in self.rules if each.account.invitations.enabled]
        reached = {TELEPHONE} if any(Deliver.EKOMI_SMS in each.channels for each in rules) else set[str]()
        refunded = {REFUNDED} if any(each.skip_refunded for each in rules) else set[str]()
        consents = {consent_attribute(each.consent) for each in rules if each.consent is not None}
        found = attributes(condition for each in rules for condition in each.all_conditions)
        return found | reached | refunded | consents

    def _enter(self, at: int, rule: Rule) -> None:
        """Note where this rule may be met: in the store views it names, or in any."""
        wanted = rule.account.invitations
        if not wanted.enabled:
            return
        if wanted.store_views.names is None or wanted.store_views.exclude:
            self._open.append(at)
            return
        for name in wanted.store_views.names:
            self._named[name].append(at)

    def _find(self, store_view: str | None) -> Sequence[Rule]:
        named = [] if store_view is None else self._named.get(store_view, [])
        places = sorted([*named, *self._open])
        rules = [self.rules[at] for at in places]
        found = tuple(each for each in rules if each.account.invitations.store_views.admits(store_view))
        self._found[store_view] = found
        return found


ON_HOLD = frozenset({OrderState.ON_HOLD, OrderState.UNKNOWN})
"""States in which an order waits. Of one in an unknown state nobody knows what became of it."""
ENDED = frozenset({OrderState.CANCELED, OrderState.CLOSED, OrderState.REFUNDED})
BLOCKED = ON_HOLD | ENDED
"""States in which no invitation is sent."""


def pending_days(rule: Rule, order: Order) -> int:
    """The pending period of the order in days: that of the first override whose condition holds, if any."""
    for holds, days in rule.overrides:
        if holds(order):
            return days
    return rule.account.invitations.pending_period


def scheduled_at(
    rule: Rule, reached: Reached, order_id: OrderId, *, judged_at: Instant, days: int
) -> Instant:
    """When the invitation is due: the pending period, in ``days`` of exactly 24 hours, after the status was
    reached.

    With a spread the order's offset is added; what was overdue when it was first judged counts from then, or
    else it would be asked at once whatever the spread.
    """
    due = reached.at + days * DAY
    return max(due, judged_at) + spread_offset(rule, order_id) if rule.spread else due


def spread_offset(rule: Rule, order_id: OrderId) -> int:
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
    return state_of(order) in BLOCKED


def ended_by(order: Order, rule: InvitationRule) -> str | None:
    """The status or state that ends the order for this rule; ``None`` where it is alive or on hold."""
    if order.status is not None and status_key(order.status) in map(status_key, rule.cancel_statuses):
        return order.status
    return (order.state or order.status) if state_of(order) in ENDED else None


def on_hold(order: Order) -> bool:
    """Is the order on hold: neither alive nor ended?"""
    return state_of(order) in ON_HOLD


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


def channel_of(order: Order, rule: InvitationRule) -> Deliver | None:
    """The first channel of the rule for which the order has an address."""
    return next((each for each in rule.channels if deliverable(order, each)), None)


def state_of(order: Order) -> OrderState | None:
    """The step of the workflow; without a state what the status means, ``None`` for any other word."""
    if order.state:
        return order_state_of(order.state) or OrderState.UNKNOWN
    return order_state_of(order.status) if order.status else None
