"""Plans as JSON values, and back.

Nothing in them is secret or personal: a plan may be published.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from ekomi_reconcile.model.account import Json
from ekomi_reconcile.model.diagnostic import Diagnostic, Place
from ekomi_reconcile.model.document import from_records
from ekomi_reconcile.model.errors import PlanInvalid
from ekomi_reconcile.model.instant import Instant, iso, iso_or_none, parse, parse_or_none
from ekomi_reconcile.plan import document as plan_document
from ekomi_reconcile.plan import plan as plan_plan
from ekomi_reconcile.plan.steps import Step, Steps


def digest(body: plan_document.PlanBody | Mapping[str, Json]) -> str:
    """SHA-256 over the canonical form of a plan's body, which is everything but digest and signature."""
    canonical = msgspec.json.encode(body, order="sorted")
    return f"sha256:{hashlib.sha256(canonical).hexdigest()}"


def check_version(version: str) -> None:
    """Refuse a plan of a higher major version.

    Raises:
        PlanInvalid: with the versions.
    """
    major = plan_plan.FORMAT_VERSION.partition(".")[0]
    if version.partition(".")[0] != major:
        raise PlanInvalid(
            f"the plan has format {version}; this version reads {major}.x",
            hint="apply it with the version that created it, or create a new plan",
        )


def to_json(plan: plan_plan.Plan) -> plan_document.PlanBody:
    """The plan as it is written, without digest and signature. Times are ISO 8601 in UTC."""
    return plan_document.PlanBody(
        format_version=plan_plan.FORMAT_VERSION,
        tool_version=plan.tool_version,
        created_at=iso(plan.created_at),
        complete=plan.complete,
        hypothetical=plan.hypothetical,
        scope=plan.scope,
        state=plan_document.StateReference(plan.lineage, plan.serial),
        config=plan_document.ConfigurationReference(plan.config_digest, plan.git_commit),
        resource_changes=[_change_json(each) for each in plan.changes],
        operations=list(plan.operations),
        invitations=_queue_json(plan.invitations, plan.names),
        positions=list(plan.positions),
        summary=plan.summary,
        guards=list(plan.guards),
        diagnostics=[diagnostic_json(each) for each in plan.diagnostics],
    )


def _change_json(change: plan_plan.AccountChange) -> plan_document.ResourceChange:
    previous = plan_plan.AccountChange(
        action=change.action, name=change.previous_name or "", interface_id=""
    ).address
    return from_records(
        plan_document.ResourceChange,
        change,
        type="account",
        previous_address=previous if change.previous_name else None,
        change=plan_document.ChangeDetail(
            actions=plan_document.ACTIONS[change.action],
            before=change.before,
            after=change.after,
            changed=list(change.changed),
        ),
        action_reason=change.reason,
        place=change.place and plan_document.ChangePlace(change.place.path, change.place.line),
    )


def _queue_json(steps: plan_plan.InvitationSteps, names: Mapping[str, str]) -> plan_document.QueueSteps:
    lists: dict[str, Any] = {
        name: _steps_json(getattr(steps, name), kind, names) for name, kind in plan_document.KINDS.items()
    }
    lists["windows"] = [
        from_records(plan_document.WindowEntry, each, account=names.get(each.interface_id))
        for each in steps.windows
    ]
    return from_records(plan_document.QueueSteps, steps, **lists)


def _steps_json(steps: Iterable[Any], kind: type[Any], names: Mapping[str, str]) -> list[Json]:
    keys = [plan_document.RENAMED.get(name, name) for name in kind.__struct_fields__]
    times = [key for key in keys if key in plan_document.INSTANTS]
    alone = kind in plan_document.WITHOUT_ACCOUNT
    found: list[Json] = []
    for step in steps:
        row: dict[str, Json] = {} if alone else {"account": names.get(step.interface_id)}
        row.update(zip(keys, msgspec.structs.astuple(step), strict=True))
        for key in times:
            row[key] = iso_or_none(row[key])
        found.append(row)
    return found


def diagnostic_json(each: Diagnostic) -> plan_document.DiagnosticEntry:
    """A diagnostic as it is written."""
    return from_records(plan_document.DiagnosticEntry, each, summary=each.message, range=_range(each.place))


def _range(place: Place | None) -> plan_document.Range | None:
    if place is None:
        return None
    end = plan_document.Point(place.end_line or place.line, place.end_column or place.column)
    return plan_document.Range(place.path, plan_document.Point(place.line, place.column), end)


