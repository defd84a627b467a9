"""Pairs of accounts: separate, with an order that both would take, or undecided.

Accounts meet only where their store views and customer groups do. Within a pair the alternatives of both
rules are compared; whether two sets of one attribute go together is worked out once for all pairs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import product
from typing import Any, Final, NamedTuple, TypeAlias

from ekomi_reconcile.analysis.cubes import Cube
from ekomi_reconcile.analysis.rules import RuleForm, needs_email
from ekomi_reconcile.analysis.values import Grid, Numbered, Undecidable
from ekomi_reconcile.analysis.witness import Witness, confirmed, likely_value, witness_of
from ekomi_reconcile.model.account import Account
from ekomi_reconcile.model.instant import Instant
from ekomi_reconcile.model.order import Order
from ekomi_reconcile.model.rule import Selection
from ekomi_reconcile.rules.conditions import GROUPS, ITEM_TESTS, SUM_ITEMS, fold

_BROAD: Final = object()
"""The value for "all" and for exclusions."""
_ANY: Final = object()
"""Every account, whatever it selects."""
_CAPPED: Final = "too many alternatives"
_UNCONFIRMED: Final = "the order found is not confirmed"

_Key: TypeAlias = tuple[object, object]


class Overlap(StrEnum):
    """What two accounts have in common."""

    NONE = "disjoint"
    ORDER = "overlap"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether accounts have an order in common; ``reason`` says why that is undecided."""

    overlap: Overlap
    witness: Witness | None = None
    reason: str | None = None


DISJOINT: Final = Verdict(Overlap.NONE)


class _Met(NamedTuple):
    """What two sets have in common: a set and a likely value of it, nothing, or why that is undecided."""

    values: Any
    value: Any = None
    reason: str | None = None
    some: bool = True


_NOTHING: Final = _Met(None, some=False)


class Solver:
    """Finds orders that several rules admit, and remembers which sets of values go together.

    ``now`` dates the orders, ``store_views`` are names that exist.
    """

    def __init__(self, accounts: Sequence[Account], *, now: Instant, store_views: Sequence[str] = ()) -> None:
        self._now = now
        self._store_views = store_views
        self._spelling = spelling_of(accounts)
        self._numbers: dict[str, dict[Any, int]] = defaultdict(dict)
        self._sets: dict[str, list[Any]] = defaultdict(list)
        self._met: dict[str, dict[tuple[int, int], _Met]] = defaultdict(dict)
        self._interned: dict[int, tuple[Cube, Numbered]] = {}
        self._orders: dict[str, tuple[Verdict, Order | None]] = {}

    def together(self, one: RuleForm, two: RuleForm) -> Verdict:
        """Whether an order matches both rules."""
        near = [
            (left, right)
            for left in map(self._intern, one.cubes)
            for right in map(self._intern, two.cubes)
            if self._may_meet(left, right)
        ]
        return self.among(one, two, near)

    def among(self, one: RuleForm, two: RuleForm, near: Sequence[tuple[Numbered, Numbered]]) -> Verdict:
        """The same, where all alternatives but these pairs are known to exclude each other."""
        if near and (known := self._known_order(one, two) or self._known_order(two, one)) is not None:
            return Verdict(Overlap.ORDER, witness=known)
        reason = None
        for left, right in near:
            found = self._in_both(left, right, (one, two))
            if found.overlap is Overlap.ORDER:
                return found
            reason = found.reason or reason
        if (reason is None and one.complete and two.complete) or self._apart(one, two):
            return DISJOINT
        return Verdict(Overlap.UNDECIDED, reason=reason or _CAPPED)

    def grid(self, forms: Sequence[RuleForm]) -> Grid:
        """The alternatives of these rules, to find those that may meet."""
        rules = [[self._intern(cube) for cube in each.cubes] for each in forms]
        return Grid(rules, lambda name, one, two: self._meet(name, one, two).some)

    def alone(self, form: RuleForm) -> Verdict:
        """Whether an order matches this rule at all."""
        return self._alone(form)[0]

    def all_of(self, cubes: Sequence[Cube], forms: Sequence[RuleForm], *, complete: bool) -> Verdict:
        """Whether there is an order in one of these cubes that all of the rules admit."""
        reason = None if complete else _CAPPED
        for cube in cubes:
            found = self._in_both(self._intern(cube), {}, forms)
            if found.overlap is Overlap.ORDER:
                return found
            reason = found.reason or reason
        return DISJOINT if reason is None else Verdict(Overlap.UNDECIDED, reason=reason)

    def _alone(self, form: RuleForm) -> tuple[Verdict, Order | None]:
        """The same with the order, worked out once."""
        key = form.account.interface_id
        if key not in self._orders:
            found = self.all_of(form.cubes, (form,), complete=form.complete)
            self._orders[key] = (found, None if found.witness is None else found.witness.order())
        return self._orders[key]

    def _known_order(self, one: RuleForm, two: RuleForm) -> Witness | None:
        """The order found for the first rule alone, if the other account takes it too."""
        found, order = self._alone(one)
        if order is None or found.witness is None or not confirmed(order, (two,)):
            return None
        if needs_email(two.account.invitations) and order.contact.email is None:
            return None
        return found.witness.joined_by(two, (one, two))

    def _may_meet(self, one: Numbered, two: Numbered) -> bool:
        """Has every attribute that both constrain a value, or may it?"""
        for name, number in one.items():
            other = two.get(name)
            if other is None or other == number:
                continue
            known = self._met[name].get((number, other) if number < other else (other, number))
            if not (known or self._meet(name, number, other)).some:
                return False
        return True

    def _in_both(self, one: Numbered, two: Numbered, forms: Sequence[RuleForm]) -> Verdict:
        """Whether there is an order in two cubes that all of the rules admit."""
        met: dict[str, _Met] = {}
        reason = None
        for name, number in one.items():
            found = self._meet(name, number, two.get(name, number))
            if not found.some:
                return DISJOINT
            reason = found.reason or reason
            met[name] = found
        for name, number in two.items():
            if name not in met:
                met[name] = found = self._meet(name, number, number)
                reason = found.reason or reason
        if reason is not None:
            return Verdict(Overlap.UNDECIDED, reason=reason)
        return self._witness(met, forms)

    def _witness(self, met: Mapping[str, _Met], forms: Sequence[RuleForm]) -> Verdict:
        cube = {name: each.values for name, each in met.items()}
        likely = {name: each.value for name, each in met.items()}
        try:
            found = witness_of(cube, likely, forms, now=self._now)
        except Undecidable as problem:
            return Verdict(Overlap.UNDECIDED, reason=str(problem))
        if found is None:
            return DISJOINT
        if confirmed(found.order(), forms):
            return Verdict(Overlap.ORDER, witness=found)
        return Verdict(Overlap.UNDECIDED, reason=_UNCONFIRMED)

    def _apart(self, one: RuleForm, two: RuleForm) -> bool:
        """Does what all alternatives of each rule share keep them apart?"""
        if one.complete and two.complete:
            return False
        return not self._may_meet(self._intern(one.common), self._intern(two.common))

    def _intern(self, cube: Cube) -> Numbered:
        """The cube with a number for each of its sets: equal sets have equal numbers."""
        found = self._interned.get(id(cube))
        if found is None:
            found = (cube, {name: self._number(name, values) for name, values in cube.items()})
            self._interned[id(cube)] = found
        return found[1]

    def _number(self, name: str, values: Any) -> int:
        known = self._numbers[name]
        number = known.setdefault(values, len(known))
        if number == len(self._sets[name]):
            self._sets[name].append(values)
        return number

    def _meet(self, name: str, one: int, two: int) -> _Met:
        """What two numbered sets have in common, worked out once."""
        key = (one, two) if one < two else (two, one)
        found = self._met[name].get(key)
        if found is None:
            found = self._met[name][key] = self._compared(name, *key)
        return found

    def _compared(self, name: str, one: int, two: int) -> _Met:
        sets = self._sets[name]
        values = sets[one] if one == two else sets[one].meet(sets[two])
        try:
            if values.pick() is None:
                return _NOTHING
            return _Met(values, likely_value(name, values, self._spelling, self._store_views))
        except Undecidable as problem:
            return _Met(values, reason=str(problem))


