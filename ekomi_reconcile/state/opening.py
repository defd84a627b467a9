"""Open a state: for reading, for writing, or make a new one."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from enum import StrEnum
from pathlib import Path

from sqlalchemy import Connection

from ekomi_reconcile.model import instant
from ekomi_reconcile.model.errors import StateDamaged, StateError
from ekomi_reconcile.state import FORMAT_VERSION, format_version
from ekomi_reconcile.state.engine import location as engine_location
from ekomi_reconcile.state.engine import location as location_module
from ekomi_reconcile.state.engine import mark as engine_mark
from ekomi_reconcile.state.engine import migrations as engine_migrations
from ekomi_reconcile.state.engine import sqlite
from ekomi_reconcile.state.engine.runner import Runner
from ekomi_reconcile.state.engine.session import Session, read_meta
from ekomi_reconcile.state.engine.sqlite import back_up, whole_file
from ekomi_reconcile.state.engine.tables import metadata
from ekomi_reconcile.state.store import State


class _Lost(StrEnum):
    """What is done with a state that is behind its mark."""

    REFUSE = "refuse"
    KEEP = "keep"
    ACCEPT = "accept"


class Mode(StrEnum):
    """What for: to read, to write, to write and make a new state where there is none, or to write and
    bring an older format up to date wherever it is.
    """

    READ = "read"
    WRITE = "write"
    CREATE = "create"
    MIGRATE = "migrate"


def open_state(  # noqa: PLR0913 - every way of opening meets here
    location: str,
    *,
    root: Path,
    mode: Mode,
    key: bytes | None = None,
    new_key: bytes | None = None,
    accept_lost: bool = False,
    keep_lost: bool = False,
    migrations: Sequence[engine_migrations.Migration] = engine_migrations.MIGRATIONS,
    target: int = FORMAT_VERSION,
) -> State:
    """Open the state at a path (relative to ``root``) or URL; a writer should hold the writer lock.

    ``key`` is the configured key of the digests; without one ``new_key``, or a random one, is put beside a
    new file, and a database is opened for reading only. A writer brings a file of an older format (below
    ``target``) up to date, after a backup; a database, which others use too, only where ``mode`` says so.

    ``accept_lost``: also one that is behind its mark, or in the place of one that is gone. ``keep_lost``:
    also one that is behind its mark, for who sends nothing; other runs still refuse it.

    Raises:
        StateMissing: there is none, or an unused one, and ``mode`` does not make one.
        StateLost: there was one, which is gone or has lost what was recorded last.
        StateDamaged: it is damaged, of another program, or of a newer format; it is left as it is.
        StateError: it cannot be opened.
    """
    place = engine_location.locate(location, root=root)
    if isinstance(place, engine_location.PostgresLocation):
        engine_location.needs_postgres()
        return _open_postgres(place, root=root, mode=mode, key=key, steps_known=(migrations, target))
    with engine_location.file_errors(place.path):
        missing = not place.path.exists()
    if missing:
        if not accept_lost:
            engine_mark.refuse_gone(place)
        if mode is not Mode.CREATE:
            raise engine_location.no_state(place)
        with suppress(FileExistsError):
            build_file(place)
    steps_known = (migrations, target)
    if mode is Mode.READ:
        return _open_reader(place, key, steps_known, accept_lost=accept_lost)
    creating = mode is Mode.CREATE
    unless_accepted = _Lost.KEEP if keep_lost else _Lost.REFUSE
    return _open_writer(
        place,
        key,
        steps_known,
        creating=creating,
        if_lost=_Lost.ACCEPT if accept_lost else unless_accepted,
        made=missing and creating,
        new_key=new_key,
    )


def exists(place: engine_location.Location) -> bool:
    """Is there a state in which anything was ever recorded, or something else in its place?

    Nothing is made, and a state that cannot be used counts: who opens it gets the error.

    Raises:
        StateError: it cannot be found out.
    """
    if isinstance(place, engine_location.PostgresLocation):
        engine_location.needs_postgres()
        from ekomi_reconcile.state.engine.postgres_opening import postgres_exists

        return postgres_exists(place)
    with engine_location.file_errors(place.path):
        if not place.path.exists():
            return False
    with suppress(StateDamaged):
        location_module.check_header(place.path)
        with sqlite.connect_reader(place.path).connect() as connection:
            return bool(
                _steps(connection, place, (engine_migrations.MIGRATIONS, FORMAT_VERSION))
            ) or not engine_migrations.unused(connection)
    return True


def lineage_of(place: engine_location.Location) -> str | None:
    """The lineage of the state there; ``None`` if there is none, or an unused one.

    Raises:
        StateDamaged: it is damaged, of another program, or of a newer format.
        StateError: it cannot be opened.
    """
    if not exists(place):
        return None
    if isinstance(place, engine_location.PostgresLocation):
        from ekomi_reconcile.state.engine.postgres_opening import postgres_lineage

        return postgres_lineage(place)
    location_module.check_header(place.path)
    with sqlite.connect_reader(place.path).connect() as connection:
        sqlite.check_owner(connection, place.path)
        return read_meta(connection).get("lineage")


def must_exist(place: engine_location.FileLocation) -> None:
    """Make sure that there is the file of a state, before anything is made beside it.

    Raises:
        StateDamaged: the file is something else.
        StateLost: there was one.
        StateMissing: there is none.
    """
    with engine_location.file_errors(place.path):
        found = place.path.exists()
    if found:
        location_module.check_header(place.path)
        return
    engine_mark.refuse_gone(place)
    raise engine_location.no_state(place)


def key_to_be(
    place: engine_location.Location, configured: bytes | None, used: Callable[[], bytes | None]
) -> bytes:
    """The key that a new state gets there: the configured one, the one beside the file, or a random one.

    ``used`` returns the key that was used before there was a state, if one was: then it is that one.

    Raises:
        StateError: a database needs a configured key, or the file of the key holds none.
    """
    if configured is not None:
        return configured
    if isinstance(place, engine_location.PostgresLocation):
        raise engine_mark.key_needed()
    return engine_mark.read_key(place.key) or used() or secrets.token_bytes(engine_mark.KEY_BYTES)


def open_copy(path: Path) -> State:
    """Open a copy of a state, for reading; unlike a state it may have several names.

    Raises:
        StateMissing: nothing was ever recorded in it.
        StateDamaged: it is damaged, of another program, or of a newer format.
        StateError: it cannot be opened.
    """
    return _open_reader(
        engine_location.FileLocation(path),
        None,
        (engine_migrations.MIGRATIONS, FORMAT_VERSION),
        accept_lost=True,
    )


def build_state(
    location: str,
    *,
    root: Path,
    key: bytes | None,
    fill: Callable[[State], object],
    make_room: Callable[[], None] | None = None,
    new_key: bytes | None = None,
) -> State:
    """Make a state where there is none, filled in the same step, and open it for writing.

    Killed at whatever moment, there is the filled state or none. ``fill`` works within one transaction;
    ``make_room`` is called before a file gets its name. An unused state is filled in place. ``new_key`` is
    the key of a state without digests, where ``key`` leaves it to the file beside it.

    Raises:
        StateError: there is a state, or it cannot be made; nothing was changed.
    """
    place = engine_location.locate(location, root=root)
    if isinstance(place, engine_location.PostgresLocation):
        engine_location.needs_postgres()
        _build_postgres(place, key=key, fill=fill)
        return open_state(location, root=root, mode=Mode.WRITE, key=key)
    if make_room is None and place.path.exists():
        _fill_unused(place, fill)
    else:
        try:
            build_file(place, fill, make_room=make_room)
        except FileExistsError:
            raise StateError(f"there is a state at {place} by now", hint="run it again") from None
    steps_known = (engine_migrations.MIGRATIONS, FORMAT_VERSION)
    return _open_writer(
        place, key, steps_known, creating=False, if_lost=_Lost.ACCEPT, made=True, new_key=new_key
    )


def build_file(
    place: engine_location.FileLocation,
    fill: Callable[[State], object] | None = None,
    *,
    make_room: Callable[[], None] | None = None,
) -> None:
    """Build the state under another name, so that a crash or a full disk leaves all of it or nothing."""
    with whole_file(place.path, make_room=make_room) as draft:
        dialect = sqlite.SqliteDialect()
        with sqlite.connect_draft(draft).begin() as connection:
            sqlite.sign(connection)
            metadata.create_all(connection, checkfirst=False)
            engine_migrations.write_meta(connection, now=instant.now())
            if fill is not None:
                state = _state(connection, engine_location.FileLocation(draft), None, dialect=dialect)
                with state.session.joining():
                    fill(state)


def _fill_unused(place: engine_location.FileLocation, fill: Callable[[State], object]) -> None:
    with sqlite.connect_writer(place.path).connect() as connection:
        state = _state(connection, place, None)
        with state.transaction():
            if not engine_migrations.unused(connection):
                raise StateError(f"there is a state at {place} by now", hint="run it again")
            fill(state)


def _open_postgres(
    place: engine_location.PostgresLocation,
    *,
    root: Path,
    mode: Mode,
    key: bytes | None,
    steps_known: tuple[Sequence[engine_migrations.Migration], int],
) -> State:
    from ekomi_reconcile.state.engine.postgres_opening import open_postgres
    from ekomi_reconcile.state.engine.shared import SharedRunner

    if mode is not Mode.READ and key is None:
        raise engine_mark.key_needed()
    with ExitStack() as stack:
        session = open_postgres(
            stack,
            place,
            copies=root if mode is Mode.MIGRATE else None,
            create=mode is Mode.CREATE,
            writable=mode is not Mode.READ,
            steps_known=steps_known,
        )
        state = State(session, SharedRunner(session, place), key=key)
        if mode is not Mode.READ:
            state.meta.adopt_key(key)
        state.refresh()
        stack.pop_all()
    return state


def _build_postgres(
    place: engine_location.PostgresLocation, *, key: bytes | None, fill: Callable[[State], object]
) -> None:
    from ekomi_reconcile.state.engine.postgres_opening import building
    from ekomi_reconcile.state.engine.shared import SharedRunner

    with building(place) as session:
        state = State(session, SharedRunner(session, place), key=key)
        with session.joining():
            fill(state)


def _open_reader(
    place: engine_location.FileLocation,
    key: bytes | None,
    steps_known: tuple[Sequence[engine_migrations.Migration], int],
    *,
    accept_lost: bool,
) -> State:
    location_module.check_header(place.path)
    mark = (
        None if accept_lost else engine_mark.read_mark(place)
    )  # before the state: somebody may be writing both
    with ExitStack() as stack:
        connection = stack.enter_context(sqlite.connect_reader(place.path).connect())
        engine_migrations.refuse_older(_steps(connection, place, steps_known))
        engine_mark.refuse_lost(place, mark, connection)
        if engine_migrations.unused(connection):
            raise engine_location.no_state(place)
        state = _state(connection, place, key or engine_mark.read_key(place.key), writable=False)
        state.refresh()
        stack.pop_all()
    return state


def _open_writer(
    place: engine_location.FileLocation,
    key: bytes | None,
    steps_known: tuple[Sequence[engine_migrations.Migration], int],
    *,
    creating: bool,
    if_lost: _Lost,
    made: bool,
    new_key: bytes | None = None,
) -> State:
    location_module.check_header(place.path)
    accepted = made or if_lost is _Lost.ACCEPT
    mark = None if accepted else engine_mark.read_mark(place)
    with sqlite.connect_reader(place.path).connect() as connection:
        sqlite.check_owner(connection, place.path)  # before anything is written, be it only a switch to WAL
        lost = engine_mark.lost_mark(mark, connection) if if_lost is _Lost.KEEP else None
        engine_mark.refuse_lost(place, None if lost else mark, connection)
    dialect = sqlite.SqliteDialect()
    with ExitStack() as stack:
        connection = stack.enter_context(sqlite.connect_writer(place.path).connect())
        if steps := _steps(connection, place, steps_known):
            label = f"format-{steps[0].version - 1}"
            back_up(connection, dialect, target=place.backup(label))
            connection.rollback()
            dialect.begin_writing(connection)
            with connection.begin():
                engine_migrations.migrate(connection, steps)
            dialect.begin_reading(connection)
        if not creating and engine_migrations.unused(connection):
            raise engine_location.no_state(place)
        state = _state(connection, place, key or engine_mark.read_key(place.key), dialect=dialect)
        marker = engine_mark.Marker(place, lost=lost)
        if made or not accepted:
            marker.begin(connection)
            with suppress(OSError):  # what is left then does no harm
                sqlite.remove_abandoned(place.path)
        _give_key(state, place, new_key)
        state.session.keep_mark(marker)
        state.schedule.repair_index()
        state.refresh()
        stack.pop_all()
    return state


def _steps(
    connection: Connection,
    place: engine_location.FileLocation,
    steps_known: tuple[Sequence[engine_migrations.Migration], int],
) -> tuple[engine_migrations.Migration, ...]:
    sqlite.check_owner(connection, place.path)
    known, target = steps_known
    return engine_migrations.pending_migrations(
        format_version(read_meta(connection)), known=known, target=target
    )


def _give_key(state: State, place: engine_location.FileLocation, new_key: bytes | None) -> None:
    """A state without digests yet gets its key; one whose key is lost must not get another."""
    if state.key.value is None and state.meta.key_check() is None:
        state.key.value = engine_mark.make_key(place.key, new_key)
    state.meta.adopt_key(state.key.value)


def _state(
    connection: Connection,
    place: engine_location.FileLocation,
    key: bytes | None,
    *,
    writable: bool = True,
    dialect: sqlite.SqliteDialect | None = None,
) -> State:
    session = Session(connection, dialect or sqlite.SqliteDialect(), location=place, writable=writable)
    return State(session, Runner(session), key=key)
