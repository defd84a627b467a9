"""Copies of a state: made, checked and restored.

A copy is a private file without the key of the digests. Copies made by ``apply`` on its own are stored beside
a file state; a database has its own tools for that.
"""

from __future__ import annotations

import re
from contextlib import suppress
from functools import partial
from pathlib import Path

from ekomi_reconcile.model.errors import StateDamaged, StateError, StateLost, StateMissing
from ekomi_reconcile.model.instant import Instant
from ekomi_reconcile.model.run import Restored
from ekomi_reconcile.state import FORMAT_VERSION, format_version
from ekomi_reconcile.state.engine import location as engine_location
from ekomi_reconcile.state.engine import location as location_module
from ekomi_reconcile.state.engine import sqlite
from ekomi_reconcile.state.engine.lock import Lock, user
from ekomi_reconcile.state.engine.mark import check_value, lineage_of_mark, lost_mark, read_mark
from ekomi_reconcile.state.engine.session import read_meta
from ekomi_reconcile.state.engine.sqlite import back_up, free_name, remove_abandoned, set_log_aside
from ekomi_reconcile.state.maintenance.check import check_database
from ekomi_reconcile.state.maintenance.table_dump import StoredContent, copy_content, replace_records
from ekomi_reconcile.state.opening import Mode, build_file, build_state, open_copy, open_state
from ekomi_reconcile.state.store import State

EVERY = 20
"""Runs of ``apply`` that changed something, after which a copy is made."""

KEPT = 5
"""The number of copies made by ``apply`` that are kept."""

_AUTOMATIC = "apply-"


def copy_to(state: State, target: Path) -> Path:
    """Write a copy of the state; where the name is taken it gets a number. Returns its path.

    Raises:
        StateError: it cannot be written; then nothing is left behind.
    """
    location, session = state.location, state.session
    if isinstance(location, engine_location.FileLocation):
        with engine_location.file_errors(location.path):
            remove_abandoned(location.path)
        return back_up(session.connection, session.dialect, target=target)
    path = free_name(target)
    build_file(
        engine_location.FileLocation(path),
        lambda copy: copy_content(copy, state, serial=state.meta.identity.serial),
    )
    return path


def copy_now_and_then(state: State, *, every: int = EVERY, keep: int = KEPT) -> Path | None:
    """Count this run; each time ``every`` runs have passed, make a copy and keep the last ``keep``.

    Returns the new copy, if there is one. Raises ``StateError`` if it cannot be written.
    """
    if not isinstance(state.location, engine_location.FileLocation):
        return None
    runs = state.meta.count_run()
    if runs % every:
        return None
    made = copy_to(state, state.location.backup(f"{_AUTOMATIC}{runs:08}"))
    for old in automatic_copies(state.location)[:-keep]:
        old.unlink(missing_ok=True)
    return made


def automatic_copies(location: engine_location.Location) -> list[Path]:
    """The copies that ``apply`` made, the oldest first."""
    if not isinstance(location, engine_location.FileLocation):
        return []
    name = re.compile(re.escape(f"{location.path.name}.{_AUTOMATIC}") + r"\d{8}\.backup(\.\d+)?")
    return sorted(each for each in location.path.parent.iterdir() if name.fullmatch(each.name))


def copies_beside(location: engine_location.Location) -> list[Path]:
    """Every copy of a file state in its folder, by the names that this tool gives."""
    if not isinstance(location, engine_location.FileLocation) or not location.path.parent.is_dir():
        return []
    name = re.compile(re.escape(location.path.name) + r"\..+\.backup(\.\d+)?")
    return sorted(each for each in location.path.parent.iterdir() if name.fullmatch(each.name))


def needs_file(path: Path) -> None:
    """Make sure that there is a file.

    Raises:
        StateMissing: there is none.
    """
    with engine_location.file_errors(path):
        if not path.is_file():
            raise StateMissing(f"no copy at {path}", hint="check the name")


OPERATION = "state restore"


def must_be_restorable(copy: Path, place: engine_location.Location) -> None:
    """Refuse a copy that cannot become the missing state there, before anything is made for it.

    Where there is a state, ``restore`` itself finds out: then its lock file does not count.

    Raises:
        StateError: the copy is missing, damaged or of another state.
    """
    if isinstance(place, engine_location.FileLocation) and place.path.exists():
        return
    needs_file(copy)
    with open_copy(copy.absolute()) as found:
        _must_be_sound_copy(found, copy)
        _must_be_of(found, place)


def restore(
    copy: Path, location: str, *, root: Path, key: bytes | None, now: Instant, lock: Lock | None = None
) -> Restored:
    """Replace the records of the state by those of a copy; the caller holds the writer ``lock``.

    A readable state changes in one transaction: killed, it is as before. A missing one is made in one step,
    a damaged file is set aside for it. Of a readable state a copy is kept, and the journal goes on.

    Raises:
        StateError: the copy is damaged, incomplete or of another state; nothing was changed.
    """
    needs_file(copy)
    with open_copy(copy.absolute()) as found:
        _must_be_sound_copy(found, copy)
        aside: list[Path] = []
        make_room = None
        try:
            _must_be_sound(location, root=root)
            with open_state(location, root=root, mode=Mode.WRITE, key=key, accept_lost=True) as state:
                if lock is not None:
                    state.session.guard_by(lock)
                return _replace(found, state, root=root, now=now)
        except StateMissing:
            _must_be_of(found, engine_location.locate(location, root=root))
        except StateDamaged as error:
            damaged = _damaged_file(location, error, root=root)
            make_room = partial(_set_aside, damaged, aside)
        serial = found.meta.identity.serial + 1
        fill = partial(_refill, found, serial=serial, now=now)
        with build_state(location, root=root, key=key, fill=fill, make_room=make_room) as state:
            replaced = aside[0] if aside else None
            return _restored(state, replaced=replaced, closed_since=None, lost_since=_last_record(found))


