"""The JSON of plans: one declaration that is written, read, checked and published as schema.

Nothing in it is secret or personal: a plan may be published.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any, Final, Literal, TypeAlias, get_type_hints

import msgspec

from ekomi_reconcile.model import document as model_document
from ekomi_reconcile.model import invitation
from ekomi_reconcile.model.account import Json
from ekomi_reconcile.model.diagnostic import Severity
from ekomi_reconcile.plan import plan

ACTIONS: Final = {
    plan.Action.CREATE: ["create"],
    plan.Action.UPDATE: ["update"],
    plan.Action.DELETE: ["delete"],
    plan.Action.REPLACE: ["delete", "create"],
}


KINDS: Final[Mapping[str, type[Any]]] = {
    "schedule": invitation.ScheduleStep,
    "reschedule": invitation.RescheduleStep,
    "cancel": invitation.CancelStep,
    "send": invitation.SendStep,
    "observations": invitation.Observation,
    "passed": invitation.PassedOrder,
}


WITHOUT_ACCOUNT: Final = frozenset({invitation.Observation, invitation.PassedOrder})
"""Kinds of steps that are about an order alone."""


INSTANTS: Final = frozenset(
    {"order_date", "reached_at", "judged_at", "scheduled_at", "previously", "moved_from", "since"}
    | {"leaves_at"}
)


RENAMED: Final = {"number": "order"}


LATER: Final = frozenset(
    {"waiting", "windows", "pending_days", "leaves_at", "channel", "products"}
    | {"released_by", "moved_from", "place", "accepted"}
)
"""Keys that plans of earlier formats do not have."""


_PLAIN_TIME = (
    "^[12][0-9]{3}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z$"
)
"""Most times that there are; steps with others are left to the schema."""


_ROW_ID = Annotated[int, msgspec.Meta(ge=1, le=plan.LARGEST)]


_WRITTEN: Final[Mapping[str, Any]] = {
    "row_id": _ROW_ID,
    "order_id": Annotated[int, msgspec.Meta(ge=-plan.LARGEST - 1, le=plan.LARGEST)]
    | Annotated[str, msgspec.Meta(min_length=1)],
    "interface_id": plan.InterfaceId,
    "reached_source": invitation.Evidence,
    **dict.fromkeys(
        INSTANTS,
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
    fields: list[Any] = [] if kind in WITHOUT_ACCOUNT else [("account", str | None)]
    for name, hint in hints.items():
        shape = _WRITTEN.get(name, hint)
        default = (None,) if name in LATER else ()
        fields.append((RENAMED.get(name, name), shape | None if hint == int | None else shape, *default))
    doc = {"__doc__": kind.__doc__}
    return msgspec.defstruct(kind.__name__, fields, namespace=doc, frozen=True, kw_only=True)


class StateReference(model_document.JsonObject, frozen=True):
    """The state that the plan was made from; ``lineage`` is ``null`` where there was none."""

    lineage: str | None
    serial: plan.Amount


class ConfigurationReference(model_document.JsonObject, frozen=True):
    """The files that the plan was made from."""

    digest: Digest
    git_commit: str | None


class ChangeDetail(model_document.JsonObject, frozen=True):
    """What changes: ``before`` and ``after`` have the password masked, ``changed`` are key paths."""

    actions: Annotated[list[str], model_document.one_of(ACTIONS.values())]
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None
    changed: list[str]


class ChangePlace(model_document.JsonObject, frozen=True):
    """A line of a file."""

    path: str
    line: plan.Amount


class ResourceChange(model_document.JsonObject, frozen=True):
    """A change of one account; ``blocked`` says why it will not be done.

    ``place`` is where the first changed value is set in the files.
    """

    address: str
    type: Literal["account"]
    name: str
    interface_id: plan.InterfaceId
    previous_address: str | None
    previous_name: str | None
    previous_id: plan.InterfaceId | None
    change: ChangeDetail
    action_reason: str | None
    blocked: str | None
    place: ChangePlace | None = None


class WindowEntry(model_document.JsonObject, frozen=True):
    """Due invitations of an account that wait for its sending window, which opens at ``leaves_at``."""

    account: str | None
    interface_id: plan.InterfaceId
    count: plan.Amount
    leaves_at: model_document.Time | None
    timezone: str


class QueueSteps(model_document.JsonObject, frozen=True, kw_only=True):
    """Everything that happens to the queue; ``not_invited`` counts orders by account and criterion."""

    schedule: list[_written(invitation.ScheduleStep)]  # type: ignore[valid-type]
    reschedule: list[_written(invitation.RescheduleStep)]  # type: ignore[valid-type]
    cancel: list[_written(invitation.CancelStep)]  # type: ignore[valid-type]
    send: list[_written(invitation.SendStep)]  # type: ignore[valid-type]
    deferred: plan.Amount
    waiting: plan.Amount = 0
    windows: list[WindowEntry] = msgspec.field(default_factory=list)
    due_by_rule_change: plan.Amount
    not_invited: dict[
        str,
        dict[Annotated[str, model_document.one_of(each.value for each in invitation.Criterion)], plan.Amount],
    ]
    observations: list[_written(invitation.Observation)]  # type: ignore[valid-type]
    passed: list[_written(invitation.PassedOrder)] = msgspec.field(default_factory=list)  # type: ignore[valid-type]


class Signature(model_document.JsonObject, frozen=True):
    """Who vouches for a plan: the id of a state's key, and the keyed digest of the plan's digest."""

    key_id: Hex
    hmac: Hex


class Point(model_document.JsonObject, frozen=True):
    """A line and a column, both from 1."""

    line: plan.Amount
    column: plan.Amount


class Range(model_document.JsonObject, frozen=True):
    """A stretch of a file."""

    filename: str
    start: Point
    end: Point


class DiagnosticEntry(model_document.JsonObject, frozen=True):
    """What is wrong with the files or the plan, where, and how to fix it."""

    severity: Severity
    rule: str
    summary: str
    account: str | None
    key: str | None
    found: str | None
    allowed: str | None
    hint: str | None
    range: Range | None


class PlanBody(model_document.JsonObject, frozen=True):
    """A plan but for its digest and signature."""

    format_version: Annotated[str, model_document.version_of(plan.FORMAT_VERSION)]
    tool_version: str
    created_at: model_document.Time
    complete: Annotated[bool, msgspec.Meta(description="False where something could not be read.")]
    hypothetical: Annotated[bool, msgspec.Meta(description="Made for another time: never applied.")]
    scope: plan.Scope
    state: StateReference
    config: ConfigurationReference
    resource_changes: list[ResourceChange]
    operations: list[plan.Operation]
    invitations: QueueSteps
    positions: list[plan.Position]
    summary: plan.Summary
    guards: list[plan.Guard]
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
    head = {"$schema": model_document.DIALECT, "$id": "plan.schema.json", "title": "ekomi-reconcile plan"}
    return {**head, **model_document.schema_of(PlanDocument, optional=LATER)}


def without_valid_steps(document: dict[str, Any]) -> dict[str, Any]:
    """The document as far as the schema has to look at it: a list of steps that is valid is left out.

    Steps are checked by msgspec, a hundred times faster. It takes no more than the schema; what it does not
    take is left to the schema, which names the place.
    """
    queue = document.get("invitations")
    if not isinstance(queue, dict):
        return document
    valid: dict[str, list[Any]] = {name: [] for name in KINDS if _valid(queue.get(name), KINDS[name])}
    return {**document, "invitations": {**queue, **valid}}


def _list_of(kind: Any) -> Any:
    return list[_written(kind)]  # type: ignore[misc]


def _valid(steps: Any, kind: type[Any]) -> bool:
    try:
        msgspec.convert(steps, _list_of(kind))
    except (msgspec.ValidationError, OverflowError):
        return False
    return True
