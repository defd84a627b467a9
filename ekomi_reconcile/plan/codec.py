"""Plans as JSON values, and back: one declaration that is written, read, checked and published as schema.

Nothing in them is secret or personal: a plan may be published.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Annotated, Any, Final, Literal, TypeAlias, get_type_hints

import msgspec

from ekomi_reconcile.model.account import Json
from ekomi_reconcile.model.diagnostic import Diagnostic, Place, Severity
from ekomi_reconcile.model.document import (
    DIALECT,
    JsonObject,
    Time,
    from_records,
    one_of,
    schema_of,
    version_of,
)
from ekomi_reconcile.model.errors import PlanInvalid
from ekomi_reconcile.model.instant import iso, parse
from ekomi_reconcile.model.invitation import (
    CancelStep,
    Criterion,
    Evidence,
    Observation,
    RescheduleStep,
    ScheduleStep,
    SendStep,
)
from ekomi_reconcile.plan.plan import (
    FORMAT_VERSION,
    LARGEST,
    AccountChange,
    Action,
    Amount,
    Guard,
    InterfaceId,
    InvitationSteps,
    Operation,
    Plan,
    Position,
    Scope,
    Summary,
    WindowWait,
)
from ekomi_reconcile.plan.steps import Step, Steps

_ACTIONS: Final = {
    Action.CREATE: ["create"],
    Action.UPDATE: ["update"],
    Action.DELETE: ["delete"],
    Action.REPLACE: ["delete", "create"],
}
_KINDS: Final[Mapping[str, type[Any]]] = {
    "schedule": ScheduleStep,
    "reschedule": RescheduleStep,
    "cancel": CancelStep,
    "send": SendStep,
    "observations": Observation,
}
_INSTANTS: Final = frozenset({"order_date", "reached_at", "judged_at", "scheduled_at", "previously", "since"})
_RENAMED: Final = {"number": "order"}
_LATER: Final = frozenset({"waiting", "windows", "pending_days"})
"""Keys that plans of earlier formats do not have."""
_PLAIN_TIME = (
    "^[12][0-9]{3}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z$"
)
"""Most times that there are; steps with others are left to the schema."""

_ROW_ID = Annotated[int, msgspec.Meta(ge=1, le=LARGEST)]
_WRITTEN: Final[Mapping[str, Any]] = {
    "row_id": _ROW_ID,
    "order_id": Annotated[int, msgspec.Meta(ge=-LARGEST - 1, le=LARGEST)]
    | Annotated[str, msgspec.Meta(min_length=1)],
    "interface_id": InterfaceId,
    "reached_source": Evidence,
    **dict.fromkeys(
        _INSTANTS,
        Annotated[str, msgspec.Meta(pattern=_PLAIN_TIME, extra_json_schema={"format": "date-time"})],
    ),
}
"""Fields of steps that are written in another form, or of which more is known than their type."""

Digest: TypeAlias = Annotated[str, msgspec.Meta(pattern="^sha256:[0-9a-f]{64}$")]
Hex: TypeAlias = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{16,64}$")]


@cache
def _written(kind: Any) -> Any:
    """The struct of a step as it is written: with the account's name, and times as text."""
    hints = get_type_hints(kind)
    fields: list[Any] = [] if kind is Observation else [("account", str | None)]
    for name, hint in hints.items():
        shape = _WRITTEN.get(name, hint)
        default = (None,) if name in _LATER else ()
        fields.append((_RENAMED.get(name, name), shape | None if hint == int | None else shape, *default))
    doc = {"__doc__": kind.__doc__}
    return msgspec.defstruct(kind.__name__, fields, namespace=doc, frozen=True, kw_only=True)


class StateReference(JsonObject, frozen=True):
    """The state that the plan was made from; ``lineage`` is ``null`` where there was none."""

    lineage: str | None
    serial: Amount


class ConfigurationReference(JsonObject, frozen=True):
    """The files that the plan was made from."""

    digest: Digest
    git_commit: str | None


class ChangeDetail(JsonObject, frozen=True):
    """What changes: ``before`` and ``after`` have the password masked, ``changed`` are key paths."""

    actions: Annotated[list[str], one_of(_ACTIONS.values())]
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None
    changed: list[str]


class ResourceChange(JsonObject, frozen=True):
    """A change of one account; ``blocked`` says why it will not be done."""

    address: str
    type: Literal["account"]
    name: str
    interface_id: InterfaceId
    previous_address: str | None
    previous_name: str | None
    previous_id: InterfaceId | None
    change: ChangeDetail
    action_reason: str | None
    blocked: str | None


