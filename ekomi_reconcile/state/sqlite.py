"""SQLite: how a file state is made, opened, locked, copied, and what its errors mean."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Sequence
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, Engine, NullPool, Table, create_engine, event
from sqlalchemy.dialects import sqlite as dialect
from sqlalchemy.engine import ExceptionContext

from ekomi_reconcile.errors import StateDamaged, StateError, StateLocked
from ekomi_reconcile.state.files import file_errors

APPLICATION_ID = 0x454B5243
"""Written into the header of the file, so that a foreign database is not taken for a state."""

BUSY_SECONDS = 10.0
"""How long a statement waits for another process; the writer lock makes this rare."""

_SHARE = 16

_HEADER = b"SQLite format 3\0"
_RESTORE = "restore a backup of the state; nothing was changed"
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


class SqliteDialect:
    """The ways of SQLite."""

    rows_per_insert = 100

    def begin_writing(self, connection: Connection) -> None:
        """Take the write lock at once: a transaction that reads first could not get it later."""
        connection.info["begin"] = "BEGIN IMMEDIATE"

    def begin_reading(self, connection: Connection) -> None:
        """A snapshot that lasts from the first read on."""
        connection.info["begin"] = "BEGIN"

    def insert(self, table: Table) -> dialect.Insert:
        """See ``Dialect``."""
        return dialect.insert(table)

    def insert_rows(
        self, connection: Connection, table: Table, columns: Sequence[str], rows: Sequence[Sequence[Any]]
    ) -> int:
        """See ``Dialect``."""
        statement = _insert_ignoring(table.name, tuple(columns), len(rows))
        return connection.exec_driver_sql(statement, tuple(chain.from_iterable(rows))).rowcount

    def drops_index(self, *, new: int, existing: int) -> bool:
        """Making it costs per existing row about a sixteenth of what keeping it costs per new row."""
        return new * _SHARE >= existing

    def learn(self, connection: Connection, table: Table) -> None:
        """See ``Dialect``. It searches by rules, whatever the table holds."""

    def check(self, connection: Connection) -> list[str]:
        """Every page, every index, every reference."""
        pages = connection.exec_driver_sql("PRAGMA integrity_check").scalars().all()
        orphans = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
        return [str(each) for each in pages if each != "ok"] + [
            f"row {row[1]} of {row[0]} refers to a {row[2]} that does not exist" for row in orphans
        ]

    def copy(self, connection: Connection, target: Path) -> None:
        """Copy page by page into the existing file ``target``; readers and this writer may go on."""
        source = connection.connection.driver_connection
        if not isinstance(source, sqlite3.Connection):
            raise TypeError("not a connection to SQLite")
        copy = sqlite3.connect(target)
        try:
            source.backup(copy)
        except sqlite3.Error as error:
            raise meaning(error, target) from error
        finally:
            copy.close()


def connect_writer(path: Path) -> Engine:
    """An engine on an existing file that reads and writes."""
    return _engine(path, f"{_uri(path)}?mode=rw", _prepare_writer)


def connect_reader(path: Path) -> Engine:
    """An engine that cannot write, and that leaves no files behind where SQLite allows.

    A read-only connection would leave the two files of the write-ahead log behind, a writing one that
    is forbidden to write removes them. Where nothing may be written, nobody writes: ``immutable``.
    """
    log = path.with_name(path.name + "-wal")
    if log.exists():
        return _engine(path, f"{_uri(path)}?mode=ro", _prepare_reader)
    if os.access(path, os.W_OK) and os.access(path.parent, os.W_OK):
        return _engine(path, f"{_uri(path)}?mode=rw", _prepare_reader)
    return _engine(path, f"{_uri(path)}?mode=ro&immutable=1", _prepare_reader)


def check_header(path: Path) -> None:
    """Refuse what is not an SQLite file before SQLite gets to see it.

    Raises:
        StateDamaged: the file is empty or something else.
    """
    with file_errors(path), path.open("rb") as file:
        header = file.read(len(_HEADER))
    if header != _HEADER:
        said = "is empty" if not header else "is not a state"
        raise StateDamaged(f"{path} {said}", mend=f"{_RESTORE}. Only to start anew, move the file away")


def check_owner(connection: Connection, path: Path) -> None:
    """Refuse the database of another program.

    Raises:
        StateDamaged: it is not one of ours.
    """
    if connection.exec_driver_sql("PRAGMA application_id").scalar() != APPLICATION_ID:
        raise StateDamaged(
            f"{path} is the database of another program", mend="choose another path with --state"
        )


def sign(connection: Connection) -> None:
    """Mark a new database as ours."""
    connection.exec_driver_sql(f"PRAGMA application_id = {APPLICATION_ID}")


def meaning(error: BaseException, path: Path) -> StateError:
    """What an error of the driver means for a user."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in _MEANINGS:
        kind, said, mend = _MEANINGS[code]
        return kind(f"{path} {said}", mend=mend)
    if isinstance(error, sqlite3.IntegrityError):
        return StateError(f"{path}: refused by a rule of the database: {error}")
    if isinstance(error, sqlite3.OperationalError) and "no such" in str(error):
        return StateDamaged(f"{path} lacks a part of a state: {error}", mend=_RESTORE)
    return StateError(f"{path}: {error}")


def _prepare_writer(connection: sqlite3.Connection) -> None:
    """Durable at every commit, references checked, readers never blocked."""
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA cache_size = -16384")


def _prepare_reader(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA query_only = ON")


def _engine(path: Path, uri: str, prepare: Callable[[sqlite3.Connection], None]) -> Engine:
    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(
            uri, uri=True, isolation_level=None, timeout=BUSY_SECONDS, check_same_thread=False
        )
        try:
            prepare(connection)
        except sqlite3.Error as error:
            connection.close()
            raise meaning(error, path) from error
        return connection

    engine = create_engine("sqlite+pysqlite://", creator=connect, poolclass=NullPool)
    event.listen(engine, "begin", _begin)

    @event.listens_for(engine, "handle_error")
    def translate(context: ExceptionContext) -> None:
        if isinstance(context.original_exception, sqlite3.Error):
            raise meaning(context.original_exception, path) from context.original_exception

    return engine


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql(connection.info.get("begin", "BEGIN"))


def _uri(path: Path) -> str:
    return f"file:{quote(str(path.absolute()))}"


@cache
def _insert_ignoring(table: str, columns: tuple[str, ...], rows: int) -> str:
    row = f"({', '.join('?' * len(columns))})"
    values = ", ".join([row] * rows)
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES {values} ON CONFLICT DO NOTHING"  # noqa: S608
