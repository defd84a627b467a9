"""Judging one order by the rule of one account, and when it first reached a trigger status.

For one status, best first:

1. a history entry with it that follows an entry with another status (entries that tell no status are
   passed over); of several the first;
2. for ``complete`` the latest shipment, or the latest invoice if that is later; for ``processing`` the
   first invoice. An invoice completes only orders with nothing to ship, or whose shipments could be read. A
   document counts for nothing if a history entry or an observation of ours that is later shows a status that
   is not a trigger status: an ERP may invoice weeks before it completes;
3. our own first observation of it, after one at which the order had another status;
4. the history's first entry, if it has it: the order may have had it before;
5. ``created_at`` of an order never updated, else ``updated_at``.

An order has passed a status if it is in it, or its history has it, or (for ``processing``) its state is
complete, or evidence of the second or third kind says so. Shipments and invoices say so of ``complete``
only where the order's state is complete: a partial shipment completes nothing. Dates before the order's own
are not evidence: sources leave them out (``Order.misdated``).

Pure: no state, no clock and no I/O. The plan asks ``first_failed`` for each order and account; ``explain``
reads the criteria of a ``Decision``. Both go through ``rules.criteria.CRITERIA``, so they cannot disagree.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import NamedTuple

from ekomi_reconcile.model.instant import Instant
from ekomi_reconcile.model.invitation import Criterion, Evidence, Reached
from ekomi_reconcile.model.order import HistoryEntry, Order, status_key
from ekomi_reconcile.rules.case import Case, CriterionRule, KnownFacts
from ekomi_reconcile.rules.conditions import ConditionTrace
from ekomi_reconcile.rules.criteria import CRITERIA
from ekomi_reconcile.rules.rulebook import Checks, Rule

COMPLETE = "complete"
PROCESSING = "processing"

_NOTHING: Mapping[str, Instant] = {}


def reached(
    rule: Rule,
    order: Order,
    *,
    now: Instant,
    seen: Mapping[str, Instant] = _NOTHING,
    recorded: HistoryEntry | None = None,
    frozen: Reached | None = None,
) -> Reached | None:
    """When the order first reached a trigger status of this rule; ``None`` if it has not.

    Of several trigger statuses the earliest instant counts; one in the future counts as now. ``seen``
    is our own first observation of statuses that the order changed to, ``recorded`` the status that was last
    observed, whether or not it was a change. ``frozen`` is what was found earlier: it replaces its
    status as long as that is a trigger status. The ``status`` of the answer is spelled as in the files.
    """
    best: Reached | None = None
    known = _OrderFacts(frozenset(key for key, _ in rule.triggers), order, now, seen, recorded)
    for key, status in rule.triggers:
        if frozen is not None and status_key(frozen.status) == key:
            found: Reached | None = frozen
        else:
            found = _reached(key, status, known)
        if found is not None and (best is None or found.at < best.at):
            best = found
    return best


class _OrderFacts(NamedTuple):
    """What is known of one order; ``triggers`` are the trigger statuses of the rule, as they compare."""

    triggers: frozenset[str]
    order: Order
    now: Instant
    seen: Mapping[str, Instant]
    recorded: HistoryEntry | None


def _reached(key: str, status: str, known: _OrderFacts) -> Reached | None:
    order, now = known.order, known.now
    entry, changed = _in_history(key, order.history) if order.history else (None, False)
    if entry is not None and changed:
        return _at(entry.created_at, status, Evidence.HISTORY, now)
    document = _document(key, order)
    if document is not None and not _contradicted(document[0], known):
        return _at(document[0], status, document[1], now)
    observed = _observed(key, known) if known.seen else None
    if observed is not None:
        return _at(observed, status, Evidence.OBSERVED, now)
    if entry is not None:
        return _at(entry.created_at, status, Evidence.SOLE_HISTORY, now)
    return _by_dates(status, order, now) if document is not None or _is_in(key, order) else None


def _by_dates(status: str, order: Order, now: Instant) -> Reached:
    if order.updated_at is None or order.updated_at == order.created_at:
        return _at(order.created_at, status, Evidence.CREATED, now)
    return _at(order.updated_at, status, Evidence.UPDATED, now)


def _at(instant: Instant, status: str, source: Evidence, now: Instant) -> Reached:
    return Reached(min(instant, now), status, source)


def _is_in(key: str, order: Order) -> bool:
    """Is the order in this status, or does its state say that it has passed it?"""
    if order.status is not None and status_key(order.status) == key:
        return True
    return key == PROCESSING and order.state is not None and status_key(order.state) == COMPLETE


def _in_history(key: str, history: Iterable[HistoryEntry]) -> tuple[HistoryEntry | None, bool]:
    """The entry that speaks for this status, and whether it is a change from another one."""
    sole: HistoryEntry | None = None
    before: str | None = None
    for entry in history:
        if entry.status is None:
            continue
        this = status_key(entry.status)
        if this == key and before is None:
            sole = entry
        elif this == key and before != key:
            return entry, True
        before = this
    return sole, False


def _document(key: str, order: Order) -> tuple[Instant, Evidence] | None:
    """What shipments and invoices say; nothing of a status that they do not prove."""
    if key == PROCESSING and order.first_invoiced_at is not None:
        return order.first_invoiced_at, Evidence.INVOICE
    shipped = order.last_shipped_at
    invoiced = order.last_invoiced_at if order.is_virtual or order.shipments_known else None
    if (shipped is None and invoiced is None) or key != COMPLETE or not _is_complete(order):
        return None
    if shipped is None or (invoiced is not None and invoiced > shipped):
        return None if invoiced is None else (invoiced, Evidence.INVOICE)
    return shipped, Evidence.SHIPMENT


def _is_complete(order: Order) -> bool:
    """Has the order as a whole been delivered, whatever the shop calls its status now?"""
    return COMPLETE in (status_key(order.state or ""), status_key(order.status or "")) or any(
        entry.status is not None and status_key(entry.status) == COMPLETE for entry in order.history
    )


def _contradicted(at: Instant, known: _OrderFacts) -> bool:
    """Was the order in a status other than a trigger status after this document was made?"""
    later = [*known.order.history, *(() if known.recorded is None else (known.recorded,))]
    return any(
        entry.created_at > at and entry.status is not None and status_key(entry.status) not in known.triggers
        for entry in later
    )


def _observed(key: str, known: _OrderFacts) -> Instant | None:
    return min(
        (
            at
            for status, at in known.seen.items()
            if status_key(status) == key and at >= known.order.created_at
        ),
        default=None,
    )


def judge(order: Order, rule: Rule, *, known: KnownFacts) -> Decision:
    """Judge an order by the rule of an account, with what is known about it.

    ``Rule(account)`` compiles the rule; it can be used for any number of orders. Instants are seconds since
    1970 (UTC), periods and limits of rules are days of exactly 24 hours.
    """
    found = reached(
        rule, order, now=known.now, seen=known.observed, recorded=known.recorded, frozen=known.evidence
    )
    judged_at = known.now if known.judged_at is None else known.judged_at
    return Decision(Case(rule, order, judged_at, found, known))


@dataclass(frozen=True, slots=True)
class CriterionResult:
    """One criterion: whether it holds, what the order has, what is wanted; conditions with their parts.

    ``remedy`` says what would make it hold; it reads on from "would be invited if".
    """

    criterion: Criterion
    ok: bool
    value: str | None
    wanted: str
    remedy: str | None = None
    conditions: ConditionTrace | None = None


@dataclass(frozen=True)
class Decision:
    """What the rule of one account makes of an order; reason and criteria are found when they are read."""

    case: Case

    @cached_property
    def reason(self) -> Criterion | None:
        """The first criterion that fails, ``None`` if the order is to be invited."""
        return first_failed(self.case)

    @cached_property
    def criteria(self) -> tuple[CriterionResult, ...]:
        """Every criterion, in the order in which they are judged."""
        return tuple(_result(entry, self.case) for entry in CRITERIA)

    @property
    def reached(self) -> Reached | None:
        """When the order first reached a trigger status, and how that is known."""
        return self.case.reached

    @property
    def scheduled_at(self) -> Instant | None:
        """When an invitation is due, in seconds since 1970; ``None`` while no trigger status was reached."""
        return self.case.scheduled_at

    @property
    def pending_days(self) -> int:
        """The pending period that applies, in days."""
        return self.case.pending_days


def first_failed(case: Case, *, candidate: bool = False) -> Criterion | None:
    """The first criterion that fails, ``None`` if the order is to be invited.

    What ``RuleBook.candidates`` saw to is not checked again for a ``candidate`` for this order.
    """
    rule = case.rule
    checks = rule.candidate_checks if candidate else rule.checks
    if checks is None:
        checks = _compiled(rule, candidate=candidate)
    for criterion, holds in checks:
        if not holds(case):
            return criterion
    return None


def _compiled(rule: Rule, *, candidate: bool) -> Checks:
    """The checks of this rule: for every order the same, so they are compiled once."""
    made = [(entry, holds) for entry in CRITERIA if (holds := entry.compiled(rule)) is not None]
    rule.checks = tuple((entry.criterion, holds) for entry, holds in made)
    rule.candidate_checks = _shared(
        tuple((entry.criterion, holds) for entry, holds in made if not entry.by_store_view)
    )
    return rule.candidate_checks if candidate else rule.checks


@lru_cache
def _shared(checks: Checks) -> Checks:
    return checks


def _result(entry: CriterionRule, case: Case) -> CriterionResult:
    holds = entry.compiled(case.rule)
    ok = holds is None or holds(case)
    shown = entry.shown(case)
    remedy = None if ok else entry.remedy(case)
    return CriterionResult(entry.criterion, ok, shown.value, shown.wanted, remedy, shown.conditions)
