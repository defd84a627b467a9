"""What PostgreSQL's errors mean, and poolers that would break a lock.

A pooler in session mode is fine. In transaction or statement mode the statements of one client run over
changing connections: advisory locks, which keep a second writer out, would stay with a connection that others
use, or be gone.
"""

from __future__ import annotations

import select
import time
from collections.abc import Callable

import psycopg
from psycopg import pq

from ekomi_reconcile.model.diagnostic import Incident
from ekomi_reconcile.model.errors import StateDamaged, StateError, StateLocked
from ekomi_reconcile.state.engine.location import PostgresLocation

PROBE_SECONDS = 2.0
"""How long a probe waits: a pooler in transaction mode has a free connection at once."""

_REFUSES_OPTIONS = ("startup parameter", "command-line options")
_NO_TRANSACTIONS = "statement pooling"
_OTHERS = 3
"""How many times the probe looks: connections of other clients may come in between."""

_WHO = "SELECT pg_backend_pid()"


def refuses_options(error: psycopg.Error) -> bool:
    """Did the other side refuse settings at the start of a connection? A server takes them."""
    said = str(error)
    return any(words in said for words in _REFUSES_OPTIONS)


def is_pooled(connection: psycopg.Connection) -> bool:
    """Is there a pooler between? Its connections have numbers of its own, not those of the server."""
    return _process(connection) != connection.info.backend_pid


def refuse_sharing(
    connection: psycopg.Connection, another: Callable[[], psycopg.Connection], location: PostgresLocation
) -> None:
    """Make sure that the pooler leaves this client its connection.

    While ``another`` client is in a transaction, ours is asked which process of the server serves it: where
    connections are shared it is another one than before, or the other client got ours. Other clients may hide
    it once; the writer lock looks again whenever it is verified.

    Raises:
        StateError: it does not.
    """
    before = _process(connection)
    other = another()
    try:
        for _ in range(_OTHERS):
            theirs = _process_in_transaction(other)
            if theirs is None:
                return  # no connection to be had: ours is kept for us
            if theirs == before or _process(connection) != before:
                raise shared(location)
            other.rollback()
    except psycopg.Error as error:
        if _NO_TRANSACTIONS in str(error):
            raise shared(location) from None
        raise
    finally:
        other.close()


def shared(location: PostgresLocation) -> StateError:
    """The pooler shares connections."""
    return StateError(
        f"{location.name} is a connection pooler in transaction or statement mode (as PgBouncer with "
        "pool_mode = transaction): advisory locks do not survive there, so two runs could write at once",
        hint="connect to the server directly, or to a pool in session mode: "
        "pool_mode = session for this database in "
        "pgbouncer.ini",
    )


def _process(connection: psycopg.Connection) -> int:
    row = connection.execute(_WHO).fetchone()
    return 0 if row is None else int(row[0])


def _process_in_transaction(connection: psycopg.Connection) -> int | None:
    """The process that serves a new transaction, or ``None`` if there is none for it in time."""
    raw, end = connection.pgconn, time.monotonic() + PROBE_SECONDS
    raw.send_query(f"BEGIN; {_WHO}".encode())
    while raw.flush():
        select.select([], [raw.socket], [], PROBE_SECONDS)
    while raw.is_busy():
        left = end - time.monotonic()
        if left <= 0 or not select.select([raw.socket], [], [], left)[0]:
            return None
        raw.consume_input()
    found = None
    while (result := raw.get_result()) is not None:
        if result.status == pq.ExecStatus.FATAL_ERROR:
            raise psycopg.OperationalError(result.error_message.decode(errors="replace"))
        if result.status == pq.ExecStatus.TUPLES_OK:
            found = int(result.get_value(0, 0) or b"0")
    return found


