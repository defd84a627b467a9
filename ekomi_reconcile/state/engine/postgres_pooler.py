"""Poolers before PostgreSQL, as PgBouncer: told from a server, and refused where they share connections.

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

from ekomi_reconcile.model.errors import StateError
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
        mend="name the server itself, or a pool in session mode: pool_mode = session for this database in "
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
