"""Checks of the state: there, readable, writable, sound, with its key, and who is writing it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from ekomi_reconcile.doctor.context import Check, CheckNote, DoctorContext, Part, failed, passed, warned
from ekomi_reconcile.model import instant
from ekomi_reconcile.model.errors import StateError
from ekomi_reconcile.model.instant import HOUR
from ekomi_reconcile.state.engine.location import FileLocation, PostgresLocation
from ekomi_reconcile.state.engine.writer_lock import lock_holder
from ekomi_reconcile.state.maintenance.check import check_state
from ekomi_reconcile.state.store import State

LONG_HELD = 2 * HOUR
"""A writer lock held for longer than this is worth a look."""

_SHOWN = 5
"""Flaws of a damaged state that are told one by one."""


def state(subject: DoctorContext) -> Iterator[CheckNote]:
    """There is a state of the present format, and it can be read."""
    found = subject.state_file
    if found.state is not None:
        meta = found.state.meta.read()
        count = len(found.state.accounts.read())
        yield passed(f"format {meta.format_version}, serial {meta.serial}, {count} account(s)")
    elif found.error is None:
        yield warned(f"not checked: {Part.FILES.value}")
    elif found.missing and not found.required:
        yield warned(
            "there is no state yet",
            mend="before the first apply that is so; otherwise it is lost: restore a backup",
        )
    else:
        yield failed(found.error.message, mend=found.error.mend)


def writable(subject: DoctorContext) -> Iterator[CheckNote]:
    """The state may be written: a file and its folder by this user, a database by its rules. Nothing is."""
    place = subject.place
    if isinstance(place, FileLocation):
        yield _writable_file(place.path)
    elif subject.state_file.state is None:
        yield warned(f"not checked: {Part.STATE.value}")
    else:
        yield from _writable_tables(subject.state)


def _writable_tables(state: State) -> Iterator[CheckNote]:
    obstacles = state.runner.obstacles()
    for said, mend in obstacles:
        yield failed(said, mend=mend)
    if not obstacles:
        yield passed("the state may be written")


def _writable_file(path: Path) -> CheckNote:
    """Also the folder, in which SQLite keeps its log."""
    folder = next(each for each in path.parents if each.exists())
    if not (folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)):
        return failed(f"{folder} is no folder that this user may write", mend="choose another path: --state")
    if path.exists() and not os.access(path, os.W_OK):
        return failed(f"{path} may not be written by this user", mend="change its owner or mode")
    return passed("the state may be written")


def integrity(subject: DoctorContext) -> Iterator[CheckNote]:
    """Every page, index, reference and value of the state is sound."""
    flaws = check_state(subject.state)
    for flaw in flaws[:_SHOWN]:
        yield failed(flaw, mend="restore a backup of the state")
    if len(flaws) > _SHOWN:
        yield failed(f"{len(flaws) - _SHOWN} more flaws", mend="restore a backup of the state")
    if not flaws:
        yield passed("sound")


def pin(subject: DoctorContext) -> Iterator[CheckNote]:
    """A shared state is pinned: without its lineage in the project file another one could take its place."""
    if not isinstance(subject.place, PostgresLocation):
        return
    if subject.configuration.project.lineage is not None:
        yield passed("the lineage of the state is pinned")
        return
    found = subject.state_file.state
    known = "" if found is None else f" (it is {found.meta.read().lineage})"
    yield warned(
        f"the lineage of the state is not pinned{known}: an empty or other database would be taken for it",
        mend="run: ekomi-reconcile state init --pin",
    )


def key(subject: DoctorContext) -> Iterator[CheckNote]:
    """The key of the digests is there, and the one that they were made with."""
    if subject.state_file.key_error is not None:
        yield failed(subject.state_file.key_error.message, mend=subject.state_file.key_error.mend)
        return
    try:
        subject.state.key.require()
    except StateError as error:
        yield failed(error.message, mend=error.mend)
        return
    yield passed("present, and the one that this state was made with")


def lock(subject: DoctorContext) -> Iterator[CheckNote]:
    """Who holds the writer lock; somebody who has held it for hours is worth a look."""
    info = lock_holder(subject.place)
    if info is None:
        yield passed("nobody holds the writer lock")
        return
    since = instant.parse(info.Created) if info.Created else subject.now
    if subject.now - since > LONG_HELD:
        yield warned(
            f"held for more than {LONG_HELD // HOUR} hours: {info}",
            mend="if that process is certainly dead or stuck: ekomi-reconcile force-unlock ID",
        )
    else:
        yield passed(f"held: {info}")


_PLACE = frozenset({Part.PLACE})
_STATE = frozenset({Part.STATE})
CHECKS = (
    Check(id="state", run=state),
    Check(id="state-writable", run=writable, needs=_PLACE),
    Check(id="state-integrity", run=integrity, needs=_STATE),
    Check(id="state-pinned", run=pin, needs=frozenset({Part.FILES, Part.PLACE})),
    Check(id="state-key", run=key, needs=_STATE),
    Check(id="lock", run=lock, needs=_PLACE),
)
