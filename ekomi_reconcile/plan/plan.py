"""The plan: what a run will do, as data that renderers and the executor share."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Self, TypeAlias

import msgspec

from ekomi_reconcile.model import invitation
from ekomi_reconcile.model.account import Json, ValueChange, account_address, value_at, value_changes
from ekomi_reconcile.model.diagnostic import Diagnostic, Incident, Place
from ekomi_reconcile.model.document import JsonObject
from ekomi_reconcile.model.instant import Instant
from ekomi_reconcile.plan.steps import Link, Steps

FORMAT_VERSION = "1.1"
"""Minor versions only add; a higher major is refused."""


LARGEST = 2**63 - 1
"""What the integers of a state hold."""

Amount: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=LARGEST)]
InterfaceId: TypeAlias = Annotated[str, msgspec.Meta(pattern="^[0-9]{1,20}$")]


class Action(StrEnum):
    """What happens to an account."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    REPLACE = "replace"


class OperationKind(StrEnum):
    """What is fetched from eKomi."""

    SYNC = "sync"
    IMPORT = "import"


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountChange:
    """A change of one account.

    ``before`` and ``after`` are canonical fields with the password masked; ``changed`` lists the key
    paths that differ. ``blocked`` says why it will not be done (protection). ``previous_id`` is the
    interface id that a replacement takes out. ``place`` is where the first changed value is set in the
    files; ``None`` for an account that is not in them.
    """

    action: Action
    name: str
    interface_id: str
    previous_name: str | None = None
    previous_id: str | None = None
    before: Mapping[str, Json] | None = None
    after: Mapping[str, Json] | None = None
    changed: tuple[str, ...] = ()
    reason: str | None = None
    blocked: str | None = None
    place: Place | None = None

    @property
    def values(self) -> tuple[ValueChange, ...]:
        """The values that differ, as deep in ``changed`` keys as both sides have the same keys."""
        found = [tuple(key.split(".")) for key in self.changed]
        return tuple(
            each
            for path in found
            for each in value_changes(path, value_at(self.before, path), value_at(self.after, path))
        )

    @property
    def interface_ids(self) -> frozenset[str]:
        """Under which ids it has invitations: a replacement under the new and the former one."""
        return frozenset({self.interface_id, *([self.previous_id] if self.previous_id else [])})

    @property
    def address(self) -> str:
        """How ``--target`` names it."""
        return account_address(self.name)

    @property
    def removes(self) -> str | None:
        """The interface id that this change takes out of the state, if it does."""
        if self.action is Action.DELETE:
            return self.interface_id
        if self.action is Action.REPLACE:
            return self.previous_id
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """A fetch from eKomi; ``reason`` says why now."""

    kind: OperationKind
    account: str
    interface_id: InterfaceId
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """Up to where an account's orders are evaluated once this plan is done, and by which rules.

    Without ``rule_digest`` and ``cursor`` the account starts again in the next plan that includes it.
    """

    interface_id: InterfaceId
    source: str
    rule_digest: str
    cursor: str


