"""How rule tests ended, and which mutants they notice: text, JSON, JUnit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from xml.etree import ElementTree as ET

from ekomi_reconcile.model.diagnostic import Diagnostic
from ekomi_reconcile.model.document import Count, JsonObject
from ekomi_reconcile.plan.codec import diagnostic_json
from ekomi_reconcile.plan.document import DiagnosticEntry
from ekomi_reconcile.render.explain import VerdictEntry, account_text, verdict_json
from ekomi_reconcile.render.results import diagnostic_text
from ekomi_reconcile.render.tables import Paint, Tone, plural, printable
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
