"""Renaming accounts and sources, and what is forgotten with time."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from sqlalchemy import delete, insert, or_, select, update

from ekomi_reconcile.model.errors import StateError, StateLost, StateMissing
from ekomi_reconcile.model.instant import DAY, Instant, iso
from ekomi_reconcile.model.invitation import Status
from ekomi_reconcile.model.run import Moved, TableDigest
from ekomi_reconcile.state.engine import location
from ekomi_reconcile.state.engine import tables as engine_tables
from ekomi_reconcile.state.engine.mark import read_key
from ekomi_reconcile.state.engine.session import Session
from ekomi_reconcile.state.maintenance.table_dump import copy_content
from ekomi_reconcile.state.opening import Mode, build_state, open_state
from ekomi_reconcile.state.store import State

RETENTION_OPERATION = "privacy retention"

_PRUNED = "pruned_before"
_OPEN = (Status.PENDING.value, Status.SENDING.value)
_REMOVED = ("store_view", "link", "reason", "customer")


@dataclass(frozen=True, slots=True, kw_only=True)
class PruneCounts:
    """What was forgotten; ``reduced`` invitations keep ids, status and times."""

    reviews: int = 0
    errors: int = 0
    journal: int = 0
    changes: int = 0
    observations: int = 0
    passed: int = 0
    reduced: int = 0

    @property
    def total(self) -> int:
        """How many rows were concerned."""
        return sum(getattr(self, each.name) for each in fields(self))

    def __str__(self) -> str:
        shown = {each.name: getattr(self, each.name) for each in fields(self)}
        return ", ".join(f"{count} {name}" for name, count in shown.items() if count)


def prune(state: State, before: Instant, now: Instant) -> PruneCounts:
    """Delete reviews, logs and histories from before, and reduce invitations that ended before.

    An invitation keeps what is needed never to ask twice: ids, status and times. What is open stays.
    At most once a day something is done, and what was done is journaled.
    """
    session = state.session
    with session.joined():
        last = session.execute(
            select(engine_tables.meta.c.value).where(engine_tables.meta.c.key == _PRUNED)
        ).scalar()
        if last is not None and int(last) <= before < int(last) + DAY:
            return PruneCounts()
        _remember(session, before, known=last is not None)
        counts = PruneCounts(
            reviews=_delete(session, engine_tables.review, engine_tables.review.c.submitted_at < before),
            errors=_delete(session, engine_tables.api_error, engine_tables.api_error.c.at < before),
            journal=_delete(session, engine_tables.journal, engine_tables.journal.c.at < before),
            changes=_delete(
                session, engine_tables.invitation_history, engine_tables.invitation_history.c.at < before
            ),
            observations=_delete(
                session, engine_tables.observation, engine_tables.observation.c.since < before
            ),
            passed=_delete(
                session, engine_tables.passed_order, engine_tables.passed_order.c.order_date < before
            ),
            reduced=_reduce(session, before),
        )
        if counts.total:
            state.journal.add(
                RETENTION_OPERATION, subject=f"before {iso(before)}", outcome=str(counts), now=now
            )
    return counts


def _delete(session: Session, table: Any, old: Any) -> int:
    return session.execute(delete(table).where(old)).rowcount


def _reduce(session: Session, before: Instant) -> int:
    holds = or_(*(engine_tables.invitation.c[name].is_not(None) for name in _REMOVED))
    ended = engine_tables.invitation.c.status.not_in(_OPEN) & (engine_tables.invitation.c.changed_at < before)
    values = dict.fromkeys(_REMOVED)
    return session.execute(update(engine_tables.invitation).where(ended, holds).values(values)).rowcount


def _remember(session: Session, before: Instant, *, known: bool) -> None:
    mine = update(engine_tables.meta).where(engine_tables.meta.c.key == _PRUNED).values(value=str(before))
    session.execute(mine if known else insert(engine_tables.meta).values(key=_PRUNED, value=str(before)))


OPERATION = "state migrate"


def move(state: State, target: str, *, root: Path, configured: bytes | None, now: Instant) -> Moved:
    """Copy a state to another place, and compare both row by row; the caller holds both writer locks.

    The state stays as it is; its journal says where it went. ``configured`` is the key of the settings.
    Killed at whatever moment, there is all of it at the target or nothing.

    Raises:
        StateError: there is a state at the target already, or the key of the digests cannot come along;
            nothing was copied.
    """
    place = location.locate(target, root=root)
    if _resolved(place) == _resolved(state.location):
        raise StateError(f"the state is at {place} already", hint="give another URL")
    key = state.key.require()
    _must_be_free(place, target, root=root)
    _bring_key(place, key, configured=configured)
    with state.transaction():
        serial = state.meta.bump_serial()
        state.journal.add(OPERATION, subject=str(place), outcome=f"copied with serial {serial}", now=now)
    tables: dict[str, TableDigest] = {}
    with build_state(
        target,
        root=root,
        key=key,
        fill=lambda new: tables.update(copy_content(new, state, serial=serial)),
    ) as new:
        new.key.require()
    return Moved(
        origin=str(state.location),
        target=str(place),
        serial=serial,
        tables=tables,
        key_file=None if configured is not None else _key_file(place, state.location),
    )


def _must_be_free(place: location.Location, target: str, *, root: Path) -> None:
    """Raises:
    StateError: there is a state that is in use.
    """
    try:
        open_state(target, root=root, mode=Mode.READ).close()
    except StateMissing:
        return
    except StateLost:
        if isinstance(place, location.FileLocation) and not place.path.exists() and not place.mark.exists():
            return  # nothing but a key: an interrupted migration brings that first
        raise
    raise StateError(
        f"there is a state at {place} already", hint="give a URL without a state; nothing was copied"
    )


def _bring_key(place: location.Location, key: bytes, *, configured: bytes | None) -> None:
    """Put the key beside a file state, where the settings have none.

    Raises:
        StateError: another key is there.
    """
    if configured is not None or not isinstance(place, location.FileLocation):
        return
    known = read_key(place.key)
    if known is None:
        with location.file_errors(place.key):
            location.make_folder(place.key.parent)
            location.create_private(place.key, key.hex().encode() + b"\n")
    elif known != key:
        raise StateError(
            f"{place.key} holds another key of digests", hint="move it away, or give another URL"
        )


def _key_file(*places: location.Location) -> Path | None:
    keys = (each.key for each in places if isinstance(each, location.FileLocation))
    return next((each for each in keys if each.exists()), None)


def _resolved(place: location.Location) -> object:
    return place.path.resolve() if isinstance(place, location.FileLocation) else place
