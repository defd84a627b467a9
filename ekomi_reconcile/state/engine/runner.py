"""Who writes to a state: the writer lock, and one or several runners."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from ekomi_reconcile.model.instant import Instant
from ekomi_reconcile.model.invitation import Invitation, SendOutcome
from ekomi_reconcile.model.run import LockInfo
from ekomi_reconcile.state.engine import lock
from ekomi_reconcile.state.engine.location import FileLocation, Location, needs_postgres
from ekomi_reconcile.state.engine.lock import Lock, WriterLock, force_unlock, holder

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement

    from ekomi_reconcile.state.engine.session import Session


def writer_lock(
    location: Location,
    *,
    operation: str,
    about: str | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> Lock:
    """The lock of the state there, not taken yet; ``operation`` and ``about`` tell others what it is for.

    Raises:
        StateError: the driver of the database is not installed.
    """
    if isinstance(location, FileLocation):
        return WriterLock(location.lock, operation=operation, about=about, sleep=sleep)
    needs_postgres()
    from ekomi_reconcile.state.engine.postgres_lock import PostgresLock

    return PostgresLock(location, operation=operation, about=about, sleep=sleep)


def lock_holder(location: Location) -> LockInfo | None:
    """Who holds the lock of the state there, or ``None`` if nobody does.

    Raises:
        StateError: it cannot be found out.
    """
    if isinstance(location, FileLocation):
        return holder(location.lock)
    needs_postgres()
    from ekomi_reconcile.state.engine import postgres_lock

    return postgres_lock.holder(location)


def release_lock(location: Location, lock_id: str) -> LockInfo:
    """Break the lock with this id; its holder notices at its next ``verify``.

    Raises:
        StateError: nobody holds the lock, somebody with another id does, or it cannot be broken.
    """
    if isinstance(location, FileLocation):
        return force_unlock(location.lock, lock_id)
    needs_postgres()
    from ekomi_reconcile.state.engine import postgres_lock

    return postgres_lock.force_unlock(location, lock_id)


LEASE = 30
"""Seconds for which a claim counts without a sign of life from its runner, where there are several."""


T = TypeVar("T")


class Runner:
    """This process as the only one that sends; ``name`` is like no other's.

    ``reconnected``: the connection was lost and opened again, so the server may have lost records.
    """

    reconnected = False
    alone = True
    """Does nobody else send through the same state at the same time?"""

    def __init__(self, session: Session) -> None:
        self.name = lock.runner()
        self._session = session

    def persist(self, attempt: Callable[[], T]) -> T:
        """Do what commits on its own; where the connection can be lost in it, do it again after that."""
        return attempt()

    def renew(self, *, now: Instant) -> None:
        """Renew the lease, often enough while sending: what this runner claimed stays its own.

        Where several runners send, others take a runner without one for dead. On a file there is one.
        """
        del now

    def take_turn(self, interface_id: str, rate: float, *, now: float | None = None) -> float | None:
        """Use up one of the account's ``rate`` turns per second, which all runners share.

        Returns:
            ``None`` to go ahead, else after how many seconds to ask again. On a file always ``None``:
            there is one runner, which keeps its own pace.
        """
        del interface_id, rate, now
        return None

    @property
    def turns(self) -> Callable[[str, float], float | None] | None:
        """``take_turn`` for any thread, over a connection of its own; ``None`` where there is one runner."""
        return None

    def obstacles(self) -> Sequence[tuple[str, str]]:
        """What keeps this user from writing, and what to do about it. A file tells by its mode."""
        return ()

    def spread(self, rows: Sequence[Invitation]) -> list[Invitation]:
        """These invitations in an order in which runners do not get into each other's way."""
        return list(rows)

    def lease_end(self, now: Instant) -> Instant:
        """Until when a claim made now counts."""
        return now + LEASE

    def leaseless(self, now: Instant) -> Sequence[ColumnElement[bool]]:
        """What distinguishes abandoned invitations in ``sending`` from others."""
        del now
        return ()

    def may_settle(self, row: Any, outcome: SendOutcome) -> bool:
        """May this runner record the outcome of an invitation in ``sending``? A file state has one runner."""
        del row, outcome
        return True

    def in_flight(self, sending: int, abandoned: Callable[[], int]) -> int:
        """How many of these invitations in ``sending`` a living runner is sending now.

        On a file whoever holds the writer lock is that runner, elsewhere each has its leases.
        """
        location = self._session.location
        if sending and isinstance(location, FileLocation):
            return 0 if lock.holder(location.lock) is None else sending
        return sending - abandoned()

    def close(self) -> None:
        """Close connections of its own."""
