"""``version`` and ``schema``."""

from __future__ import annotations

import json
import platform
import sys
from importlib.util import find_spec
from pathlib import Path

import click

from ekomi_reconcile import __version__
from ekomi_reconcile.cli.options import common, option
from ekomi_reconcile.config.schema import KINDS
from ekomi_reconcile.config.schema import schema as file_schema
from ekomi_reconcile.model.account import Json
from ekomi_reconcile.plan.schema import plan_schema
from ekomi_reconcile.render.json_schemas import NAMES, output_schema

FORMATS = {"configuration": "1", "events": "1.0", "output": "1.0", "plan": "1.0", "state": "1"}
"""Versions of the formats; a test holds them to the modules that define them."""

EXTRAS = {"keyring": "keyring", "parquet": "pyarrow", "postgres": "psycopg", "sandbox": "starlette"}
"""What can be installed beside the core, and a package that comes with it."""


@click.command()
@option("--json", "as_json", is_flag=True, help="As JSON, with the versions of the formats and the extras.")
@common()
def version(as_json: bool) -> int:
    """Print the version."""
    if as_json:
        from ekomi_reconcile.render.tables import document_text

        facts = {
            "version": __version__,
            "python": platform.python_version(),
            "formats": FORMATS,
            "extras": {extra: find_spec(package) is not None for extra, package in EXTRAS.items()},
        }
        click.echo(document_text(facts), nl=False)
    else:
        click.echo(f"ekomi-reconcile {__version__}")
    return 0


_PLAN, _STATE = "plan", "state"
ALL = (*KINDS, _PLAN, _STATE, *NAMES)
"""The files, the plan, what `state pull` writes, and what other commands write."""


@click.command()
@click.argument("kind", type=click.Choice(ALL), metavar="NAME")
@common()
def schema(kind: str) -> int:
    """Print a JSON Schema: of the files, of the plan, of a pulled state, of what a command writes.

    A command's is called like it: `accounts-list`, `invitations-show`; `events` is one line of --json-events.
    """
    click.echo(schema_text(kind), nl=False)
    return 0


def schema_text(name: str) -> str:
    """The text of a schema's file."""
    return json.dumps(_schema(name), indent=2, ensure_ascii=False) + "\n"


def _schema(name: str) -> dict[str, Json]:
    if name == _PLAN:
        return plan_schema()
    if name == _STATE:
        from ekomi_reconcile.state.maintenance.export_schema import state_schema

        return state_schema()
    return file_schema(name) if name in KINDS else output_schema(name)


def write_all(folder: Path) -> None:
    """Write every schema into its file."""
    for name in ALL:
        (folder / f"{name}.schema.json").write_text(schema_text(name), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    write_all(Path(sys.argv[1]))
