"""Everything the analysis finds about a set of accounts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from ekomi_reconcile.analysis.cubes import Cube, cubes_of, merged
from ekomi_reconcile.analysis.pairs import Meetings, Overlap, Solver, Verdict
from ekomi_reconcile.analysis.rules import RuleForm, opposite, rule_form, tied, uses_domains
from ekomi_reconcile.analysis.witness import confirmed
from ekomi_reconcile.model.account import Account
from ekomi_reconcile.model.instant import Instant
from ekomi_reconcile.model.rule import Deliver, InvitationRule

_MOST_LEFT: Final = 256
"""Alternatives of a rule after which the search for what shadows it gives up."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two accounts that share an order, or may; ``winner`` would get it."""

    accounts: tuple[str, str]
    verdict: Verdict
    winner: str
    equal_priority: bool


@dataclass(frozen=True, slots=True)
class Shadowed:
    """An account all of whose orders go to other accounts."""

    account: str
    by: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class KnownStoreView:
    """A store view that exists; ``source`` is ``None`` where any order source may have it."""

    name: str
    known_from: str
    source: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """What was found; ``disjoint`` counts pairs without a common order, ``accounts`` those enabled."""

    accounts: int
    pairs: tuple[Pair, ...]
    disjoint: int
    never: tuple[str, ...]
    shadowed: tuple[Shadowed, ...]
    unserved_store_views: tuple[KnownStoreView, ...]

    @property
    def clean(self) -> bool:
        """Was nothing found?"""
        return not (self.pairs or self.never or self.shadowed or self.unserved_store_views)


def analyze(
    accounts: Sequence[Account], *, now: Instant, store_views: Sequence[KnownStoreView] = ()
) -> Analysis:
    """Compare the rules of all enabled accounts, per order source."""
    enabled = [each for each in accounts if each.invitations.enabled]
    by_source: dict[str, list[Account]] = defaultdict(list)
    for each in sorted(enabled, key=lambda each: each.rank):
        by_source[each.orders].append(each)
    pairs: list[Pair] = []
    never: list[str] = []
    shadowed: list[Shadowed] = []
    possible = 0
    for source, found in by_source.items():
        names = [each.name for each in store_views if each.source in (None, source)]
        part = _Source(found, now=now, store_views=names)
        pairs += part.pairs
        never += part.never
        shadowed += part.shadowed()
        possible += len(found) * (len(found) - 1) // 2
    return Analysis(
        accounts=len(enabled),
        pairs=tuple(sorted(pairs, key=lambda each: each.accounts)),
        disjoint=possible - len(pairs),
        never=tuple(sorted(never)),
        shadowed=tuple(sorted(shadowed, key=lambda each: each.account)),
        unserved_store_views=tuple(_unserved(enabled, never, store_views)),
    )


class _Source:
    """The enabled accounts of one order source, the account that wins an order first."""

    def __init__(self, accounts: Sequence[Account], *, now: Instant, store_views: Sequence[str]) -> None:
        self._solver = Solver(accounts, now=now, store_views=store_views)
        domains = uses_domains(accounts)
        self._forms = [rule_form(each, domains=domains) for each in accounts]
        self._alone = [self._solver.alone(each) for each in self._forms]
        self._beaten: dict[int, list[int]] = defaultdict(list)

    @cached_property
    def pairs(self) -> Sequence[Pair]:
        """The pairs that share an order, or may."""
        meetings, found = Meetings([each.account for each in self._forms]), []
        grid = self._solver.grid(self._forms)
        for number, form in enumerate(self._forms):
            others = meetings.of(form.account)
            near = grid.near(number, others)
            capped = (other for other in others if not (form.complete and self._forms[other].complete))
            for other in sorted({*near, *capped}):
                verdict = self._solver.among(self._forms[other], form, near.get(other, ()))
                if verdict.overlap is not Overlap.NONE:
                    self._beaten[number].append(other)
                    found.append(_pair(self._forms[other].account, form.account, verdict))
            meetings.add(form.account)
        return found

    @cached_property
    def never(self) -> Sequence[str]:
        """The accounts that no order matches."""
        return [
            form.account.name
            for form, alone in zip(self._forms, self._alone, strict=True)
            if alone.overlap is Overlap.NONE
        ]

    def shadowed(self) -> Iterator[Shadowed]:
        """The accounts of which other accounts take every order."""
        for number, others in self._beaten.items():
            form = self._forms[number]
            stronger = [self._forms[other] for other in others if _always_first(self._forms[other], form)]
            by = self._covering(form, stronger, self._alone[number])
            if by is not None:
                yield Shadowed(form.account.name, tuple(sorted(by)))

    def _covering(self, form: RuleForm, stronger: Sequence[RuleForm], left: Verdict) -> list[str] | None:
        """The names of accounts that together take all orders of this rule; ``None`` if none are known to.

        An order of the rule that no other takes ends the search; otherwise what takes it is removed.
        """
        cubes: Sequence[Cube] = form.cubes
        by: list[str] = []
        while left.overlap is Overlap.ORDER and left.witness is not None and form.complete:
            order = left.witness.order()
            taker = next((each for each in stronger if confirmed(order, (each,))), None)
            if taker is None:
                return None
            rest = without(cubes, taker.account.invitations)
            if rest is None:
                return None
            cubes = rest
            by.append(taker.account.name)
            left = self._solver.all_of(cubes, (form,), complete=True)
        return by if by and left.overlap is Overlap.NONE else None


def without(cubes: Sequence[Cube], taker: InvitationRule) -> Sequence[Cube] | None:
    """The cubes without the orders of a rule; ``None`` if they are too many."""
    others = cubes_of(opposite(taker), _MOST_LEFT)
    rest = [both for one in cubes for two in others.cubes if (both := merged(one, two)) is not None]
    return tied(rest) if others.complete and len(rest) <= _MOST_LEFT else None


def _always_first(first: RuleForm, second: RuleForm) -> bool:
    """Where conditions do not decide: does the first account get whatever reaches the second?"""
    one, two = first.account.invitations, second.account.invitations
    return (
        {key for key, _ in second.rule.triggers} <= {key for key, _ in first.rule.triggers}
        and (one.deliver is Deliver.LINK or set(two.channels) <= set(one.channels))
        and (two.skip_refunded or not one.skip_refunded)
        and _age(one) >= _age(two)
    )


def _age(rule: InvitationRule) -> float:
    return rule.skip_orders_older_than or float("inf")


def _pair(winner: Account, loser: Account, verdict: Verdict) -> Pair:
    first, second = sorted((winner.name, loser.name))
    return Pair((first, second), verdict, winner.name, winner.priority == loser.priority)


def _unserved(
    enabled: Sequence[Account], never: Sequence[str], store_views: Sequence[KnownStoreView]
) -> Iterator[KnownStoreView]:
    """The known store views that no account admits, each once."""
    serving = [each for each in enabled if each.name not in set(never)]
    found: Mapping[tuple[str, str | None], KnownStoreView] = {
        (each.name, each.source): each for each in reversed(store_views)
    }
    for key in sorted(found, key=lambda key: (key[0], key[1] or "")):
        each = found[key]
        if not any(
            account.invitations.store_views.admits(each.name)
            for account in serving
            if each.source in (None, account.orders)
        ):
            yield each
