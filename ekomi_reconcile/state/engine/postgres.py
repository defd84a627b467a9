"""PostgreSQL: connect, read, write and check a shared state.

Every connection keeps its session, as advisory locks do: a pooler between must not share connections among
transactions.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

import msgspec
import psycopg
from psycopg import IsolationLevel
from psycopg.conninfo import make_conninfo
from psycopg.sql import SQL, Composed, Identifier, Literal
from psycopg.types.string import StrDumperUnknown
from sqlalchemy import Connection, Engine, Index, NullPool, Table, create_engine, event, inspect
from sqlalchemy.dialects import postgresql as dialect
from sqlalchemy.engine import ExceptionContext

from ekomi_reconcile.model.errors import StateError
from ekomi_reconcile.state.engine import postgres_errors
from ekomi_reconcile.state.engine.location import PostgresLocation
from ekomi_reconcile.state.engine.tables import metadata

APPLICATION = "ekomi-reconcile"
"""The name under which our connections are listed, and by which our tables are known."""

BUSY_SECONDS = 10
"""How long a statement waits for another process; the writer lock makes this rare."""

_PATIENT = {"connect_timeout": "10", "keepalives_idle": "30", "keepalives_interval": "10"}
_SESSION = {
    "lock_timeout": f"{BUSY_SECONDS}s",
    "idle_in_transaction_session_timeout": "0",
    # A machine that lost its power says nothing: the server asks whether it is still there.
    "tcp_keepalives_idle": "15",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
}
_OF_ANY = ("lock_timeout", "idle_in_transaction_session_timeout")
"""Settings that matter behind a pooler too; the others are about the network of the server."""

_RIGHTS = ("SELECT", "INSERT", "UPDATE", "DELETE")
_WRITER, _MAKER, _FENCE = 0x454B5243, 0x454B5244, 0x454B5245


# As SET LOCAL: for this transaction only, and never below what the server is set to (remote_apply).
_DURABLE = """
SELECT set_config('synchronous_commit', 'on', true)
WHERE current_setting('synchronous_commit') IN ('off', 'local', 'remote_write')
"""


class Client(psycopg.Connection[Any]):
    """A connection that knows whether a pooler is between."""

    pooled = False


class PostgresDialect:
    """The ways of PostgreSQL. One per connection."""

    rows_per_insert = 1_000

    def __init__(self) -> None:
        self._writing = False

    def begin_writing(self, connection: Connection) -> None:
        """Each statement sees what is committed by then: what it changes is judged as it is now."""
        del connection
        self._writing = True

    def begin_reading(self, connection: Connection) -> None:
        """A snapshot that lasts from the first read on, and that cannot write."""
        del connection
        self._writing = False

    def prepare(self, connection: psycopg.Connection) -> None:
        """Make the transaction that is about to begin the wanted one."""
        connection.isolation_level = (
            IsolationLevel.READ_COMMITTED if self._writing else IsolationLevel.REPEATABLE_READ
        )
        connection.read_only = None if self._writing else True

    def insert(self, table: Table) -> dialect.Insert:
        """See ``Dialect``."""
        return dialect.insert(table)

    def insert_rows(
        self, connection: Connection, table: Table, columns: Sequence[str], rows: Sequence[Sequence[Any]]
    ) -> int:
        """As one parameter in JSON: twice as fast as a parameter per value."""
        packed = msgspec.json.encode([dict(zip(columns, row, strict=True)) for row in rows])
        text = packed.decode()
        if r"\u0000" in text:  # no text of PostgreSQL can hold it
            clean = [[_without_nul(value) for value in row] for row in rows]
            text = msgspec.json.encode([dict(zip(columns, row, strict=True)) for row in clean]).decode()
        return connection.exec_driver_sql(_insert_ignoring(table, tuple(columns)), (text,)).rowcount

    def drops_index(self, *, new: int, existing: int) -> bool:
        """Dropping it would wait for every reader and keep out every sender."""
        del new, existing
        return False

    def has_index(self, connection: Connection, index: Index) -> bool:
        """See ``Dialect``. None is ever dropped."""
        del connection, index
        return True

    def learn(self, connection: Connection, table: Table) -> None:
        """What a table holds decides how it is searched, and the server looks by itself only in a while."""
        connection.exec_driver_sql(f'ANALYZE "{table.name}"')

    def commit_durably(self, connection: Connection) -> None:
        """See ``Dialect``."""
        connection.exec_driver_sql(_DURABLE)

    def check(self, connection: Connection) -> list[str]:
        """Every table and column is there, every index is in use; references the server checks itself."""
        found = inspect(connection)
        names = set(found.get_table_names())
        lacking = [
            f"the table {each.name} is missing" for each in metadata.sorted_tables if each.name not in names
        ]
        for table in metadata.sorted_tables:
            if table.name in names:
                columns = {each["name"] for each in found.get_columns(table.name)}
                indexes = {each["name"] for each in found.get_indexes(table.name)}
                lacking += [
                    f"{table.name} lacks {each.name}" for each in table.columns if each.name not in columns
                ]
                lacking += [
                    f"{table.name} lacks {each.name}" for each in table.indexes if each.name not in indexes
                ]
        return lacking

    def undecodable(self, connection: Connection, table: Table) -> list[tuple[str, Sequence[Any]]]:
        """See ``Dialect``. The server takes nothing but UTF-8."""
        del connection, table
        return []

    def copy(self, connection: Connection, target: Path) -> None:
        """A database is copied by its own tools.

        Raises:
            StateError: always.
        """
        del connection
        raise StateError(
            f"a state on PostgreSQL is not copied into {target}",
            hint="use pg_dump, and pg_restore to restore it",
        )


def connect(location: PostgresLocation, *, purpose: str = "") -> psycopg.Connection:
    """A connection of its own, ready for use, committing each statement.

    Raises:
        StateError: there is none to be had; the message says what to do.
    """
    name = f"{APPLICATION} {purpose}".strip()[:63]
    connection = _connected(location, name, options=True)
    if connection is None:
        connection = _connected(location, name, options=False)
    if connection is None:
        raise postgres_errors.shared(location)
    try:
        if postgres_errors.is_pooled(connection):
            connection.pooled, connection.prepare_threshold = True, None
            postgres_errors.refuse_sharing(connection, partial(_another, location, name), location)
    except psycopg.Error as error:
        connection.close()
        raise postgres_errors.meaning(error, location) from error
    except StateError:
        connection.close()
        raise
    connection.adapters.register_dumper(str, _Text)
    return connection


def _another(location: PostgresLocation, name: str) -> psycopg.Connection:
    found = _connected(location, name, options=False)
    if found is None:
        raise postgres_errors.shared(location)
    return found


def _connected(location: PostgresLocation, name: str, *, options: bool) -> Client | None:
    """A connection, with our settings as those that it starts with; ``None`` if a pooler refuses those.

    Nothing is ever ``SET`` for a session: a pooler could hand that on to another client.
    """
    given = {"application_name": name, **_PATIENT, **location.parameters}
    if options:
        given["options"] = f"{_options(location)} {given.get('options', '')}".strip()
    try:
        return Client.connect(make_conninfo(**given), autocommit=True)
    except psycopg.Error as error:
        if options and postgres_errors.refuses_options(error):
            return None
        raise postgres_errors.refusal(error, location) from None


def engine(location: PostgresLocation, wanted: PostgresDialect) -> Engine:
    """An engine whose transactions are as ``wanted`` says, and whose errors are ``StateError``."""

    def make() -> psycopg.Connection:
        connection = connect(location)
        connection.autocommit = False
        return connection

    made = create_engine("postgresql+psycopg://", creator=make, poolclass=NullPool, use_native_hstore=False)

    @event.listens_for(made, "begin")
    def begin(connection: Connection) -> None:
        driver = driver_of(connection)
        try:
            wanted.prepare(driver)
            if isinstance(driver, Client) and driver.pooled:
                driver.execute(_local_settings(location))
        except psycopg.Error as error:
            raise postgres_errors.meaning(error, location) from error

    @event.listens_for(made, "handle_error")
    def translate(context: ExceptionContext) -> None:
        if isinstance(context.original_exception, psycopg.Error):
            raise postgres_errors.meaning(
                context.original_exception, location
            ) from context.original_exception

    return made


def clock_ahead(connection: Connection) -> float:
    """Seconds by which the server's clock is ahead of this machine's."""
    theirs = connection.exec_driver_sql("SELECT extract(epoch FROM clock_timestamp())::float8").scalar_one()
    return float(theirs) - time.time()


def obstacles(connection: Connection) -> list[tuple[str, str]]:
    """What keeps this user from writing the tables, and what to do about it; nothing is written."""
    found = []
    standby, read_only = connection.exec_driver_sql(
        "SELECT pg_is_in_recovery(), current_setting('default_transaction_read_only')::bool"
    ).one()
    if standby or read_only:
        found.append(("the server takes no changes", "name the primary server, not a standby"))
    rights = " AND ".join(f"has_table_privilege(found, '{each}')" for each in _RIGHTS)
    for table in metadata.sorted_tables:
        statement = f"SELECT {rights} FROM to_regclass('\"{table.name}\"') AS found"  # noqa: S608
        if connection.exec_driver_sql(statement).scalar() is False:
            hint = f"grant this user {', '.join(_RIGHTS)} on all tables of the schema"
            found.append((f"this user cannot change the table {table.name}", hint))
    return found


def writer_lock_key(schema: str) -> int:
    """The advisory lock of who writes the state in this schema."""
    return _WRITER << 32 | zlib.crc32(schema.encode())


def fence_key(schema: str) -> int:
    """The advisory lock that transactions under the writer lock share."""
    return _FENCE << 32 | zlib.crc32(schema.encode())


def maker_lock_key(schema: str) -> int:
    """The advisory lock of who makes or changes the tables in this schema."""
    return _MAKER << 32 | zlib.crc32(schema.encode())


def driver_of(connection: Connection) -> psycopg.Connection:
    """The connection of psycopg beneath.

    Raises:
        TypeError: it is the connection of another driver.
    """
    driver = connection.connection.driver_connection
    if not isinstance(driver, psycopg.Connection):
        raise TypeError("not a connection to PostgreSQL")
    return driver


def _options(location: PostgresLocation) -> str:
    """The settings as PostgreSQL takes them when a connection starts."""
    settings = dict(_SESSION)
    if location.schema is not None:
        settings["search_path"] = _quoted(location.schema)
    return " ".join(f"-c {name}={_escaped(value)}" for name, value in settings.items())


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace(" ", r"\ ")


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _local_settings(location: PostgresLocation) -> Composed:
    """The same for one transaction: behind a pooler a connection does not start with ours."""
    statements = [SQL("SET LOCAL {} = {}").format(SQL(name), Literal(_SESSION[name])) for name in _OF_ANY]
    if location.schema is not None:
        statements.append(SQL("SET LOCAL search_path = {}").format(Identifier(location.schema)))
    return SQL("; ").join(statements)


class _Text(StrDumperUnknown):
    """Text without the one character that PostgreSQL cannot hold."""

    def dump(self, obj: str) -> Any:
        return super().dump(_without_nul(obj))


def _without_nul(value: Any) -> Any:
    return value.replace("\0", "\ufffd") if isinstance(value, str) else value


@cache
def _insert_ignoring(table: Table, columns: tuple[str, ...]) -> str:
    types = dialect.dialect()  # type: ignore[no-untyped-call]
    quoted = [f'"{name}"' for name in columns]
    typed = [f'"{name}" {table.c[name].type.compile(dialect=types)}' for name in columns]
    names = ", ".join(quoted)
    return (
        f'INSERT INTO "{table.name}" ({names}) SELECT {names} '  # noqa: S608
        f"FROM json_to_recordset(%s::json) AS given({', '.join(typed)}) ON CONFLICT DO NOTHING"
    )
