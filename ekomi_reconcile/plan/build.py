"""Making the plan: a pure function of the files, the state, the orders and the instant."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ekomi_reconcile.model.account import Account, AccountRecord, PositionRecord
from ekomi_reconcile.model.diagnostic import Diagnostic, Incident, Severity
from ekomi_reconcile.model.instant import Instant, iso
from ekomi_reconcile.model.invitation import CancelStep, SendStep
from ekomi_reconcile.model.sending_times import SendingSchedule
from ekomi_reconcile.plan.diff import Desired, Limits, diff, judge
from ekomi_reconcile.plan.due import Intervals, bursts, due, due_fetches, missing_orders
from ekomi_reconcile.plan.plan import AccountChange, InvitationSteps, Operation, Plan, Position, Scope
from ekomi_reconcile.plan.read_requests import Need, needs
from ekomi_reconcile.plan.source_pass import Matched, match_all, opted_out, reviewed, strays
from ekomi_reconcile.plan.steps import Steps
from ekomi_reconcile.plan.view import Orders, Privacy, Queue, select


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedState:
    """The state as the planner sees it; ``in_doubt`` is how many rows may have been sent, nobody knows."""

    lineage: str | None
    serial: int
    accounts: Sequence[AccountRecord]
    positions: Mapping[str, PositionRecord]
    queue: Queue
    in_doubt: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """Everything else that a plan depends on.

    ``max_sends`` is the cap of an ordinary run. ``present`` is what the clock shows, where the plan is made
    for another instant ``now`` (``hypothetical``). Without ``sending`` what is due stays pending. Sending
    windows are in the local time of ``timezone``.
    """

    now: Instant
    present: Instant | None = None
    tool_version: str
    config_digest: str
    git_commit: str | None
    intervals: Intervals
    limits: Limits
    max_sends: int
    hypothetical: bool = False
    sending: bool = True
    timezone: str | None = None
    scope: Scope = field(default_factory=Scope)
    diagnostics: tuple[Diagnostic, ...] = ()


def build(
    desired: Sequence[Desired],
    recorded: RecordedState,
    circumstances: Circumstances,
    *,
    privacy: Privacy,
    orders: Callable[[Need], Orders],
) -> Plan:
    """The plan. ``orders`` opens a pass over an order source; it is asked only for what is needed.

    Raises:
        PlanError: an interface id changed under a known name, or a selection matches no account.
    """
    scope, accounts = circumstances.scope, [each.account for each in desired]
    changes = diff(desired, recorded.accounts, replaces=scope.replaces)
    selected = select(scope, accounts, changes, recorded.accounts)
    chosen = () if scope.refresh_only else tuple(each for each in changes if each.interface_id in selected)
    steps, found = InvitationSteps(), circumstances.diagnostics
    positions: tuple[Position, ...] = ()
    if not (scope.offline or scope.refresh_only):
        steps, positions, problems = _invitations(
            accounts, recorded, circumstances, chosen, selected=selected, privacy=privacy, orders=orders
        )
        found = (*found, *problems)
    draft = Plan(
        created_at=circumstances.now,
        tool_version=circumstances.tool_version,
        complete=not any(each.is_error for each in found),
        lineage=recorded.lineage,
        serial=recorded.serial,
        config_digest=circumstances.config_digest,
        hypothetical=circumstances.hypothetical,
        git_commit=circumstances.git_commit,
        scope=scope,
        names=names_of(accounts, recorded.accounts),
        changes=chosen,
        operations=() if scope.offline else _fetches(accounts, recorded, circumstances, changes, selected),
        invitations=steps,
        positions=positions,
        diagnostics=(*_conditions(circumstances), *found, *_attention(recorded)),
    )
    in_state = sum(each.deleted_at is None for each in recorded.accounts)
    return replace(draft, guards=judge(draft, circumstances.limits, accounts_in_state=in_state))


def _fetches(
    accounts: Sequence[Account],
    recorded: RecordedState,
    circumstances: Circumstances,
    changes: Sequence[AccountChange],
    selected: frozenset[str],
) -> tuple[Operation, ...]:
    """The syncs and imports of the selected accounts that are due."""
    return due_fetches(
        [each for each in accounts if each.interface_id in selected],
        {each.interface_id: each for each in recorded.accounts},
        {each.interface_id: each for each in changes},
        intervals=circumstances.intervals,
        now=circumstances.now,
        present=circumstances.present,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Passes:
    """The passes over the order sources that had to be read, in the order of ``needed``.

    ``present`` are the accounts that no guard blocks, ``leaving`` the interface ids of deleted ones.
    """

    present: Sequence[Account]
    leaving: frozenset[str]
    needed: Sequence[Need]
    matched: Sequence[Matched]
    schedule: SendingSchedule

    @property
    def read(self) -> frozenset[str]:
        """The sources that could be read."""
        return frozenset(need.source for need, each in self._pairs() if not each.failure)

    @property
    def unread(self) -> frozenset[str]:
        """The sources that could not be read."""
        return frozenset(need.source for need, each in self._pairs() if each.failure)

    def _pairs(self) -> Iterable[tuple[Need, Matched]]:
        return zip(self.needed, self.matched, strict=True)

    def senders(self, selected: frozenset[str]) -> frozenset[str]:
        """The accounts whose due invitations may be sent: their orders could be read."""
        sending = selected.difference(*(each.stopped for each in self.matched))
        return frozenset(
            each.interface_id
            for each in self.present
            if each.interface_id in sending and each.invitations.enabled and each.orders in self.read
        )

    def positions(self, unseen: frozenset[str], known: Collection[str]) -> tuple[Position, ...]:
        """Up to where accounts are evaluated now.

        One that reads another source now keeps its position while the former could not be read. An account
        starts again if orders were released that its position may be behind; ``unseen`` are the sources of
        such orders, ``known`` the accounts that have a position.
        """
        stuck = {key for need in self.needed if need.source in self.unread for key in need.moved}
        passed_over = {key for each in self.matched for key in each.passed_over}
        reached = (at for each in self.matched for at in each.positions if at.interface_id not in stuck)
        again = (
            _start(each)
            for each in self.present
            if each.interface_id in known and (each.interface_id in passed_over or each.orders in unseen)
        )
        return (*reached, *again)


def _invitations(
    accounts: Sequence[Account],
    recorded: RecordedState,
    circumstances: Circumstances,
    changes: Sequence[AccountChange],
    *,
    selected: frozenset[str],
    privacy: Privacy,
    orders: Callable[[Need], Orders],
) -> tuple[InvitationSteps, tuple[Position, ...], tuple[Diagnostic, ...]]:
    """The steps of invitations, the positions afterwards, and what there is to report."""
    now, queue = circumstances.now, recorded.queue
    passes = _read_sources(
        accounts, recorded, circumstances, changes, selected=selected, privacy=privacy, orders=orders
    )
    steps = _merged(each.steps for each in passes.matched)
    unseen = _cancel_unread(steps, passes, recorded, selected=selected, privacy=privacy)
    ignored = _cancel_reviewed(steps, passes, queue, selected=selected, now=now)
    senders = passes.senders(selected)
    cap = circumstances.max_sends
    rules = {each.interface_id: each.invitations for each in accounts}
    steps, caused = due(
        steps, queue, senders=senders, now=now, cap=cap, schedule=passes.schedule, rules=rules
    )
    held = len(steps.send) + steps.deferred
    if not circumstances.sending:
        steps, caused = replace(steps, send=Steps(SendStep), deferred=0, due_by_rule_change=0), {}
    problems = (
        *(problem for each in passes.matched for problem in each.diagnostics),
        *ignored,
        *bursts(passes.present, caused),
        *missing_orders(queue, senders=senders, now=now),
        *(() if circumstances.sending else _sending_off(held)),
    )
    return steps, passes.positions(unseen, recorded.positions), problems


def _read_sources(
    accounts: Sequence[Account],
    recorded: RecordedState,
    circumstances: Circumstances,
    changes: Sequence[AccountChange],
    *,
    selected: frozenset[str],
    privacy: Privacy,
    orders: Callable[[Need], Orders],
) -> _Passes:
    """Match the orders of every source that has to be read."""
    now = circumstances.now
    blocked = frozenset(each.interface_id for each in changes if each.blocked)
    present = [each for each in accounts if each.interface_id not in blocked]
    removed = {key for each in changes if not each.blocked and (key := each.removes)}
    leaving = frozenset(removed - {each.interface_id for each in present})
    needed = needs(
        present,
        recorded.positions,
        selected=selected,
        leaving=leaving,
        now=now,
        present=circumstances.present,
    )
    schedule = SendingSchedule(accounts, circumstances.timezone)
    matched = [
        match_all(need, orders, recorded.queue, privacy=privacy, schedule=schedule, now=now)
        for need in needed
    ]
    return _Passes(present=present, leaving=leaving, needed=needed, matched=matched, schedule=schedule)


def _cancel_unread(
    steps: InvitationSteps,
    passes: _Passes,
    recorded: RecordedState,
    *,
    selected: frozenset[str],
    privacy: Privacy,
) -> frozenset[str]:
    """Add the cancellations that need no look at an order; the sources with orders released unseen."""
    moved = any(need.moved for need in passes.needed)
    unseen = set(passes.unread) if passes.leaving or moved else set[str]()
    for step in strays(
        recorded.queue,
        passes.present,
        recorded.positions,
        selected=selected,
        leaving=passes.leaving,
        needed={need.source for need in passes.needed},
    ):
        steps.cancel.append(step)
        unseen.add(step.source)
    for step in opted_out(recorded.queue, privacy, selected=selected, cancelled=steps.cancel):
        steps.cancel.append(step)
    return frozenset(unseen)


def _cancel_reviewed(
    steps: InvitationSteps, passes: _Passes, queue: Queue, *, selected: frozenset[str], now: Instant
) -> tuple[Diagnostic, ...]:
    """Add the cancellations of invitations whose orders were reviewed; warnings about ignored reviews."""
    found = list(reviewed(queue, passes.present, selected=selected, cancelled=steps.cancel, now=now))
    for each in found:
        if isinstance(each, CancelStep):
            steps.cancel.append(each)
    return tuple(each for each in found if isinstance(each, Diagnostic))


def _sending_off(held: int) -> tuple[Diagnostic, ...]:
    """Say that nothing is sent, and how many invitations stay pending for that reason."""
    return (
        Diagnostic(
            severity=Severity.WARNING,
            rule="sending-off",
            message=f"safety.send is false: nothing is sent; due invitations that stay pending: {held}",
            hint="set safety.send to true in environments that send invitations",
        ),
    )


def _conditions(circumstances: Circumstances) -> tuple[Diagnostic, ...]:
    """Say so where the plan is not about the present."""
    if not circumstances.hypothetical:
        return ()
    return (
        Diagnostic(
            severity=Severity.WARNING,
            rule="hypothetical",
            message=f"this is the plan as it would be at {iso(circumstances.now)}; it cannot be applied",
            hint="make a plan without --at to apply it",
        ),
    )


def _start(account: Account) -> Position:
    """The position of an account that has to look at everything again."""
    return Position(interface_id=account.interface_id, source=account.orders, rule_digest="", cursor="")


def _merged(parts: Iterable[InvitationSteps]) -> InvitationSteps:
    whole = InvitationSteps()
    not_invited: dict[str, Mapping[str, int]] = {}
    for part in parts:
        whole.schedule.extend(part.schedule)
        whole.reschedule.extend(part.reschedule)
        whole.cancel.extend(part.cancel)
        whole.observations.extend(part.observations)
        whole.passed.extend(part.passed)
        not_invited.update(part.not_invited)
    return replace(whole, not_invited=not_invited)


def names_of(accounts: Sequence[Account], recorded: Sequence[AccountRecord]) -> dict[str, str]:
    """The names of accounts by interface id, of deleted ones too."""
    known = {each.interface_id: each.name for each in recorded}
    return known | {each.interface_id: each.name for each in accounts}


def _attention(recorded: RecordedState) -> tuple[Diagnostic, ...]:
    """Rows that wait for a person; they are shown in every plan until somebody decides."""
    if not recorded.in_doubt:
        return ()
    return (
        Diagnostic(
            severity=Severity.WARNING,
            rule="outcome-unknown",
            message=f"{recorded.in_doubt} invitation(s) with unknown outcome: they may have been sent",
            hint="`invitations list --status unknown`, then `invitations resolve ID --sent` or `--resend`",
            incident=Incident.UNKNOWN_INVITATIONS,
        ),
    )
