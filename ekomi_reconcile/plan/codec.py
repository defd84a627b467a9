"""Plans as JSON values, and back. Nothing in them is secret or personal: a plan may be published."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, TypeAlias

import msgspec

from ekomi_reconcile.model.account import Json
from ekomi_reconcile.model.diagnostic import Diagnostic, Place, Severity
from ekomi_reconcile.model.document import JsonObject, from_records
from ekomi_reconcile.model.errors import PlanInvalid
from ekomi_reconcile.model.instant import iso, parse
from ekomi_reconcile.model.invitation import CancelStep, Observation, RescheduleStep, ScheduleStep, SendStep
from ekomi_reconcile.plan.plan import (
    FORMAT_VERSION,
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
from ekomi_reconcile.plan.steps import Step, Steps

_ACTIONS = {
    Action.CREATE: ["create"],
    Action.UPDATE: ["update"],
    Action.DELETE: ["delete"],
    Action.REPLACE: ["delete", "create"],
}
INSTANTS = frozenset({"order_date", "reached_at", "judged_at", "scheduled_at", "previously", "since"})
LARGEST = 2**63 - 1
"""What the integers of a state hold."""

Amount: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=LARGEST)]
RENAMED = {"number": "order"}
_ORIGINAL = {new: old for old, new in RENAMED.items()}


def digest(body: Mapping[str, Json]) -> str:
    """SHA-256 over the canonical form of a plan's body, which is everything but digest and signature."""
    canonical = msgspec.json.encode(body, order="sorted")
    return f"sha256:{hashlib.sha256(canonical).hexdigest()}"


def check_version(version: str) -> None:
    """Refuse a plan of a higher major version.

    Raises:
        PlanInvalid: with the versions.
    """
    if version.partition(".")[0] != FORMAT_VERSION.partition(".")[0]:
        raise PlanInvalid(
            f"the plan has format {version}; this version reads {FORMAT_VERSION.partition('.')[0]}.x",
            mend="apply it with the version that made it, or make a new plan",
        )


def to_json(plan: Plan) -> dict[str, Json]:
    """The plan as JSON values, without digest and signature. Times are ISO 8601 in UTC."""
    return {
        "format_version": FORMAT_VERSION,
        "tool_version": plan.tool_version,
        "created_at": iso(plan.created_at),
        "complete": plan.complete,
        "hypothetical": plan.hypothetical,
        "scope": {
            "targets": list(plan.scope.targets),
            "excludes": list(plan.scope.excludes),
            "tags": list(plan.scope.tags),
            "changed_since": plan.scope.changed_since,
            "changed": None if plan.scope.changed is None else list(plan.scope.changed),
            "replaces": list(plan.scope.replaces),
            "offline": plan.scope.offline,
            "refresh_only": plan.scope.refresh_only,
            "base": plan.scope.base,
            "base_commit": plan.scope.base_commit,
        },
        "state": {"lineage": plan.lineage, "serial": plan.serial},
        "config": {"digest": plan.config_digest, "git_commit": plan.git_commit},
        "resource_changes": [_change_json(each) for each in plan.changes],
        "operations": [_operation_json(each) for each in plan.operations],
        "invitations": _invitations_json(plan.invitations, plan.names),
        "positions": [msgspec.to_builtins(each) for each in plan.positions],
        "summary": plan.summary.as_json(),
        "guards": [msgspec.to_builtins(each) for each in plan.guards],
        "diagnostics": [diagnostic_json(each) for each in plan.diagnostics],
    }


def _change_json(change: AccountChange) -> dict[str, Json]:
    previous = AccountChange(action=change.action, name=change.previous_name or "", interface_id="").address
    return {
        "address": change.address,
        "type": "account",
        "name": change.name,
        "interface_id": change.interface_id,
        "previous_address": previous if change.previous_name else None,
        "previous_name": change.previous_name,
        "previous_id": change.previous_id,
        "change": {
            "actions": _ACTIONS[change.action],
            "before": change.before,
            "after": change.after,
            "changed": list(change.changed),
        },
        "action_reason": change.reason,
        "blocked": change.blocked,
    }


def _operation_json(operation: Operation) -> dict[str, Json]:
    return {
        "kind": operation.kind.value,
        "account": operation.account,
        "interface_id": operation.interface_id,
        "reason": operation.reason,
    }


def _invitations_json(steps: InvitationSteps, names: Mapping[str, str]) -> dict[str, Json]:
    return {
        "schedule": _steps_json(steps.schedule, names),
        "reschedule": _steps_json(steps.reschedule, names),
        "cancel": _steps_json(steps.cancel, names),
        "send": _steps_json(steps.send, names),
        "deferred": steps.deferred,
        "waiting": steps.waiting,
        "due_by_rule_change": steps.due_by_rule_change,
        "not_invited": steps.not_invited,
        "observations": [_step_json(step) for step in steps.observations],
    }


def _steps_json(steps: Iterable[Step], names: Mapping[str, str]) -> list[Json]:
    return [{"account": names.get(getattr(step, "interface_id", "")), **_step_json(step)} for step in steps]


