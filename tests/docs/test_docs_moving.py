"""The comparison with eKomi's plugin and the extension names only keys and commands that exist."""

import json
import re

import click
from docs_blocks import DOCS, ROOT

from ekomi_reconcile.cli.main import app

PAGE = (DOCS / "how-to" / "moving-from-the-official-plugin.md").read_text("utf-8")
ROWS = [line.strip("| ").split(" | ") for line in PAGE.splitlines() if line.startswith("| ")]


def quoted():
    """What stands between backquotes in the right column."""
    return {each for row in ROWS for each in re.findall(r"`([^`]+)`", row[-1])}


def keys_of(schema):
    """Every key of a schema, at any depth."""
    if isinstance(schema, dict):
        yield from schema.get("properties", {})
        for each in schema.values():
            yield from keys_of(each)
    elif isinstance(schema, list):
        for each in schema:
            yield from keys_of(each)


def commands(group=app, prefix=""):
    """All commands with their groups."""
    for name in group.list_commands(click.Context(group)):
        yield prefix + name
        found = group.get_command(click.Context(group), name)
        if isinstance(found, click.Group):
            yield from commands(found, f"{prefix}{name} ")


def test_every_row_has_an_answer():
    """A key or command, a link, or the reason why not."""
    silent = [
        row for row in ROWS if len(row) != 2 or not re.search(r"`|\]\(|not here|file|apply|---", row[1])
    ]
    assert silent == [["there", "here"]] * 2


def test_keys_and_commands_exist():
    """Words of the files are keys of a schema or their values; other words are commands and options."""
    schemas = [(ROOT / "schemas" / f"{kind}.schema.json").read_text() for kind in ("account", "project")]
    known = {key for text in schemas for key in keys_of(json.loads(text))} | set(commands())
    words = "\n".join(schemas)
    statuses = {"skipped", "unknown"}
    for each in quoted() - statuses:
        name = re.split(r"[:{]", each)[0].strip()
        option = each.startswith("-")
        path = name.split(".")[-1]
        command = re.sub(r" (--?\S+.*|[A-Z]+)$", "", each)
        assert option or path in known or f'"{name}"' in words or command in known or each in words, each
