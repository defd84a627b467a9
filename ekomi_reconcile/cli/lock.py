"""``lock`` and ``force-unlock``: who writes the state, and releasing a stale lock."""

from __future__ import annotations

from contextlib import suppress

import click

from ekomi_reconcile.cli.app import Exit, LazyGroup
from ekomi_reconcile.cli.lists import format_option, write_one
from ekomi_reconcile.cli.options import common
from ekomi_reconcile.cli.session import load_configuration, state_location, writing
from ekomi_reconcile.config.configuration import Configuration
from ekomi_reconcile.model import instant
from ekomi_reconcile.model.errors import SecretError, StateError
from ekomi_reconcile.model.state import LockInfo
from ekomi_reconcile.render.state import broken_text, lock_json, lock_text
from ekomi_reconcile.state.engine.location import locate
from ekomi_reconcile.state.engine.writer_lock import lock_holder, release_lock


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
    write_one(lock_holder(locate(location, root=root)), form, as_text=lock_text, as_json=lock_json)
    return Exit.OK


_OPERATION = "force-unlock"


@click.command(_OPERATION)
@click.argument("lock_id", metavar="ID")
@format_option
@common()
def force_unlock(lock_id: str, form: str) -> int:
    """Break the writer lock of a process that is certainly dead.

    ID is what `lock show` tells. A holder that is alive after all notices before it writes.
    """
    configuration = load_configuration()
    location, root = state_location(configuration)
    broken = release_lock(locate(location, root=root), lock_id)
    _journal(configuration, broken)
    write_one(broken, form, as_text=broken_text, as_json=lock_json)
    return Exit.OK


def _journal(configuration: Configuration, broken: LockInfo) -> None:
    """Write it down, if that is possible: the lock is broken in any case."""
    with suppress(StateError, SecretError), writing(configuration, _OPERATION) as state:
        state.journal.add(_OPERATION, subject=f"lock {broken.ID}", outcome=str(broken), now=instant.now())