_INVITING = frozenset({"max_sends", "max_schedules"})
"""Rules of guards about how many customers a change invites."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """A safety limit that this plan exceeds; ``override`` is the exact flag that lets it pass.

    ``accepted``: the run was given that flag.
    """

    rule: str
    message: str
    override: str
    accepted: bool = False

    @property
    def incident(self) -> Incident | None:
        """Too many customers would be invited; one that is about deletes is none."""
        return Incident.TOO_MANY_MAILS if self.rule in _INVITING else None


class Summary(JsonObject, frozen=True, kw_only=True):
    """The figures of the last line."""

    add: Amount
    change: Amount
    destroy: Amount
    sync: Amount
    import_: Amount = msgspec.field(name="import")
    schedule: Amount
    reschedule: Amount
    cancel: Amount
    send: Amount
    waiting: Amount = 0

    def as_json(self) -> dict[str, int]:
        """The figures by the names of the JSON plan."""
        figures: dict[str, int] = msgspec.to_builtins(self)
        return figures

    @property
    def empty(self) -> bool:
        """Is there nothing to do? Invitations that wait for their order are not to be done."""
        return not any(count for name, count in self.as_json().items() if name != "waiting")


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowWait:
    """How many due invitations of an account wait for its sending window, and when it opens.

    ``leaves_at`` is ``None`` where it never does, ``timezone`` the zone of the project.
    """

    interface_id: str
    count: int
    leaves_at: Instant | None
    timezone: str


@dataclass(frozen=True, slots=True)
class Impact:
    """What a plan means for customers, in invitations: each of them is in at most one of the figures.

    ``now`` are sent by the plan, ``scheduled`` and ``moved`` later; ``lost`` leave the queue, and
    ``passed_on`` leave it because another account invites the order. ``waiting`` are due, but wait for their
    sending window.
    """

    now: int = 0
    scheduled: int = 0
    moved: int = 0
    lost: int = 0
    passed_on: int = 0
    waiting: int = 0

    @property
    def later(self) -> int:
        """How many are sent later than this plan, at a time that it sets."""
        return self.scheduled + self.moved

    @property
    def moves(self) -> bool:
        """Does anything happen to an invitation?"""
        return bool(self.now or self.later or self.lost or self.passed_on)


@dataclass(frozen=True, slots=True, kw_only=True)
class InvitationSteps:
    """Everything that happens to the queue."""

    schedule: Steps[invitation.ScheduleStep] = field(default_factory=lambda: Steps(invitation.ScheduleStep))
    reschedule: Steps[invitation.RescheduleStep] = field(
        default_factory=lambda: Steps(invitation.RescheduleStep)
    )
    cancel: Steps[invitation.CancelStep] = field(default_factory=lambda: Steps(invitation.CancelStep))
    send: Steps[invitation.SendStep] = field(default_factory=lambda: Steps(invitation.SendStep))
    observations: Steps[invitation.Observation] = field(default_factory=lambda: Steps(invitation.Observation))
    passed: Steps[invitation.PassedOrder] = field(default_factory=lambda: Steps(invitation.PassedOrder))
    deferred: int = 0
    waiting: int = 0
    """Due, but the order is on hold, the source does not have it, or the sending window is closed."""
    windows: tuple[WindowWait, ...] = ()
    """Those of them that wait for a sending window, by account."""
    due_by_rule_change: int = 0
    not_invited: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """By account name: how many orders fail which criterion first."""

    @classmethod
    def at(cls, now: Instant) -> Self:
        """No steps yet, of a plan made at ``now``."""
        return cls(
            schedule=Steps(invitation.ScheduleStep, now), reschedule=Steps(invitation.RescheduleStep, now)
        )

    def impact(self, interface_ids: Collection[str]) -> Impact:
        """What the steps mean for the customers of these accounts."""

        def count(by_account: Mapping[str, int]) -> int:
            return sum(by_account.get(key, 0) for key in interface_ids)

        def sent(link: Link) -> int:
            return sum(self.send.linked.get((link, key), 0) for key in interface_ids)

        released = {pair: n for pair, n in self.schedule.released.items() if pair[0] in interface_ids}
        return Impact(
            now=count(self.send.by_account),
            scheduled=count(self.schedule.by_account) - sent(Link.SCHEDULED),
            moved=count(self.reschedule.by_account) - sent(Link.MOVED),
            lost=count(self.cancel.by_account) - sum(released.values()),
            passed_on=sum(n for (_, taker), n in released.items() if taker not in interface_ids),
            waiting=sum(each.count for each in self.windows if each.interface_id in interface_ids),
        )

    @property
    def waiting_for_orders(self) -> int:
        """How many wait because the order is on hold or missing."""
        return self.waiting - sum(each.count for each in self.windows)

    @property
    def moved_by_rules(self) -> int:
        """How many steps a changed rule causes."""
        return self.schedule.by_rule_change + self.reschedule.by_rule_change + self.cancel.by_rule_change


@dataclass(frozen=True, slots=True)
class AffectedAccount:
    """An account that changes, or whose invitations do; the ids under which it has invitations."""

    name: str
    interface_ids: frozenset[str]
    impact: Impact
    change: AccountChange | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What a plan was asked to look at. Globs are over account names and addresses; an account is meant that
    has one of ``tags``. ``changed`` are the interface ids of the accounts that changed since the git revision
    ``changed_since``. Where several of these are given, all must hold.

    ``base`` is the git revision, as it was given, compared instead of the state; ``base_commit`` is the
    commit that was looked at. Such a plan is only ever shown.
    """

    targets: tuple[str, ...] = ()
    excludes: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    changed_since: str | None = None
    changed: tuple[str, ...] | None = None
    replaces: tuple[str, ...] = ()
    offline: bool = False
    refresh_only: bool = False
    base: str | None = None
    base_commit: str | None = None

    @property
    def partial(self) -> bool:
        """Does it leave accounts out?"""
        return bool(self.targets or self.excludes or self.tags or self.changed_since)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The difference, complete and ready to be shown or done.

    ``complete`` is false where something could not be read; ``names`` gives the account name of each
    interface id that a step mentions. ``lineage`` is ``None`` if the state did not exist yet. A plan made for
    another time than the present is ``hypothetical``: it can be shown and saved, never applied.
    """

    created_at: Instant
    tool_version: str
    complete: bool
    lineage: str | None
    serial: int
    config_digest: str
    hypothetical: bool = False
    git_commit: str | None = None
    scope: Scope = field(default_factory=Scope)
    names: Mapping[str, str] = field(default_factory=dict)
    changes: tuple[AccountChange, ...] = ()
    operations: tuple[Operation, ...] = ()
    invitations: InvitationSteps = field(default_factory=InvitationSteps)
    positions: tuple[Position, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()
    guards: tuple[Guard, ...] = ()

    @property
    def summary(self) -> Summary:
        """The figures; a replacement counts as one to add and one to destroy, a blocked change not at all."""
        actions = [each.action for each in self.changes if not each.blocked]
        kinds = [each.kind for each in self.operations]
        return Summary(
            add=actions.count(Action.CREATE) + actions.count(Action.REPLACE),
            change=actions.count(Action.UPDATE),
            destroy=actions.count(Action.DELETE) + actions.count(Action.REPLACE),
            sync=kinds.count(OperationKind.SYNC),
            import_=kinds.count(OperationKind.IMPORT),
            schedule=len(self.invitations.schedule),
            reschedule=len(self.invitations.reschedule),
            cancel=len(self.invitations.cancel),
            send=len(self.invitations.send),
            waiting=self.invitations.waiting,
        )

    @property
    def impact(self) -> Impact:
        """What it means for the customers of all accounts."""
        return self.invitations.impact(self.names.keys())

    @property
    def counted(self) -> bool:
        """Does it look at invitations at all?"""
        return not (self.scope.offline or self.scope.refresh_only or self.scope.base is not None)

    @property
    def affected(self) -> tuple[AffectedAccount, ...]:
        """Every account that changes, in order, then by name those whose invitations alone do."""
        steps = self.invitations
        changed = [
            AffectedAccount(each.name, each.interface_ids, steps.impact(each.interface_ids), each)
            for each in self.changes
        ]
        known = {key for each in self.changes for key in each.interface_ids}
        moving = {key for each in (steps.schedule, steps.reschedule, steps.cancel) for key in each.by_account}
        moving |= {*steps.send.by_account, *(each.interface_id for each in steps.windows)}
        others = (
            AffectedAccount(name, frozenset({key}), impact)
            for key, name in sorted(self.names.items(), key=lambda each: each[1].casefold())
            if key in moving
            and key not in known
            and ((impact := steps.impact([key])).moves or impact.waiting)
        )
        return (*changed, *others)

    @property
    def incidents(self) -> frozenset[Incident]:
        """The known incidents that it shows."""
        return frozenset(each.incident for each in self.diagnostics if each.incident is not None)

    @property
    def blocked(self) -> tuple[AccountChange, ...]:
        """Changes that protection keeps from being done."""
        return tuple(each for each in self.changes if each.blocked)

    @property
    def empty(self) -> bool:
        """Is there nothing to do and nothing blocked?"""
        return self.summary.empty and not self.changes

    @property
    def changes_present(self) -> bool:
        """Do accounts change, or does a rule change move invitations (``--detailed-exitcode``)?"""
        return bool(self.changes) or self.invitations.moved_by_rules > 0
