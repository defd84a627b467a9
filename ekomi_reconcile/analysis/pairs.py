"""Pairs of accounts: separate, with an order that both would take, or undecided.

Accounts meet only where their store views and customer groups do. Within a pair the alternatives of both
rules are compared; whether two sets of one attribute go together is worked out once for all pairs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import product
from typing import Any, Final, TypeAlias

from ekomi_reconcile.analysis.cubes import Cube, merged
from ekomi_reconcile.analysis.rules import RuleForm
from ekomi_reconcile.analysis.values import Undecidable
from ekomi_reconcile.analysis.witness import Witness, confirmed, witness_of
from ekomi_reconcile.model.account import Account, Selection
from ekomi_reconcile.model.instant import Instant
from ekomi_reconcile.rules.conditions import GROUPS, ITEM_TESTS, SUM_ITEMS, fold

_BROAD: Final = object()
"""Stands for "all" and for exclusions."""
_ANY: Final = object()
"""Stands for every account, whatever it selects."""
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
        self._known: dict[str, dict[tuple[int, int], bool | None]] = defaultdict(dict)
        self._interned: dict[int, Mapping[str, int]] = {}
        self._kept: list[Cube] = []

    def together(self, one: RuleForm, two: RuleForm) -> Verdict:
        """Whether an order matches both rules."""
        reason = None
        for first in one.cubes:
            left = self._intern(first)
            for second in two.cubes:
                goes = self._goes(left, self._intern(second))
                if goes is False:
                    continue
                found = self._order(first, second, (one, two))
                if found.overlap is Overlap.ORDER:
                    return found
                reason = found.reason or reason
        if (reason is None and one.complete and two.complete) or self._apart(one, two):
            return DISJOINT
        return Verdict(Overlap.UNDECIDED, reason=reason or _CAPPED)

    def alone(self, form: RuleForm) -> Verdict:
        """Whether an order matches this rule at all."""
        return self.all_of(form.cubes, (form,), complete=form.complete)

    def all_of(self, cubes: Sequence[Cube], forms: Sequence[RuleForm], *, complete: bool) -> Verdict:
        """Whether there is an order in one of these cubes that all of the rules admit."""
        reason = None if complete else _CAPPED
        for cube in cubes:
            found = self._witness(cube, forms)
            if found.overlap is Overlap.ORDER:
                return found
            reason = found.reason or reason
        return DISJOINT if reason is None else Verdict(Overlap.UNDECIDED, reason=reason)

    def _order(self, first: Cube, second: Cube, forms: Sequence[RuleForm]) -> Verdict:
        both = merged(first, second)
        return DISJOINT if both is None else self._witness(both, forms)

    def _witness(self, cube: Cube, forms: Sequence[RuleForm]) -> Verdict:
        try:
            if any(values.pick() is None for values in cube.values()):
                return DISJOINT
            found = witness_of(
                cube, forms, now=self._now, spelling=self._spelling, store_views=self._store_views
            )
        except Undecidable as problem:
            return Verdict(Overlap.UNDECIDED, reason=str(problem))
        if found is None:
            return DISJOINT
        if confirmed(found, forms):
            return Verdict(Overlap.ORDER, witness=found)
        return Verdict(Overlap.UNDECIDED, reason=_UNCONFIRMED)

    def _apart(self, one: RuleForm, two: RuleForm) -> bool:
        """Does what all alternatives of each rule share keep them apart?"""
        if one.complete and two.complete:
            return False
        return self._goes(self._intern(one.common), self._intern(two.common)) is False

    def _intern(self, cube: Cube) -> Mapping[str, int]:
        """The cube with a number for each of its sets: equal sets have equal numbers."""
        found = self._interned.get(id(cube))
        if found is None:
            found = {name: self._number(name, values) for name, values in cube.items()}
            self._interned[id(cube)] = found
            self._kept.append(cube)
        return found

    def _number(self, name: str, values: Any) -> int:
        known = self._numbers[name]
        number = known.setdefault(values, len(known))
        if number == len(self._sets[name]):
            self._sets[name].append(values)
        return number

    def _goes(self, one: Mapping[str, int], two: Mapping[str, int]) -> bool | None:
        """Is there a value for every attribute that both constrain? ``None`` if that is not known."""
        for name, number in one.items():
            other = two.get(name)
            if other is None or other == number:
                continue
            key = (number, other) if number < other else (other, number)
            known = self._known[name]
            found = known[key] if key in known else known.setdefault(key, self._compare(name, key))
            if found is False:
                return False
        return True

    def _compare(self, name: str, key: tuple[int, int]) -> bool | None:
        one, two = (self._sets[name][each] for each in key)
        try:
            return one.meet(two).pick() is not None
        except Undecidable:
            return None


class Meetings:
    """Finds the accounts whose store views and customer groups an account shares."""

    def __init__(self, accounts: Sequence[Account]) -> None:
        rules = [each.invitations for each in accounts]
        self._broad_views = any(_is_broad(each.store_views) for each in rules)
        self._broad_groups = any(_is_broad(each.customer_groups) for each in rules)
        self._places: dict[_Key, list[int]] = defaultdict(list)
        self._accounts: list[Account] = []

    def add(self, account: Account) -> None:
        """Make the account findable, under the next number."""
        number, rule = len(self._accounts), account.invitations
        self._accounts.append(account)
        views = _tokens(rule.store_views, _ANY if self._broad_views else None)
        groups = _tokens(rule.customer_groups, _ANY if self._broad_groups else None)
        for key in product(views, groups):
            self._places[key].append(number)

    def of(self, account: Account) -> Iterator[int]:
        """The numbers of the accounts added so far that may share an order with this one, each once."""
        rule, seen = account.invitations, set[int]()
        views = _partners(rule.store_views, _BROAD if self._broad_views else None)
        groups = _partners(rule.customer_groups, _BROAD if self._broad_groups else None)
        for key in product(views, groups):
            for number in self._places.get(key, ()):
                other = self._accounts[number].invitations
                if number not in seen and (
                    _intersect(rule.store_views, other.store_views)
                    and _intersect(rule.customer_groups, other.customer_groups)
                ):
                    seen.add(number)
                    yield number


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


def _intersect(one: Selection, other: Selection) -> bool:
    if one.names is None or other.names is None or (one.exclude and other.exclude):
        return True
    if one.exclude or other.exclude:
        listed, excluded = (other.names, one.names) if one.exclude else (one.names, other.names)
        return not listed <= excluded
    return not one.names.isdisjoint(other.names)
