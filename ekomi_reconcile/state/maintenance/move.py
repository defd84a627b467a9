"""Move a state to another location, compared row by row."""

from __future__ import annotations

from pathlib import Path

from ekomi_reconcile.model.errors import StateError, StateLost, StateMissing
from ekomi_reconcile.model.instant import Instant
from ekomi_reconcile.model.state import Moved, TableDigest
from ekomi_reconcile.state.engine import location
from ekomi_reconcile.state.engine.key import read_key
from ekomi_reconcile.state.maintenance.table_dump import copy_content
from ekomi_reconcile.state.opening import Mode, build_state, open_state
from ekomi_reconcile.state.store import State

OPERATION = "state migrate"


def move(state: State, target: str, *, root: Path, configured: bytes | None, now: Instant) -> Moved:
    """Copy a state to another place, and compare both row by row; the caller holds both writer locks.

    The state stays as it is; its journal says where it went. ``configured`` is the key of the settings.
    Killed at whatever moment, there is all of it at the target or nothing.

    Raises:
        StateError: there is a state at the target already, or the key of the digests cannot come along;
            nothing was copied.
    """
    place = location.locate(target, root=root)
    if _resolved(place) == _resolved(state.location):
        raise StateError(f"the state is at {place} already", mend="name another place")
    key = state.key.require()
    _must_be_free(place, target, root=root)
    _bring_key(place, key, configured=configured)
    with state.transaction():
        serial = state.meta.bump_serial()
        state.journal.add(OPERATION, subject=str(place), outcome=f"copied with serial {serial}", now=now)
    tables: dict[str, TableDigest] = {}
    with build_state(
        target,
        root=root,
        key=key,
        fill=lambda new: tables.update(copy_content(new, state, serial=serial)),
    ) as new:
        new.key.require()
    return Moved(
        origin=str(state.location),
        target=str(place),
        serial=serial,
        tables=tables,
        key_file=None if configured is not None else _key_file(place, state.location),
    )


def _must_be_free(place: location.Location, target: str, *, root: Path) -> None:
    """Raises:
    StateError: there is a state that is in use.
    """
    try:
        open_state(target, root=root, mode=Mode.READ).close()
    except StateMissing:
        return
    except StateLost:
        if isinstance(place, location.FileLocation) and not place.path.exists() and not place.mark.exists():
            return  # nothing but a key: an interrupted migration brings that first
        raise
    raise StateError(f"there is a state at {place} already", mend="name an empty place; nothing was copied")


def _bring_key(place: location.Location, key: bytes, *, configured: bytes | None) -> None:
    """Put the key beside a file state, where the settings have none.

    Raises:
        StateError: another key is there.
    """
    if configured is not None or not isinstance(place, location.FileLocation):
        return
    known = read_key(place.key)
    if known is None:
        with location.file_errors(place.key):
            location.make_folder(place.key.parent)
            location.create_private(place.key, key.hex().encode() + b"\n")
    elif known != key:
        raise StateError(
            f"{place.key} holds another key of digests", mend="move it away, or name another place"
        )


def _key_file(*places: location.Location) -> Path | None:
    keys = (each.key for each in places if isinstance(each, location.FileLocation))
    return next((each for each in keys if each.exists()), None)


def _resolved(place: location.Location) -> object:
    return place.path.resolve() if isinstance(place, location.FileLocation) else place
