"""Whole files of a state: written beside their place, read back, flushed, and only then given their name.

So a crash or a full disk leaves a complete file or none. The key is never copied.
"""

from __future__ import annotations

import fcntl
import os
import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sqlalchemy import Connection

from ekomi_reconcile.errors import StateError
from ekomi_reconcile.state import sqlite
from ekomi_reconcile.state.dialect import Dialect
from ekomi_reconcile.state.files import create_private, file_errors, make_folder, publish

_LOGS = ("-wal", "-shm", "-journal")
_BESIDE = ("", *_LOGS)
"""What SQLite may have written beside a draft."""


def back_up(connection: Connection, dialect: Dialect, *, target: Path) -> Path:
    """Write a consistent copy with mode 0600; an older copy of this name is never overwritten.

    Returns the path: ``target``, or with a number if that name is taken.

    Raises:
        StateError: the copy cannot be written, or not be read back; then nothing is left behind.
    """
    path = free_name(target)
    with whole_file(path) as draft:
        dialect.copy(connection, draft)
    return path


@contextmanager
def whole_file(path: Path, *, make_room: Callable[[], None] | None = None) -> Iterator[Path]:
    """Let the caller write an SQLite file under another name, then check it, flush it and name it ``path``.

    ``make_room`` is called right before the name is given.

    Raises:
        StateError: it cannot be written, or what was written cannot be read back; nothing is left behind.
        FileExistsError: the name was taken meanwhile.
    """
    with file_errors(path):
        make_folder(path.parent)
        remove_abandoned(path)
    draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}.part")
    with file_errors(path):
        create_private(draft)
        descriptor = os.open(draft, os.O_RDWR)
    try:
        with suppress(OSError):  # where locks are not known, drafts of the dead stay
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield draft
        _read_back(draft, path)
        with file_errors(path):
            os.fsync(descriptor)
        if make_room is not None:
            make_room()
        _publish(draft, path)
    finally:
        _remove(draft)
        os.close(descriptor)


def set_log_aside(path: Path, aside: Path) -> None:
    """Move the log of a file that is gone: SQLite would replay it into the next one.

    Raises:
        OSError: it cannot be moved.
    """
    for suffix in _LOGS:
        beside = path.with_name(path.name + suffix)
        if beside.exists():
            beside.replace(free_name(aside.with_name(aside.name + suffix)))


def free_name(path: Path) -> Path:
    """This path, or the first free one with a number."""
    if not path.exists():
        return path
    for number in range(2, 10_000):
        candidate = path.with_name(f"{path.name}.{number}")
        if not candidate.exists():
            return candidate
    raise StateError(f"{path}: there are too many copies already", mend="remove some")


def _publish(draft: Path, path: Path) -> None:
    """``FileExistsError`` passes: whoever came first has made the file."""
    try:
        if not path.exists():
            set_log_aside(path, path.with_name(f"{path.name}.orphaned.backup"))
        publish(draft, path)
    except FileExistsError:
        raise
    except OSError:
        with file_errors(path):
            raise


def _read_back(draft: Path, path: Path) -> None:
    """Check every page, so that a disk that lost something is noticed now and not when the copy is needed.

    Raises:
        StateError: something is missing.
    """
    with sqlite.connect_reader(draft).connect() as connection:
        found = [str(each) for each in connection.exec_driver_sql("PRAGMA integrity_check").scalars()]
    if found != ["ok"]:
        raise StateError(
            f"{path} cannot be written: what was written cannot be read back ({found[0]})",
            mend="check the state with `ekomi-reconcile state check` and the disk, then run again; "
            "the incomplete file was removed",
        )


def remove_abandoned(path: Path) -> None:
    """Remove what killed processes left of this file and its copies; what somebody is writing is locked.

    Raises:
        OSError: it cannot be removed.
    """
    name = re.compile(re.escape(path.name) + r"(\..+\.backup(\.\d+)?)?\.[0-9a-f]{8}\.part")
    for draft in [each for each in path.parent.iterdir() if name.fullmatch(each.name)]:
        with suppress(FileNotFoundError):
            descriptor = os.open(draft, os.O_RDWR)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                _remove(draft)
            except BlockingIOError:
                pass
            finally:
                os.close(descriptor)


def _remove(draft: Path) -> None:
    for suffix in _BESIDE:
        draft.with_name(draft.name + suffix).unlink(missing_ok=True)