def _step_json(step: Step) -> dict[str, Json]:
    fields = {RENAMED.get(name, name): getattr(step, name) for name in step.__struct_fields__}
    for name in INSTANTS & fields.keys():
        fields[name] = iso(fields[name])
    return fields


class Point(JsonObject, frozen=True):
    """A line and a column, both from 1."""

    line: Amount
    column: Amount


class Range(JsonObject, frozen=True):
    """A stretch of a file."""

    filename: str
    start: Point
    end: Point


class DiagnosticEntry(JsonObject, frozen=True):
    """What is wrong with the files or the plan, where, and how to mend it."""

    severity: Severity
    rule: str
    summary: str
    account: str | None
    key: str | None
    found: str | None
    allowed: str | None
    mend: str | None
    range: Range | None


def diagnostic_json(each: Diagnostic) -> DiagnosticEntry:
    """A diagnostic as it is written."""
    return from_records(DiagnosticEntry, each, summary=each.message, range=_range(each.place))


def _range(place: Place | None) -> Range | None:
    if place is None:
        return None
    end = Point(place.end_line or place.line, place.end_column or place.column)
    return Range(place.path, Point(place.line, place.column), end)


def from_json(body: Mapping[str, Any]) -> Plan:
    """The plan of a body that matches the published schema.

    Raises:
        PlanInvalid: it does not.
    """
    try:
        return _plan(body)
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError) as error:
        raise PlanInvalid(
            f"the plan is not valid: {type(error).__name__}: {error}", mend="make a new plan"
        ) from None


def _plan(body: Mapping[str, Any]) -> Plan:
    steps = body["invitations"]
    return Plan(
        created_at=parse(body["created_at"]),
        tool_version=body["tool_version"],
        complete=body["complete"],
        hypothetical=body["hypothetical"],
        lineage=body["state"]["lineage"],
        serial=body["state"]["serial"],
        config_digest=body["config"]["digest"],
        git_commit=body["config"]["git_commit"],
        scope=msgspec.convert(body["scope"], Scope),
        names=_names(body),
        changes=tuple(_change(each) for each in body["resource_changes"]),
        operations=tuple(_operation(each) for each in body["operations"]),
        invitations=InvitationSteps(
            schedule=_steps(steps["schedule"], ScheduleStep),
            reschedule=_steps(steps["reschedule"], RescheduleStep),
            cancel=_steps(steps["cancel"], CancelStep),
            send=_steps(steps["send"], SendStep),
            observations=_steps(steps["observations"], Observation),
            deferred=steps["deferred"],
            waiting=steps.get("waiting", 0),
            due_by_rule_change=steps["due_by_rule_change"],
            not_invited=steps["not_invited"],
        ),
        positions=tuple(msgspec.convert(each, Position) for each in body["positions"]),
        diagnostics=tuple(_diagnostic(each) for each in body["diagnostics"]),
        guards=tuple(msgspec.convert(each, Guard) for each in body["guards"]),
    )


def _names(body: Mapping[str, Any]) -> dict[str, str]:
    named = [*body["resource_changes"], *body["operations"]]
    names = {each["interface_id"]: each.get("account") or each["name"] for each in named}
    for kind in ("schedule", "reschedule", "cancel", "send"):
        names |= {each["interface_id"]: each["account"] for each in body["invitations"][kind]}
    return names


def _change(each: Mapping[str, Any]) -> AccountChange:
    actions = {tuple(words): action for action, words in _ACTIONS.items()}
    return AccountChange(
        action=actions[tuple(each["change"]["actions"])],
        name=each["name"],
        interface_id=each["interface_id"],
        previous_name=each["previous_name"],
        previous_id=each["previous_id"],
        before=each["change"]["before"],
        after=each["change"]["after"],
        changed=tuple(each["change"]["changed"]),
        reason=each["action_reason"],
        blocked=each["blocked"],
    )


def _operation(each: Mapping[str, Any]) -> Operation:
    return Operation(
        kind=OperationKind(each["kind"]),
        account=each["account"],
        interface_id=each["interface_id"],
        reason=each["reason"],
    )


def _steps(items: Iterable[Mapping[str, Any]], kind: type[Step]) -> Steps[Step]:
    steps = Steps(kind)
    for item in items:
        fields = {_ORIGINAL.get(name, name): value for name, value in item.items()}
        known = {name: fields[name] for name in kind.__struct_fields__}
        for name in INSTANTS & known.keys():
            known[name] = parse(known[name])
        steps.append(msgspec.convert([known[name] for name in kind.__struct_fields__], kind))
    return steps


def _diagnostic(each: Mapping[str, Any]) -> Diagnostic:
    place = each["range"]
    return Diagnostic(
        severity=Severity(each["severity"]),
        rule=each["rule"],
        message=each["summary"],
        place=None
        if place is None
        else Place(
            path=place["filename"],
            line=place["start"]["line"],
            column=place["start"]["column"],
            end_line=place["end"]["line"],
            end_column=place["end"]["column"],
        ),
        key=each["key"],
        found=each["found"],
        allowed=each["allowed"],
        mend=each["mend"],
        account=each["account"],
    )
