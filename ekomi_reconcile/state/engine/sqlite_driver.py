"""SQLite by its driver alone: opening a file, and what errors mean."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

from ekomi_reconcile.model.errors import StateDamaged, StateError, StateLocked
from ekomi_reconcile.model.paths import read_bounded
from ekomi_reconcile.state.engine.location import file_errors

APPLICATION_ID = 0x454B5243
"""Written into the header of the file, so that a foreign database is not taken for a state."""

BUSY_SECONDS = 10.0
"""How long a statement waits for another process; the writer lock makes this rare."""

_HEADER = b"SQLite format 3\0"
_RESTORE = "restore a backup of the state; nothing was changed"
_CHECK = "list all damage: ekomi-reconcile state check; then: ekomi-reconcile state restore FILE"
_MEANINGS: dict[int, tuple[type[StateError], str, str]] = {
    sqlite3.SQLITE_NOTADB: (StateDamaged, "is not a state", _RESTORE),
    sqlite3.SQLITE_CORRUPT: (StateDamaged, "is damaged", "restore a backup of the state"),
    sqlite3.SQLITE_FULL: (
        StateError,
        "has no more room: the disk is full",
        "make room and run again; nothing was lost",
    ),
    sqlite3.SQLITE_READONLY: (
        StateError,
        "may not be written",
        "let this user write the file and its folder",
    ),
    sqlite3.SQLITE_CANTOPEN: (StateError, "cannot be opened", "check the path and who may use it"),
    sqlite3.SQLITE_PERM: (StateError, "may not be used", "check who may use the file and its folder"),
    sqlite3.SQLITE_IOERR: (
        StateError,
        "cannot be read or written: the disk reports an error",
        "check the disk, then run again",
    ),
    sqlite3.SQLITE_BUSY: (StateLocked, "is being written by another process", "wait for it and run again"),
    sqlite3.SQLITE_LOCKED: (StateLocked, "is being written by another process", "wait for it and run again"),
}


def connect(path: Path, *, mode: str, prepare: Callable[[sqlite3.Connection], None]) -> sqlite3.Connection:
    """A connection to an existing file, in one of the modes of SQLite's URIs.

    Raises:
        StateError: it cannot be opened.
    """
    uri = f"file:{quote(str(path.absolute()))}?mode={mode}"
    connection = sqlite3.connect(
        uri, uri=True, isolation_level=None, timeout=BUSY_SECONDS, check_same_thread=False
    )
    try:
        prepare(connection)
    except sqlite3.Error as error:
        connection.close()
        raise meaning(error, path) from error
    return connection


def connect_reader(path: Path) -> sqlite3.Connection:
    """A connection that cannot write, and that leaves no files behind where SQLite allows.

    A read-only connection would leave the two files of the write-ahead log behind, a writing one that
    is forbidden to write removes them. Where nothing may be written, nobody writes: ``immutable``.
    """
    log = path.with_name(path.name + "-wal")
    if log.exists():
        return connect(path, mode="ro", prepare=_prepare_reader)
    if os.access(path, os.W_OK) and os.access(path.parent, os.W_OK):
        return connect(path, mode="rw", prepare=_prepare_reader)
    return connect(path, mode="ro&immutable=1", prepare=_prepare_reader)


def check_header(path: Path) -> None:
    """Refuse what is not an SQLite file before SQLite gets to see it.

    Raises:
        StateDamaged: the file is empty or something else.
    """
    with file_errors(path):
        header = read_bounded(path, len(_HEADER))
    if header != _HEADER:
        said = "is empty" if not header else "is not a state"
        raise StateDamaged(f"{path} {said}", mend=f"{_RESTORE}. Only to start anew, move the file away")


def meaning(error: BaseException, path: Path) -> StateError:
    """What an error of the driver means for a user."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in _MEANINGS:
        kind, said, mend = _MEANINGS[code]
        return kind(f"{path} {said}", mend=mend)
    if isinstance(error, sqlite3.IntegrityError):
        return StateError(f"{path}: refused by a rule of the database: {error}")
    if "Could not decode to UTF-8" in str(error):
        column = str(error).partition("column ")[2].partition(" with text")[0]
        return StateDamaged(f"{path} is damaged: text that is not UTF-8 in column {column}", mend=_CHECK)
    if isinstance(error, sqlite3.OperationalError) and "no such" in str(error):
        return StateDamaged(f"{path} lacks a part of a state: {error}", mend=_RESTORE)
    return StateError(f"{path}: {error}")


def _prepare_reader(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA query_only = ON")
