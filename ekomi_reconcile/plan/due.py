"""What is due in this run: invitations, syncs and imports."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from heapq import nsmallest

from ekomi_reconcile.model import invitation
from ekomi_reconcile.model.account import Account, AccountRecord
from ekomi_reconcile.model.diagnostic import Diagnostic, Severity
from ekomi_reconcile.model.instant import DAY, Instant
from ekomi_reconcile.model.order import OrderId, id_rank
from ekomi_reconcile.model.rule import InvitationRule
from ekomi_reconcile.model.sending_times import SendingSchedule
from ekomi_reconcile.plan import plan
from ekomi_reconcile.plan.diff import PASSWORD
from ekomi_reconcile.plan.matcher import cancellation
from ekomi_reconcile.plan.read_requests import CLOCK_TOLERANCE
from ekomi_reconcile.plan.view import Queue

_LOOKUP = 500

BURST = 100
"""Invitations due at once for a new or changed account, from which a warning is shown."""


def due(
    steps: plan.InvitationSteps,
    queue: Queue,
    *,
    senders: frozenset[str],
    now: Instant,
    cap: int,
    schedule: SendingSchedule,
    rules: Mapping[str, InvitationRule],
) -> tuple[plan.InvitationSteps, Mapping[str, int]]:
    """The steps with what is sent now: rows that are due and those that this plan makes due.

    Beside them, by interface id, how many of these are due because the rule is new or changed.

    The oldest come first; beyond ``cap`` they wait, unless a rule change is what makes them due: then a
    guard has to decide about all of them. Outside of their sending windows they wait, too.
    """
    moved = {step.row_id for step in steps.cancel} | {step.row_id for step in steps.reschedule}
    rows = [row for row in queue.due(senders, now) if row.id not in moved]
    marks = _marks(rows, steps, queue)
    waiting = [row for row in rows if (row.source, row.order_id) in marks]
    gone = {row.id for row in waiting if _is_gone(row, marks[row.source, row.order_id], now)}
    for row in waiting:
        if row.id in gone:
            steps.cancel.append(cancellation(row, invitation.ORDER_GONE, rule_change=False))
    ready = (row for row in rows if (row.source, row.order_id) not in marks)
    at_once = {row.id for row in rows if row.at_once}
    found, held = [], Counter[str]()
    for send in _due(steps, ready, rules=rules, now=now):
        if schedule.is_open(send.interface_id, now, at_once=send.row_id in at_once):
            found.append(send)
        else:
            held[send.interface_id] += 1
    caused = Counter(send.interface_id for send in found if send.rule_change)
    limit = len(found) if caused.total() > cap else cap
    chosen = nsmallest(
        limit, found, key=lambda send: (send.scheduled_at, send.source, id_rank(send.order_id))
    )
    for send in chosen:
        steps.send.append(send)
    deferred = len(found) - len(chosen)
    steps = replace(
        steps,
        deferred=deferred,
        waiting=len(waiting) - len(gone) + held.total(),
        windows=tuple(_window_waits(held, schedule, now)),
        due_by_rule_change=caused.total(),
    )
    return steps, caused


def _window_waits(
    held: Mapping[str, int], schedule: SendingSchedule, now: Instant
) -> Iterator[plan.WindowWait]:
    for key, count in sorted(held.items()):
        times = schedule.times[key]
        yield plan.WindowWait(
            interface_id=key, count=count, leaves_at=times.next_opening(now), timezone=times.zone
        )


def missing_orders(queue: Queue, *, senders: frozenset[str], now: Instant) -> Iterator[Diagnostic]:
    """A warning for every source that no longer has the orders of due invitations."""
    rows = list(queue.due(senders, now))
    marks = _marks(rows, plan.InvitationSteps(), queue)
    found: dict[str, list[str]] = {}
    for row in rows:
        mark = marks.get((row.source, row.order_id))
        if mark is not None and mark.status == invitation.MISSING_MARK:
            found.setdefault(row.source, []).append(row.number)
    for source, numbers in sorted(found.items()):
        shown = ", ".join(numbers[:3]) + (", …" if len(numbers) > 3 else "")
        yield Diagnostic(
            severity=Severity.WARNING,
            rule="order-missing",
            message=f"order source {source} no longer has the orders of {len(numbers)} due invitation(s) "
            f"({shown}); they wait, and are cancelled as "
            f"{invitation.ORDER_GONE} after {invitation.GONE_AFTER} days",
            hint="an export must hold every order until it is invited: export at least as many days as the "
            "pending period and the age limit together",
        )


def _marks(
    rows: Sequence[invitation.Invitation], steps: plan.InvitationSteps, queue: Queue
) -> dict[tuple[str, OrderId], invitation.Observation]:
    """By source and order id: invitations that wait for their order, as it is known after this plan."""
    by_source: dict[str, list[OrderId]] = {}
    for row in rows:
        by_source.setdefault(row.source, []).append(row.order_id)
    found: dict[tuple[str, OrderId], invitation.Observation] = {}
    for source, ids in by_source.items():
        for at in range(0, len(ids), _LOOKUP):
            noted = queue.observations(source, ids[at : at + _LOOKUP])
            found |= {(source, key): each for key, each in noted.items()}
    if rows:
        found |= {(each.source, each.order_id): each for each in steps.observations}
    return {key: each for key, each in found.items() if each.status in invitation.MARKS}


def _is_gone(row: invitation.Invitation, mark: invitation.Observation, now: Instant) -> bool:
    """Has the source not had the order for so long, and nobody revived its invitation since?"""
    return (
        mark.status == invitation.MISSING_MARK
        and max(mark.since, row.changed_at) <= now - invitation.GONE_AFTER * DAY
    )


def bursts(accounts: Iterable[Account], caused: Mapping[str, int]) -> Iterator[Diagnostic]:
    """A word on every account whose new or changed rule makes many invitations due at once."""
    for account in accounts:
        count = caused.get(account.interface_id, 0)
        if count > BURST:
            yield Diagnostic(
                severity=Severity.WARNING,
                rule="burst",
                message=f"{count} invitations of {account.name} are due at once: the rule is new or changed, "
                "and their scheduled time has passed",
                hint=_advice(account),
                account=account.name,
            )


def _advice(account: Account) -> str:
    if account.invitations.spread:
        return "a wider `spread`, or a smaller `skip_orders_older_than`, makes them fewer"
    return "`spread: 3d` under `invitations:` lets them leave over three days"


def _due(
    steps: plan.InvitationSteps,
    rows: Iterable[invitation.Invitation],
    *,
    rules: Mapping[str, InvitationRule],
    now: Instant,
) -> Iterator[invitation.SendStep]:
    for row in rows:
        rule = rules[row.interface_id]
        yield invitation.SendStep(
            interface_id=row.interface_id,
            row_id=row.id,
            source=row.source,
            order_id=row.order_id,
            number=row.number,
            scheduled_at=row.scheduled_at,
            channel=rule.only_channel,
            products=None if rule.products.ask else (),
        )
    for step in steps.reschedule:
        if step.scheduled_at <= now:
            yield invitation.SendStep(
                interface_id=step.interface_id,
                row_id=step.row_id,
                source=step.source,
                order_id=step.order_id,
                number=step.number,
                scheduled_at=step.scheduled_at,
                rule_change=True,
                channel=step.channel,
                products=step.products,
                moved_from=step.previously,
            )
    for planned in steps.schedule:
        if planned.scheduled_at <= now:
            yield invitation.SendStep(
                interface_id=planned.interface_id,
                row_id=None,
                source=planned.source,
                order_id=planned.order_id,
                number=planned.number,
                scheduled_at=planned.scheduled_at,
                rule_change=planned.rule_change,
                channel=planned.channel,
                products=planned.products,
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Intervals:
    """How old a success may become, in seconds."""

    sync: int
    reviews: int


def due_fetches(
    accounts: Sequence[Account],
    recorded: Mapping[str, AccountRecord],
    changes: Mapping[str, plan.AccountChange],
    *,
    intervals: Intervals,
    now: Instant,
    present: Instant | None = None,
) -> tuple[plan.Operation, ...]:
    """Syncs, then imports, in the order of the accounts. ``recorded`` and ``changes`` are by interface id.

    A success that the state dates after ``present`` was recorded with a wrong clock, and counts for nothing.
    """
    latest = (now if present is None else present) + CLOCK_TOLERANCE
    kinds = ((plan.OperationKind.SYNC, intervals.sync), (plan.OperationKind.IMPORT, intervals.reviews))
    found = []
    for kind, interval in kinds:
        for account in accounts:
            key = account.interface_id
            reasons = _reasons(
                kind, recorded.get(key), changes.get(key), oldest=now - interval, latest=latest
            )
            if reason := next(reasons, None):
                found.append(plan.Operation(kind=kind, account=account.name, interface_id=key, reason=reason))
    return tuple(found)


def _reasons(
    kind: plan.OperationKind,
    known: AccountRecord | None,
    change: plan.AccountChange | None,
    *,
    oldest: Instant,
    latest: Instant,
) -> Iterator[str]:
    if change is not None and change.blocked:
        return
    if change is not None and change.action in (plan.Action.CREATE, plan.Action.REPLACE):
        yield "new"
    if known is None or known.deleted_at is not None:
        return
    if change is not None and PASSWORD in change.changed:
        yield "password changed"
    last = known.last_fetched_at if kind is plan.OperationKind.SYNC else known.last_import_at
    if last is None:
        yield "never done"
    elif last < oldest or last > latest:
        yield "due"
