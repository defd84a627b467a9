"""How rule tests ended, which mutants they notice, and what a backtest found: text, JSON, JUnit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from xml.etree import ElementTree as ET

from ekomi_reconcile.analysis import backtest
from ekomi_reconcile.model.diagnostic import Diagnostic
from ekomi_reconcile.model.document import Count, JsonObject, Time
from ekomi_reconcile.model.instant import iso
from ekomi_reconcile.model.review import ExpectedReviews, Response
from ekomi_reconcile.plan.codec import diagnostic_json
from ekomi_reconcile.plan.document import DiagnosticEntry
from ekomi_reconcile.render.explain import VerdictEntry, account_text, verdict_json
from ekomi_reconcile.render.results import diagnostic_text
from ekomi_reconcile.render.tables import Paint, Tone, at, plural, printable
from ekomi_reconcile.rule_tests.document import rule_test_yaml
from ekomi_reconcile.rule_tests.judging import Mismatch, RuleTestResult
from ekomi_reconcile.rule_tests.mutation import MutantResult, MutantVerdict, MutationRun

_SUITE = "ekomi-reconcile"
_PLAIN = Paint()


@dataclass(frozen=True, slots=True)
class RuleTestRun:
    """The results of all tests, and what is wrong with the files."""

    results: Sequence[RuleTestResult]
    diagnostics: Sequence[Diagnostic]

    @property
    def failed(self) -> int:
        """How many tests failed."""
        return sum(not each.ok for each in self.results)

    @property
    def invalid(self) -> int:
        """How many mistakes keep tests from running."""
        return sum(each.is_error for each in self.diagnostics)

    @property
    def ok(self) -> bool:
        """Did every test pass?"""
        return not (self.failed or self.invalid)


class MismatchEntry(JsonObject, frozen=True):
    """A key of ``expect``, with what was expected and what was found."""

    key: str
    expected: str
    found: str


class RuleTestEntry(JsonObject, frozen=True):
    """How one test ended; of one that failed with every account's criteria, as ``explain`` shows them."""

    name: str
    path: str
    line: Count
    ok: bool
    mismatches: list[MismatchEntry]
    accounts: list[VerdictEntry]


class RuleTestsDocument(JsonObject, frozen=True):
    """How the tests of the rules ended. ``diagnostics`` are mistakes in their files."""

    ok: bool
    passed: Count
    failed: Count
    tests: list[RuleTestEntry]
    diagnostics: list[DiagnosticEntry]


def rule_tests_json(run: RuleTestRun) -> RuleTestsDocument:
    """The object of ``test --format json``."""
    return RuleTestsDocument(
        ok=run.ok,
        passed=len(run.results) - run.failed,
        failed=run.failed,
        tests=[_entry(each) for each in run.results],
        diagnostics=[diagnostic_json(each) for each in run.diagnostics],
    )


def _entry(result: RuleTestResult) -> RuleTestEntry:
    test = result.test
    return RuleTestEntry(
        name=test.name,
        path=test.place.path,
        line=test.place.line,
        ok=result.ok,
        mismatches=[MismatchEntry(each.key, each.expected, each.found) for each in result.mismatches],
        accounts=[verdict_json(each) for found in result.explanations for each in found.verdicts],
    )


def rule_tests_text(run: RuleTestRun, paint: Paint) -> str:
    """One line per test, below a failed one what is not as expected and why, and the numbers at the end."""
    lines = [line for each in run.results for line in _lines(each, paint)]
    return "\n".join([*lines, _summary(run)]) + "\n"


def _lines(result: RuleTestResult, paint: Paint) -> Iterator[str]:
    verdict = paint(Tone.ADD, "pass") if result.ok else paint(Tone.REMOVE, "FAIL")
    test = result.test
    where = f"{printable(test.place.path)}:{test.place.line}"
    yield f"{verdict}  {where}: {printable(test.name)}"
    for each in result.mismatches:
        yield f"      {_mismatch(each)}"
    yield from (f"      {line}".rstrip() for line in _why(result, paint).splitlines())


def _mismatch(each: Mismatch) -> str:
    return f"{each.key}: expected {printable(each.expected)}, got {printable(each.found)}"


def _why(result: RuleTestResult, paint: Paint) -> str:
    """The criteria of the account that the test is about, or of all."""
    named = result.test.expect.account
    found = [(each, verdict) for each in result.explanations for verdict in each.verdicts]
    own = [(each, verdict) for each, verdict in found if verdict.account.name == named]
    return "".join(account_text(verdict, each, paint) for each, verdict in own or found)


def _summary(run: RuleTestRun) -> str:
    passed = len(run.results) - run.failed
    invalid = f", {plural(run.invalid, 'error')} in the files" if run.invalid else ""
    return f"{plural(len(run.results), 'test')}: {passed} passed, {run.failed} failed{invalid}."


