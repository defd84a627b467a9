"""``lock``: who writes the state right now."""

from __future__ import annotations

import click

from ekomi_reconcile.cli.exits import Exit
from ekomi_reconcile.cli.globals import common
from ekomi_reconcile.cli.lazy import LazyGroup
from ekomi_reconcile.cli.lists import format_option, write_one
from ekomi_reconcile.cli.session import load_configuration, state_location
from ekomi_reconcile.render.state import lock_json, lock_text
from ekomi_reconcile.state.location import locate
from ekomi_reconcile.state.locking import holder


@click.group(cls=LazyGroup)
@common()
def lock() -> None:
    """The writer lock: show."""


@lock.command("show")
@format_option
@common()
def show(form: str) -> int:
    """Who holds the writer lock: where, since when, for what, in which CI job."""
    location, root = state_location(load_configuration())
    write_one(holder(locate(location, root=root)), form, as_text=lock_text, as_json=lock_json)
    return Exit.OK
