"""A state that several runners share, its transactions, and what a writer lock is."""

from __future__ import annotations

import threading
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from sqlalchemy import ColumnElement, Row, bindparam, func, text, update

from ekomi_reconcile.model.errors import StateError
from ekomi_reconcile.model.instant import Instant
from ekomi_reconcile.model.invitation import Invitation, SendOutcome
from ekomi_reconcile.state.engine.location import PostgresLocation
from ekomi_reconcile.state.engine.postgres import PostgresDialect, clock_ahead, driver_of, engine, obstacles
from ekomi_reconcile.state.engine.runner import LEASE, Runner, T
from ekomi_reconcile.state.engine.session import Session
from ekomi_reconcile.state.engine.tables import SENDING, invitation

_UNLIMITED = 10_000.0
"""Requests per second from which on no turns are taken: together the runners cannot make as many."""

_MOST_AT_ONCE = 100
_SHORTEST_WAIT = 0.001
_PAUSES = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
"""Seconds between attempts to go on after a lost connection."""


_RENEW = (
    update(invitation)
    .where(invitation.c.status == SENDING, invitation.c.lease_owner == bindparam("runner"))
    .values(lease_until=bindparam("until"))
)
# Losing a rate-limit token in a power cut does no harm: the write does not wait for the disk.
_TAKE = text("""
WITH clock AS MATERIALIZED (
    SELECT coalesce(CAST(:now AS float8), extract(epoch FROM clock_timestamp())::float8) AS now,
           set_config('synchronous_commit', 'off', true)
), taken AS (
    INSERT INTO turn AS t (interface_id, taken)
    SELECT :interface_id, ARRAY[clock.now] FROM clock
    ON CONFLICT (interface_id) DO UPDATE
    SET taken = t.taken[greatest(cardinality(t.taken) - CAST(:amount AS int) + 2, 1):]
             || greatest(excluded.taken[1], t.taken[cardinality(t.taken)])
    WHERE coalesce(t.taken[cardinality(t.taken) - CAST(:amount AS int) + 1], 0)
          <= excluded.taken[1] - CAST(:seconds AS float8)
    RETURNING 1
)
SELECT (SELECT count(*) FROM taken) AS taken,
       t.taken[cardinality(t.taken) - CAST(:amount AS int) + 1] + CAST(:seconds AS float8) - clock.now AS wait
FROM clock LEFT JOIN turn AS t ON t.interface_id = :interface_id
""")


class SharedRunner(Runner):
    """One of several runners on PostgreSQL. Leases use the server's clock, not those of the machines."""

    alone = False

    def __init__(self, session: Session, location: PostgresLocation) -> None:
        super().__init__(session)
        self._ahead = round(clock_ahead(session.connection))
        self._renewed = 0
        self._turns = _Turns(location)

    def persist(self, attempt: Callable[[], T]) -> T:
        """Do what commits on its own; where the connection is lost in it, connect and do it again.

        Requests that were made are worth the wait for a server that starts again.
        """
        for pause in _PAUSES:
            try:
                return attempt()
            except StateError:
                if not self._lost():
                    raise
            self._session.reconnect()
            self.reconnected = True
            time.sleep(pause)
        return attempt()

    def renew(self, *, now: Instant) -> None:
        """See ``Runner``; a third of the lease after the last time, and not before."""
        if not self._renewed <= now < self._renewed + LEASE // 3:
            self.persist(partial(self._renew, now))
            self._renewed = now

    def take_turn(self, interface_id: str, rate: float, *, now: float | None = None) -> float | None:
        """See ``Runner``. Without ``now`` (UTC epoch seconds) the server's clock counts."""
        if rate >= _UNLIMITED:
            return None
        amount = min(max(int(rate), 1), _MOST_AT_ONCE)
        asked = {"interface_id": interface_id, "amount": amount, "seconds": amount / rate, "now": now}
        row = self.persist(partial(self._take, asked))
        return None if row.taken else min(max(row.wait or 0, _SHORTEST_WAIT), amount / rate)

    @property
    def turns(self) -> Callable[[str, float], float | None] | None:
        """See ``Runner``."""
        return self._turns.take

    def obstacles(self) -> Sequence[tuple[str, str]]:
        """See ``Runner``."""
        return obstacles(self._session.connection)

    def spread(self, rows: Sequence[Invitation]) -> list[Invitation]:
        """See ``Runner``."""
        return sorted(rows, key=lambda row: zlib.crc32(f"{self.name} {row.id}".encode()))

    def lease_end(self, now: Instant) -> Instant:
        """See ``Runner``."""
        return now + self._ahead + LEASE

    def leaseless(self, now: Instant) -> Sequence[ColumnElement[bool]]:
        """See ``Runner``."""
        return (func.coalesce(invitation.c.lease_until, 0) <= now + self._ahead,)

    def may_settle(self, row: Any, outcome: SendOutcome) -> bool:
        """Its runner may; others once its lease has run out."""
        return row.lease_owner == self.name or (row.lease_until or 0) <= outcome.at + self._ahead

    def close(self) -> None:
        """See ``Runner``."""
        self._turns.close()

    def _renew(self, now: Instant) -> None:
        with self._session.transaction():
            self._session.execute(_RENEW, {"runner": self.name, "until": self.lease_end(now)})

    def _take(self, asked: Mapping[str, Any]) -> Row[Any]:
        with self._session.transaction():
            return self._session.execute(_TAKE, asked).one()

    def _lost(self) -> bool:
        return self._session.connection.invalidated or driver_of(self._session.connection).closed


class _Turns:
    """Taking turns from any thread, one at a time, over a connection of its own."""

    def __init__(self, location: PostgresLocation) -> None:
        self._location = location
        self._lock = threading.Lock()
        self._session: Session | None = None
        self._runner: SharedRunner | None = None

    def take(self, interface_id: str, rate: float) -> float | None:
        """See ``Runner.take_turn``."""
        if rate >= _UNLIMITED:
            return None
        with self._lock:
            if self._runner is None:
                dialect = PostgresDialect()
                connection = engine(self._location, dialect).connect()
                self._session = Session(connection, dialect, location=self._location, writable=True)
                self._runner = SharedRunner(self._session, self._location)
            return self._runner.take_turn(interface_id, rate)

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            if self._session is not None:
                self._session.close()
