"""What a run does as a stream of JSON objects, one per line, in the shape that Terraform's readers know.

Every object has ``@level``, ``@message``, ``@module``, ``@timestamp`` and ``type``; a reader shows what it
does not know by its ``@message``. The first line is of type ``version``. Nothing secret or personal.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, TypeAlias

import msgspec
from msgspec import UNSET, UnsetType

from ekomi_reconcile.model import run
from ekomi_reconcile.model.account import Json, account_address
from ekomi_reconcile.model.diagnostic import Diagnostic, Severity
from ekomi_reconcile.model.document import COUNT, Count, JsonObject, version_of
from ekomi_reconcile.model.errors import ConfigurationInvalid, ReconcileError
from ekomi_reconcile.model.instant import Instant, iso
from ekomi_reconcile.model.invitation import Status
from ekomi_reconcile.plan.codec import diagnostic_json
from ekomi_reconcile.plan.document import Range
from ekomi_reconcile.plan.plan import AccountChange, Action, Guard, Operation, OperationKind, Plan, Summary
from ekomi_reconcile.render.plan_summary import steps_of, summary_line
from ekomi_reconcile.render.tables import json_text

UI_VERSION = "1.0"
"""Minor versions only add types and keys; a reader refuses a higher major."""

MODULE = "ekomi_reconcile.ui"
FIRST_KEY = "@level"
"""Every line begins with it: so a stream of events is known when it is seen."""

Body: TypeAlias = Mapping[str, Json]
"""An event without its time."""


class EventDiagnostic(JsonObject, frozen=True, kw_only=True):
    """What is wrong; about the files and the plan with more keys, as in the output of ``validate``."""

    severity: Severity
    rule: str | None
    summary: str
    account: str | UnsetType | None = UNSET
    key: str | UnsetType | None = UNSET
    found: str | UnsetType | None = UNSET
    allowed: str | UnsetType | None = UNSET
    hint: str | None
    range: Range | UnsetType | None = UNSET
    detail: str


class EventResource(JsonObject, frozen=True, kw_only=True):
    """An account, in the form in which readers of Terraform's events expect a resource."""

    addr: str
    module: str = ""
    resource: str
    implied_provider: Literal["ekomi"] = "ekomi"
    resource_type: Literal["account"] = "account"
    resource_name: str
    resource_key: None = None


class SentInvitation(JsonObject, frozen=True):
    """The invitation that is sent: its id in the state, and the order number."""

    id: Count
    order: str


class Hook(JsonObject, frozen=True, kw_only=True):
    """A task that begins, goes on or has ended; ``elapsed_seconds`` from the second event on."""

    resource: EventResource
    action: run.Work
    id_key: Literal["interface_id"] = "interface_id"
    id_value: str
    invitation: SentInvitation | UnsetType = UNSET
    elapsed_seconds: Count | UnsetType = UNSET
    status: Status | UnsetType = UNSET
    error: str | UnsetType = UNSET


class PlannedChange(JsonObject, frozen=True, kw_only=True):
    """A change of an account; ``blocked`` says why it will not be made."""

    resource: EventResource
    action: Action
    reason: str | None
    previous_resource: EventResource | None
    changed: list[str]
    blocked: str | None


class PlannedRefresh(JsonObject, frozen=True):
    """A sync or an import."""

    resource: EventResource
    action: OperationKind
    reason: str


class PlannedInvitations(JsonObject, frozen=True):
    """How many invitations of an account change."""

    resource: EventResource
    schedule: Count
    reschedule: Count
    cancel: Count
    send: Count


class QueueChanges(JsonObject, frozen=True):
    """What was written into the queue; ``left_out`` met an invitation of the same order."""

    schedule: Count
    reschedule: Count
    cancel: Count
    left_out: Count


_PLANNED = (*(each.encode_name for each in msgspec.structs.fields(Summary)), "remove")
_ALL = {name: dict(COUNT) for name in (*_PLANNED, *(each.value for each in run.Done))}
Figures: TypeAlias = Annotated[
    dict[str, int | str],
    msgspec.Meta(
        description="Figures of a plan or of a run; those of a plan are always there.",
        extra_json_schema={
            "properties": {**_ALL, "operation": {"enum": ["plan", "apply"]}},
            "required": [*_PLANNED, "operation"],
            "additionalProperties": True,
        },
    ),
]

_KEYS: Mapping[str, list[tuple[str, Any]]] = {
    "version": [("ekomi_reconcile", str), ("ui", Annotated[str, version_of(UI_VERSION)])],
    "diagnostic": [("diagnostic", EventDiagnostic)],
    "log": [],
    "planned_change": [("change", PlannedChange)],
    "planned_refresh": [("change", PlannedRefresh)],
    "planned_invitations": [("change", PlannedInvitations)],
    "change_summary": [("changes", Figures), ("complete", bool)],
    "orders_progress": [("done", Count), ("total", Count | None), ("source", str | None)],
    "queue_progress": [("done", Count), ("total", Count | None), ("source", str | None)],
    "queue_complete": [("changes", QueueChanges)],
    **{
        f"{kind}_{end}": [("hook", Hook)]
        for kind in ("apply", "refresh", "invitation")
        for end in ("start", "progress", "complete", "errored")
    },
    "cycle_complete": [("outcome", str), ("message", str | None)],
}
TYPES: Mapping[str, type[Any]] = {
    name: msgspec.defstruct(name, keys, bases=(JsonObject,), frozen=True) for name, keys in _KEYS.items()
}
"""The types of events, with the keys that each has beside the common ones."""

