"""``validate``: check the files, offline and without any secret."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

from ekomi_reconcile import __version__
from ekomi_reconcile.cli.app import Exit
from ekomi_reconcile.cli.files import from_the_top
from ekomi_reconcile.cli.options import common, option, options
from ekomi_reconcile.cli.output import write_result
from ekomi_reconcile.cli.session import configuration_path
from ekomi_reconcile.config.load import check
from ekomi_reconcile.model.diagnostic import Diagnostic
from ekomi_reconcile.privacy.suppression import check_suppression_list
from ekomi_reconcile.render import diagnostics
from ekomi_reconcile.render.tables import Paint, document_text, json_text


@click.command()
@option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "github", "sarif"]),
    default="text",
    help="How to show findings; github: as annotations of a pull request.",
)
@option("--strict", is_flag=True, help="Warnings fail too.")
@common()
def validate(form: str, strict: bool) -> int:
    """Check the files: schema, cross-file rules, lint. Offline, and without any secret."""
    path = configuration_path()
    configuration, found = check(path)
    if configuration is not None and (listed := configuration.suppression_list) is not None:
        found = (*found, *check_suppression_list(listed))
    accounts = None if configuration is None else len(configuration.accounts)
    match form:
        case "json":
            write_result(document_text(diagnostics.diagnostics_json(found)))
        case "sarif":
            log = diagnostics.sarif_json(from_the_top(found, path.parent), tool_version=__version__)
            write_result(json_text(log) + "\n")
        case "github":
            write_result(diagnostics.github_commands(from_the_top(found, path.parent)))
            write_result(diagnostics.verdict_text(found, accounts=accounts) + "\n")
        case _:
            click.echo(
                diagnostics.diagnostics_text(found, Paint(options().colour_on(sys.stderr))),
                err=True,
                nl=False,
            )
            write_result(diagnostics.verdict_text(found, accounts=accounts) + "\n")
    return Exit.ERROR if _fails(found, strict=strict) else Exit.OK


def _fails(found: Sequence[Diagnostic], *, strict: bool) -> bool:
    return any(strict or each.is_error for each in found)