_GONE = (StateError, "ended the connection", "run again: what was committed is kept, the rest is undone")
_FULL = (StateError, "has no more room", "make room on the server and run again; nothing was lost")
_LACKS = (StateDamaged, "lacks a part of a state", "restore a dump of the state; nothing was changed")
_REFUSED = (
    StateError,
    "refused the user or the password",
    "check both in the URL; special characters in them are percent-encoded",
)
_NO_DATABASE = (StateError, "has no such database", "make it (createdb), or correct the URL of the state")
_BUSY = (StateError, "takes no more connections", "raise max_connections, or run fewer at once")
_READ_ONLY = (
    StateError,
    "cannot be written: the server is read-only",
    "name the primary server, not a standby; with several hosts add ?target_session_attrs=read-write",
)
_STARTING = (StateError, "is not ready: the server is starting or stopping", "run again in a moment")

_Meaning = tuple[type[StateError], str, str]
_MEANINGS: dict[str, _Meaning] = {
    "28000": _REFUSED,
    "28P01": _REFUSED,
    "3D000": _NO_DATABASE,
    "3F000": (StateError, "has no such schema", "correct ?schema= in the URL, or run: apply --new-state"),
    "25006": _READ_ONLY,
    "42501": (
        StateError,
        "cannot be used in this way by this user",
        "grant the user USAGE and CREATE on the schema, and all on its tables",
    ),
    "42P01": _LACKS,
    "42703": _LACKS,
    "42P07": (
        StateDamaged,
        "holds tables of another program",
        "keep the state in a schema of its own: add ?schema=ekomi_reconcile to the URL",
    ),
    "40001": (StateError, "was changed by another process at the same moment", "run again"),
    "40P01": (StateError, "was changed by another process at the same moment", "run again"),
    "53100": _FULL,
    "53200": (StateError, "has no memory left", "run again later, or give the server more memory"),
    "53300": _BUSY,
    "55P03": (StateLocked, "is being written by another process", "wait for it and run again"),
    "57014": (StateError, "canceled a statement", "raise statement_timeout for this user, then run again"),
    "57P01": _GONE,
    "57P02": _GONE,
    "57P03": _STARTING,
}
_CLASSES: dict[str, _Meaning] = {"08": _GONE, "53": _FULL}

_SAID_ON_CONNECTING: tuple[tuple[str, _Meaning], ...] = (
    ("authentication failed", _REFUSED),
    ("no password supplied", _REFUSED),
    ("no pg_hba.conf entry", _REFUSED),
    ('role "', _REFUSED),
    ('database "', _NO_DATABASE),
    ("too many", _BUSY),
    ("remaining connection slots", _BUSY),
    ("the database system is", _STARTING),
    ("session is read-only", _READ_ONLY),
)
"""libpq gives no code to errors of connecting, only words; a server may say others in its language."""


def meaning(error: BaseException, location: PostgresLocation) -> StateError:
    """What an error of an established connection means."""
    code = getattr(error, "sqlstate", None) or ""
    found = _MEANINGS.get(code) or _CLASSES.get(code[:2])
    if found is None and isinstance(error, psycopg.OperationalError) and not code:
        found = _GONE
    if found is not None:
        return _told(found, location)
    if isinstance(error, psycopg.IntegrityError):
        said = error.diag.constraint_name or code
        return StateError(f"{location.name}: refused by a rule of the database: {said}")
    return StateError(f"{location.name}: PostgreSQL reports error {code or type(error).__name__}")


def refusal(error: psycopg.Error, location: PostgresLocation) -> StateError:
    """What an error means that came instead of a connection."""
    if isinstance(error, psycopg.ProgrammingError):
        return StateError(
            f"{location.name}: the URL has a parameter that PostgreSQL does not know",
            hint="use the connection parameters of libpq, or schema",
        )
    said = str(error)
    for words, found in _SAID_ON_CONNECTING:
        if words in said:
            return _told(found, location)
    return StateError(
        f"{location.name} cannot be reached: {_last_words(said, location)}",
        hint="check that the server is running, and host and port in the state URL",
    )


def _told(found: _Meaning, location: PostgresLocation) -> StateError:
    kind, said, hint = found
    full = Incident.DISK_FULL if found is _FULL else None
    return kind(f"{location.name} {said}", hint=hint, incident=full)


def _last_words(said: str, location: PostgresLocation) -> str:
    """The end of what libpq says, on one line, without the password."""
    words = " ".join(said.split()).rsplit(": ", 1)[-1]
    password = location.parameters.get("password")
    return words.replace(password, "(sensitive)") if password else words
