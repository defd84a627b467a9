"""What a run does for the state itself, last: forgetting what is too old, a copy now and then."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ekomi_reconcile.errors import StateError
from ekomi_reconcile.model.account import Account
from ekomi_reconcile.model.instant import DAY

if TYPE_CHECKING:
    from ekomi_reconcile.apply.context import Context

MOST = 10_000
"""So many statuses of orders are forgotten in one run: the rest waits for the next."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Upkeep:
    """What to see to, in seconds; ``None`` keeps everything.

    ``retention`` is that of the settings. After ``sights`` no rule cares any more in which status an order
    was seen.
    """

    retention: int | None = None
    sights: int | None = None


def lasting_sights(accounts: Iterable[Account]) -> int | None:
    """How long, in seconds, it may matter in which status an order was seen; ``None``: for ever.

    As long as an enabled account may still invite an order that is as old.
    """
    rules = [each.invitations for each in accounts if each.invitations.enabled]
    if not rules or any(each.skip_orders_older_than == 0 for each in rules):
        return None
    return max((each.skip_orders_older_than + each.pending_period) * DAY + each.spread for each in rules)


def keep_up(context: Context) -> None:
    """Forget what is too old, and after a run that did something make a copy now and then.

    A failure is part of the result: everything else is done by then.
    """
    try:
        _forget(context)
        if context.result.counts and not context.stop.is_set():
            _forget_sights(context)
            context.state.copy_now_and_then()
    except StateError as error:
        context.result.fail("upkeep of the state", error)


def _forget(context: Context) -> None:
    now, retention = context.now(), context.upkeep.retention
    if retention is not None:
        context.state.prune(now - retention, now)


def _forget_sights(context: Context) -> None:
    sights = context.upkeep.sights
    if sights is not None:
        context.state.forget_observations(before=context.now() - sights, most=MOST)
