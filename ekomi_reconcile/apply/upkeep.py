"""What a run does for the state itself, last: opt-outs, retention, a copy now and then."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ekomi_reconcile.errors import StateError
from ekomi_reconcile.model.invitation import Criterion
from ekomi_reconcile.model.result import Done

if TYPE_CHECKING:
    from ekomi_reconcile.apply.context import Context


@dataclass(frozen=True, slots=True, kw_only=True)
class Upkeep:
    """What to see to: ``retention`` in seconds, ``opted_out`` the digests of customers not to be asked."""

    retention: int | None = None
    opted_out: AbstractSet[str] = field(default_factory=frozenset)


def keep_up(context: Context) -> None:
    """Cancel what waits for customers who opted out, forget what is too old, make a copy now and then.

    A failure is part of the result: everything else is done by then.
    """
    try:
        _cancel_opted_out(context)
        _forget(context)
        if context.result.counts and not context.stop.is_set():
            context.state.copy_now_and_then()
    except StateError as error:
        context.result.fail("upkeep of the state", error)


def _cancel_opted_out(context: Context) -> None:
    """An opt-out also reaches rows whose orders no longer change and whose time has not come."""
    waiting = context.state.pending_of(context.upkeep.opted_out)
    reasons = dict.fromkeys(waiting, Criterion.SUPPRESSED.value)
    context.result.count(Done.CANCELLED, context.state.cancel(reasons, now=context.now()) if reasons else 0)


def _forget(context: Context) -> None:
    now, retention = context.now(), context.upkeep.retention
    if retention is not None:
        context.state.prune(now - retention, now)