def _must_be_sound_copy(found: State, copy: Path) -> None:
    if problems := check_database(found):
        raise StateDamaged(f"{copy} is damaged: {problems[0]}", hint="choose another backup")


def _must_be_sound(location: str, *, root: Path) -> None:
    """Look before anything is written: it may be the file of another program.

    Raises:
        StateMissing: the state does not exist.
        StateDamaged: it is damaged somewhere, or of another program.
    """
    with open_state(location, root=root, mode=Mode.READ, accept_lost=True) as state:
        if problems := check_database(state):
            raise StateDamaged(f"the state is damaged: {problems[0]}")


def _must_be_of(found: State, place: engine_location.Location) -> None:
    """Make sure that the copy is of the state that was here, if its mark still says which one that was.

    Raises:
        StateError: it is of another one.
    """
    if not isinstance(place, engine_location.FileLocation):
        return
    before, ours = lineage_of_mark(place), found.meta.identity.lineage
    if before not in (None, ours):
        raise StateError(
            f"the copy is of another state: its lineage is {ours}, that of the state that was here {before}",
            hint=f"choose a backup of that state; to restore this one instead, move {place.mark} away first",
        )


def _replace(found: State, state: State, *, root: Path, now: Instant) -> Restored:
    ours, theirs = state.meta.identity, found.meta.identity
    if ours.lineage != theirs.lineage:
        raise StateError(
            f"the copy is of another state: its lineage is {theirs.lineage}, that of this one {ours.lineage}",
            hint="choose a backup of this state; to restore the other state, move this one away first",
        )
    older = _is_older(state)
    kept = copy_to(
        state, engine_location.copy_path(state.location, f"before-restore-{ours.serial}", root=root)
    )
    state.refresh()
    serial = max(ours.serial, theirs.serial) + 1
    with state.transaction():
        closed = replace_records(state, StoredContent(found), serial=serial, now=now, actor=user())
        state.journal.add(
            OPERATION, subject=f"serial {theirs.serial}", outcome=f"restored as serial {serial}", now=now
        )
    if older:
        return _restored(state, replaced=kept, closed_since=None, lost_since=_last_record(state, found))
    return _restored(state, replaced=kept, closed_since=closed)


def _is_older(state: State) -> bool:
    """Has the state lost what was recorded last, so that it does not know what was sent since the copy?"""
    if not isinstance(state.location, engine_location.FileLocation):
        return False
    with suppress(StateLost):
        return lost_mark(read_mark(state.location), state.session.connection) is not None
    return True


def _last_record(*states: State) -> Instant:
    """When one of these recorded anything last; a restore does not count."""
    found = (each for state in states for each in state.journal.entries() if each.action != OPERATION)
    return max((each.at for each in found), default=0)


def _refill(found: State, state: State, *, serial: int, now: Instant) -> None:
    copy_content(state, found, serial=serial)
    state.journal.add(OPERATION, outcome=f"restored as serial {serial}, created again", now=now)


def _restored(
    state: State, *, replaced: Path | None, closed_since: int | None, lost_since: Instant | None = None
) -> Restored:
    expected = state.meta.identity.key_check
    fits = expected is None or (state.key.value is not None and check_value(state.key.value) == expected)
    return Restored(
        serial=state.meta.read().serial,
        accounts=len(state.accounts.read()),
        invitations=sum(sum(each.values()) for each in state.queue.counts().values()),
        replaced=replaced,
        closed_since=closed_since,
        lost_since=lost_since,
        key_fits=fits,
    )


def _damaged_file(location: str, error: StateDamaged, *, root: Path) -> engine_location.FileLocation:
    """The place of a damaged file that may be set aside.

    Raises:
        StateDamaged: it is a database, or the file of another program or version.
    """
    place = engine_location.locate(location, root=root)
    if not isinstance(place, engine_location.FileLocation) or not _is_ours(place.path):
        raise error
    return place


def _set_aside(place: engine_location.FileLocation, made: list[Path]) -> None:
    """Give a damaged file another name, with what belongs to it; the name is added to ``made``."""
    aside = place.backup("damaged")
    number = 2
    while aside.exists():
        aside, number = place.backup(f"damaged-{number}"), number + 1
    with engine_location.file_errors(place.path):
        set_log_aside(place.path, aside)
        engine_location.publish(place.path, aside)
    made.append(aside)


def _is_ours(path: Path) -> bool:
    """May this file be set aside: is it neither another program's database nor of a newer format?"""
    try:
        location_module.check_header(path)
        with sqlite.connect_reader(path).connect() as connection:
            signed = connection.exec_driver_sql("PRAGMA application_id").scalar()
            return (
                signed == location_module.APPLICATION_ID
                and format_version(read_meta(connection)) <= FORMAT_VERSION
            )
    except StateDamaged:
        return True