def rule_tests_junit(run: RuleTestRun) -> str:
    """The results as JUnit's XML: a test case per test, its file as the class name."""
    totals = {"tests": str(len(run.results) + run.invalid), "failures": str(run.failed)}
    totals["errors"] = str(run.invalid)
    root = ET.Element("testsuites", {"name": _SUITE, **totals})
    suite = ET.SubElement(root, "testsuite", {"name": _SUITE, **totals})
    for result in run.results:
        place = result.test.place
        case = _case(suite, result.test.name, path=place.path, line=place.line)
        if not result.ok:
            message = "; ".join(map(_mismatch, result.mismatches))
            failure = ET.SubElement(case, "failure", {"message": message, "type": "mismatch"})
            failure.text = f"{place.path}:{place.line}\n{message}\n{_why(result, _PLAIN)}"
    for each in run.diagnostics:
        if each.is_error and each.place is not None:
            case = _case(
                suite, f"{each.rule}: {printable(each.message)}", path=each.place.path, line=each.place.line
            )
            attributes = {"message": printable(each.message), "type": each.rule}
            problem = ET.SubElement(case, "error", attributes)
            problem.text = diagnostic_text(each, _PLAIN)
    ET.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _case(suite: ET.Element, name: str, *, path: str, line: int) -> ET.Element:
    attributes = {"name": printable(name), "classname": printable(path), "file": path, "line": str(line)}
    return ET.SubElement(suite, "testcase", attributes)


class MutantEntry(JsonObject, frozen=True):
    """A change of a rule by one step. ``missing_test`` is a test that would notice it, as YAML."""

    account: str
    key: str
    step: str
    verdict: MutantVerdict
    missing_test: str | None


class MutantsDocument(JsonObject, frozen=True):
    """Which changes of the rules the tests notice; ``share`` is in percent, without equivalent ones."""

    noticed: Count
    survived: Count
    equivalent: Count
    share: float
    mutants: list[MutantEntry]


def mutants_json(run: MutationRun) -> MutantsDocument:
    """The object of ``test --mutate --format json``."""
    return MutantsDocument(
        noticed=run.count(MutantVerdict.NOTICED),
        survived=run.count(MutantVerdict.SURVIVED),
        equivalent=run.count(MutantVerdict.EQUIVALENT),
        share=round(run.share, 1),
        mutants=[_mutant_entry(each) for each in run.results],
    )


def _mutant_entry(result: MutantResult) -> MutantEntry:
    return MutantEntry(
        account=result.mutant.original.name,
        key=f"invitations.{result.mutant.key}",
        step=result.mutant.step,
        verdict=result.verdict,
        missing_test=None if result.missing is None else rule_test_yaml(result.missing),
    )


def mutants_text(run: MutationRun, paint: Paint) -> str:
    """The mutants that no test notices, each with a test that would, and the numbers at the end."""
    found = [each for each in run.results if each.verdict is MutantVerdict.SURVIVED]
    lines = [line for each in found for line in _survivor(each, paint)]
    return "\n".join([*lines, _share(run)]) + "\n"


def _survivor(result: MutantResult, paint: Paint) -> Iterator[str]:
    mutant = result.mutant
    step = f"invitations.{mutant.key}: {printable(mutant.step)}"
    yield f"{paint(Tone.REMOVE, 'survived')}  {printable(mutant.original.name)}: {step}"
    if result.missing is None:
        yield "  no order was found that shows the difference"
        return
    yield from (f"  {printable(line)}" for line in rule_test_yaml(result.missing).splitlines())


def _share(run: MutationRun) -> str:
    noticed, survived, equivalent = (run.count(each) for each in MutantVerdict)
    left = f" ({equivalent} equivalent, left out)" if equivalent else ""
    total = plural(noticed + survived, "mutant")
    return f"{total}: {noticed} noticed, {survived} survived{left}: {run.share:.1f} % noticed."


class BacktestAccountEntry(JsonObject, frozen=True):
    """How many invitations an account would have sent.

    ``expected_reviews`` is ``null`` where fewer than 30 were sent so far, or without a state.
    """

    account: str
    invited: Count
    expected_reviews: ExpectedReviews | None


class BacktestWeekEntry(JsonObject, frozen=True):
    """How many invitations of an account would have been due in a week; ``week`` is its Monday in UTC."""

    week: str
    account: str
    invited: Count


class RevisionEntry(JsonObject, frozen=True):
    """What the rules of one revision would have done; ``ref`` is ``.`` for the files as they are."""

    ref: str
    invited: Count
    accounts: list[BacktestAccountEntry]
    weeks: list[BacktestWeekEntry]


class ReplayedEntry(JsonObject, frozen=True):
    """The invitation of an order: which account, and when it would have been due."""

    account: str
    scheduled_at: Time


class DifferentOrderEntry(JsonObject, frozen=True):
    """An order that the two revisions treat differently."""

    order: str
    kind: backtest.Difference
    first: ReplayedEntry | None
    second: ReplayedEntry | None


class DifferenceEntry(JsonObject, frozen=True):
    """How many orders the second revision treats differently, with a few examples of each kind."""

    only_first: Count
    only_second: Count
    other_account: Count
    other_time: Count
    examples: list[DifferentOrderEntry]


