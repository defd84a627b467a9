"""A rule as the analysis sees it: conditions without negations, and which orders an account could invite.

``field: {path: …}`` is a text attribute of its own, named by its path.

Two accounts overlap if one order could match both at one instant. Trigger statuses never separate accounts,
for an order may have passed any of them; its age, consent, reviews, suppression and address are assumed to
hold. What readers make of orders ties attributes: a virtual order has no shipping method and is shipped to
its billing country; an order whose state ended it, or that was fully refunded, is not invited.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final, TypeAlias

import msgspec

from ekomi_reconcile.analysis import cubes as analysis_cubes
from ekomi_reconcile.analysis.text import MISSING_TEXT, Texts, complement, text_set
from ekomi_reconcile.analysis.values import Categories, Flags, Names, Numbers, number_set
from ekomi_reconcile.model.account import Account
from ekomi_reconcile.model.order import STATE_WORDS, AttributeKind, OrderState, order_state_of, status_key
from ekomi_reconcile.model.rule import Deliver, InvitationRule, Selection
from ekomi_reconcile.rules import conditions
from ekomi_reconcile.rules.rulebook import BLOCKED, Rule

ITEMS: Final = "items"
"""The attribute under which a cube holds what is wanted of the items."""
ALWAYS_KNOWN: Final = frozenset({"has_company", "has_vat_id"})
"""Flags that readers never leave missing."""

FALSE: Final = analysis_cubes.Any_(())


def normal(condition: Mapping[str, Any], *, negated: bool = False) -> analysis_cubes.Node:
    """The condition, or its opposite, without negations; over an order or over one item."""
    ((key, body),) = condition.items()
    if key in conditions.GROUPS:
        parts = tuple(normal(each, negated=negated) for each in body)
        return analysis_cubes.All(parts) if (key == "all") is not negated else analysis_cubes.any_of(parts)
    if key == "not":
        return normal(body, negated=not negated)
    if key in conditions.ITEM_TESTS:
        return _item_test(key, body, negated=negated)
    if key == conditions.SUM_ITEMS:
        return _sum(body, negated=negated)
    return _leaf(key, body, negated=negated)


def _leaf(attribute: str, body: Mapping[str, Any], *, negated: bool) -> analysis_cubes.Node:
    tests = dict(conditions.operators_of(body))
    if attribute == conditions.FIELD:
        attribute = f"{conditions.FIELD_PREFIX}{body['path']}"
    kind = _kind_of(attribute)
    parts = tuple(kind(attribute, *each, negated) for each in tests.items())
    return (
        analysis_cubes.any_of(parts) if negated else analysis_cubes.All(parts) if len(parts) > 1 else parts[0]
    )


def _kind_of(attribute: str) -> Callable[[str, str, Any, bool], analysis_cubes.Node]:
    if attribute == conditions.CATEGORY_ID:
        return _categories
    kind = conditions.kind_of(attribute)
    if kind is AttributeKind.FLAG:
        return _flag
    return _number if kind is AttributeKind.NUMBER else _text


def _number(attribute: str, operator: str, wanted: Any, negated: bool) -> analysis_cubes.Node:  # noqa: FBT001
    values = _with_missing(operator, number_set(operator, wanted))
    return analysis_cubes.Leaf(attribute, values.complement() if negated else values)


def _with_missing(operator: str, values: Numbers) -> Numbers:
    return Numbers(values.parts, missing=operator in conditions.NEGATIONS)


def _text(attribute: str, operator: str, wanted: Any, negated: bool) -> analysis_cubes.Node:  # noqa: FBT001
    values = text_set(operator, wanted)
    return (
        analysis_cubes.any_of(analysis_cubes.Leaf(attribute, each) for each in complement(values))
        if negated
        else analysis_cubes.Leaf(attribute, values)
    )


def _flag(attribute: str, operator: str, wanted: Any, negated: bool) -> analysis_cubes.Node:  # noqa: ARG001, FBT001
    all_values = {True, False} if attribute in ALWAYS_KNOWN else {True, False, None}
    return analysis_cubes.Leaf(attribute, Flags(frozenset(all_values - {wanted} if negated else {wanted})))


def _categories(attribute: str, operator: str, wanted: Any, negated: bool) -> analysis_cubes.Node:  # noqa: FBT001
    ids = frozenset(wanted)
    if (operator == "in") is not negated:
        return analysis_cubes.Leaf(attribute, Categories(frozenset([ids]), frozenset()))
    return analysis_cubes.Leaf(attribute, Categories(frozenset(), ids))


def _item_test(key: str, body: Mapping[str, Any], *, negated: bool) -> analysis_cubes.Node:
    holds, fails = normal(body), normal(body, negated=True)
    if key == "every_item":
        if not negated:
            return _items(every=frozenset([holds]), filled=True)
        return analysis_cubes.Any_((_items(empty=True), _items(some=frozenset([(fails, holds)]))))
    if (key == "any_item") is not negated:
        return _items(some=frozenset([(holds, fails)]))
    return _items(every=frozenset([fails]))


def _sum(body: Mapping[str, Any], *, negated: bool) -> analysis_cubes.Node:
    where = body.get("where")
    holds, fails = (
        (analysis_cubes.TRUE, FALSE) if where is None else (normal(where), normal(where, negated=True))
    )
    total = Numbers(((float("-inf"), True, float("inf"), True),), missing=True)
    for operator, wanted in conditions.operators_of(body):
        total = total.meet(_with_missing(operator, number_set(operator, wanted)))
    if negated:
        total = total.complement()
    return _items(sums=frozenset([(analysis_cubes.Sum(body["of"], holds, total), fails)]))


def _items(**wanted: Any) -> analysis_cubes.Node:
    return analysis_cubes.Leaf(ITEMS, analysis_cubes.Items(**wanted))


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
    cubes: tuple[analysis_cubes.Cube, ...]
    complete: bool
    common: analysis_cubes.Cube

    @property
    def never(self) -> bool:
        """Is it certain that no order matches?"""
        return self.complete and not self.cubes


def rule_form(account: Account, *, domains: bool = True) -> RuleForm:
    """The rule of an account. ``domains``: some rule looks at the domains of addresses."""
    cubes, complete, shared = _alternatives(account.invitations, domains=domains)
    return RuleForm(account, Rule(_assumed(account)), cubes, complete, shared)


_Alternatives: TypeAlias = tuple[tuple[analysis_cubes.Cube, ...], bool, analysis_cubes.Cube]

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
        node = analysis_cubes.All((_conditions(wanted), *_criteria(wanted, domains=domains)))
        expanded = analysis_cubes.cubes_of(node)
        found = _known[key] = (tied(expanded.cubes), expanded.complete, analysis_cubes.common(node))
        if len(_known) > _MOST_KNOWN:
            _known.popitem(last=False)
    return found


def uses_domains(accounts: Sequence[Account]) -> bool:
    """Does any rule look at the domain of the customer's address?"""
    found = [each.invitations.conditions for each in accounts]
    return DOMAIN in conditions.attributes(each for each in found if each is not None)