def from_json(document: Mapping[str, Any]) -> plan_plan.Plan:
    """The plan of a document that matches the published schema.

    Raises:
        PlanInvalid: it does not.
    """
    queue = document["invitations"]
    try:
        rest = {**queue, **{name: [] for name in plan_document.KINDS}}
        body = msgspec.convert({**document, "invitations": rest}, plan_document.PlanBody)
        lists = {"passed": [], **queue}
        return _plan(
            body,
            {
                name: _steps(lists[name], kind, parse(document["created_at"]))
                for name, kind in plan_document.KINDS.items()
            },
            queue,
        )
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise PlanInvalid(
            f"the plan is not valid: {type(error).__name__}: {error}", hint="make a new plan"
        ) from None


def _plan(body: plan_document.PlanBody, steps: Mapping[str, Any], queue: Mapping[str, Any]) -> plan_plan.Plan:
    rest = body.invitations
    return plan_plan.Plan(
        created_at=parse(body.created_at),
        tool_version=body.tool_version,
        complete=body.complete,
        hypothetical=body.hypothetical,
        lineage=body.state.lineage,
        serial=body.state.serial,
        config_digest=body.config.digest,
        git_commit=body.config.git_commit,
        scope=body.scope,
        names=_names(body, queue),
        changes=tuple(_change(each) for each in body.resource_changes),
        operations=tuple(body.operations),
        invitations=plan_plan.InvitationSteps(
            **steps,
            deferred=rest.deferred,
            waiting=rest.waiting,
            windows=tuple(
                plan_plan.WindowWait(
                    interface_id=each.interface_id,
                    count=each.count,
                    leaves_at=parse_or_none(each.leaves_at),
                    timezone=each.timezone,
                )
                for each in rest.windows
            ),
            due_by_rule_change=rest.due_by_rule_change,
            not_invited=rest.not_invited,
        ),
        positions=tuple(body.positions),
        diagnostics=tuple(_diagnostic(each) for each in body.diagnostics),
        guards=tuple(body.guards),
    )


def _names(body: plan_document.PlanBody, queue: Mapping[str, Any]) -> dict[str, str]:
    names = {each.interface_id: each.name for each in body.resource_changes}
    names |= {each.interface_id: each.account for each in body.operations}
    names |= {each.interface_id: each.account for each in body.invitations.windows if each.account}
    for name, kind in plan_document.KINDS.items():
        if kind not in plan_document.WITHOUT_ACCOUNT:
            names |= {each["interface_id"]: each["account"] for each in queue[name]}
    return names


def _change(each: plan_document.ResourceChange) -> plan_plan.AccountChange:
    return plan_plan.AccountChange(
        action=next(
            action for action, words in plan_document.ACTIONS.items() if words == each.change.actions
        ),
        name=each.name,
        interface_id=each.interface_id,
        previous_name=each.previous_name,
        previous_id=each.previous_id,
        before=each.change.before,
        after=each.change.after,
        changed=tuple(each.change.changed),
        reason=each.action_reason,
        blocked=each.blocked,
        place=None if each.place is None else Place(path=each.place.path, line=each.place.line),
    )


def _steps(items: Iterable[Mapping[str, Any]], kind: type[Step], now: Instant) -> Steps[Step]:
    names = kind.__struct_fields__
    keys = [plan_document.RENAMED.get(name, name) for name in names]
    times = [place for place, name in enumerate(names) if name in plan_document.INSTANTS]
    steps = Steps(kind, now)
    for item in items:
        values: list[Any] = [item.get(key) if key in plan_document.LATER else item[key] for key in keys]
        for place in times:
            values[place] = parse_or_none(values[place])
        steps.append(msgspec.convert(values, kind))
    return steps


def _diagnostic(each: plan_document.DiagnosticEntry) -> Diagnostic:
    at = each.range
    return Diagnostic(
        severity=each.severity,
        rule=each.rule,
        message=each.summary,
        place=None
        if at is None
        else Place(
            path=at.filename,
            line=at.start.line,
            column=at.start.column,
            end_line=at.end.line,
            end_column=at.end.column,
        ),
        key=each.key,
        found=each.found,
        allowed=each.allowed,
        hint=each.hint,
        account=each.account,
    )
