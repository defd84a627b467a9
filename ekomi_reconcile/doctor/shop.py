"""What a shop reports about itself, and a survey of its recent orders."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from ekomi_reconcile.model.diagnostic import Diagnostic
from ekomi_reconcile.model.instant import DAY, Instant
from ekomi_reconcile.model.invitation import Evidence
from ekomi_reconcile.model.order import Agreement, Order
from ekomi_reconcile.model.rule import DELETED_STORE_VIEW
from ekomi_reconcile.orders.magento.directory import ADMIN_STORE, Directory
from ekomi_reconcile.orders.magento.source import Probe
from ekomi_reconcile.orders.source import OrderSource, Reading, Wanted
from ekomi_reconcile.reconcile.absent_fields import Carried
from ekomi_reconcile.rules.judge import reached
from ekomi_reconcile.rules.order_fields import is_consent, path_of
from ekomi_reconcile.rules.rulebook import Rule, RuleBook

Names = Callable[[Directory], frozenset[str]]
"""Reads one kind of names from a shop's lists."""


@runtime_checkable
class ExaminedShop(Protocol):
    """An order source that is a shop. What it raises is an ``OrderSourceError``."""

    @property
    def directory(self) -> Directory:
        """Its lists."""

    def probe(self, *, annotate: bool = ...) -> Probe:
        """Can it be reached, what may the integration see, is its clock right, its newest orders."""

    def statuses(self) -> Mapping[str, str | None]:
        """Status codes to states."""


def store_views(lists: Directory) -> frozenset[str]:
    """The codes of the store views in which customers can order."""
    return frozenset(each.code for each in lists.store_views() if each.id != ADMIN_STORE)


def active_store_views(lists: Directory) -> frozenset[str]:
    """Those of them that are switched on."""
    views = (each for each in lists.store_views() if each.id != ADMIN_STORE)
    return frozenset(each.code for each in views if each.is_active is None or each.is_active)


def customer_groups(lists: Directory) -> frozenset[str]:
    """The names of the customer groups."""
    return frozenset(each.code for each in lists.customer_groups())


RECENT_DAYS = 90
"""How far back orders are looked at."""

MOST_ORDERS = 5_000
"""How many are looked at: enough for shares and names, and soon read over a network too."""


@dataclass(slots=True)
class Timing:
    """Of the orders of one rule: how many reached a trigger status, how many later than the age limit."""

    reached: int = 0
    late: int = 0


@dataclass(slots=True)
class Survey:
    """What was seen. Statuses are those that orders have or had; ``timings`` are by interface id.

    ``consents`` are the verdicts on consent by its key (``rules.order_fields``).
    """

    orders: int = 0
    store_views: Counter[str] = field(default_factory=Counter)
    customer_groups: Counter[str] = field(default_factory=Counter)
    statuses: Counter[str] = field(default_factory=Counter)
    nameless_views: int = 0
    nameless_groups: int = 0
    carried: Carried = field(default_factory=lambda: Carried(set()))
    timings: dict[str, Timing] = field(default_factory=dict)
    consents: dict[str, Counter[Agreement]] = field(default_factory=dict)
    problems: Sequence[Diagnostic] = ()
    complete: bool = True


def survey(source: OrderSource, book: RuleBook, *, now: Instant) -> Survey:
    """Look at the orders of the last 90 days, at most some thousands of them.

    Raises:
        OrderSourceError: they cannot be read.
    """
    wanted = Wanted(full=True, created_from=now - RECENT_DAYS * DAY, attributes=book.attributes)
    reading = source.read(wanted)
    found = Survey(carried=Carried.for_rules(rule.account for rule in book.rules))
    for order in _some(reading, found):
        found.carried.see((order,))
        _note_names(order, found)
        for rule in book.candidates(order.store_view):
            _note_timing(rule, order, found, now=now)
    if found.complete:
        found.problems = reading.problems
    return found


def survey_of(
    orders: Sequence[Order], problems: Sequence[Diagnostic], book: RuleBook, *, now: Instant
) -> Survey:
    """The same of orders that were read already."""
    named = {each for each in book.attributes if path_of(each) is not None and not is_consent(each)}
    found = Survey(orders=len(orders), problems=problems, carried=Carried(named))
    found.carried.see(orders)
    for order in orders:
        _note_names(order, found)
        for rule in book.candidates(order.store_view):
            _note_timing(rule, order, found, now=now)
    return found


def _some(reading: Reading, found: Survey) -> Iterator[Order]:
    for batch in reading.batches():
        for order in batch:
            if found.orders == MOST_ORDERS:
                found.complete = False
                return
            found.orders += 1
            yield order


def _note_names(order: Order, found: Survey) -> None:
    if order.store_view is None:
        found.nameless_views += 1
    elif order.store_view != DELETED_STORE_VIEW:
        found.store_views[order.store_view] += 1
    if order.customer_group is None:
        found.nameless_groups += 1
    else:
        found.customer_groups[order.customer_group] += 1
    for key, verdict in (order.consents or {}).items():
        found.consents.setdefault(key, Counter())[verdict] += 1
    passed = {entry.status for entry in order.history} | {order.status}
    found.statuses.update(status for status in passed if status is not None)


def _note_timing(rule: Rule, order: Order, found: Survey, *, now: Instant) -> None:
    """Count the order, where it is known better than from its last change when it reached its status."""
    limit = rule.account.invitations.skip_orders_older_than
    if limit == 0 or not rule.account.invitations.customer_groups.admits(order.customer_group):
        return
    known = reached(rule, order, now=now)
    if known is None or known.source is Evidence.UPDATED:
        return
    timing = found.timings.setdefault(rule.account.interface_id, Timing())
    timing.reached += 1
    timing.late += known.at - order.created_at > limit * DAY