_REFRESHES = (run.Work.SYNC, run.Work.IMPORT)
_DOING = {
    run.Work.CREATE: "Creating",
    run.Work.UPDATE: "Modifying",
    run.Work.REPLACE: "Replacing",
    run.Work.DELETE: "Destroying",
    run.Work.SYNC: "Syncing",
    run.Work.IMPORT: "Importing reviews",
    run.Work.SEND: "Sending",
}
_DONE = {
    run.Work.CREATE: "Creation",
    run.Work.UPDATE: "Modification",
    run.Work.REPLACE: "Replacement",
    run.Work.DELETE: "Destruction",
    run.Work.SYNC: "Sync",
    run.Work.IMPORT: "Import",
    run.Work.SEND: "Sending",
}
_PROGRESS = {run.Stage.ORDERS: "orders_progress", run.Stage.QUEUE: "queue_progress"}


def event_text(body: Body, *, at: Instant) -> str:
    """The event as its line, newline included."""
    head = {key: body[key] for key in (FIRST_KEY, "@message")}
    rest = {key: value for key, value in body.items() if key not in head}
    return json_text({**head, "@module": MODULE, "@timestamp": iso(at), **rest}, indent=None) + "\n"


def version_event(version: str) -> Body:
    """The first line."""
    return _body("version", f"ekomi-reconcile {version}", ekomi_reconcile=version, ui=UI_VERSION)


def plan_events(plan: Plan) -> Iterator[Body]:
    """What is going to be done, and what there is to say about it."""
    for each in plan.diagnostics:
        yield _diagnostic_event(each)
    for guard in plan.guards:
        yield _guard_event(guard)
    for change in plan.changes:
        yield _planned_change(change)
    for operation in plan.operations:
        yield _planned_refresh(operation)
    yield from _planned_invitations(plan)
    summary = plan.summary
    figures = {**summary.as_json(), "remove": summary.destroy, "operation": "plan"}
    yield _body("change_summary", summary_line(summary), changes=figures, complete=plan.complete)


def happened(event: run.Progress | run.Started | run.Running | run.Ended | run.QueueWritten) -> Body | None:
    """What has just happened; ``None`` where other lines report it already."""
    match event:
        case run.Started(task):
            return _body(_kind(task, "start"), f"{_subject(task)}: {_DOING[task.work]}...", hook=_hook(task))
        case run.Running(task, seconds):
            message = f"{_subject(task)}: Still {_DOING[task.work].lower()}... [{seconds}s elapsed]"
            return _body(_kind(task, "progress"), message, hook=_hook(task, seconds))
        case run.Ended():
            return _ended(event)
        case run.QueueWritten():
            return _queue_written(event)
        case run.Progress(stage=stage) if stage in _PROGRESS:
            return _progress(event)
    return None


def result_events(result: run.Result, *, complete: bool) -> Iterator[Body]:
    """How the run ended: what failed, what was not tried, what else there is to know, and the figures."""
    for failure in result.failures:
        yield _diagnostic(Severity.ERROR, f"{failure.subject}: {failure.message}", failure.hint)
    for text in result.not_tried:
        yield _diagnostic(Severity.WARNING, f"not tried: {text}", None)
    for text in result.notes:
        yield _body("log", text)
    changes = _result_figures(result)
    good = result.succeeded and complete
    message = (
        f"Apply {'complete' if good else 'incomplete'}! Resources: {changes['add']} added, "
        f"{changes['change']} changed, {changes['remove']} destroyed. Invitations: {changes['send']} sent."
    )
    yield _body("change_summary", message, level="info" if good else "error", changes=changes, complete=good)


def problem_events(error: ReconcileError) -> Iterator[Body]:
    """What ended a run before its end."""
    if isinstance(error, ConfigurationInvalid):
        for each in error.diagnostics:
            yield _diagnostic_event(each)
    yield _diagnostic(Severity.ERROR, error.message, error.hint)


def cycle_event(outcome: str, message: str | None) -> Body:
    """The end of one cycle of ``run``."""
    level = "info" if message is None else "error"
    text = f"Cycle {outcome}" + (f": {message}" if message else "")
    return _body("cycle_complete", text, level=level, outcome=outcome, message=message)


def _body(kind: str, text: str, *, level: str = "info", **keys: Any) -> Body:
    more: dict[str, Json] = msgspec.to_builtins(TYPES[kind](**keys))
    return {FIRST_KEY: level, "@message": text, "type": kind, **more}


def _kind(task: run.Task, end: str) -> str:
    if task.work is run.Work.SEND:
        return f"invitation_{end}"
    return f"refresh_{end}" if task.work in _REFRESHES else f"apply_{end}"


