"""A rule as the analysis sees it: which orders an account could ever invite.

Two accounts overlap if one order could match both at one instant. Trigger statuses never separate accounts,
for an order may have passed any of them; its age, consent, reviews, suppression and address are assumed to
hold. What readers make of orders ties attributes: a virtual order has no shipping method and is shipped to
its billing country; an order whose state ended it, or that was fully refunded, is not invited.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final, TypeAlias

import msgspec

from ekomi_reconcile.analysis.cubes import (
    TRUE,
    All,
    Cube,
    Leaf,
    Node,
    any_of,
    common,
    cubes_of,
    merged,
    satisfiable,
)
from ekomi_reconcile.analysis.normal_form import normal
from ekomi_reconcile.analysis.text import MISSING_TEXT, Texts
from ekomi_reconcile.analysis.values import Flags, Names
from ekomi_reconcile.model.account import Account
from ekomi_reconcile.model.order import STATE_WORDS, OrderState, order_state_of, status_key
from ekomi_reconcile.model.rule import Deliver, InvitationRule, Selection
from ekomi_reconcile.rules.conditions import attributes
from ekomi_reconcile.rules.rulebook import BLOCKED, Rule

STORE_VIEW: Final = "store_view"
CUSTOMER_GROUP: Final = "customer_group"
DOMAIN: Final = "email_domain"
VIRTUAL: Final = "is_virtual"

_NO_AT: Final = Texts(unlike=frozenset([("contains", "@")]), missing=True)


@dataclass(frozen=True, slots=True)
class RuleForm:
    """The alternatives of one enabled account's rule; ``common`` is what all of them share.

    Without ``complete`` there are more alternatives than ``cubes``. ``rule`` is what witnesses are judged by:
    the account's own without what is assumed to hold.
    """

    account: Account
    rule: Rule
    cubes: tuple[Cube, ...]
    complete: bool
    common: Cube

    @property
    def never(self) -> bool:
        """Is it certain that no order matches?"""
        return self.complete and not self.cubes


def rule_form(account: Account, *, domains: bool = True) -> RuleForm:
    """The rule of an account. ``domains``: some rule looks at the domains of addresses."""
    cubes, complete, shared = _alternatives(account.invitations, domains=domains)
    return RuleForm(account, Rule(_assumed(account)), cubes, complete, shared)


_Alternatives: TypeAlias = tuple[tuple[Cube, ...], bool, Cube]

_known: OrderedDict[tuple[bytes, bool], _Alternatives] = OrderedDict()
"""The alternatives of rules seen last: lint and the analysis ask for the same ones."""
_MOST_KNOWN: Final = 4_096


def _alternatives(wanted: InvitationRule, *, domains: bool) -> _Alternatives:
    """The cubes of a rule, whether these are all, and what they share."""
    views, groups = wanted.store_views, wanted.customer_groups
    asked = (views, groups, wanted.cancel_statuses, wanted.deliver, wanted.conditions)
    key = (msgspec.msgpack.encode(asked, order="deterministic"), domains)
    found = _known.get(key)
    if found is None:
        node = All((_conditions(wanted), *_criteria(wanted, domains=domains)))
        expanded = cubes_of(node)
        found = _known[key] = (tied(expanded.cubes), expanded.complete, common(node))
        if len(_known) > _MOST_KNOWN:
            _known.popitem(last=False)
    return found


def uses_domains(accounts: Sequence[Account]) -> bool:
    """Does any rule look at the domain of the customer's address?"""
    found = [each.invitations.conditions for each in accounts]
    return DOMAIN in attributes(each for each in found if each is not None)


def needs_email(wanted: InvitationRule) -> bool:
    """Are only orders with an e-mail address invited?"""
    return wanted.deliver is Deliver.EKOMI_EMAIL


def tied(cubes: Sequence[Cube]) -> tuple[Cube, ...]:
    """The cubes that are left once the ties between attributes are written into their sets."""
    found = (case for cube in cubes for each in _by_state(cube) for case in _by_kind(each))
    return tuple(each for each in found if satisfiable(each) is not False)


