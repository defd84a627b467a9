"""``version``: imports nothing heavy."""

from __future__ import annotations

import platform
from importlib.util import find_spec

import click

from ekomi_reconcile import __version__
from ekomi_reconcile.cli.options import common, option

FORMATS = {"configuration": "1", "events": "1.0", "output": "1.0", "plan": "1.1", "state": "6"}
"""Versions of the formats; a test holds them to the modules that define them."""

EXTRAS = {"keyring": "keyring", "parquet": "pyarrow", "postgres": "psycopg", "sandbox": "starlette"}
"""What can be installed beside the core, and a package that comes with it."""


@click.command()
@option("--json", "as_json", is_flag=True, help="As JSON, with the versions of the formats and the extras.")
@common()
def version(as_json: bool) -> int:
    """Print the version."""
    if as_json:
        from ekomi_reconcile.render.tables import VersionDocument, document_text

        facts = VersionDocument(
            version=__version__,
            python=platform.python_version(),
            formats=FORMATS,
            extras={extra: find_spec(package) is not None for extra, package in EXTRAS.items()},
        )
        click.echo(document_text(facts), nl=False)
    else:
        click.echo(f"ekomi-reconcile {__version__}")
    return 0
