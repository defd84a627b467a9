"""A state that several runners share: claims, leases, rate limits."""

from __future__ import annotations

import threading
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Connection, Row, bindparam, func, text, update

from ekomi_reconcile.model.errors import StateError
from ekomi_reconcile.model.instant import Instant
from ekomi_reconcile.model.invitation import LOOP, Invitation, SendOutcome
from ekomi_reconcile.state.engine.location import PostgresLocation
from ekomi_reconcile.state.engine.postgres import PostgresDialect, clock_ahead, driver_of, engine, obstacles
from ekomi_reconcile.state.engine.tables import SENDING, invitation
from ekomi_reconcile.state.repositories.sending import LEASE
from ekomi_reconcile.state.store import State

_UNLIMITED = 10_000.0
"""Requests per second from which on no turns are taken: together the runners cannot make as many."""

_MOST_AT_ONCE = 100
_SHORTEST_WAIT = 0.001
_PAUSES = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
"""Seconds between attempts to go on after a lost connection."""

T = TypeVar("T")

_RENEW = (
    update(invitation)
    .where(invitation.c.status == SENDING, invitation.c.lease_owner == bindparam("runner"))
    .values(lease_until=bindparam("until"))
)
# As SET LOCAL: for this transaction only, and never below what the server is set to (remote_apply).
_DURABLE = text("""
SELECT set_config('synchronous_commit', 'on', true)
WHERE current_setting('synchronous_commit') IN ('off', 'local', 'remote_write')
""")
# A turn that gets lost with the power is no harm, so nobody waits for the disk.
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


class SharedState(State):
    """A state on PostgreSQL. Leases go by the server's clock, whatever the machines' clocks say."""

    def __init__(
        self,
        connection: Connection,
        dialect: PostgresDialect,
        *,
        location: PostgresLocation,
        writable: bool,
        key: bytes | None,
    ) -> None:
        super().__init__(connection, dialect, location=location, writable=writable, key=key)
        self._ahead = round(clock_ahead(connection))
        self._renewed = 0
        self._turns = _Turns(location)
        self._reconnected = False

    def claim(self, ids: Sequence[int], *, now: Instant, actor: str = LOOP) -> tuple[Invitation, ...]:
        """See ``State``. Of a connection lost in the middle, rows may stay that nobody sends.

        Raises:
            StateLost: the server came back without what was recorded last; nothing more may be sent.
        """
        claimed = self._persist(partial(self._claim, ids, now=now, actor=actor))
        if claimed:
            self.memory = replace(self.memory, claim=(claimed[-1].id, now))
        return claimed

    def journal(self, action: str, *, now: Instant, **more: Any) -> int:
        """See ``State``. An entry of a transaction that is still open is not remembered."""
        open_yet = self._writing
        number = super().journal(action, now=now, **more)
        if not open_yet:
            self.memory = replace(self.memory, journal=(number, now))
        return number

    def settle(self, outcomes: Sequence[SendOutcome], *, actor: str = LOOP) -> int:
        """See ``State``. What was recorded already when the connection was lost is left as it is."""
        return self._persist(partial(super().settle, outcomes, actor=actor))

    def renew(self, *, now: Instant) -> None:
        """See ``State``; a third of the lease after the last time, and not before."""
        if not self._renewed <= now < self._renewed + LEASE // 3:
            self._persist(partial(self._renew, now))
            self._renewed = now

    def take_turn(self, interface_id: str, rate: float, *, now: float | None = None) -> float | None:
        """See ``State``. Without ``now`` (UTC epoch seconds) the server's clock counts."""
        if rate >= _UNLIMITED:
            return None
        amount = min(max(int(rate), 1), _MOST_AT_ONCE)
        asked = {"interface_id": interface_id, "amount": amount, "seconds": amount / rate, "now": now}
        row = self._persist(partial(self._take, asked))
        return None if row.taken else min(max(row.wait or 0, _SHORTEST_WAIT), amount / rate)

    @property
    def turns(self) -> Callable[[str, float], float | None] | None:
        """See ``State``."""
        return self._turns.take

    def close(self) -> None:
        """See ``State``."""
        self._turns.close()
        super().close()

    def obstacles(self) -> Sequence[tuple[str, str]]:
        """See ``State``."""
        return obstacles(self._connection)

    def spread(self, rows: Sequence[Invitation]) -> list[Invitation]:
        """See ``State``."""
        return sorted(rows, key=lambda row: zlib.crc32(f"{self.runner} {row.id}".encode()))

    def _claim(self, ids: Sequence[int], *, now: Instant, actor: str) -> tuple[Invitation, ...]:
        if self._reconnected:  # be it in the attempt before this one
            self.refresh()
            self.check_memory(self.memory)
        return super().claim(ids, now=now, actor=actor)

    def _renew(self, now: Instant) -> None:
        with self.transaction():
            self._execute(_RENEW, {"runner": self.runner, "until": self._lease_end(now)})

    def _take(self, asked: Mapping[str, Any]) -> Row[Any]:
        with self.transaction():
            return self._execute(_TAKE, asked).one()

    def _persist(self, attempt: Callable[[], T]) -> T:
        """Do what commits on its own; where the connection is lost in it, connect and do it again.

        Requests that were made are worth the wait for a server that starts again.
        """
        for pause in _PAUSES:
            try:
                return attempt()
            except StateError:
                if not self._lost():
                    raise
            self._connection.invalidate()
            self._reconnected = True
            time.sleep(pause)
        return attempt()

    def _lost(self) -> bool:
        return self._connection.invalidated or driver_of(self._connection).closed

    def _commit_durably(self) -> None:
        self._execute(_DURABLE)

    def _leaseless(self, now: Instant) -> Sequence[ColumnElement[bool]]:
        return (func.coalesce(invitation.c.lease_until, 0) <= now + self._ahead,)

    def _may_settle(self, row: Any, outcome: SendOutcome) -> bool:
        """Its runner may; others once its lease has run out."""
        return row.lease_owner == self.runner or (row.lease_until or 0) <= outcome.at + self._ahead

    def _lease_end(self, now: Instant) -> Instant:
        return now + self._ahead + LEASE


class _Turns:
    """Taking turns from any thread, one at a time."""

    def __init__(self, location: PostgresLocation) -> None:
        self._location = location
        self._lock = threading.Lock()
        self._state: SharedState | None = None

    def take(self, interface_id: str, rate: float) -> float | None:
        """See ``State.take_turn``."""
        if rate >= _UNLIMITED:
            return None
        with self._lock:
            if self._state is None:
                dialect = PostgresDialect()
                connection = engine(self._location, dialect).connect()
                self._state = SharedState(
                    connection, dialect, location=self._location, writable=True, key=None
                )
            return self._state.take_turn(interface_id, rate)

    def close(self) -> None:
        """Let go of the server."""
        with self._lock:
            if self._state is not None:
                self._state.close()