def _conditions(wanted: InvitationRule) -> Node:
    return TRUE if wanted.conditions is None else normal(wanted.conditions)


def _criteria(wanted: InvitationRule, *, domains: bool) -> Iterator[Node]:
    for name, selection in ((STORE_VIEW, wanted.store_views), (CUSTOMER_GROUP, wanted.customer_groups)):
        if (names := _names(selection)) is not None:
            yield Leaf(name, names)
    if wanted.cancel_statuses:
        yield Leaf("status", _none_of(wanted.cancel_statuses))
    if domains:
        yield Leaf(DOMAIN, replace(_NO_AT, missing=not needs_email(wanted)))


def _names(selection: Selection) -> Names | None:
    return None if selection.names is None else Names(selection.names, selection.exclude)


def _none_of(statuses: Sequence[str]) -> Texts:
    return Texts(barred=frozenset(map(status_key, statuses)), missing=True)


def _assumed(account: Account) -> Account:
    """The account without what is assumed to hold of every order."""
    rule = replace(account.invitations, skip_orders_older_than=0, consent=None, deliver=Deliver.LINK)
    return replace(account, invitations=rule)


def _by_state(cube: Cube) -> Iterator[Cube]:
    """An order's state, or its status where no state is given, must not have ended it or hold it."""
    if "state" not in cube:
        yield cube
        return
    wanted: Texts = cube["state"]
    words = _ALIVE if wanted.only is None else frozenset(filter(_is_alive, wanted.only))
    yield from _with(cube, {"state": Texts(only=words)})
    yield from _with(cube, {"state": MISSING_TEXT, "status": Texts(barred=_BLOCKED_WORDS, missing=True)})


def _is_alive(word: str) -> bool:
    return order_state_of(word) not in {None, *BLOCKED}


def _written(states: Iterable[OrderState]) -> frozenset[str]:
    """The words of these states, with each separator."""
    wanted = frozenset(states)
    words = (word for word, state in STATE_WORDS.items() if state in wanted)
    return frozenset(word.replace("_", separator) for word in words for separator in "_- ")


_ALIVE: Final = _written(frozenset(OrderState) - BLOCKED)
_BLOCKED_WORDS: Final = _written(BLOCKED)


def _by_kind(cube: Cube) -> Iterator[Cube]:
    """A virtual order has no shipping method, and its billing country is where it is shipped to."""
    virtual = cube.get(VIRTUAL)
    both = "shipping_country" in cube and "billing_country" in cube
    if virtual is None and not both:
        yield cube
        return
    yield from _with(cube, {VIRTUAL: _NOT_VIRTUAL})
    country = {
        name: cube[other]
        for name, other in (("shipping_country", "billing_country"), ("billing_country", "shipping_country"))
        if other in cube
    }
    yield from _with(cube, {VIRTUAL: _IS_VIRTUAL, "shipping_method": MISSING_TEXT, **country})


_IS_VIRTUAL: Final = Flags(frozenset([True]))
_NOT_VIRTUAL: Final = Flags(frozenset([False, None]))


def _with(cube: Cube, more: Mapping[str, Any]) -> Iterator[Cube]:
    found = merged(cube, more)
    if found is not None:
        yield found


@lru_cache(maxsize=256)
def _negated_names(names: Names) -> Names:
    return Names(names.names, not names.exclude)


def opposite(wanted: InvitationRule) -> Node:
    """The orders that this rule does not admit, of those that reached one of its trigger statuses."""
    parts: list[Node] = []
    for name, selection in ((STORE_VIEW, wanted.store_views), (CUSTOMER_GROUP, wanted.customer_groups)):
        if (names := _names(selection)) is not None:
            parts.append(Leaf(name, _negated_names(names)))
    if wanted.cancel_statuses:
        parts.append(Leaf("status", Texts(only=frozenset(map(status_key, wanted.cancel_statuses)))))
    if wanted.conditions is not None:
        parts.append(normal(wanted.conditions, negated=True))
    return any_of(parts)
