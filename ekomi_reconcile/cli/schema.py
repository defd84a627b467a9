"""``schema``: print a JSON Schema."""

from __future__ import annotations

import json

import click

from ekomi_reconcile.cli.globals import common


@click.command()
@click.argument("kind", type=click.Choice(["account", "project", "plan"]))
@common()
def schema(kind: str) -> int:
    """Print a JSON Schema: account, project or plan."""
    if kind == "plan":
        from ekomi_reconcile.plan.schema import plan_schema

        found = plan_schema()
    else:
        from ekomi_reconcile.config.schema import schema as of

        found = of(kind)
    click.echo(json.dumps(found, indent=2, ensure_ascii=False))
    return 0
