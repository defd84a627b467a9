"""Which accounts are synced, and whose reviews are imported, in this run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ekomi_reconcile.model.account import Account
from ekomi_reconcile.model.instant import Instant
from ekomi_reconcile.plan.diff import PASSWORD
from ekomi_reconcile.plan.needs import CLOCK_TOLERANCE
from ekomi_reconcile.plan.plan import AccountChange, Action, Operation, OperationKind
from ekomi_reconcile.plan.view import RecordedAccount


@dataclass(frozen=True, slots=True, kw_only=True)
class Intervals:
    """How old a success may become, in seconds."""

    sync: int
    reviews: int


def due_fetches(
    accounts: Sequence[Account],
    recorded: Mapping[str, RecordedAccount],
    changes: Mapping[str, AccountChange],
    *,
    intervals: Intervals,
    now: Instant,
    present: Instant | None = None,
) -> tuple[Operation, ...]:
    """Syncs, then imports, in the order of the accounts. ``recorded`` and ``changes`` are by interface id.

    A success that the state dates after ``present`` was recorded with a wrong clock, and counts for nothing.
    """
    latest = (now if present is None else present) + CLOCK_TOLERANCE
    kinds = ((OperationKind.SYNC, intervals.sync), (OperationKind.IMPORT, intervals.reviews))
    found = []
    for kind, interval in kinds:
        for account in accounts:
            key = account.interface_id
            reasons = _reasons(
                kind, recorded.get(key), changes.get(key), oldest=now - interval, latest=latest
            )
            if reason := next(reasons, None):
                found.append(Operation(kind=kind, account=account.name, interface_id=key, reason=reason))
    return tuple(found)


def _reasons(
    kind: OperationKind,
    known: RecordedAccount | None,
    change: AccountChange | None,
    *,
    oldest: Instant,
    latest: Instant,
) -> Iterator[str]:
    if change is not None and change.blocked:
        return
    if change is not None and change.action in (Action.CREATE, Action.REPLACE):
        yield "new"
    if known is None or known.deleted_at is not None:
        return
    if change is not None and PASSWORD in change.changed:
        yield "password changed"
    last = known.last_fetched_at if kind is OperationKind.SYNC else known.last_import_at
    if last is None:
        yield "never done"
    elif last < oldest or last > latest:
        yield "due"
