"""Plans made by hand, with everything in them that a plan can have."""

from __future__ import annotations

from dataclasses import replace

from ekomi_reconcile.model.account import Account
from ekomi_reconcile.model.diagnostic import Diagnostic, Place, Severity
from ekomi_reconcile.model.instant import DAY, HOUR, parse
from ekomi_reconcile.model.invitation import (
    CancelStep,
    Observation,
    PassedOrder,
    RescheduleStep,
    ScheduleStep,
    SendStep,
)
from ekomi_reconcile.model.rule import Deliver, InvitationRule
from ekomi_reconcile.plan.diff import differing, masked
from ekomi_reconcile.plan.plan import (
    AccountChange,
    Action,
    Guard,
    InvitationSteps,
    Operation,
    OperationKind,
    Plan,
    Position,
    Scope,
    WindowWait,
)
from ekomi_reconcile.plan.steps import Steps

NOW = parse("2026-11-23T12:00:00Z")
GERMANY, FRANCE, NORWAY, OLD = "28374", "28375", "28376", "10009"


def account(name: str = "Germany", interface_id: str = GERMANY, **changes: object) -> Account:
    """An account with a rule that says something."""
    values: dict[str, object] = {
        "interface_password": "${env:EKOMI_DE_PASSWORD}",
        "tags": ("dach",),
        "invitations": InvitationRule(enabled=True, conditions={"grand_total": {"gte": 50}}),
    }
    return Account(name=name, interface_id=interface_id, **{**values, **changes})  # type: ignore[arg-type]


def canonical(**changes: object) -> dict[str, object]:
    """The masked canonical form of an account."""
    return masked(account(**changes).canonical())


def schedule(order_id: int = 1, /, *, interface_id: str = GERMANY, **changes: object) -> ScheduleStep:
    """A planned new row."""
    values: dict[str, object] = {
        "interface_id": interface_id,
        "source": "default",
        "order_id": order_id,
        "number": f"{100_000_000 + order_id}",
        "store_view": "de",
        "order_date": NOW - 3 * DAY,
        "reached_at": NOW - 2 * DAY,
        "reached_status": "complete",
        "reached_source": "history",
        "judged_at": NOW,
        "scheduled_at": NOW + 12 * DAY,
        "rule_change": True,
        "channel": Deliver.EKOMI_EMAIL,
        "products": (),
        "leaves_at": NOW + 12 * DAY,
    }
    return ScheduleStep(**{**values, **changes})  # type: ignore[arg-type]


def steps() -> InvitationSteps:
    """Steps of every kind; more of one kind than are shown as examples."""
    schedules, sends = Steps(ScheduleStep), Steps(SendStep)
    for number in range(1, 6):
        schedules.append(schedule(number))
    reschedules, cancels, observations = Steps(RescheduleStep), Steps(CancelStep), Steps(Observation)
    reschedules.append(
        RescheduleStep(
            interface_id=FRANCE,
            row_id=7,
            source="default",
            order_id=70,
            number="200000070",
            scheduled_at=NOW + DAY,
            previously=NOW + 8 * DAY,
            reached_at=NOW - 6 * DAY,
            reached_status="complete",
            reached_source="shipment",
            rule_change=True,
            channel=Deliver.EKOMI_SMS,
            products=("BK-1", "BK-2"),
            leaves_at=NOW + 2 * DAY,
        )
    )
    cancels.append(
        CancelStep(
            interface_id=OLD,
            row_id=8,
            source="default",
            order_id=80,
            number="300000080",
            reason="account_deleted",
        )
    )
    sends.append(
        SendStep(
            interface_id=FRANCE,
            row_id=9,
            source="default",
            order_id=90,
            number="200000090",
            scheduled_at=NOW - 60,
            channel=Deliver.EKOMI_EMAIL,
            products=("BK-7",),
        )
    )
    observations.append(
        Observation(source="default", order_id=91, status="processing", since=NOW, moved=False)
    )
    passed = Steps(PassedOrder)
    passed.append(PassedOrder(source="default", order_id=92, order_date=NOW - DAY, reason="conditions"))
    return InvitationSteps(
        schedule=schedules,
        reschedule=reschedules,
        cancel=cancels,
        send=sends,
        observations=observations,
        passed=passed,
        deferred=2,
        due_by_rule_change=0,
        not_invited={"Germany": {"store_view": 4, "order_age": 2}},
    )


