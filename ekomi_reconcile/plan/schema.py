"""The JSON Schema of a plan, made from the structs that a plan consists of."""

from __future__ import annotations

import types
from collections.abc import Mapping
from typing import Any, get_args, get_origin, get_type_hints

from ekomi_reconcile.model.account import Json
from ekomi_reconcile.model.invitation import Criterion
from ekomi_reconcile.plan.codec import INSTANTS, RENAMED
from ekomi_reconcile.plan.plan import FORMAT_VERSION, Guard, OperationKind, Position, Scope, Summary
from ekomi_reconcile.plan.steps import Cancel, Observation, Reschedule, Schedule, Send

_TEXT = {"type": "string"}
_COUNT = {"type": "integer", "minimum": 0}
_MAYBE_TEXT = {"type": ["string", "null"]}
_TIME = {"type": "string", "format": "date-time"}
_DIGEST = {"type": "string", "pattern": "^sha256:[0-9a-f]{64}$"}
_SIMPLE = {str: "string", int: "integer", bool: "boolean", type(None): "null"}


def plan_schema() -> dict[str, Json]:
    """The schema, JSON Schema 2020-12. Readers ignore keys that they do not know."""
    properties = {
        "format_version": {"type": "string", "pattern": rf"^{FORMAT_VERSION.partition('.')[0]}\.[0-9]+$"},
        "tool_version": _TEXT,
        "created_at": _TIME,
        "complete": {"type": "boolean", "description": "False where something could not be read."},
        "scope": _of(Scope),
        "state": _object({"lineage": _MAYBE_TEXT, "serial": _COUNT}),
        "config": _object({"digest": _DIGEST, "git_commit": _MAYBE_TEXT}),
        "resource_changes": _array(_change()),
        "operations": _array(_operation()),
        "invitations": _invitations(),
        "positions": _array(_of(Position)),
        "summary": _object(dict.fromkeys(_figures(), _COUNT)),
        "guards": _array(_of(Guard)),
        "diagnostics": _array(_diagnostic()),
        "digest": {**_DIGEST, "description": "Over the canonical form of everything else."},
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "plan.schema.json",
        "title": "ekomi-reconcile plan",
        **_object(properties),
    }


def _figures() -> list[str]:
    return list(Summary(**dict.fromkeys(Summary.__slots__, 0)).as_json())


def _change() -> dict[str, Json]:
    actions = [["create"], ["update"], ["delete"], ["delete", "create"]]
    change = {
        "actions": {"enum": actions},
        "before": {"type": ["object", "null"]},
        "after": {"type": ["object", "null"]},
        "changed": _array(_TEXT),
    }
    return _object(
        {
            "address": _TEXT,
            "type": {"const": "account"},
            "name": _TEXT,
            "interface_id": _TEXT,
            "previous_address": _MAYBE_TEXT,
            "previous_name": _MAYBE_TEXT,
            "previous_id": _MAYBE_TEXT,
            "change": _object(change),
            "action_reason": _MAYBE_TEXT,
            "blocked": _MAYBE_TEXT,
        }
    )


def _operation() -> dict[str, Json]:
    kinds = {"enum": [each.value for each in OperationKind]}
    return _object({"kind": kinds, "account": _TEXT, "interface_id": _TEXT, "reason": _TEXT})


def _invitations() -> dict[str, Json]:
    kinds = {"schedule": Schedule, "reschedule": Reschedule, "cancel": Cancel, "send": Send}
    reasons = {
        "type": "object",
        "propertyNames": {"enum": [each.value for each in Criterion]},
        "additionalProperties": _COUNT,
    }
    return _object(
        {name: _array(_of(kind, account=_MAYBE_TEXT)) for name, kind in kinds.items()}
        | {
            "deferred": _COUNT,
            "due_by_rule_change": _COUNT,
            "not_invited": {"type": "object", "additionalProperties": reasons},
            "observations": _array(_of(Observation)),
        }
    )


def _diagnostic() -> dict[str, Json]:
    point = _object({"line": _COUNT, "column": _COUNT})
    span = _object({"filename": _TEXT, "start": point, "end": point})
    notes = dict.fromkeys(("account", "key", "found", "allowed", "mend"), _MAYBE_TEXT)
    return _object(
        {
            "severity": _TEXT,
            "rule": _TEXT,
            "summary": _TEXT,
            **notes,
            "range": {"anyOf": [span, {"type": "null"}]},
        }
    )


def _of(kind: type[Any], **more: Json) -> dict[str, Json]:
    """The object with the fields of a struct or dataclass."""
    hints = get_type_hints(kind)
    fields = {RENAMED.get(name, name): _TIME if name in INSTANTS else _type(hints[name]) for name in hints}
    return _object({**more, **fields})


def _type(hint: Any) -> dict[str, Json]:
    if get_origin(hint) is tuple:
        return _array(_type(get_args(hint)[0]))
    if isinstance(hint, types.UnionType):
        return {"type": [_SIMPLE[each] for each in get_args(hint)]}
    return {"type": _SIMPLE[hint]}


def _array(items: Mapping[str, Json]) -> dict[str, Json]:
    return {"type": "array", "items": items}


def _object(properties: Mapping[str, Json]) -> dict[str, Json]:
    return {"type": "object", "properties": properties, "required": list(properties)}
