"""Plans made by hand, with everything in them that a plan can have."""

from __future__ import annotations

from ekomi_reconcile.model.account import Account
from ekomi_reconcile.model.diagnostic import Diagnostic, Place, Severity
from ekomi_reconcile.model.instant import DAY, parse
from ekomi_reconcile.model.invitation import (
    CancelStep,
    Observation,
    PassedOrder,
    RescheduleStep,
    ScheduleStep,
    SendStep,
)
from ekomi_reconcile.model.rule import Deliver, InvitationRule
from ekomi_reconcile.plan.diff import masked
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