class Meetings:
    """Finds the accounts whose store views and customer groups an account shares."""

    def __init__(self, accounts: Sequence[Account]) -> None:
        rules = [each.invitations for each in accounts]
        self._broad_views = any(_is_broad(each.store_views) for each in rules)
        self._broad_groups = any(_is_broad(each.customer_groups) for each in rules)
        self._places: dict[_Key, list[int]] = defaultdict(list)
        self._count = 0

    def add(self, account: Account) -> None:
        """Make the account findable, under the next number."""
        number, rule = self._count, account.invitations
        self._count += 1
        views = _tokens(rule.store_views, _ANY if self._broad_views else None)
        groups = _tokens(rule.customer_groups, _ANY if self._broad_groups else None)
        for key in product(views, groups):
            self._places[key].append(number)

    def of(self, account: Account) -> list[int]:
        """The numbers of the accounts added so far that may share an order with this one, rising."""
        rule = account.invitations
        views = _partners(rule.store_views, _BROAD if self._broad_views else None)
        groups = _partners(rule.customer_groups, _BROAD if self._broad_groups else None)
        return sorted({number for key in product(views, groups) for number in self._places.get(key, ())})


def spelling_of(accounts: Sequence[Account]) -> Mapping[str, str]:
    """The texts of all conditions as they are written, by their folded form."""
    found: dict[str, str] = {}
    for account in accounts:
        if account.invitations.conditions is not None:
            _spell(account.invitations.conditions, found)
    return found


def _spell(node: Any, found: dict[str, str]) -> None:
    if isinstance(node, str):
        found.setdefault(fold(node), node)
    elif isinstance(node, Mapping):
        for key, value in node.items():
            if not isinstance(value, str) or key not in (
                *GROUPS,
                *ITEM_TESTS,
                SUM_ITEMS,
                "of",
                "path",
                "glob",
            ):
                _spell(value, found)
    elif isinstance(node, list | tuple):
        for value in node:
            _spell(value, found)


def _tokens(selection: Selection, also: object | None) -> list[object]:
    """Under what an account is found."""
    tokens: list[object] = [_BROAD] if _is_broad(selection) else [*sorted(selection.names or ())]
    return tokens if also is None else [*tokens, also]


def _partners(selection: Selection, also: object | None) -> list[object]:
    """Under what those are found that may select the same."""
    if _is_broad(selection):
        return [_ANY]
    names: list[object] = [*sorted(selection.names or ())]
    return names if also is None else [*names, also]


def _is_broad(selection: Selection) -> bool:
    return selection.names is None or selection.exclude
