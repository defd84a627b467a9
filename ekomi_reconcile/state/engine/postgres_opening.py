"""Open a state on PostgreSQL, or make a new one.

It is a file state with every table and row as they stand, but without indexes: to be restored from by a
version that knows the format, not to be worked with.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import ARRAY, Column, Connection, Integer, MetaData, String, Table, Text, insert, select
from sqlalchemy.schema import CreateSchema
from sqlalchemy.types import TypeEngine

from ekomi_reconcile.model import instant
from ekomi_reconcile.model.errors import StateDamaged, StateError
from ekomi_reconcile.state import FORMAT_VERSION, format_version
from ekomi_reconcile.state.engine import migrations as engine_migrations
from ekomi_reconcile.state.engine import postgres, sqlite
from ekomi_reconcile.state.engine.location import PostgresLocation, copy_path, no_state
from ekomi_reconcile.state.engine.session import ROWS_PER_PAGE, Session, read_meta
from ekomi_reconcile.state.engine.sqlite import free_name, whole_file
from ekomi_reconcile.state.engine.tables import metadata


def copy_as_it_stands(connection: Connection, wanted: Collection[str], *, target: Path) -> Path:
    """Write the copy within the open transaction, until whose end nobody else writes the tables.

    ``wanted`` are our tables, as far as they are there: others in the same schema are left alone.

    Returns its path: ``target``, or with a number where that is taken. Raises ``StateError`` if it cannot
    be written; then nothing is left behind.
    """
    found = MetaData()
    found.reflect(connection, only=lambda name, _: name in wanted, resolve_fks=False)
    tables = found.sorted_tables
    names = ", ".join(f'"{each.name}"' for each in tables)
    connection.exec_driver_sql(f"LOCK TABLE {names} IN SHARE MODE")
    path = free_name(target)
    with whole_file(path) as draft, sqlite.connect_draft(draft).begin() as copy:
        sqlite.sign(copy)
        for table in tables:
            _copy(table, connection, copy)
    return path


def _copy(table: Table, connection: Connection, copy: Connection) -> None:
    key = list(table.primary_key)
    numbered = len(key) == 1 and isinstance(key[0].type, Integer)
    columns = [
        Column(
            each.name,
            Integer() if numbered and each is key[0] else _plain(each.type),
            primary_key=each.primary_key,
            nullable=each.nullable,
        )
        for each in table.columns
    ]
    new = Table(table.name, MetaData(), *columns, sqlite_autoincrement=numbered)
    new.create(copy)
    if any(isinstance(each.type, ARRAY) for each in table.columns):
        return  # only what runners tell each other from second to second
    rows = connection.execute(select(table).order_by(*key), execution_options={"yield_per": ROWS_PER_PAGE})
    for page in rows.mappings().partitions():
        copy.execute(insert(new), [dict(row) for row in page])


def _plain(kind: TypeEngine[Any]) -> TypeEngine[Any]:
    """The same type without what only a server has: arrays and collations."""
    return Text() if isinstance(kind, ARRAY | String) else kind.as_generic()


_SIGN = "the state of ekomi-reconcile"


def open_postgres(
    stack: ExitStack,
    place: PostgresLocation,
    *,
    copies: Path | None,
    create: bool,
    writable: bool,
    steps_known: tuple[Sequence[engine_migrations.Migration], int],
) -> Session:
    """Open a session on the state in a database, which ``stack`` closes; see ``open_state``.

    An older format is brought up to date only where ``copies`` is given, in one transaction, in which a copy
    is made first: a file below this folder that the version before can restore.

    Raises:
        StateError: it cannot be opened.
    """
    dialect, (migrations, target) = postgres.PostgresDialect(), steps_known
    connection = stack.enter_context(postgres.engine(place, dialect).connect())
    if not _exists(connection):
        if not create:
            raise no_state(place)
        with _changing(connection, dialect, place):
            _create(connection, place)
    steps = _steps(connection, place, migrations, target)
    if copies is None:
        engine_migrations.refuse_unasked(steps)
    else:
        with _changing(connection, dialect, place):
            _migrate(connection, _steps(connection, place, migrations, target), place, copies)
    if not create and engine_migrations.unused(connection):
        raise no_state(place)
    return Session(connection, dialect, location=place, writable=writable)


def postgres_exists(place: PostgresLocation) -> bool:
    """Is there a state in this database in which anything was ever recorded? See ``exists``.

    Raises:
        StateError: the server cannot be asked.
    """
    with postgres.engine(place, postgres.PostgresDialect()).connect() as connection:
        if not _exists(connection):
            return False
        with suppress(StateDamaged):
            return bool(
                _steps(connection, place, engine_migrations.MIGRATIONS, FORMAT_VERSION)
            ) or not engine_migrations.unused(connection)
        return True


def postgres_lineage(place: PostgresLocation) -> str | None:
    """The lineage of the state in this database, which exists.

    Raises:
        StateError: the server cannot be asked.
    """
    with postgres.engine(place, postgres.PostgresDialect()).connect() as connection:
        return read_meta(connection).get("lineage")


@contextmanager
def building(place: PostgresLocation) -> Iterator[Session]:
    """A new state, made and filled in one transaction; see ``build_state``.

    Raises:
        StateError: there is one already.
    """
    dialect = postgres.PostgresDialect()
    with postgres.engine(place, dialect).connect() as connection, _changing(connection, dialect, place):
        _create(connection, place)
        _steps(connection, place, engine_migrations.MIGRATIONS, FORMAT_VERSION)
        if not engine_migrations.unused(connection):
            raise StateError(f"there is a state at {place} by now", hint="run it again")
        yield Session(connection, dialect, location=place, writable=True)


def _create(connection: Connection, place: PostgresLocation) -> None:
    """Make the tables within the open transaction; whoever comes second finds what the first has made."""
    if not _exists(connection):
        if place.schema is not None and _schema(connection) is None:
            connection.execute(CreateSchema(place.schema))
        metadata.create_all(connection, checkfirst=False)
        connection.exec_driver_sql(f"COMMENT ON TABLE meta IS '{_SIGN}'")
        engine_migrations.write_meta(connection, now=instant.now())


def _migrate(
    connection: Connection, steps: Sequence[engine_migrations.Migration], place: PostgresLocation, root: Path
) -> None:
    if steps:
        ours = metadata.tables.keys() | {name for step in steps for name in step.retires}
        copy = copy_path(place, f"format-{steps[0].version - 1}", root=root)
        copy_as_it_stands(connection, ours, target=copy)
        engine_migrations.migrate(connection, steps)


@contextmanager
def _changing(
    connection: Connection, dialect: postgres.PostgresDialect, place: PostgresLocation
) -> Iterator[None]:
    """A transaction in which nobody else makes or changes tables here: whole, or as if it had not begun."""
    connection.rollback()
    dialect.begin_writing(connection)
    with connection.begin():
        _shut_out(connection, place)
        yield
    dialect.begin_reading(connection)


def _steps(
    connection: Connection,
    place: PostgresLocation,
    migrations: Sequence[engine_migrations.Migration],
    target: int,
) -> tuple[engine_migrations.Migration, ...]:
    signed = connection.exec_driver_sql("SELECT obj_description(to_regclass('meta'), 'pg_class')").scalar()
    if signed != _SIGN:
        raise StateDamaged(
            f"{place} holds tables of another program",
            hint="keep the state in a schema of its own: add ?schema=ekomi_reconcile to the URL",
        )
    return engine_migrations.pending_migrations(
        format_version(read_meta(connection)), known=migrations, target=target
    )


def _exists(connection: Connection) -> bool:
    here = "SELECT to_regclass(quote_ident(current_schema()) || '.meta') IS NOT NULL"
    return bool(connection.exec_driver_sql(here).scalar())


def _schema(connection: Connection) -> str | None:
    found = connection.exec_driver_sql("SELECT current_schema()").scalar()
    return None if found is None else str(found)


def _shut_out(connection: Connection, place: PostgresLocation) -> None:
    """Nobody else makes or changes tables here until this transaction ends."""
    schema = place.schema or _schema(connection)
    if schema is None:
        raise StateError(
            f"{place} has no schema to work in", hint="add one that exists to the URL: ?schema=public"
        )
    key = postgres.maker_lock_key(schema)
    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({key})")