class BacktestDocument(JsonObject, frozen=True):
    """Whom the rules would have invited; ``approximate`` orders have no complete history.

    Under the rules then in force, the ``agreement`` share of ``compared`` orders has the recorded account.
    """

    since: Time
    orders: Count
    approximate: Count
    revisions: list[RevisionEntry]
    difference: DifferenceEntry | None
    agreement: float | None
    compared: Count


def backtest_json(run: backtest.Backtest) -> BacktestDocument:
    """The object of ``backtest --format json``."""
    return BacktestDocument(
        since=iso(run.since),
        orders=run.orders,
        approximate=run.approximate,
        revisions=[_revision_entry(each, run.responses) for each in run.revisions],
        difference=_difference_entry(run) if len(run.revisions) > 1 else None,
        agreement=None if run.recorded is None else run.recorded.agreement,
        compared=0 if run.recorded is None else run.recorded.compared,
    )


def _revision_entry(revision: backtest.ReplayedRules, responses: Mapping[str, Response]) -> RevisionEntry:
    names = {each.interface_id: each.name for each in revision.accounts}
    weeks = sorted((week, names[key], count) for (week, key), count in revision.weeks.items())
    return RevisionEntry(
        ref=revision.ref,
        invited=revision.invited.total(),
        accounts=[
            _account_entry(each.name, revision.invited[each.interface_id], responses.get(each.interface_id))
            for each in sorted(revision.accounts, key=lambda each: each.name)
        ],
        weeks=[BacktestWeekEntry(iso(week)[:10], name, count) for week, name, count in weeks],
    )


def _account_entry(name: str, invited: int, responses: Response | None) -> BacktestAccountEntry:
    return BacktestAccountEntry(name, invited, None if responses is None else responses.expected(invited))


def _difference_entry(run: backtest.Backtest) -> DifferenceEntry:
    examples = [
        DifferentOrderEntry(each.number, each.kind, _replayed(each.first), _replayed(each.second))
        for each in run.examples
    ]
    kind = backtest.Difference
    return DifferenceEntry(
        only_first=run.differences[kind.ONLY_FIRST],
        only_second=run.differences[kind.ONLY_SECOND],
        other_account=run.differences[kind.OTHER_ACCOUNT],
        other_time=run.differences[kind.OTHER_TIME],
        examples=examples,
    )


def _replayed(found: backtest.Replayed | None) -> ReplayedEntry | None:
    return None if found is None else ReplayedEntry(found.account.name, iso(found.due))


def backtest_text(run: backtest.Backtest, paint: Paint) -> str:
    """The same for people."""
    approximate = f"{run.approximate} approximate (no complete status history)"
    lines = [f"{plural(run.orders, 'order')} since {at(run.since)}; {approximate}."]
    for each in run.revisions:
        lines += ["", *_revision_lines(_revision_entry(each, run.responses), paint)]
    if len(run.revisions) > 1:
        lines += ["", *_difference_lines(run, _difference_entry(run), paint)]
    if run.recorded is not None and (share := run.recorded.agreement) is not None:
        compared = plural(run.recorded.compared, "order")
        lines += [
            "",
            f"Under the rules then in force, {share:.2%} of {compared} agree with the recorded queue.",
        ]
    return "\n".join([*lines, "", *_LIMITS]) + "\n"


_LIMITS = (
    "Today's suppression list, customer groups and categories apply. Not replayed: reviews,",
    "the limit per customer, order numbers that occur twice, and what was done by hand.",
)


def _revision_lines(entry: RevisionEntry, paint: Paint) -> Iterator[str]:
    where = "the files as they are" if entry.ref == "." else printable(entry.ref)
    yield f"{paint(Tone.STRONG, where)}: {entry.invited} invited"
    for each in entry.accounts:
        yield f"  {printable(each.account)}: {each.invited}{_expected(each.expected_reviews)}"
    for week in entry.weeks:
        yield f"    week of {week.week}  {printable(week.account)}: {week.invited}"


def _expected(reviews: ExpectedReviews | None) -> str:
    if reviews is None:
        return ""
    return f"; about {reviews.mid:.0f} reviews to expect ({reviews.low:.0f} to {reviews.high:.0f})"


def _difference_lines(run: backtest.Backtest, entry: DifferenceEntry, paint: Paint) -> Iterator[str]:
    first, second = (printable(each.ref) for each in run.revisions)
    yield f"{paint(Tone.STRONG, 'Difference')} from {first} to {second}:"
    yield f"  only under {first}: {entry.only_first}"
    yield f"  only under {second}: {entry.only_second}"
    yield f"  through another account: {entry.other_account}"
    yield f"  at another time: {entry.other_time}"
    for each in entry.examples:
        yield f"  order {printable(each.order)}: {_end(each.first)} → {_end(each.second)}"


def _end(entry: ReplayedEntry | None) -> str:
    return "not invited" if entry is None else f"{printable(entry.account)}, due {entry.scheduled_at}"
