"""Bringing back a copy of a state. It restores records, not the world: what was sent stays sent."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ekomi_reconcile.errors import StateDamaged, StateError, StateMissing
from ekomi_reconcile.model.instant import Instant
from ekomi_reconcile.state import driver, sqlite
from ekomi_reconcile.state.copies import copy_path, needs_file
from ekomi_reconcile.state.described import FORMAT_VERSION, format_version
from ekomi_reconcile.state.files import file_errors, publish
from ekomi_reconcile.state.identity import user
from ekomi_reconcile.state.key import check_value
from ekomi_reconcile.state.location import FileLocation, locate
from ekomi_reconcile.state.lock import Lock
from ekomi_reconcile.state.meta import read_meta
from ekomi_reconcile.state.opening import Mode, open_copy, open_state
from ekomi_reconcile.state.store import State

OPERATION = "state restore"


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """What restoring did. ``replaced`` is where the state before is kept (``None``: there was none).

    ``closed_since`` are orders that were closed after the copy was made, and stay closed; ``None``: they are
    not known, as the state before could not be read. ``key_fits``: digests in the copy mean something.
    """

    serial: int
    accounts: int
    invitations: int
    replaced: Path | None
    closed_since: int | None
    key_fits: bool


def restore(
    copy: Path, location: str, *, root: Path, key: bytes | None, now: Instant, lock: Lock | None = None
) -> Restored:
    """Replace the records of the state by those of a copy; the caller holds the writer ``lock``.

    A readable state changes in one transaction: killed, it is as before. A missing one is made; a damaged
    file is set aside first. Of a readable state a copy is kept, and the journal goes on.

    Raises:
        StateError: the copy is damaged, incomplete or of another state; nothing was changed.
    """
    needs_file(copy)
    with open_copy(copy.absolute()) as found:
        if problems := found.check():
            raise StateDamaged(f"{copy} is damaged: {problems[0]}", mend="choose another copy")
        try:
            _must_be_sound(location, root=root)
            with open_state(location, root=root, mode=Mode.WRITE, key=key) as state:
                if lock is not None:
                    state.guard_by(lock)
                return _replace(found, state, root=root, now=now)
        except StateMissing:
            aside = None
        except StateDamaged as error:
            aside = _set_aside(location, error, root=root)
        return _begin(found, location, root=root, key=key, now=now, aside=aside)


def _must_be_sound(location: str, *, root: Path) -> None:
    """Look before anything is written: it may be the file of another program.

    Raises:
        StateMissing: there is no state.
        StateDamaged: it is damaged somewhere, or of another program.
    """
    with open_state(location, root=root, mode=Mode.READ) as state:
        if problems := state.check():
            raise StateDamaged(f"the state is damaged: {problems[0]}")


def _replace(found: State, state: State, *, root: Path, now: Instant) -> Restored:
    ours, theirs = state.identity, found.identity
    unused = ours.serial == 0 and state.is_empty()
    if ours.lineage != theirs.lineage and not unused:
        raise StateError(
            f"the copy is of another state: its lineage is {theirs.lineage}, that of this one {ours.lineage}",
            mend="choose a copy of this state; to go on with that one, move this one away first",
        )
    kept = state.copy_to(copy_path(state.location, f"before-restore-{ours.serial}", root=root))
    state.refresh()
    serial = max(ours.serial, theirs.serial) + 1
    with state.transaction():
        closed = state.replace_records(found, serial=serial, now=now, actor=user())
        state.journal(
            OPERATION, subject=f"serial {theirs.serial}", outcome=f"restored as serial {serial}", now=now
        )
    return _restored(state, replaced=kept, closed_since=closed)


def _begin(
    found: State, location: str, *, root: Path, key: bytes | None, now: Instant, aside: Path | None
) -> Restored:
    """Make the state anew; a crash before the end leaves an unused one, which counts as none."""
    place = locate(location, root=root)
    lacks_key = key is None and isinstance(place, FileLocation) and not place.key.exists()
    with open_state(location, root=root, mode=Mode.CREATE, key=key) as state:
        serial = found.identity.serial + 1
        with state.transaction():
            state.replace_content(found, serial=serial)
            state.journal(OPERATION, outcome=f"restored as serial {serial}, made anew", now=now)
        if lacks_key and isinstance(place, FileLocation) and state.has_key:
            # A key that was made just now stands in the way of the one that the digests were made with.
            place.key.unlink(missing_ok=True)
            state.key = None
        return _restored(state, replaced=aside, closed_since=None)


def _restored(state: State, *, replaced: Path | None, closed_since: int | None) -> Restored:
    expected = state.identity.key_check
    fits = expected is None or (state.key is not None and check_value(state.key) == expected)
    return Restored(
        serial=state.meta.serial,
        accounts=len(state.accounts()),
        invitations=sum(sum(each.values()) for each in state.counts().values()),
        replaced=replaced,
        closed_since=closed_since,
        key_fits=fits,
    )


def _set_aside(location: str, error: StateDamaged, *, root: Path) -> Path:
    """Give a damaged file another name, with what belongs to it.

    Raises:
        StateDamaged: it is no damaged state but a database, or the file of another program or version.
    """
    place = locate(location, root=root)
    if not isinstance(place, FileLocation) or not _is_ours(place.path):
        raise error
    aside = place.backup("damaged")
    number = 2
    while aside.exists():
        aside, number = place.backup(f"damaged-{number}"), number + 1
    with file_errors(place.path):
        for suffix in ("-wal", "-shm"):
            beside = place.path.with_name(place.path.name + suffix)
            if beside.exists():
                beside.replace(aside.with_name(aside.name + suffix))
        publish(place.path, aside)
    return aside


def _is_ours(path: Path) -> bool:
    """May this file be set aside: is it neither another program's database nor of a newer format?"""
    try:
        driver.check_header(path)
        with sqlite.connect_reader(path).connect() as connection:
            signed = connection.exec_driver_sql("PRAGMA application_id").scalar()
            return signed == driver.APPLICATION_ID and format_version(read_meta(connection)) <= FORMAT_VERSION
    except StateDamaged:
        return True