def _subject(task: run.Task) -> str:
    return f"order {task.order}" if task.work is run.Work.SEND else account_address(task.account)


def _hook(task: run.Task, seconds: int | UnsetType = UNSET, **ending: Any) -> Hook:
    return Hook(
        resource=_resource(task.account),
        action=task.work,
        id_value=task.interface_id,
        invitation=_sent(task),
        elapsed_seconds=seconds,
        **ending,
    )


def _resource(name: str) -> EventResource:
    address = account_address(name)
    return EventResource(addr=address, resource=address, resource_name=name)


def _ended(event: run.Ended) -> Body:
    task, work, seconds = event.task, event.task.work, event.seconds
    status = UNSET if event.status is None else event.status
    if event.error is None:
        text = f"{_subject(task)}: {_DONE[work]} complete after {seconds}s"
        text += f" [interface_id={task.interface_id}]"
        return _body(_kind(task, "complete"), text, hook=_hook(task, seconds, status=status))
    how = "outcome unknown" if event.status is Status.UNKNOWN else "errored"
    text = f"{_subject(task)}: {_DONE[work]} {how} after {seconds}s: {event.error}"
    hook = _hook(task, seconds, status=status, error=event.error)
    return _body(_kind(task, "errored"), text, level="error", hook=hook)


def _queue_written(event: run.QueueWritten) -> Body:
    changes = QueueChanges(event.scheduled, event.rescheduled, event.cancelled, event.left_out)
    text = f"Queue: {event.scheduled} scheduled, {event.rescheduled} rescheduled, {event.cancelled} cancelled"
    return _body("queue_complete", text, changes=changes)


def _progress(event: run.Progress) -> Body:
    total = "" if event.total is None else f" of {event.total}"
    what = "orders read" if event.stage is run.Stage.ORDERS else "invitations written"
    source = event.subject
    return _body(
        _PROGRESS[event.stage],
        f"{event.done}{total} {what}",
        done=event.done,
        total=event.total,
        source=source,
    )


def _planned_change(change: AccountChange) -> Body:
    previous = None if change.previous_name is None else _resource(change.previous_name)
    blocked = f" (not done: {change.blocked})" if change.blocked else ""
    planned = PlannedChange(
        resource=_resource(change.name),
        action=change.action,
        reason=change.reason,
        previous_resource=previous,
        changed=list(change.changed),
        blocked=change.blocked,
    )
    return _body(
        "planned_change", f"{change.address}: Plan to {change.action.value}{blocked}", change=planned
    )


def _planned_refresh(operation: Operation) -> Body:
    account, kind = operation.account, operation.kind
    planned = PlannedRefresh(_resource(account), kind, operation.reason)
    return _body("planned_refresh", f"{account_address(account)}: Plan to {kind.value}", change=planned)


def _planned_invitations(plan: Plan) -> Iterator[Body]:
    for key, name in sorted(plan.names.items(), key=lambda each: each[1].casefold()):
        counts = steps_of(plan, key)
        if any(counts.values()):
            text = ", ".join(f"{count} to {word}" for word, count in counts.items() if count)
            planned = PlannedInvitations(_resource(name), **counts)
            yield _body("planned_invitations", f"{account_address(name)}: {text}", change=planned)


def _result_figures(result: run.Result) -> dict[str, Json]:
    count = result.counts.get
    words = {
        "add": run.Done.ADDED,
        "change": run.Done.CHANGED,
        "remove": run.Done.DESTROYED,
        "destroy": run.Done.DESTROYED,
        "sync": run.Done.SYNCED,
        "import": run.Done.IMPORTED,
        "schedule": run.Done.SCHEDULED,
        "reschedule": run.Done.RESCHEDULED,
        "cancel": run.Done.CANCELLED,
        "send": run.Done.SENT,
    }
    rest = {each.value: count(each, 0) for each in run.Done if each not in words.values()}
    return {**{word: count(done, 0) for word, done in words.items()}, **rest, "operation": "apply"}


def _diagnostic_event(each: Diagnostic) -> Body:
    detail = "; ".join(
        f"{name}: {text}"
        for name, text in (("found", each.found), ("allowed", each.allowed), ("hint", each.hint))
        if text
    )
    known = msgspec.structs.asdict(diagnostic_json(each))
    level = "error" if each.is_error else "warn"
    return _body("diagnostic", each.message, level=level, diagnostic=EventDiagnostic(**known, detail=detail))


def _guard_event(guard: Guard) -> Body:
    return _diagnostic(Severity.WARNING, guard.message, f"if it is meant: {guard.override}", rule=guard.rule)


def _diagnostic(severity: Severity, summary: str, hint: str | None, rule: str | None = None) -> Body:
    found = EventDiagnostic(severity=severity, rule=rule, summary=summary, detail=hint or "", hint=hint)
    level = "error" if severity is Severity.ERROR else "warn"
    return _body("diagnostic", summary, level=level, diagnostic=found)


def _sent(task: run.Task) -> SentInvitation | UnsetType:
    if task.invitation is None or task.order is None:
        return UNSET
    return SentInvitation(task.invitation, task.order)
