"""``orders``: what is in an order file."""

from __future__ import annotations

from pathlib import Path

import click

from ekomi_reconcile.cli.app import Exit, LazyGroup
from ekomi_reconcile.cli.lists import format_option, write_one
from ekomi_reconcile.cli.options import FilePath, common, options
from ekomi_reconcile.render.orders import inspection_json, inspection_text


@click.group(cls=LazyGroup)
@common()
def orders() -> None:
    """Order files: inspect."""


@orders.command("inspect")
@click.argument("file", type=FilePath(path_type=Path))
@format_option
@common()
def inspect(file: Path, form: str) -> int:
    """Show what was recognised in an order file and what is missing, and print a mapping to paste.

    Needs no project. Names, addresses and amounts are not shown. Exit 1 where an order cannot be read, or a
    required column is missing.
    """
    from ekomi_reconcile.orders.inspection import inspect_file

    found = inspect_file(options().directory / file)
    write_one(found, form, as_text=inspection_text, as_json=inspection_json)
    required = {"increment_id", "created_at"} & set(found.missing)
    unreadable = any(each.severity.value == "error" for each in found.problems)
    return Exit.ERROR if required or unreadable else Exit.OK