class WindowEntry(JsonObject, frozen=True):
    """Due invitations of an account that wait for its sending window, which opens at ``leaves_at``."""

    account: str | None
    interface_id: InterfaceId
    count: Amount
    leaves_at: Time | None
    timezone: str


class QueueSteps(JsonObject, frozen=True, kw_only=True):
    """Everything that happens to the queue; ``not_invited`` counts orders by account and criterion."""

    schedule: list[_written(ScheduleStep)]  # type: ignore[valid-type]
    reschedule: list[_written(RescheduleStep)]  # type: ignore[valid-type]
    cancel: list[_written(CancelStep)]  # type: ignore[valid-type]
    send: list[_written(SendStep)]  # type: ignore[valid-type]
    deferred: Amount
    waiting: Amount = 0
    windows: list[WindowEntry] = msgspec.field(default_factory=list)
    due_by_rule_change: Amount
    not_invited: dict[str, dict[Annotated[str, one_of(each.value for each in Criterion)], Amount]]
    observations: list[_written(Observation)]  # type: ignore[valid-type]


class Signature(JsonObject, frozen=True):
    """Who vouches for a plan: the id of a state's key, and the keyed digest of the plan's digest."""

    key_id: Hex
    hmac: Hex


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


class PlanBody(JsonObject, frozen=True):
    """A plan but for its digest and signature."""

    format_version: Annotated[str, version_of(FORMAT_VERSION)]
    tool_version: str
    created_at: Time
    complete: Annotated[bool, msgspec.Meta(description="False where something could not be read.")]
    hypothetical: Annotated[bool, msgspec.Meta(description="Made for another time: never applied.")]
    scope: Scope
    state: StateReference
    config: ConfigurationReference
    resource_changes: list[ResourceChange]
    operations: list[Operation]
    invitations: QueueSteps
    positions: list[Position]
    summary: Summary
    guards: list[Guard]
    diagnostics: list[DiagnosticEntry]


class PlanDocument(PlanBody, frozen=True):
    """A plan as ``plan --out`` writes it and ``apply`` reads it."""

    digest: Annotated[
        Digest, msgspec.Meta(description="Over the canonical form of all but digest and signature.")
    ]
    signature: Annotated[
        Signature | None,
        msgspec.Meta(
            description="Made with the key of the state; null where there was none, or made --offline."
        ),
    ]


@cache
def plan_schema() -> dict[str, Json]:
    """The schema, JSON Schema 2020-12. Readers ignore keys that they do not know.

    Keys that plans of earlier formats do not have are optional.
    """
    head = {"$schema": DIALECT, "$id": "plan.schema.json", "title": "ekomi-reconcile plan"}
    return {**head, **schema_of(PlanDocument, optional=_LATER)}


def without_valid_steps(document: dict[str, Any]) -> dict[str, Any]:
    """The document as far as the schema has to look at it: a list of steps that is valid is left out.

    Steps are checked by msgspec, a hundred times faster. It takes no more than the schema; what it does not
    take is left to the schema, which names the place.
    """
    queue = document.get("invitations")
    if not isinstance(queue, dict):
        return document
    valid: dict[str, list[Any]] = {name: [] for name in _KINDS if _valid(queue.get(name), _KINDS[name])}
    return {**document, "invitations": {**queue, **valid}}


def _list_of(kind: Any) -> Any:
    return list[_written(kind)]  # type: ignore[misc]


def _valid(steps: Any, kind: type[Any]) -> bool:
    try:
        msgspec.convert(steps, _list_of(kind))
    except (msgspec.ValidationError, OverflowError):
        return False
    return True


def digest(body: PlanBody | Mapping[str, Json]) -> str:
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


def to_json(plan: Plan) -> PlanBody:
    """The plan as it is written, without digest and signature. Times are ISO 8601 in UTC."""
    return PlanBody(
        format_version=FORMAT_VERSION,
        tool_version=plan.tool_version,
        created_at=iso(plan.created_at),
        complete=plan.complete,
        hypothetical=plan.hypothetical,
        scope=plan.scope,
        state=StateReference(plan.lineage, plan.serial),
        config=ConfigurationReference(plan.config_digest, plan.git_commit),
        resource_changes=[_change_json(each) for each in plan.changes],
        operations=list(plan.operations),
        invitations=_queue_json(plan.invitations, plan.names),
        positions=list(plan.positions),
        summary=plan.summary,
        guards=list(plan.guards),
        diagnostics=[diagnostic_json(each) for each in plan.diagnostics],
    )


