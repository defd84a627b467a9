"""``test``: the unit tests of the rules; offline, without state and secrets."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

from ekomi_reconcile.cli.app import Exit
from ekomi_reconcile.cli.lists import stdout_paint, write_text
from ekomi_reconcile.cli.options import common, option, options
from ekomi_reconcile.cli.session import load_configuration
from ekomi_reconcile.config.configuration import Configuration
from ekomi_reconcile.config.secrets import redact
from ekomi_reconcile.config.settings import TESTS
from ekomi_reconcile.orders.normalize import Codes
from ekomi_reconcile.render.diagnostics import diagnostics_text
from ekomi_reconcile.render.rule_tests import RuleTestRun, rule_tests_json, rule_tests_junit, rule_tests_text
from ekomi_reconcile.render.tables import Paint, document_text
from ekomi_reconcile.rule_tests.files import load_tests, rule_test_files
from ekomi_reconcile.rule_tests.judging import RuleTestJudge


@click.command()
@click.argument("path", required=False)
@option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "junit"]),
    default="text",
    help="How to show the results; junit: XML for CI systems.",
)
@common()
def test(path: str | None, form: str) -> int:
    """Run the unit tests of the rules; offline.

    Needs no state and no secret. PATH is a file or a folder of tests; left out: the folder that `tests:` in
    the project file names. Of a test that fails every criterion is shown, as `explain` does.
    """
    configuration = load_configuration()
    run = _run(configuration, _files(configuration, path))
    if run.diagnostics and form != "json":
        click.echo(
            redact(diagnostics_text(run.diagnostics, Paint(options().colour_on(sys.stderr)))),
            err=True,
            nl=False,
        )
    match form:
        case "json":
            write_text(document_text(rule_tests_json(run)))
        case "junit":
            write_text(rule_tests_junit(run))
        case _:
            write_text(rule_tests_text(run, stdout_paint()))
    return Exit.OK if run.ok else Exit.ERROR


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


def _run(configuration: Configuration, files: Sequence[str]) -> RuleTestRun:
    loaded = load_tests(files, configuration.accounts, _codes(configuration))
    judge = RuleTestJudge(configuration.accounts)
    return RuleTestRun([judge.result(each) for each in loaded.tests], loaded.diagnostics)


def _codes(configuration: Configuration) -> Codes:
    """What ids of store views and customer groups mean, as far as the project file says."""
    stores: dict[int, str] = {}
    groups: dict[int, str] = {}
    for each in configuration.project.orders.values():
        stores |= each.stores
        groups |= each.customer_groups
    return Codes(stores, groups)
