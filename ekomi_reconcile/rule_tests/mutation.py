"""Which mutants of the rules the tests notice, and the tests that are missing.

A mutant that no test notices is equivalent if no order tells it from the original: neither "original and not
mutant" nor "mutant and not original" has one. Otherwise such an order is the missing test.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from msgspec import UNSET
from msgspec.structs import replace as struct_replace

from ekomi_reconcile.analysis.cubes import All, Cube, Node, cubes_of, merged
from ekomi_reconcile.analysis.findings import without
from ekomi_reconcile.analysis.pairs import Overlap, Solver
from ekomi_reconcile.analysis.rules import RuleForm, normal, rule_form, tied
from ekomi_reconcile.analysis.witness import Witness
from ekomi_reconcile.model.account import Account
from ekomi_reconcile.model.diagnostic import Place
from ekomi_reconcile.model.instant import DAY, Instant, iso, parse
from ekomi_reconcile.orders.normalize import Codes
from ekomi_reconcile.rule_tests.document import ExpectedOutcome, GivenFacts, RuleTestDocument
from ekomi_reconcile.rule_tests.files import rule_test
from ekomi_reconcile.rule_tests.judging import RuleTest, RuleTestJudge
from ekomi_reconcile.rule_tests.mutants import MATCHING, OVERRIDES, Mutant, mutants_of
from ekomi_reconcile.rule_tests.order import CREATED_AT, order_of_witness, with_field
from ekomi_reconcile.rules.conditions import attributes
from ekomi_reconcile.rules.order_fields import CUSTOM_ATTRIBUTES

_NOWHERE: Final = Place(path="(suggested)")
_MOST_CUBES: Final = 256
_ADDRESSES: Final = ("billing_address", "shipping_address")
_GROUPS: Final = ("Wholesale", "Retailer", "General", "NOT LOGGED IN")
_CREATED: Final = parse(CREATED_AT)


class MutantVerdict(StrEnum):
    """What became of a mutant."""

    NOTICED = "noticed"
    SURVIVED = "survived"
    """No test notices it; ``missing`` is one that would, if one was found."""
    EQUIVALENT = "equivalent"
    """No order tells it from the original."""


@dataclass(frozen=True, slots=True)
class MutantResult:
    """A mutant, what became of it, and the missing test."""

    mutant: Mutant
    verdict: MutantVerdict
    missing: RuleTestDocument | None = None


@dataclass(frozen=True, slots=True)
class MutationRun:
    """All mutants of the rules under the tests of a project."""

    results: Sequence[MutantResult]

    def count(self, verdict: MutantVerdict) -> int:
        """How many mutants ended like this."""
        return sum(each.verdict is verdict for each in self.results)

    @property
    def share(self) -> float:
        """How many percent of the mutants that are not equivalent are noticed; 100 if there are none."""
        noticed, survived = self.count(MutantVerdict.NOTICED), self.count(MutantVerdict.SURVIVED)
        return 100 * noticed / (noticed + survived) if noticed + survived else 100.0


class Mutation:
    """Mutates the rules of these accounts, one step at a time."""

    def __init__(
        self, accounts: Sequence[Account], tests: Sequence[RuleTest], codes: Codes, *, timezone: str | None
    ) -> None:
        self._accounts = accounts
        self._tests = tests
        self._codes = codes
        self._timezone = timezone
        self._judge = self._judge_of(accounts)

    def run(self) -> MutationRun:
        """Judge every mutant."""
        found = (each for account in self._accounts for each in mutants_of(account))
        return MutationRun([self._result(each) for each in found])

    def _judge_of(self, accounts: Sequence[Account]) -> RuleTestJudge:
        return RuleTestJudge(accounts, self._codes, timezone=self._timezone)

    def _result(self, mutant: Mutant) -> MutantResult:
        judge = self._judge_of(
            [mutant.changed if each is mutant.original else each for each in self._accounts]
        )
        if any(judge.mismatches(each) for each in self._tests):
            return MutantResult(mutant, MutantVerdict.NOTICED)
        difference = _Difference(mutant, self._accounts)
        for order, now in difference.candidates():
            missing = self._telling(mutant, judge, order, now)
            if missing is not None:
                return MutantResult(mutant, MutantVerdict.SURVIVED, self._smaller(mutant, judge, missing))
        verdict = MutantVerdict.EQUIVALENT if difference.none else MutantVerdict.SURVIVED
        return MutantResult(mutant, verdict)

    def _telling(
        self, mutant: Mutant, judge: RuleTestJudge, order: Mapping[str, Any], now: Instant | None
    ) -> RuleTestDocument | None:
        """A test of this order that the original passes and the mutant does not."""
        written = RuleTestDocument(name="?", order=dict(order), expect=ExpectedOutcome(invited=False))
        if mutant.key == "skip_reviewed":
            written = struct_replace(written, given=GivenFacts(reviewed=True))
        if now is not None:
            written = struct_replace(written, now=iso(now))
        for expect in self._outcomes(mutant, rule_test(written, _NOWHERE)):
            asked = struct_replace(written, expect=expect)
            test = rule_test(asked, _NOWHERE)
            if judge.mismatches(test) and not self._judge.mismatches(test):
                return struct_replace(asked, name=_sentence(mutant.original, asked))
        return None

    def _outcomes(self, mutant: Mutant, test: RuleTest) -> Iterator[ExpectedOutcome]:
        """What becomes of the order under the original rules: as little as possible first."""
        decided = next(
            each for each in self._judge.decided(test) if each.request.source == mutant.original.orders
        )
        winner = decided.winner
        if winner is None:
            rule = decided.request.book.rule(mutant.original.interface_id)
            reason = None if rule is None else decided.reason(rule)
            if reason is not None:
                yield ExpectedOutcome(invited=False, account=mutant.original.name, reason=reason)
            return
        invited = ExpectedOutcome(invited=True, account=winner.name)
        yield invited
        if decided.scheduled_at is not None:
            yield struct_replace(invited, scheduled_at=iso(decided.scheduled_at))
        if decided.leaves_at is not None:
            yield struct_replace(invited, leaves_at=iso(decided.leaves_at))
        if decided.channel is not None:
            yield struct_replace(invited, channel=decided.channel)

    def _smaller(self, mutant: Mutant, judge: RuleTestJudge, test: RuleTestDocument) -> RuleTestDocument:
        """The test without keys of its order that do not matter."""
        order = test.order if isinstance(test.order, dict) else {}
        now = parse(test.now) if isinstance(test.now, str) else None
        for key in [each for each in order if each != "store_code"]:
            rest = {each: order[each] for each in order if each != key}
            found = self._telling(mutant, judge, rest, now)
            same = found is not None and found.expect == test.expect
            if same and found is not None and isinstance(found.order, dict):
                test, order = found, found.order
        return test


def _sentence(account: Account, test: RuleTestDocument) -> str:
    """A name for a test that was made."""
    order = test.order if isinstance(test.order, dict) else {}
    words = [f"{key} {_word(value)}" for key, value in order.items() if key != "store_code"]
    what = f"an order with {', '.join(words)}" if words else "an ordinary order"
    name = test.expect.account if test.expect.invited else account.name
    reason = "" if test.expect.reason is UNSET else f" ({test.expect.reason.value})"
    return f"{name} {'invites' if test.expect.invited else 'does not invite'} {what}{reason}"[:200]


def _word(value: Any) -> str:
    if isinstance(value, list | dict):
        return "as below"
    if isinstance(value, bool):
        return "true" if value else "false"
    return "missing" if value is None else str(value)


class _Difference:
    """The orders that may tell a mutant from its original; ``none`` once it is certain that none does."""

    def __init__(self, mutant: Mutant, accounts: Sequence[Account]) -> None:
        self._mutant = mutant
        self._solver = Solver(accounts, now=_CREATED)
        self._rules = [each.invitations for each in (mutant.original, mutant.changed)]
        self.none = False

    def candidates(self) -> Iterator[tuple[dict[str, Any], Instant | None]]:
        """Orders to try, with the present of the test, the most telling first."""
        forms = [rule_form(each) for each in (self._mutant.original, self._mutant.changed)]
        witnesses, certain = self._witnesses(forms)
        alone = self._solver.alone(forms[0])
        self.none = certain and not witnesses
        if alone.overlap is Overlap.NONE and self._never(forms[1]):
            self.none = True
        if alone.witness is not None:
            witnesses = [*witnesses, alone.witness]
        for witness in witnesses:
            for order in self._orders(witness):
                yield order, None
                yield from self._aged(order)

    def _never(self, form: RuleForm) -> bool:
        """Is it certain that no order matches the mutant?"""
        verdict = self._solver.all_of(form.cubes, (form,), complete=form.complete)
        return verdict.overlap is Overlap.NONE

    def _witnesses(self, forms: Sequence[RuleForm]) -> tuple[list[Witness], bool]:
        """Orders that only one of the rules admits, and whether these are certainly all."""
        key, (original, changed) = self._mutant.key, self._rules
        if key in MATCHING:
            parts = [
                (forms[0], without(forms[0].cubes, changed)),
                (forms[1], without(forms[1].cubes, original)),
            ]
        elif key == OVERRIDES:
            nodes = _override_nodes(original.pending_period_overrides, changed.pending_period_overrides)
            parts = [(forms[0], _both(forms[0].cubes, node)) for node in nodes]
        else:
            return [], False
        found, certain = [], True
        for form, cubes in parts:
            if cubes is None:
                certain = False
                continue
            verdict = self._solver.all_of(cubes, (form,), complete=form.complete)
            certain = certain and verdict.overlap is not Overlap.UNDECIDED
            if verdict.witness is not None:
                found.append(verdict.witness)
        return sorted(found, key=_is_odd), certain

    def _orders(self, witness: Witness) -> Iterator[dict[str, Any]]:
        """The order of a witness, and variants that touch the other keys of the rule."""
        rule = self._rules[0]
        consent = rule.consent
        missing = self._attributes
        passed = {"status_histories": _passed(witness.statuses)} if witness.statuses else {}
        plain = [order_of_witness(witness.values, ()), order_of_witness(witness.values, missing)]
        for order in [each for one in plain for each in (*self._others(one), one | passed)]:
            base = order
            if consent is not None:
                base = with_field(order, consent.field, consent.accept[0], custom=CUSTOM_ATTRIBUTES)
                for value in consent.accept[1:]:
                    yield with_field(order, consent.field, value, custom=CUSTOM_ATTRIBUTES)
            yield base
            yield order
            for status in rule.order_statuses:
                yield {**base, "status": status}
            for status in rule.cancel_statuses:
                yield {**base, "status": status, "status_histories": _passed(rule.order_statuses[:1])}
            yield {**base, "total_refunded": base.get("total_paid", base.get("grand_total", 100))}
            yield {**base, "customer_email": None}
            no_number = {name: {**base.get(name, {}), "telephone": None} for name in _ADDRESSES}
            yield {**base, **no_number}

    def _others(self, order: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """The order in store views and customer groups that a list does not name."""
        named = {"store_views": ("store_code", ("other",)), "customer_groups": ("customer_group", _GROUPS)}
        if self._mutant.key in named:
            key, values = named[self._mutant.key]
            for value in values:
                if order.get(key) is None:
                    yield {**order, key: value}

    def _aged(self, order: dict[str, Any]) -> Iterator[tuple[dict[str, Any], Instant]]:
        """The order at the ends of the age limit."""
        limit = self._rules[0].skip_orders_older_than
        if limit:
            yield order, _CREATED + limit * DAY
            yield order, _CREATED + limit * DAY + 1

    @property
    def _attributes(self) -> tuple[str, ...]:
        return tuple(sorted(attributes(each for rule in self._rules for each in rule.all_conditions)))


def _passed(statuses: Sequence[str]) -> list[dict[str, Any]]:
    """The history of an order that had these statuses."""
    return [{"created_at": CREATED_AT, "status": each} for each in statuses]


def _is_odd(witness: Witness) -> bool:
    """Has the order a negative number? An order that a shop may have tells people more."""
    return any(_negative(each) for each in witness.values.values())


def _negative(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(map(_negative, value.values()))
    if isinstance(value, list | tuple):
        return any(map(_negative, value))
    return isinstance(value, int | float) and value < 0


def _override_nodes(one: Sequence[Any], two: Sequence[Any]) -> Iterator[Node]:
    """Which orders may have another pending period; the first that differs is where to look."""
    for at in range(max(len(one), len(two))):
        before = one[at] if at < len(one) else None
        after = two[at] if at < len(two) else None
        if before == after:
            continue
        earlier = [normal(each.when, negated=True) for each in one[:at]]
        if before is not None:
            yield All((*earlier, normal(before.when)))
        if before is not None and after is not None and len(one) == len(two):
            yield All((*earlier, normal(before.when), normal(after.when, negated=True)))
            yield All((*earlier, normal(after.when), normal(before.when, negated=True)))
        return


def _both(cubes: Iterable[Cube], node: Node) -> Sequence[Cube] | None:
    others = cubes_of(node, _MOST_CUBES)
    rest = [both for one in cubes for two in others.cubes if (both := merged(one, two)) is not None]
    return tied(rest) if others.complete and len(rest) <= _MOST_CUBES else None
