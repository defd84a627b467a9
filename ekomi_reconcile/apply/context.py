"""What carrying out a plan needs: the state, eKomi, the orders, the clock."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from ekomi_reconcile.apply.clients import Clients
from ekomi_reconcile.apply.events import Listener, nobody
from ekomi_reconcile.apply.stop import Stop
from ekomi_reconcile.apply.tasks import Tasks
from ekomi_reconcile.apply.upkeep import Upkeep
from ekomi_reconcile.clock import RunClock
from ekomi_reconcile.errors import EkomiError, EkomiUnavailable, ReconcileError
from ekomi_reconcile.model.account import Account
from ekomi_reconcile.model.instant import Instant
from ekomi_reconcile.model.order import Order
from ekomi_reconcile.model.result import Result
from ekomi_reconcile.plan.view import Privacy
from ekomi_reconcile.rules.rulebook import RuleBook
from ekomi_reconcile.state.store import State

LookUp = Callable[[str, Collection[int]], Mapping[int, Order]]
"""Reads orders again: (source, order ids) to orders; one that cannot be read is left out."""

Annotate = Callable[[str, int, str], None]
"""Writes a remark into an order's history: (source, order id, text)."""


Gone = Callable[[str, Collection[int]], frozenset[int]]
"""Of these orders of a source, just looked up, those that it does not have: (source, order ids)."""


def _nothing_gone(source: str, order_ids: Collection[int]) -> frozenset[int]:  # noqa: ARG001 - like others
    return frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """Everything a stage works with; ``accounts`` and ``digests`` (of passwords) are by interface id.

    ``unresolved`` are the accounts whose password cannot be had, with the reason; ``annotated`` the sources
    that take a remark on every order that was asked for a review.
    """

    state: State
    clients: Clients
    accounts: Mapping[str, Account]
    digests: Mapping[str, str]
    unresolved: Mapping[str, ReconcileError]
    book: RuleBook
    look_up: LookUp
    annotate: Annotate
    annotated: frozenset[str]
    privacy: Privacy
    parallelism: int
    now: Callable[[], Instant]
    stop: Stop
    gone: Gone = _nothing_gone
    listen: Listener = nobody
    clock: RunClock | None = None
    upkeep: Upkeep = field(default_factory=Upkeep)
    result: Result = field(default_factory=Result)
    tasks: Tasks = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "tasks", Tasks(self.listen, self.now))

    def name(self, interface_id: str) -> str:
        """The account's name, or its id where it has none any more."""
        known = self.accounts.get(interface_id)
        return known.name if known else interface_id

    def record_failure(self, interface_id: str, operation: str, error: ReconcileError) -> None:
        """Put a failed call into the result and the error log; one that the end of the run prevented
        is no failure of eKomi's, and only counts as not tried.
        """
        subject = f"{self.name(interface_id)}: {operation}"
        if not was_tried(error):
            self.result.not_tried.append(f"{subject} not tried: the run was stopped")
            return
        self.result.fail(subject, error)
        self.note_error(interface_id, operation, error)

    def note_error(self, interface_id: str, operation: str, error: ReconcileError) -> None:
        """Put a failed call into the error log only."""
        known = {each.interface_id for each in self.state.accounts()}
        self.state.record_error(
            interface_id if interface_id in known else None,
            operation=operation if interface_id in known else f"{self.name(interface_id)}: {operation}",
            kind=type(error).__name__,
            http_status=error.status if isinstance(error, EkomiError) else None,
            message=error.message,
            now=self.now(),
        )


def was_tried(error: BaseException | None) -> bool:
    """Did the call fail at eKomi, or did the run end before it was made?"""
    return not isinstance(error, EkomiUnavailable) or error.asked
