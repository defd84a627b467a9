"""The JSON Schema of a plan, made from the structs that a plan consists of."""

from __future__ import annotations

from typing import Any, get_type_hints

from ekomi_reconcile.model.account import Json
from ekomi_reconcile.model.invitation import Criterion
from ekomi_reconcile.model.shape import (
    COUNT,
    DIALECT,
    DIGEST,
    TEXT,
    TIME,
    array_of,
    counts_of,
    hinted,
    maybe,
    object_of,
    version_of,
    words_of,
)
from ekomi_reconcile.plan.codec import INSTANTS, RENAMED
from ekomi_reconcile.plan.plan import FORMAT_VERSION, Guard, OperationKind, Position, Scope, Summary
from ekomi_reconcile.plan.steps import Cancel, Observation, Reschedule, Schedule, Send

_MAYBE_TEXT = maybe(TEXT)


def plan_schema() -> dict[str, Json]:
    """The schema, JSON Schema 2020-12. Readers ignore keys that they do not know."""
    properties = {
        "format_version": version_of(FORMAT_VERSION),
        "tool_version": TEXT,
        "created_at": TIME,
        "complete": {"type": "boolean", "description": "False where something could not be read."},
        "scope": _of(Scope),
        "state": object_of({"lineage": _MAYBE_TEXT, "serial": COUNT}),
        "config": object_of({"digest": DIGEST, "git_commit": _MAYBE_TEXT}),
        "resource_changes": array_of(_change()),
        "operations": array_of(_operation()),
        "invitations": _invitations(),
        "positions": array_of(_of(Position)),
        "summary": counts_of(_figures()),
        "guards": array_of(_of(Guard)),
        "diagnostics": array_of(diagnostic_shape()),
        "digest": {**DIGEST, "description": "Over the canonical form of everything else."},
    }
    return {
        "$schema": DIALECT,
        "$id": "plan.schema.json",
        "title": "ekomi-reconcile plan",
        **object_of(properties),
    }


def _figures() -> list[str]:
    return list(Summary(**dict.fromkeys(Summary.__slots__, 0)).as_json())


def _change() -> dict[str, Json]:
    actions = [["create"], ["update"], ["delete"], ["delete", "create"]]
    change = {
        "actions": {"enum": actions},
        "before": {"type": ["object", "null"]},
        "after": {"type": ["object", "null"]},
        "changed": array_of(TEXT),
    }
    return object_of(
        {
            "address": TEXT,
            "type": {"const": "account"},
            "name": TEXT,
            "interface_id": TEXT,
            "previous_address": _MAYBE_TEXT,
            "previous_name": _MAYBE_TEXT,
            "previous_id": _MAYBE_TEXT,
            "change": object_of(change),
            "action_reason": _MAYBE_TEXT,
            "blocked": _MAYBE_TEXT,
        }
    )


def _operation() -> dict[str, Json]:
    return object_of({"kind": words_of(OperationKind), "account": TEXT, "interface_id": TEXT, "reason": TEXT})


def _invitations() -> dict[str, Json]:
    kinds = {"schedule": Schedule, "reschedule": Reschedule, "cancel": Cancel, "send": Send}
    reasons = {
        "type": "object",
        "propertyNames": words_of(Criterion),
        "additionalProperties": COUNT,
    }
    return object_of(
        {name: array_of(_of(kind, account=_MAYBE_TEXT)) for name, kind in kinds.items()}
        | {
            "deferred": COUNT,
            "due_by_rule_change": COUNT,
            "not_invited": {"type": "object", "additionalProperties": reasons},
            "observations": array_of(_of(Observation)),
        }
    )


def diagnostic_shape() -> dict[str, Json]:
    """A diagnostic about the files or the plan."""
    point = object_of({"line": COUNT, "column": COUNT})
    span = object_of({"filename": TEXT, "start": point, "end": point})
    notes = dict.fromkeys(("account", "key", "found", "allowed", "mend"), _MAYBE_TEXT)
    return object_of(
        {
            "severity": TEXT,
            "rule": TEXT,
            "summary": TEXT,
            **notes,
            "range": {"anyOf": [span, {"type": "null"}]},
        }
    )


def _of(kind: type[Any], **more: Json) -> dict[str, Json]:
    """The object with the fields of a struct or dataclass."""
    hints = get_type_hints(kind)
    fields = {RENAMED.get(name, name): TIME if name in INSTANTS else hinted(hints[name]) for name in hints}
    return object_of({**more, **fields})