def _change_json(change: AccountChange) -> ResourceChange:
    previous = AccountChange(action=change.action, name=change.previous_name or "", interface_id="").address
    return from_records(
        ResourceChange,
        change,
        type="account",
        previous_address=previous if change.previous_name else None,
        change=ChangeDetail(
            actions=_ACTIONS[change.action],
            before=change.before,
            after=change.after,
            changed=list(change.changed),
        ),
        action_reason=change.reason,
    )


def _queue_json(steps: InvitationSteps, names: Mapping[str, str]) -> QueueSteps:
    lists: dict[str, Any] = {
        name: _steps_json(getattr(steps, name), kind, names) for name, kind in _KINDS.items()
    }
    lists["windows"] = [
        from_records(WindowEntry, each, account=names.get(each.interface_id)) for each in steps.windows
    ]
    return from_records(QueueSteps, steps, **lists)


def _steps_json(steps: Iterable[Any], kind: type[Any], names: Mapping[str, str]) -> list[Json]:
    keys = [_RENAMED.get(name, name) for name in kind.__struct_fields__]
    times = [key for key in keys if key in _INSTANTS]
    found: list[Json] = []
    for step in steps:
        row: dict[str, Json] = {} if kind is Observation else {"account": names.get(step.interface_id)}
        row.update(zip(keys, msgspec.structs.astuple(step), strict=True))
        for key in times:
            row[key] = iso(row[key])
        found.append(row)
    return found


def diagnostic_json(each: Diagnostic) -> DiagnosticEntry:
    """A diagnostic as it is written."""
    return from_records(DiagnosticEntry, each, summary=each.message, range=_range(each.place))


def _range(place: Place | None) -> Range | None:
    if place is None:
        return None
    end = Point(place.end_line or place.line, place.end_column or place.column)
    return Range(place.path, Point(place.line, place.column), end)


def from_json(document: Mapping[str, Any]) -> Plan:
    """The plan of a document that matches the published schema.

    Raises:
        PlanInvalid: it does not.
    """
    queue = document["invitations"]
    try:
        rest = {**queue, **{name: [] for name in _KINDS}}
        body = msgspec.convert({**document, "invitations": rest}, PlanBody)
        return _plan(body, {name: _steps(queue[name], kind) for name, kind in _KINDS.items()}, queue)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise PlanInvalid(
            f"the plan is not valid: {type(error).__name__}: {error}", mend="make a new plan"
        ) from None


def _plan(body: PlanBody, steps: Mapping[str, Any], queue: Mapping[str, Any]) -> Plan:
    rest = body.invitations
    return Plan(
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
        invitations=InvitationSteps(
            **steps,
            deferred=rest.deferred,
            waiting=rest.waiting,
            windows=tuple(
                WindowWait(
                    interface_id=each.interface_id,
                    count=each.count,
                    leaves_at=None if each.leaves_at is None else parse(each.leaves_at),
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


def _names(body: PlanBody, queue: Mapping[str, Any]) -> dict[str, str]:
    names = {each.interface_id: each.name for each in body.resource_changes}
    names |= {each.interface_id: each.account for each in body.operations}
    for name, kind in _KINDS.items():
        if kind is not Observation:
            names |= {each["interface_id"]: each["account"] for each in queue[name]}
    return names


def _change(each: ResourceChange) -> AccountChange:
    return AccountChange(
        action=next(action for action, words in _ACTIONS.items() if words == each.change.actions),
        name=each.name,
        interface_id=each.interface_id,
        previous_name=each.previous_name,
        previous_id=each.previous_id,
        before=each.change.before,
        after=each.change.after,
        changed=tuple(each.change.changed),
        reason=each.action_reason,
        blocked=each.blocked,
    )


def _steps(items: Iterable[Mapping[str, Any]], kind: type[Step]) -> Steps[Step]:
    names = kind.__struct_fields__
    keys = [_RENAMED.get(name, name) for name in names]
    times = [place for place, name in enumerate(names) if name in _INSTANTS]
    steps = Steps(kind)
    for item in items:
        values: list[Any] = [item.get(key) if key in _LATER else item[key] for key in keys]
        for place in times:
            values[place] = parse(values[place])
        steps.append(msgspec.convert(values, kind))
    return steps


def _diagnostic(each: DiagnosticEntry) -> Diagnostic:
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
        mend=each.mend,
        account=each.account,
    )