def needs_email(wanted: InvitationRule) -> bool:
    """Are only orders with an e-mail address invited?"""
    return wanted.deliver is Deliver.EKOMI_EMAIL


def tied(cubes: Sequence[analysis_cubes.Cube]) -> tuple[analysis_cubes.Cube, ...]:
    """The cubes that are left once the ties between attributes are written into their sets."""
    found = (case for cube in cubes for each in _by_state(cube) for case in _by_kind(each))
    return tuple(each for each in found if analysis_cubes.satisfiable(each) is not False)


def _conditions(wanted: InvitationRule) -> analysis_cubes.Node:
    return analysis_cubes.TRUE if wanted.conditions is None else normal(wanted.conditions)


def _criteria(wanted: InvitationRule, *, domains: bool) -> Iterator[analysis_cubes.Node]:
    for name, selection in ((STORE_VIEW, wanted.store_views), (CUSTOMER_GROUP, wanted.customer_groups)):
        if (names := _names(selection)) is not None:
            yield analysis_cubes.Leaf(name, names)
    if wanted.cancel_statuses:
        yield analysis_cubes.Leaf("status", _none_of(wanted.cancel_statuses))
    if domains:
        yield analysis_cubes.Leaf(DOMAIN, replace(_NO_AT, missing=not needs_email(wanted)))


def _names(selection: Selection) -> Names | None:
    return None if selection.names is None else Names(selection.names, selection.exclude)


def _none_of(statuses: Sequence[str]) -> Texts:
    return Texts(barred=frozenset(map(status_key, statuses)), missing=True)


def _assumed(account: Account) -> Account:
    """The account without what is assumed to hold of every order."""
    rule = replace(account.invitations, skip_orders_older_than=0, consent=None, deliver=Deliver.LINK)
    return replace(account, invitations=rule)


def _by_state(cube: analysis_cubes.Cube) -> Iterator[analysis_cubes.Cube]:
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


def _by_kind(cube: analysis_cubes.Cube) -> Iterator[analysis_cubes.Cube]:
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


def _with(cube: analysis_cubes.Cube, more: Mapping[str, Any]) -> Iterator[analysis_cubes.Cube]:
    found = analysis_cubes.merged(cube, more)
    if found is not None:
        yield found


@lru_cache(maxsize=256)
def _negated_names(names: Names) -> Names:
    return Names(names.names, not names.exclude)


def opposite(wanted: InvitationRule) -> analysis_cubes.Node:
    """The orders that this rule does not admit, of those that reached one of its trigger statuses."""
    parts: list[analysis_cubes.Node] = []
    for name, selection in ((STORE_VIEW, wanted.store_views), (CUSTOMER_GROUP, wanted.customer_groups)):
        if (names := _names(selection)) is not None:
            parts.append(analysis_cubes.Leaf(name, _negated_names(names)))
    if wanted.cancel_statuses:
        parts.append(
            analysis_cubes.Leaf("status", Texts(only=frozenset(map(status_key, wanted.cancel_statuses))))
        )
    if wanted.conditions is not None:
        parts.append(normal(wanted.conditions, negated=True))
    return analysis_cubes.any_of(parts)
