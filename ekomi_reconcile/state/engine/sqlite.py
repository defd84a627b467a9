"""SQLite: how a file state is made, opened, locked and copied.

So a crash or a full disk leaves a complete file or none. The key is never copied.
"""

from __future__ import annotations

import fcntl
import os
import re
import secrets
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache, partial
from itertools import chain
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Index, NullPool, Table, create_engine, event
from sqlalchemy.dialects import sqlite as dialect
from sqlalchemy.engine import ExceptionContext

from ekomi_reconcile.model.errors import StateDamaged, StateError
from ekomi_reconcile.state.engine import location
from ekomi_reconcile.state.engine.location import create_private, file_errors, make_folder, publish
from ekomi_reconcile.state.engine.session import Dialect

_SHARE = 16


class SqliteDialect:
    """The ways of SQLite."""

    rows_per_insert = 500

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

    def has_index(self, connection: Connection, index: Index) -> bool:
        """See ``Dialect``."""
        found = connection.exec_driver_sql(f"PRAGMA index_list('{index.table.name}')")  # type: ignore[union-attr]
        return any(row.name == index.name for row in found)

    def learn(self, connection: Connection, table: Table) -> None:
        """See ``Dialect``. It searches by rules, whatever the table holds."""

    def commit_durably(self, connection: Connection) -> None:
        """See ``Dialect``. A file always commits in this way."""

    def check(self, connection: Connection) -> list[str]:
        """Every page, every index, every reference."""
        pages = connection.exec_driver_sql("PRAGMA integrity_check").scalars().all()
        orphans = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
        return [str(each) for each in pages if each != "ok"] + [
            f"row {row[1]} of {row[0]} refers to a {row[2]} that does not exist" for row in orphans
        ]

    def undecodable(self, connection: Connection, table: Table) -> list[tuple[str, Sequence[Any]]]:
        """See ``Dialect``. Rows are looked at one by one only where reading the table fails."""
        reader = connection.connection.driver_connection
        if not isinstance(reader, sqlite3.Connection):
            raise TypeError("not a connection to SQLite")
        try:
            for _ in reader.execute(f"SELECT * FROM {table.name}"):  # noqa: S608
                pass
        except sqlite3.OperationalError:
            keys = ", ".join(f"CAST({each.name} AS BLOB)" for each in table.primary_key)
            values = ", ".join(f"CAST({each.name} AS BLOB)" for each in table.columns)
            rows = reader.execute(f"SELECT {keys}, {values} FROM {table.name}")  # noqa: S608
            width = len(table.primary_key)
            return [
                (each.name, [str(part, "utf-8", "replace") for part in row[:width]])
                for row in rows
                for each, value in zip(table.columns, row[width:], strict=True)
                if value is not None and not _is_text(value)
            ]
        return []

    def copy(self, connection: Connection, target: Path) -> None:
        """Copy page by page into the existing file ``target``; readers and this writer may go on.

        Raises:
            StateError: the copy failed.
        """
        source = connection.connection.driver_connection
        if not isinstance(source, sqlite3.Connection):
            raise TypeError("not a connection to SQLite")
        copy = sqlite3.connect(target)
        try:
            copy.execute("PRAGMA synchronous = FULL")
            source.backup(copy)
        except sqlite3.Error as error:
            raise location.meaning(error, target) from error
        finally:
            copy.close()


def connect_writer(path: Path) -> Engine:
    """An engine on an existing file that reads and writes."""
    return _engine(path, partial(location.connect, path, mode="rw", prepare=_prepare_writer))


def connect_draft(path: Path) -> Engine:
    """An engine that fills a new file without a log beside it: what cannot be written fails at the commit."""
    return _engine(path, partial(location.connect, path, mode="rw", prepare=_prepare_draft))


def connect_reader(path: Path) -> Engine:
    """An engine that cannot write, and that leaves no files behind where SQLite allows."""
    return _engine(path, partial(location.connect_reader, path))


