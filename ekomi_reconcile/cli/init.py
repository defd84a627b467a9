"""``init``: a new project."""

from __future__ import annotations

from typing import Final

import click

from ekomi_reconcile.cli.options import common, option, options
from ekomi_reconcile.cli.output import write_result
from ekomi_reconcile.scaffold.files import (
    CI,
    IGNORE,
    PACKAGE_VARIABLE,
    STATE_FOLDER,
    Scaffolded,
    account_path,
    password_variable,
    project_files,
    write_project,
)

_NO_CI: Final = "none"


@click.command()
@option(
    "--ci",
    type=click.Choice([*CI, _NO_CI]),
    default=_NO_CI,
    show_default=True,
    help="Whose workflow to write: check and plan on every pull request, apply on a schedule.",
)
@option("--name", default="Germany", show_default=True, help="Name of the example account.")
@common()
def init(ci: str, name: str) -> int:
    """Start a project: settings, an example account, schemas for editors, CI.

    Written into the working directory; files that are there already stay as they are. The example account is
    disabled. Nothing is called, and no secret is needed.
    """
    files = project_files(name, None if ci == _NO_CI else ci)
    done = write_project(options().directory, files)
    write_result("".join(f"wrote {path}\n" for path in done.written))
    write_result("".join(f"kept  {path}\n" for path in done.kept))
    if not options().quiet:
        click.echo(_advice(done, name), err=True)
    return 0


def _advice(done: Scaffolded, name: str) -> str:
    lines = [] if done.state_is_ignored else [f"Add {STATE_FOLDER} to {IGNORE}: the state is not for git."]
    workflow = next((path for path in CI.values() if path in done.written), None)
    install = [f"  6. set {PACKAGE_VARIABLE} in {workflow}: what CI installs"] if workflow else []
    account, password = account_path(name), f" {password_variable(name)}=…"
    where = f"ekomi-reconcile.yaml and {account}"
    if account not in done.written:
        where, password = "ekomi-reconcile.yaml", " and the passwords of your accounts"
    return "\n".join(
        [
            *lines,
            "Next:",
            f"  1. put your own values into {where}",
            "  2. ekomi-reconcile validate",
            f"  3. export MAGENTO_TOKEN=…{password}",
            "  4. ekomi-reconcile state init --pin",
            "  5. ekomi-reconcile plan",
            *install,
        ]
    )
