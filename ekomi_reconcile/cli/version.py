"""``version``: which version this is, and on what it runs."""

from __future__ import annotations

import json
import platform

import click

from ekomi_reconcile import __version__
from ekomi_reconcile.cli.globals import common, option

FORMATS = {"plan": "1.0", "state": "1", "configuration": "1"}
"""Versions of the formats; a test holds them to the modules that define them."""


@click.command()
@option("--json", "as_json", is_flag=True, help="As JSON, with the versions of the formats.")
@common()
def version(as_json: bool) -> int:
    """Print the version."""
    if as_json:
        facts = {"version": __version__, "python": platform.python_version(), "formats": FORMATS}
        click.echo(json.dumps(facts, indent=2))
    else:
        click.echo(f"ekomi-reconcile {__version__}")
    return 0
