"""Judging one order by the rule of one account: the first criterion that fails, or all of them.

Pure: no state, no clock and no I/O. The plan asks ``first_failed`` for each order and account; ``explain``
reads the criteria of a ``Decision``. Both go through ``rules.criteria.CRITERIA``, so they cannot disagree.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

from ekomi_reconcile.model.instant import Instant
from ekomi_reconcile.model.invitation import Criterion, Reached
from ekomi_reconcile.model.order import Order
from ekomi_reconcile.rules.case import Case, KnownFacts
from ekomi_reconcile.rules.condition_trace import ConditionTrace
from ekomi_reconcile.rules.criteria import CRITERIA
from ekomi_reconcile.rules.criterion import CriterionRule
from ekomi_reconcile.rules.reached import reached
from ekomi_reconcile.rules.rulebook import Checks, Rule


def judge(order: Order, rule: Rule, *, known: KnownFacts) -> Decision:
    """Judge an order by the rule of an account, with what is known about it.

    ``Rule(account)`` compiles the rule; it can be used for any number of orders. Instants are seconds since
    1970 (UTC), periods and limits of rules are days of exactly 24 hours.
    """
    found = reached(
        rule, order, now=known.now, seen=known.observed, recorded=known.recorded, frozen=known.evidence
    )
    judged_at = known.now if known.judged_at is None else known.judged_at
    return Decision(Case(rule, order, judged_at, found, known))


@dataclass(frozen=True, slots=True)
class CriterionResult:
    """One criterion: whether it holds, what the order has, what is wanted; conditions with their parts.

    ``remedy`` says what would make it hold; it reads on from "would be invited if".
    """

    criterion: Criterion
    ok: bool
    value: str | None
    wanted: str
    remedy: str | None = None
    conditions: ConditionTrace | None = None


@dataclass(frozen=True)
class Decision:
    """What the rule of one account makes of an order; reason and criteria are found when they are read."""

    case: Case

    @cached_property
    def reason(self) -> Criterion | None:
        """The first criterion that fails, ``None`` if the order is to be invited."""
        return first_failed(self.case)

    @cached_property
    def criteria(self) -> tuple[CriterionResult, ...]:
        """Every criterion, in the order in which they are judged."""
        return tuple(_result(entry, self.case) for entry in CRITERIA)

    @property
    def reached(self) -> Reached | None:
        """When the order first reached a trigger status, and how that is known."""
        return self.case.reached

    @property
    def scheduled_at(self) -> Instant | None:
        """When an invitation is due, in seconds since 1970; ``None`` while no trigger status was reached."""
        return self.case.scheduled_at

    @property
    def pending_days(self) -> int:
        """The pending period that applies, in days."""
        return self.case.pending_days


def first_failed(case: Case, *, candidate: bool = False) -> Criterion | None:
    """The first criterion that fails, ``None`` if the order is to be invited.

    What ``RuleBook.candidates`` saw to is not checked again for a ``candidate`` for this order.
    """
    rule = case.rule
    checks = rule.candidate_checks if candidate else rule.checks
    if checks is None:
        checks = _compiled(rule, candidate=candidate)
    for criterion, holds in checks:
        if not holds(case):
            return criterion
    return None


def _compiled(rule: Rule, *, candidate: bool) -> Checks:
    """The checks of this rule: for every order the same, so they are compiled once."""
    made = [(entry, holds) for entry in CRITERIA if (holds := entry.compiled(rule)) is not None]
    rule.checks = tuple((entry.criterion, holds) for entry, holds in made)
    rule.candidate_checks = _shared(
        tuple((entry.criterion, holds) for entry, holds in made if not entry.by_store_view)
    )
    return rule.candidate_checks if candidate else rule.checks


@lru_cache
def _shared(checks: Checks) -> Checks:
    return checks


def _result(entry: CriterionRule, case: Case) -> CriterionResult:
    holds = entry.compiled(case.rule)
    ok = holds is None or holds(case)
    shown = entry.shown(case)
    remedy = None if ok else entry.remedy(case)
    return CriterionResult(entry.criterion, ok, shown.value, shown.wanted, remedy, shown.conditions)
