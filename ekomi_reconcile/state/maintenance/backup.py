"""Copies of a state.

A copy is a private file without the key of the digests. Copies made by ``apply`` on its own stand beside
a file state; a database has its own tools for that.
"""

from __future__ import annotations

import re
from pathlib import Path

from ekomi_reconcile.model.errors import StateMissing
from ekomi_reconcile.state.engine.location import FileLocation, Location, file_errors
from ekomi_reconcile.state.engine.sqlite import back_up, free_name, remove_abandoned
from ekomi_reconcile.state.maintenance.table_dump import copy_content
from ekomi_reconcile.state.opening import build_file
from ekomi_reconcile.state.store import State

EVERY = 20
"""So many runs of ``apply`` that did something, and a copy is made."""

KEPT = 5
"""So many copies made by ``apply`` are kept."""

_AUTOMATIC = "apply-"


def copy_to(state: State, target: Path) -> Path:
    """Write a copy of the state; where the name is taken it gets a number. Returns its path.

    Raises:
        StateError: it cannot be written; then nothing is left behind.
    """
    location, session = state.location, state.session
    if isinstance(location, FileLocation):
        with file_errors(location.path):
            remove_abandoned(location.path)
        return back_up(session.connection, session.dialect, target=target)
    path = free_name(target)
    build_file(FileLocation(path), lambda copy: copy_content(copy, state, serial=state.meta.identity.serial))
    return path


def copy_now_and_then(state: State, *, every: int = EVERY, keep: int = KEPT) -> Path | None:
    """Count this run; each time ``every`` runs have passed, make a copy and keep the last ``keep``.

    Returns the new copy, if there is one. Raises ``StateError`` if it cannot be written.
    """
    if not isinstance(state.location, FileLocation):
        return None
    runs = state.meta.count_run()
    if runs % every:
        return None
    made = copy_to(state, state.location.backup(f"{_AUTOMATIC}{runs:08}"))
    for old in automatic_copies(state.location)[:-keep]:
        old.unlink(missing_ok=True)
    return made


def automatic_copies(location: Location) -> list[Path]:
    """The copies that ``apply`` made, the oldest first."""
    if not isinstance(location, FileLocation):
        return []
    name = re.compile(re.escape(f"{location.path.name}.{_AUTOMATIC}") + r"\d{8}\.backup(\.\d+)?")
    return sorted(each for each in location.path.parent.iterdir() if name.fullmatch(each.name))


def copies_beside(location: Location) -> list[Path]:
    """Every copy of a file state that stands beside it under a name that this tool gives."""
    if not isinstance(location, FileLocation) or not location.path.parent.is_dir():
        return []
    name = re.compile(re.escape(location.path.name) + r"\..+\.backup(\.\d+)?")
    return sorted(each for each in location.path.parent.iterdir() if name.fullmatch(each.name))


def needs_file(path: Path) -> None:
    """Make sure that there is a file.

    Raises:
        StateMissing: there is none.
    """
    with file_errors(path):
        if not path.is_file():
            raise StateMissing(f"there is no copy at {path}", mend="check the name")
