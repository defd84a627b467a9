"""What applying a plan needs: state, clients, clock, tasks, maintenance."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from ekomi_reconcile.apply.fetching import PRODUCTS, Clients, Fetched, FetchTask
from ekomi_reconcile.apply.run_control import Listener, StopSignal, nobody
from ekomi_reconcile.http import RunClock
from ekomi_reconcile.model import run
from ekomi_reconcile.model.account import Account
from ekomi_reconcile.model.errors import EkomiError, EkomiUnavailable, ReconcileError, StateError
from ekomi_reconcile.model.instant import DAY, Instant
from ekomi_reconcile.model.invitation import PASSED_KEPT, Status
from ekomi_reconcile.model.order import Order, OrderId
from ekomi_reconcile.model.review import ProductDetails
from ekomi_reconcile.model.sending_times import SendingSchedule
from ekomi_reconcile.plan.view import Privacy
from ekomi_reconcile.rules.rulebook import RuleBook
from ekomi_reconcile.state.maintenance.backup import copy_now_and_then
from ekomi_reconcile.state.maintenance.move import prune
from ekomi_reconcile.state.store import State

STILL_RUNNING = 10
"""Seconds after which a task that still runs is reported again."""


@dataclass(slots=True)
class _Times:
    began: Instant
    told: Instant


@dataclass(slots=True)
class Tasks:
    """The tasks that have begun and not yet ended, told to ``listen``; ``now`` is the clock."""

    listen: Listener
    now: Callable[[], Instant]
    _open: dict[run.Task, _Times] = field(default_factory=dict)

    def begin(self, tasks: Iterable[run.Task]) -> None:
        """Report that these begin now."""
        now = self.now()
        for task in tasks:
            self._open[task] = _Times(now, now)
            self.listen(run.Started(task))

    def go_on(self) -> None:
        """Report which have been running for another ``STILL_RUNNING`` seconds."""
        now = self.now()
        for task, times in self._open.items():
            if now - times.told >= STILL_RUNNING:
                times.told = now
                self.listen(run.Running(task, now - times.began))

    def end(self, task: run.Task, *, error: str | None = None, status: Status | None = None) -> None:
        """Report that this one has ended, and how."""
        seconds = max(0, self.now() - self._open.pop(task).began)
        self.listen(run.Ended(task=task, seconds=seconds, error=error, status=status))


def tasks_of(task: FetchTask, account: str) -> Iterator[run.Task]:
    """What an task does to its account."""
    works = [task.change] if task.change is not None else []
    works += [run.Work.SYNC] if task.sync else []
    works += [run.Work.IMPORT] if task.reviews else []
    for work in works:
        yield run.Task(work=work, account=account, interface_id=task.interface_id)


def error_of(work: run.Work, fetched: Fetched) -> str | None:
    """Why this part of an task failed, if it did; that of an import also where only products did."""
    answers = {run.Work.SYNC: fetched.shop, run.Work.IMPORT: fetched.reviews}
    answer = fetched.refused or answers.get(work)
    if isinstance(answer, EkomiError):
        return answer.message
    products = fetched.products
    if work is run.Work.IMPORT and isinstance(products, EkomiError) and not fetched.products_refused:
        return f"{PRODUCTS}: {products.message}"
    return None


MOST = 10_000
"""At most this number of order statuses is deleted in one run; the rest is left to the next."""


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
    return max(
        (each.skip_orders_older_than + max(each.pending_periods)) * DAY + each.spread for each in rules
    )


def keep_up(context: Context) -> None:
    """Forget what is too old, and after a run that did something make a copy now and then.

    A failure is part of the result: everything else is done by then.
    """
    try:
        _forget(context)
        if context.result.counts and not context.stop.is_set():
            _forget_sights(context)
            context.state.positions.forget_passed(before=context.now() - PASSED_KEPT, most=MOST)
            copy_now_and_then(context.state)
    except StateError as error:
        context.result.fail("upkeep of the state", error)


def _forget(context: Context) -> None:
    now, retention = context.now(), context.upkeep.retention
    if retention is not None:
        prune(context.state, now - retention, now)


def _forget_sights(context: Context) -> None:
    sights = context.upkeep.sights
    if sights is not None:
        context.state.positions.forget_observations(before=context.now() - sights, most=MOST)


LookUp = Callable[[str, Collection[OrderId]], Mapping[OrderId, Order]]
"""Reads orders again: (source, order ids) to orders; one that cannot be read is left out."""

Annotate = Callable[[str, OrderId, str], None]
"""Writes a remark into an order's history: (source, order id, text)."""


Gone = Callable[[str, Collection[OrderId]], frozenset[OrderId]]
"""Of these orders of a source, just looked up, those that it does not have: (source, order ids)."""


def _nothing_gone(source: str, order_ids: Collection[OrderId]) -> frozenset[OrderId]:  # noqa: ARG001 - like others
    return frozenset()


DescribeProducts = Callable[[str, str | None, Collection[int]], Mapping[int, ProductDetails]]
"""Look up products in the shop: (source, store view, the shop's ids)."""


def _nothing_described(
    source: str,  # noqa: ARG001 - like others
    store_view: str | None,  # noqa: ARG001
    product_ids: Collection[int],  # noqa: ARG001
) -> Mapping[int, ProductDetails]:
    return {}


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
    stop: StopSignal
    gone: Gone = _nothing_gone
    describe_products: DescribeProducts = _nothing_described
    schedule: SendingSchedule = field(default_factory=SendingSchedule)
    listen: Listener = nobody
    clock: RunClock | None = None
    upkeep: Upkeep = field(default_factory=Upkeep)
    result: run.Result = field(default_factory=run.Result)
    tasks: Tasks = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "tasks", Tasks(self.listen, self.now))

    def name(self, interface_id: str) -> str:
        """The account's name, or its id where it has none any more."""
        known = self.accounts.get(interface_id)
        return known.name if known else interface_id

    def record_failure(self, interface_id: str, operation: str, error: ReconcileError) -> None:
        """Put a failed call into the result and the error log; one that the end of the run prevented
        is not a failure of eKomi, and counts as not tried.
        """
        subject = f"{self.name(interface_id)}: {operation}"
        if not was_tried(error):
            self.result.not_tried.append(f"{subject} not tried: the run was stopped")
            return
        self.result.fail(subject, error)
        self.note_error(interface_id, operation, error)

    def note_error(self, interface_id: str, operation: str, error: ReconcileError) -> None:
        """Put a failed call into the error log only."""
        known = any(each.interface_id == interface_id for each in self.state.accounts.read())
        self.state.journal.record_error(
            interface_id if known else None,
            account=None if known else self.name(interface_id),
            operation=operation,
            kind=type(error).__name__,
            http_status=error.status if isinstance(error, EkomiError) else None,
            message=error.message,
            now=self.now(),
        )


def was_tried(error: BaseException | None) -> bool:
    """Did the call fail at eKomi, or did the run end before it was made?"""
    return not isinstance(error, EkomiUnavailable) or error.asked