def changes() -> tuple[AccountChange, ...]:
    """An account created, one updated and renamed, one replaced, one deleted, one protected."""
    return (
        AccountChange(action=Action.CREATE, name="Germany", interface_id=GERMANY, after=canonical()),
        AccountChange(
            action=Action.UPDATE,
            name="France",
            interface_id=FRANCE,
            previous_name="Frankreich",
            before=canonical(name="Frankreich", interface_id=FRANCE),
            after=canonical(
                name="France", interface_id=FRANCE, invitations=InvitationRule(enabled=True, pending_period=7)
            ),
            changed=("name", "interface_password", "invitations.pending_period", "invitations.conditions"),
        ),
        AccountChange(
            action=Action.REPLACE,
            name="Norway",
            interface_id=NORWAY,
            previous_id="28370",
            before=canonical(name="Norway", interface_id="28370"),
            after=canonical(name="Norway", interface_id=NORWAY),
            changed=("interface_id",),
            reason="replace requested",
        ),
        AccountChange(
            action=Action.DELETE,
            name="Old",
            interface_id=OLD,
            before=canonical(name="Old", interface_id=OLD),
            reason="not in the files",
        ),
        AccountChange(
            action=Action.DELETE,
            name='Brand "A"',
            interface_id="10001",
            before=canonical(name='Brand "A"', interface_id="10001"),
            reason="not in the files",
            blocked="protected: apply `protect: false` first, then remove it",
        ),
    )


def full_plan(**changed: object) -> Plan:
    """A plan with everything in it."""
    values: dict[str, object] = {
        "created_at": NOW,
        "tool_version": "0.1.0",
        "complete": False,
        "lineage": "6f1d0c0e-0000-4000-8000-000000000001",
        "serial": 12,
        "config_digest": "sha256:" + "0" * 64,
        "git_commit": None,
        "scope": Scope(targets=("G*", "France")),
        "names": {GERMANY: "Germany", FRANCE: "France", NORWAY: "Norway", OLD: "Old", "10001": 'Brand "A"'},
        "changes": changes(),
        "operations": (
            Operation(kind=OperationKind.SYNC, account="Germany", interface_id=GERMANY, reason="new"),
            Operation(kind=OperationKind.IMPORT, account="France", interface_id=FRANCE, reason="due"),
        ),
        "invitations": steps(),
        "positions": (
            Position(interface_id=GERMANY, source="default", rule_digest="sha256:" + "1" * 64, cursor="{}"),
        ),
        "diagnostics": (
            Diagnostic(
                severity=Severity.ERROR,
                rule="order-unreadable",
                message="this line is no order",
                place=Place(path="orders.jsonl", line=17, column=1, end_line=17, end_column=2),
                hint="correct the line",
            ),
        ),
        "guards": (
            Guard(
                rule="max_schedules",
                message="a configuration change would schedule 5 invitations at once, "
                "more than max_schedules (4)",
                override="--allow-schedules 5",
            ),
        ),
    }
    return Plan(**{**values, **changed})  # type: ignore[arg-type]


def empty_plan(**changed: object) -> Plan:
    """A plan with nothing to do."""
    nothing: dict[str, object] = {
        "complete": True,
        "scope": Scope(),
        "changes": (),
        "operations": (),
        "invitations": InvitationSteps(),
        "diagnostics": (),
        "guards": (),
    }
    return full_plan(**{**nothing, **changed})


def changed(name: str, interface_id: str, before: InvitationRule, after: InvitationRule, line: int = 16):
    """The update of an account whose rule changes."""
    old, new = (account(name, interface_id, invitations=rule).canonical() for rule in (before, after))
    return AccountChange(
        action=Action.UPDATE,
        name=name,
        interface_id=interface_id,
        before=masked(old),
        after=masked(new),
        changed=tuple(differing(old, new)),
        place=Place(path=f"accounts.d/{name.lower().replace(' ', '-')}.yaml", line=line),
    )


