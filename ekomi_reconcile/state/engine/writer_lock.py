"""The writer lock of a state, wherever that is: taken, looked at, or broken."""

from __future__ import annotations

import time
from collections.abc import Callable

from ekomi_reconcile.model.run import LockInfo
from ekomi_reconcile.state.engine.location import FileLocation, Location, needs_postgres
from ekomi_reconcile.state.engine.lock import Lock, WriterLock, force_unlock, holder


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