def adopt_reader(path: Path, connection: sqlite3.Connection) -> Engine:
    """An engine whose connection is this one, which reads already: its snapshot stays what it is."""
    # What SQLAlchemy does with the first connection it gets would end the snapshot.
    handed = iter((sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False), connection))
    engine = _engine(path, lambda: next(handed))
    engine.connect().close()
    return engine


def check_owner(connection: Connection, path: Path) -> None:
    """Refuse the database of another program.

    Raises:
        StateDamaged: it is not one of ours.
    """
    if connection.exec_driver_sql("PRAGMA application_id").scalar() != location.APPLICATION_ID:
        raise StateDamaged(
            f"{path} is the database of another program", hint="choose another path with --state"
        )


def sign(connection: Connection) -> None:
    """Mark a new database as ours."""
    connection.exec_driver_sql(f"PRAGMA application_id = {location.APPLICATION_ID}")


def _prepare_writer(connection: sqlite3.Connection) -> None:
    """Durable at every commit, references checked, readers never blocked."""
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA cache_size = -16384")


def _prepare_draft(connection: sqlite3.Connection) -> None:
    """Nobody else sees the file, and an unfinished one is removed: the way back is kept in memory."""
    connection.execute("PRAGMA journal_mode = MEMORY")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA cache_size = -16384")


def _engine(path: Path, connect: Callable[[], sqlite3.Connection]) -> Engine:
    engine = create_engine("sqlite+pysqlite://", creator=connect, poolclass=NullPool)
    event.listen(engine, "begin", _begin)

    @event.listens_for(engine, "handle_error")
    def translate(context: ExceptionContext) -> None:
        if isinstance(context.original_exception, location.DRIVER_ERRORS):
            raise location.meaning(context.original_exception, path) from context.original_exception

    return engine


def _begin(connection: Connection) -> None:
    begun = connection.connection.driver_connection
    if not (isinstance(begun, sqlite3.Connection) and begun.in_transaction):
        connection.exec_driver_sql(connection.info.get("begin", "BEGIN"))


def _is_text(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True


@cache
def _insert_ignoring(table: str, columns: tuple[str, ...], rows: int) -> str:
    row = f"({', '.join('?' * len(columns))})"
    values = ", ".join([row] * rows)
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES {values} ON CONFLICT DO NOTHING"  # noqa: S608


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
    """This path, or the first free one with a number.

    Raises:
        StateError: all names are taken.
    """
    if not path.exists():
        return path
    for number in range(2, 10_000):
        candidate = path.with_name(f"{path.name}.{number}")
        if not candidate.exists():
            return candidate
    raise StateError(f"{path}: there are too many copies already", hint="delete files to free disk space")


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
    with connect_reader(draft).connect() as connection:
        found = [str(each) for each in connection.exec_driver_sql("PRAGMA integrity_check").scalars()]
    if found != ["ok"]:
        raise StateError(
            f"{path} cannot be written: what was written cannot be read back ({found[0]})",
            hint="check the state with `ekomi-reconcile state check` and the disk, then run again; "
            "the incomplete file was removed",
        )


_WRITTEN_BY_NOW = 60
"""Seconds after which nobody is writing the draft of a key or a mark any more; these are not locked."""


def remove_abandoned(path: Path) -> None:
    """Remove what killed processes left of this file and its copies; what somebody is writing is locked.

    Raises:
        OSError: it cannot be removed.
    """
    own = re.escape(path.name)
    name = re.compile(own + r"(\..+\.backup(\.\d+)?)?\.[0-9a-f]{8}\.part")
    beside = re.compile(own + r"\.(key|mark)\.[0-9a-f]{8}\.part")
    found = list(path.parent.iterdir())
    for draft in [each for each in found if beside.fullmatch(each.name)]:
        with suppress(FileNotFoundError):
            if time.time() - draft.stat().st_mtime > _WRITTEN_BY_NOW:
                draft.unlink()
    for draft in [each for each in found if name.fullmatch(each.name)]:
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