def moved(number: int, *, interface_id: str = GERMANY, before: int, after: int) -> RescheduleStep:
    """A pending invitation that a shorter delay moves."""
    return RescheduleStep(
        interface_id=interface_id,
        row_id=number,
        source="default",
        order_id=number,
        number=f"{400_000_000 + number}",
        scheduled_at=after,
        previously=before,
        reached_at=after - 7 * DAY,
        reached_status="complete",
        reached_source="history",
        rule_change=True,
        pending_days=7,
        channel=Deliver.EKOMI_EMAIL,
        products=(),
        leaves_at=after,
    )


def sent(step: RescheduleStep) -> SendStep:
    """What is sent because it was moved into the past."""
    return SendStep(
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


def moving(counts: dict[str, tuple[int, int]]) -> InvitationSteps:
    """Steps that move invitations: by interface id, how many into the past and how many to a later time."""
    steps = InvitationSteps.at(NOW)
    for interface_id, (now, later) in counts.items():
        for at in range(now + later):
            due = NOW - DAY * (now - at) + HOUR if at < now else NOW + DAY * (at - now + 1)
            step = moved(185 + at, interface_id=interface_id, before=due + 7 * DAY, after=due)
            steps.reschedule.append(step)
            if at < now:
                steps.send.append(sent(step))
    return steps


def small_plan() -> Plan:
    """Five accounts: one whose customers are invited sooner, one deleted, one new, two not changed."""
    rule = InvitationRule(enabled=True, conditions={"all": [{"grand_total": {"gte": 50}}]})
    sooner = InvitationRule(
        enabled=True, pending_period=7, conditions={"all": [{"grand_total": {"gte": 20}}]}
    )
    steps = moving({GERMANY: (7, 4)})
    for number in range(1, 6):
        steps.cancel.append(
            CancelStep(
                interface_id=NORWAY,
                row_id=number,
                source="default",
                order_id=number,
                number=f"{600_000_000 + number}",
                reason="account_deleted",
            )
        )
    for number in range(1, 3):
        steps.schedule.append(schedule(number, interface_id="10002", rule_change=False))
    created = AccountChange(
        action=Action.CREATE,
        name="France",
        interface_id=FRANCE,
        after=canonical(name="France", interface_id=FRANCE),
        place=Place(path="accounts.d/france.yaml", line=2),
    )
    deleted = AccountChange(
        action=Action.DELETE,
        name="Norway",
        interface_id=NORWAY,
        before=canonical(name="Norway", interface_id=NORWAY),
        reason="not in the files",
    )
    names = {GERMANY: "Germany", FRANCE: "France", NORWAY: "Norway", "10001": "Brand A", "10002": "Brand B"}
    return empty_plan(
        names=names,
        git_commit="8704c63" + "0" * 33,
        changes=(created, changed("Germany", GERMANY, rule, sooner), deleted),
        operations=tuple(
            Operation(kind=kind, account=name, interface_id=key, reason="new" if key == FRANCE else "due")
            for kind in OperationKind
            for key, name in names.items()
            if key != NORWAY
        ),
        invitations=replace(
            steps,
            waiting=3,
            windows=(
                WindowWait(interface_id="10001", count=3, leaves_at=NOW + DAY, timezone="Europe/Berlin"),
            ),
            not_invited={
                "Germany": {"store_view": 210, "order_status": 19, "order_age": 3},
                "Brand A": {"store_view": 230, "order_status": 2},
            },
        ),
    )


def large_plan() -> Plan:
    """200 accounts with the same change, each with other customers; and 30 that only send."""
    rule, sooner = InvitationRule(enabled=True), InvitationRule(enabled=True, pending_period=7)
    names = {f"{40_000 + number}": f"Shop {number:03}" for number in range(230)}
    keys = list(names)
    steps = moving({key: (at % 7, at % 3) for at, key in enumerate(keys[:200])})
    for key in keys[200:]:
        steps.schedule.append(schedule(1, interface_id=key, rule_change=False))
    return empty_plan(
        names=names,
        changes=tuple(changed(names[key], key, rule, sooner, line=4) for key in keys[:200]),
        operations=tuple(
            Operation(kind=OperationKind.SYNC, account=name, interface_id=key, reason="due")
            for key, name in names.items()
        ),
        invitations=replace(steps, not_invited={names[key]: {"order_status": 2} for key in keys[:50]}),
    )
