"""The rules of all accounts, compiled when first needed; due times, workflow states and usable addresses.

An order of one store view meets only the rules that admit it, so its cost does not grow with the
accounts that serve other store views.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property, lru_cache
from hashlib import sha256
from typing import Any, TypeAlias

from ekomi_reconcile.model.account import Account
from ekomi_reconcile.model.instant import DAY, Instant
from ekomi_reconcile.model.invitation import Criterion, Reached
from ekomi_reconcile.model.order import Contact, Order, OrderId, OrderState, order_state_of, status_key
from ekomi_reconcile.model.rule import Deliver, InvitationRule
from ekomi_reconcile.rules.conditions import Predicate, attributes, compile_condition
from ekomi_reconcile.rules.order_fields import consent_attribute

TELEPHONE = "telephone"
"""The attribute that an order source is asked for where customers are reached by telephone."""

WITHHELD_NUMBER = "+9999999"
"""Replaces a mobile number that a cache does not keep; no country has this prefix."""

WITHHELD_ADDRESS = "withheld@example.com"
"""Replaces a usable address that a cache does not keep."""

NUMBER_PREFIX = "tel:"
"""Begins a telephone number where addresses and domains may be meant too."""

MAX_ADDRESS = 254
"""Characters of the longest address (RFC 5321)."""

_MAX_LABEL = 63
_LOCAL = re.compile(r"(?:[\w!#$%&'+/=?^`{|}~.-])+")  # what an address may hold unquoted, without the asterisk
_LABEL = re.compile(r"[^\W_](?:(?:[^\W_]|-)*[^\W_])?")
_PLAIN = re.compile(
    r"[A-Za-z0-9!#$%&+/=?^_`{|}~.-]+@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+"
    r"[A-Za-z](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
)
"""Addresses as nearly all are: they have no fault, and need no closer look."""
_NAMED = {
    ":": "a colon (such as in mailto:)",
    "<": "an angle bracket",
    ">": "an angle bracket",
    '"': "a quotation mark",
    ",": "a comma",
    ";": "a semicolon",
    "(": "a parenthesis",
    ")": "a parenthesis",
    "*": "an asterisk",
}
_SUSPECT = re.compile(r"[\s:<>\",;()*]")
_MOST_DIGITS = 15  # E.164
_FEWEST_DIGITS = 7
_SEPARATORS = re.compile(r"[\s()./\-\u00a0\u2010-\u2015]+")
_TRUNK = re.compile(r"\(\s*0\s*\)")  # "+49 (0) 170 …": the zero is for calls inside the country


def canonical_address(email: str | None) -> str | None:
    """The form in which addresses are compared: without whitespace around it, case-folded."""
    text = (email or "").strip().casefold()
    return text or None


def aliases(contact: Contact) -> Iterator[str]:
    """Everything but the address by which an opt-out may name this customer, as the lists write it.

    ``@mail.example.org``, ``@*.example.org``, ``@*.org``, ``tel:+4915112345678``.
    """
    domain = (canonical_address(contact.email) or "").rpartition("@")[2]
    if domain:
        yield f"@{domain}"
        labels = domain.split(".")
        yield from (f"@*.{'.'.join(labels[at:])}" for at in range(1, len(labels)))
    number = usable_telephone(contact.telephone, contact.country)
    if number is not None:
        yield NUMBER_PREFIX + number


def usable_email(email: str | None) -> bool:
    """Is this an address that something can be sent to?"""
    return email is not None and address_fault(email) is None


def address_fault(text: str) -> str | None:
    """What keeps this text from being an address, without repeating it; ``None`` if it is one.

    Strict: what mail programs and spreadsheets add (``<a@b.de>``, ``mailto:``, quotes, commas, invisible
    characters) is a fault, because an opt-out would not match such an address.
    """
    if len(text) <= MAX_ADDRESS and _PLAIN.fullmatch(text) is not None:
        return None
    name, _, domain = text.rpartition("@")
    if text.count("@") != 1 or not name:
        return "exactly one @ with something on both sides is expected"
    if len(text) > MAX_ADDRESS:
        return f"longer than {MAX_ADDRESS} characters"
    if (strange := _strange(text)) is not None:
        return strange
    if name.startswith("'") or _LOCAL.fullmatch(name) is None:
        return "the part before the @ holds a character that no address has"
    return domain_fault(domain)


def domain_fault(domain: str) -> str | None:
    """What keeps this text from being a domain, without repeating it; ``None`` if it is one."""
    if (strange := _strange(domain)) is not None:
        return strange
    labels = domain.split(".")
    if len(labels) < 2:
        return "a domain has at least one dot"
    if any(len(each) > _MAX_LABEL or _LABEL.fullmatch(each) is None for each in labels):
        return "a domain has only letters, digits and hyphens between its dots"
    return "a domain does not end in a number" if labels[-1].isdigit() else None


def _strange(text: str) -> str | None:
    """The first thing in it that belongs to no address, in words."""
    if text.isascii() and text.isprintable() and not _SUSPECT.search(text):
        return None
    for each in text:
        if each in _NAMED:
            return f"{_NAMED[each]} found"
        if each.isspace():
            return "whitespace found"
        if not each.isprintable():
            return f"an invisible character found (U+{ord(each):04X})"
    return None


def usable_telephone(telephone: str | None, country: str | None) -> str | None:
    """The number in E.164 (``+4915112345678``), or ``None`` if it is none.

    ``country`` (two letters, ISO 3166) gives national numbers their prefix; without it only numbers that
    begin with ``+`` or ``00`` are usable.
    """
    if telephone is None:
        return None
    text = telephone.strip()
    international = text.startswith(("+", "00"))
    if not international:
        return _national(text, country) if country else None
    digits = _SEPARATORS.sub("", _TRUNK.sub("", text.removeprefix("+").removeprefix("00")))
    fits = _FEWEST_DIGITS <= len(digits) <= _MOST_DIGITS and not digits.startswith("0")
    return f"+{digits}" if fits and digits.isascii() and digits.isdigit() else None


def mobile_number(telephone: str | None, country: str | None) -> str | None:
    """The number in E.164, if a text message can reach it: a mobile, or fixed-line or mobile, number.

    Where a numbering plan does not tell the two apart (as in the USA) the number counts. ``country`` is as
    for ``usable_telephone``.
    """
    number = usable_telephone(telephone, country)
    if number is None or number == WITHHELD_NUMBER:
        return number
    import phonenumbers

    try:
        kind = phonenumbers.number_type(phonenumbers.parse(number))
    except phonenumbers.NumberParseException:
        return None
    reachable = (phonenumbers.PhoneNumberType.MOBILE, phonenumbers.PhoneNumberType.FIXED_LINE_OR_MOBILE)
    return number if kind in reachable else None


def _national(text: str, country: str) -> str | None:
    import phonenumbers

    try:
        number = phonenumbers.parse(text, country.strip().upper())
    except phonenumbers.NumberParseException:
        return None
    if number.extension or not phonenumbers.is_possible_number(number):
        return None
    return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))


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
    def nobody(self) -> Criterion:
        """Why an order that meets no rule is not invited."""
        enabled = any(each.account.invitations.enabled for each in self.rules)
        return Criterion.STORE_VIEW if enabled else Criterion.ENABLED

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
