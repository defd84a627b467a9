"""``validate``: check the files, offline and without any secret."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

import click

from ekomi_reconcile.cli.exits import Exit
from ekomi_reconcile.cli.globals import common, option, options
from ekomi_reconcile.cli.session import configuration_path, write_result
from ekomi_reconcile.config.load import check
from ekomi_reconcile.model.diagnostic import Diagnostic
from ekomi_reconcile.render.diagnostics import diagnostics_json, diagnostics_text, verdict_text
from ekomi_reconcile.render.style import Paint


@click.command()
@option("--format", "form", type=click.Choice(["text", "json"]), default="text", help="How to show findings.")
@option("--strict", is_flag=True, help="Warnings fail too.")
@common()
def validate(form: str, strict: bool) -> int:
    """Check the files: schema, cross-file rules, lint. Offline, and without any secret."""
    configuration, found = check(configuration_path())
    if form == "json":
        write_result(json.dumps(diagnostics_json(found), indent=2, ensure_ascii=False) + "\n")
    else:
        click.echo(diagnostics_text(found, Paint(options().colour_on(sys.stderr))), err=True, nl=False)
        accounts = None if configuration is None else len(configuration.accounts)
        write_result(verdict_text(found, accounts=accounts) + "\n")
    return Exit.ERROR if _fails(found, strict=strict) else Exit.OK


def _fails(found: Sequence[Diagnostic], *, strict: bool) -> bool:
    return any(strict or each.is_error for each in found)
