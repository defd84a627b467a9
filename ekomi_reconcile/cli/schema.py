"""``schema``: print a JSON Schema."""

from __future__ import annotations

import json

import click

from ekomi_reconcile.cli.options import common
from ekomi_reconcile.config.schema import KINDS
from ekomi_reconcile.config.schema import schema as file_schema
from ekomi_reconcile.model.account import Json
from ekomi_reconcile.plan.document import plan_schema
from ekomi_reconcile.render.json_schemas import NAMES, output_schema

_PLAN, _STATE, _TEST = "plan", "state", "test"
ALL = (*KINDS, _TEST, _PLAN, _STATE, *NAMES)
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
    if name == _TEST:
        from ekomi_reconcile.rule_tests.document import rule_test_schema

        return rule_test_schema()
    return file_schema(name) if name in KINDS else output_schema(name)
