"""Opening a state: for reading, for writing, or making a new one."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from enum import StrEnum
from pathlib import Path

from sqlalchemy import Connection

from ekomi_reconcile.errors import StateMissing
from ekomi_reconcile.model import instant
from ekomi_reconcile.state import driver, sqlite
from ekomi_reconcile.state.backup import back_up
from ekomi_reconcile.state.described import FORMAT_VERSION, format_version
from ekomi_reconcile.state.files import create_private, file_errors, make_folder, publish
from ekomi_reconcile.state.key import make_key, read_key
from ekomi_reconcile.state.location import FileLocation, PostgresLocation, locate, needs_postgres
from ekomi_reconcile.state.meta import read_meta, write_meta
from ekomi_reconcile.state.migrations import (
    MIGRATIONS,
    Migration,
    migrate,
    pending_migrations,
    refuse_older,
)
from ekomi_reconcile.state.store import State
from ekomi_reconcile.state.tables import metadata


class Mode(StrEnum):
    """What for: to read, to write, to write and make a new state where there is none, or to write and
    bring an older format up to date wherever it is.
    """

    READ = "read"
    WRITE = "write"
    CREATE = "create"
    MIGRATE = "migrate"


def open_state(
    location: str,
    *,
    root: Path,
    mode: Mode,
    key: bytes | None = None,
    migrations: Sequence[Migration] = MIGRATIONS,
    target: int = FORMAT_VERSION,
) -> State:
    """Open the state at a path (relative to ``root``) or URL; a writer should hold the writer lock.

    ``key`` is the configured key of the digests; without one a key is made beside a new file, and a
    database is opened for reading only. A writer brings a file of an older format (below ``target``) up to
    date, after a backup; a database, which others use too, only where ``mode`` says so.

    Raises:
        StateMissing: there is none, and ``mode`` does not make one.
        StateDamaged: it is damaged, of another program, or of a newer format; it is left as it is.
        StateError: it cannot be opened.
    """
    place = locate(location, root=root)
    if isinstance(place, PostgresLocation):
        needs_postgres()
        from ekomi_reconcile.state.postgres_opening import open_postgres

        return open_postgres(place, root=root, mode=mode, key=key, migrations=migrations, target=target)
    with file_errors(place.path):
        missing = not place.path.exists()
    if missing:
        if mode is not Mode.CREATE:
            raise StateMissing(
                f"there is no state at {place.path}",
                mend="restore a backup, or make a new one with: ekomi-reconcile apply --new-state",
            )
        _create(place)
    steps_known = (migrations, target)
    return (
        _open_reader(place, key, steps_known) if mode is Mode.READ else _open_writer(place, key, steps_known)
    )


def open_copy(path: Path) -> State:
    """Open a copy of a state, for reading; unlike a state it may have several names.

    Raises:
        StateDamaged: it is damaged, of another program, or of a newer format.
        StateError: it cannot be opened.
    """
    return _open_reader(FileLocation(path), None, (MIGRATIONS, FORMAT_VERSION))


def _create(place: FileLocation) -> None:
    """Build the state under another name, so that a crash leaves all of it or nothing."""
    path = place.path
    draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}.part")
    with file_errors(path):
        make_folder(path.parent)
        create_private(draft)
        try:
            _fill(draft)
            with suppress(FileExistsError):
                publish(draft, path)
        finally:
            draft.unlink(missing_ok=True)


def _fill(draft: Path) -> None:
    with sqlite.connect_writer(draft).begin() as connection:
        sqlite.sign(connection)
        metadata.create_all(connection, checkfirst=False)
        write_meta(connection, now=instant.now())


def _open_reader(
    place: FileLocation, key: bytes | None, steps_known: tuple[Sequence[Migration], int]
) -> State:
    driver.check_header(place.path)
    with ExitStack() as stack:
        connection = stack.enter_context(sqlite.connect_reader(place.path).connect())
        refuse_older(_steps(connection, place, steps_known))
        state = State(
            connection,
            sqlite.SqliteDialect(),
            location=place,
            writable=False,
            key=key or read_key(place.key),
        )
        state.refresh()
        stack.pop_all()
    return state


def _open_writer(
    place: FileLocation, key: bytes | None, steps_known: tuple[Sequence[Migration], int]
) -> State:
    driver.check_header(place.path)
    with sqlite.connect_reader(place.path).connect() as connection:
        sqlite.check_owner(connection, place.path)  # before anything is written, be it only a switch to WAL
    dialect = sqlite.SqliteDialect()
    with ExitStack() as stack:
        connection = stack.enter_context(sqlite.connect_writer(place.path).connect())
        if steps := _steps(connection, place, steps_known):
            label = f"format-{steps[0].version - 1}"
            back_up(connection, dialect, target=place.backup(label))
            connection.rollback()
            dialect.begin_writing(connection)
            with connection.begin():
                migrate(connection, steps)
            dialect.begin_reading(connection)
        state = State(connection, dialect, location=place, writable=True, key=key or read_key(place.key))
        _give_key(state, place)
        state.mend_index()
        state.refresh()
        stack.pop_all()
    return state


def _steps(
    connection: Connection, place: FileLocation, steps_known: tuple[Sequence[Migration], int]
) -> tuple[Migration, ...]:
    sqlite.check_owner(connection, place.path)
    known, target = steps_known
    return pending_migrations(format_version(read_meta(connection)), known=known, target=target)


def _give_key(state: State, place: FileLocation) -> None:
    """A state without digests yet gets its key; one whose key is lost must not get another."""
    if state.key is None and not state.has_key:
        state.key = make_key(place.key)
    state.adopt_key()
