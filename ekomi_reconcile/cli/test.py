"""``test``: the unit tests of the rules; offline, without state and secrets."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

from ekomi_reconcile.cli.app import Exit
from ekomi_reconcile.cli.lists import stdout_paint, write_one, write_text
from ekomi_reconcile.cli.options import FilePath, common, option, options
from ekomi_reconcile.cli.session import load_configuration
from ekomi_reconcile.config.configuration import Configuration
from ekomi_reconcile.config.secrets import redact
from ekomi_reconcile.config.settings import TESTS
from ekomi_reconcile.model import instant
from ekomi_reconcile.orders.normalize import Codes
from ekomi_reconcile.render.diagnostics import diagnostics_text
from ekomi_reconcile.render.rule_tests import (
    RuleTestRun,
    rule_tests_json,
    rule_tests_junit,
    rule_tests_text,
)
from ekomi_reconcile.render.tables import Paint, document_text
from ekomi_reconcile.rule_tests.files import LoadedTests, load_tests, rule_test_files
from ekomi_reconcile.rule_tests.judging import RuleTestJudge


@click.command()
@click.argument("path", required=False, type=FilePath())
@option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "junit"]),
    default="text",
    help="How to show the results; junit: XML for CI systems.",
)
@option("--mutate", is_flag=True, help="Change the rules one step at a time, and show what no test notices.")
@option(
    "--min",
    "least",
    type=click.FloatRange(0, 100),
    metavar="N",
    help="With --mutate: exit with 1 where less than N percent of the changes are noticed.",
)
@option("--suggest", metavar="ORDER", help="Write a test out of a real order, without personal data.")
@common()
def test(path: str | None, form: str, *, mutate: bool, least: float | None, suggest: str | None) -> int:
    """Run the unit tests of the rules; offline.

    Needs no state and no secret. PATH is a file or a folder of tests; left out: the folder that `tests:` in
    the project file names. Of a test that fails every criterion is shown, as `explain` does.

    With --mutate every rule is changed by one step at a time (14 days become 13, gte becomes gt, a condition
    is left out). A change that no test notices is shown with a test that would notice it, ready to paste.

    With --suggest a test is written to stdout out of a real order, by its number or '#123' for its id. Only
    this reads the shop or the order file. Personal data is left out, and named where a rule looks at it.
    """
    if suggest is not None:
        if path is not None or mutate or form != "text":
            raise click.UsageError("--suggest stands alone.")
        return _suggested(load_configuration(), suggest)
    if least is not None and not mutate:
        raise click.UsageError("--min needs --mutate.")
    if mutate and form == "junit":
        raise click.UsageError("--format junit shows tests, not mutants; leave out --mutate.")
    configuration = load_configuration()
    loaded, run = _run(configuration, _files(configuration, path))
    _show_diagnostics(run, form)
    if mutate and run.ok:
        return _mutated(configuration, loaded, form, least)
    match form:
        case "json":
            write_text(document_text(rule_tests_json(run)))
        case "junit":
            write_text(rule_tests_junit(run))
        case _:
            write_text(rule_tests_text(run, stdout_paint()))
    if mutate:
        click.echo("The rules were not changed: correct the tests that fail first.", err=True)
    return Exit.OK if run.ok else Exit.ERROR


def _show_diagnostics(run: RuleTestRun, form: str) -> None:
    if run.diagnostics and form != "json":
        text = diagnostics_text(run.diagnostics, Paint(options().colour_on(sys.stderr)))
        click.echo(redact(text), err=True, nl=False)


def _mutated(configuration: Configuration, loaded: LoadedTests, form: str, least: float | None) -> int:
    from ekomi_reconcile.render.rule_mutants import mutants_json, mutants_text
    from ekomi_reconcile.rule_tests.mutation import Mutation

    mutation = Mutation(
        configuration.accounts,
        loaded.tests,
        _codes(configuration),
        timezone=configuration.project.timezone,
    )
    found = mutation.run()
    write_one(found, form, as_text=mutants_text, as_json=mutants_json)
    if least is None or found.share >= least:
        return Exit.OK
    click.echo(f"{found.share:.1f} % of the changes are noticed; --min asks for {least:g} %.", err=True)
    return Exit.ERROR


def _suggested(configuration: Configuration, text: str) -> int:
    from ekomi_reconcile.explain.order_lookup import find_order
    from ekomi_reconcile.reconcile.sources import Sources
    from ekomi_reconcile.rule_tests.suggestion import suggest
    from ekomi_reconcile.rule_tests.writing import rule_test_yaml

    with Sources(configuration) as sources:
        found = find_order(text, tuple(configuration.project.orders), sources.get).found
    accounts = [each for each in configuration.accounts if each.orders == found.source]
    made = suggest(found.order, accounts, _judge(configuration), now=instant.now())
    write_text(rule_test_yaml(made.test))
    if made.left_out and not options().quiet:
        names = ", ".join(each.removeprefix("field:") for each in made.left_out)
        click.echo(
            f"Personal data is left out, and the rules look at some of it: {names}. The test expects what "
            "becomes of an order without it; write made-up values where they matter.",
            err=True,
        )
    return Exit.OK


def _judge(configuration: Configuration) -> RuleTestJudge:
    timezone = configuration.project.timezone
    return RuleTestJudge(configuration.accounts, _codes(configuration), timezone=timezone)


def _files(configuration: Configuration, path: str | None) -> Sequence[str]:
    """The files of the tests. A project without the folder that is the default has no tests yet."""
    if path is not None:
        return rule_test_files((options().directory / path).as_posix())
    written = configuration.project.tests
    folder = configuration.resolve(written)
    if written == TESTS and not folder.exists():
        if not options().quiet:
            click.echo(f"There are no tests yet: the folder {folder.as_posix()} does not exist.", err=True)
        return ()
    return rule_test_files(folder.as_posix())


def _run(configuration: Configuration, files: Sequence[str]) -> tuple[LoadedTests, RuleTestRun]:
    judge = _judge(configuration)
    loaded = load_tests(files, configuration.accounts, judge)
    return loaded, RuleTestRun([judge.result(each) for each in loaded.tests], loaded.diagnostics)


def _codes(configuration: Configuration) -> Codes:
    """What ids of store views and customer groups mean, as far as the project file says."""
    stores: dict[int, str] = {}
    groups: dict[int, str] = {}
    for each in configuration.project.orders.values():
        stores |= each.stores
        groups |= each.customer_groups
    return Codes(stores, groups)
