"""The writer lock of a state on PostgreSQL.

Who holds it is a comment of the last statement of that connection, which the server shows for as long
as the connection lives (``pg_stat_activity``), to members of the same role.

A transaction that writes runs over another connection. So the holder's connection also holds a lock of a
random number, its token: whoever can take that one has lost the writer lock. And every such transaction
shares a lock, the fence, which the next holder must have had alone: when it begins, those of its
predecessor have ended, whatever became of their process or network.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace

import psycopg
from sqlalchemy import Connection

from ekomi_reconcile.model.errors import StateError, StateLocked
from ekomi_reconcile.model.run import LockInfo
from ekomi_reconcile.state.engine.location import PostgresLocation
from ekomi_reconcile.state.engine.lock import Lock, held_as, parse_info
from ekomi_reconcile.state.engine.postgres import connect, fence_key, writer_lock_key
from ekomi_reconcile.state.engine.postgres_errors import meaning, shared

_LOST = "the writer lock was taken away by force-unlock, or the connection to the server was lost"
_LOOK = "see: ekomi-reconcile lock show"

_TAKE = """{comment} SELECT CASE
    WHEN NOT pg_try_advisory_lock({key}) THEN false
    WHEN NOT pg_try_advisory_lock({fence}) THEN NOT pg_advisory_unlock({key})
    ELSE pg_advisory_unlock({fence}) AND pg_try_advisory_lock({token})
END, pg_backend_pid()"""
_FENCE = "SELECT pg_advisory_xact_lock_shared({fence}), pg_try_advisory_xact_lock_shared({token})"

_ENDING_MS = 5_000
"""How long ``force-unlock`` waits for the server to end the holder's connection."""

_COMMENT = re.compile(r"/\* ekomi-reconcile ([A-Za-z0-9+/=]*) \*/")
# A bigint key is shown as its halves, and as subid 1.
_HOLDER = """
SELECT held.pid, coalesce(session.query, '')
FROM pg_locks AS held JOIN pg_stat_activity AS session USING (pid)
WHERE held.locktype = 'advisory' AND held.granted AND held.objsubid = 1
  AND held.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND (held.classid::bigint << 32 | held.objid::bigint) = %s
"""


class PostgresLock(Lock):
    """The lock of the state at ``location``, held by a connection of its own."""

    def __init__(
        self,
        location: PostgresLocation,
        *,
        operation: str,
        about: str | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        super().__init__(operation=operation, about=about, place=str(location), sleep=sleep)
        self.location = location
        self._connection: psycopg.Connection | None = None
        self._fence = self._process = 0
        self._token = secrets.randbits(63)

    def acquire(self, timeout: float = 0.0) -> LockInfo:
        """See ``Lock``."""
        try:
            return super().acquire(timeout)
        finally:
            if self.info is None:
                self.release()

    def release(self) -> None:
        """See ``Lock``."""
        connection, self._connection, self.info = self._connection, None, None
        if connection is not None:
            with suppress(psycopg.Error):  # the lock goes with the connection anyway
                connection.execute("SELECT pg_advisory_unlock_all()")
            connection.close()

    def verify(self) -> None:
        """See ``Lock``.

        Raises:
            StateLocked: somebody else has it, or the connection was lost.
        """
        if self._connection is not None and self.info is not None:
            with suppress(psycopg.Error):
                row = self._connection.execute(f"{_comment(self.info)} SELECT pg_backend_pid()").fetchone()
                if row is None or row[0] != self._process:
                    raise shared(self.location)
                return
        raise StateLocked(_LOST, hint=_LOOK)

    def fence(self, connection: Connection) -> None:
        """See ``Lock``.

        Raises:
            StateLocked: somebody else has it.
        """
        if self.info is None:
            return
        statement = _FENCE.format(fence=self._fence, token=self._token)
        _, lost = connection.exec_driver_sql(statement).one()
        if lost:
            raise StateLocked(_LOST, hint=_LOOK)

    def let_others_write(self) -> None:
        """See ``Lock``. Here rows are claimed by whoever sends them."""
        self.release()

    def _try(self) -> LockInfo | None:
        info = self._about()
        with _told(self.location):
            if self._connection is None:
                self._connection = connect(self.location, purpose=f"{self.operation} {info.Who}")
            schema = _schema(self.location, self._connection)
            self._fence = fence_key(schema)
            statement = _TAKE.format(
                comment=_comment(info), key=writer_lock_key(schema), fence=self._fence, token=self._token
            )
            row = self._connection.execute(statement).fetchone()
        self._process = int(row[1]) if row else 0
        return info if row and row[0] else None

    def _holder(self) -> LockInfo | None:
        return holder(self.location)


def holder(location: PostgresLocation) -> LockInfo | None:
    """Who holds the lock, or ``None`` if nobody does.

    Raises:
        StateError: the server cannot be asked.
    """
    found = _find(location)
    return None if found is None else found[1]


def force_unlock(location: PostgresLocation, lock_id: str) -> LockInfo:
    """End the connection that holds the lock with this id; its holder notices at its next ``verify``.

    Raises:
        StateError: nobody holds the lock, somebody with another id does, or this user cannot break it.
    """
    found = _find(location)
    info = held_as(None if found is None else found[1], lock_id)
    with _told(location), connect(location) as connection:
        process = 0 if found is None else found[0]
        connection.execute("SELECT pg_terminate_backend(%s, %s)", (process, _ENDING_MS))
    return info


def _find(location: PostgresLocation) -> tuple[int, LockInfo] | None:
    with _told(location), connect(location) as connection:
        key = writer_lock_key(_schema(location, connection))
        row = connection.execute(_HOLDER, (key,)).fetchone()
    return None if row is None else (row[0], replace(_info(row[1]), Path=str(location)))


def _schema(location: PostgresLocation, connection: psycopg.Connection) -> str:
    if location.schema is not None:
        return location.schema
    row = connection.execute("SELECT current_schema()").fetchone()
    if row is None or row[0] is None:
        raise StateError(
            f"{location} has no schema to work in", hint="add one that exists to the URL: ?schema=public"
        )
    return str(row[0])


def _comment(info: LockInfo) -> str:
    """The server keeps 1024 bytes of a statement: what who asks knows already is left out."""
    told = {name: value for name, value in asdict(info).items() if value is not None and name != "Path"}
    packed = base64.b64encode(json.dumps(told).encode()).decode()
    return f"/* ekomi-reconcile {packed} */"


def _info(statement: str) -> LockInfo:
    found = _COMMENT.search(statement)
    with suppress(binascii.Error):
        return parse_info(base64.b64decode(found[1]) if found else "")
    return parse_info("")


@contextmanager
def _told(location: PostgresLocation) -> Iterator[None]:
    try:
        yield
    except psycopg.Error as error:
        raise meaning(error, location) from error
