"""Which mutants of the rules the tests notice, as text and as JSON."""

from __future__ import annotations

from collections.abc import Iterator

from ekomi_reconcile.model.document import Count, JsonObject
from ekomi_reconcile.render.tables import Paint, Tone, plural, printable
from ekomi_reconcile.rule_tests.mutation import MutantResult, MutantVerdict, MutationRun
from ekomi_reconcile.rule_tests.writing import rule_test_yaml


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
