"""The JSON Schema of a plan, and checking documents against schemas."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_type_hints

import msgspec

from ekomi_reconcile.model.account import Json
from ekomi_reconcile.model.diagnostic import Severity
from ekomi_reconcile.model.instant import parse
from ekomi_reconcile.model.invitation import (
    CancelStep,
    Criterion,
    Evidence,
    Observation,
    RescheduleStep,
    ScheduleStep,
    SendStep,
)
from ekomi_reconcile.model.shape import (
    DIALECT,
    DIGEST,
    ORDER_ID,
    TEXT,
    TIME,
    array_of,
    hinted,
    maybe,
    object_of,
    version_of,
    words_of,
)
from ekomi_reconcile.plan.codec import INSTANTS, RENAMED
from ekomi_reconcile.plan.plan import FORMAT_VERSION, Guard, OperationKind, Position, Scope, Summary

if TYPE_CHECKING:
    from jsonschema import FormatChecker, ValidationError
    from jsonschema.protocols import Validator


_LARGEST = 2**63 - 1
"""What the integers of a state hold."""

_COUNT: Mapping[str, Json] = {"type": "integer", "minimum": 0, "maximum": _LARGEST}
_ORDER_ID: Mapping[str, Json] = {**ORDER_ID, "minimum": -_LARGEST - 1, "maximum": _LARGEST, "minLength": 1}
_ROW_ID: Mapping[str, Json] = {"type": "integer", "minimum": 1, "maximum": _LARGEST}
_INTERFACE_ID: Mapping[str, Json] = {"type": "string", "pattern": "^[0-9]{1,20}$"}
_PLAIN_TIME = (
    "^[12][0-9]{3}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z$"
)
"""Most times that there are; the others are left to the schema."""

_STEPS: Mapping[str, type[Any]] = {
    "schedule": ScheduleStep,
    "reschedule": RescheduleStep,
    "cancel": CancelStep,
    "send": SendStep,
}
_MAYBE_TEXT = maybe(TEXT)
_HEX: Mapping[str, Json] = {"type": "string", "pattern": "^[0-9a-f]{16,64}$"}
_FIXED: Mapping[str, Mapping[str, Json]] = {
    "interface_id": _INTERFACE_ID,
    "order_id": _ORDER_ID,
    "reached_source": words_of(Evidence),
}
"""Fields whose schema says more than their type."""


def plan_schema() -> dict[str, Json]:
    """The schema, JSON Schema 2020-12. Readers ignore keys that they do not know."""
    properties = {
        "format_version": version_of(FORMAT_VERSION),
        "tool_version": TEXT,
        "created_at": TIME,
        "complete": {"type": "boolean", "description": "False where something could not be read."},
        "hypothetical": {"type": "boolean", "description": "Made for another time: never applied."},
        "scope": _of(Scope),
        "state": object_of({"lineage": _MAYBE_TEXT, "serial": _COUNT}),
        "config": object_of({"digest": DIGEST, "git_commit": _MAYBE_TEXT}),
        "resource_changes": array_of(_change()),
        "operations": array_of(_operation()),
        "invitations": _invitations(),
        "positions": array_of(_of(Position)),
        "summary": object_of(dict.fromkeys(_figures(), _COUNT), optional=("waiting",)),
        "guards": array_of(_of(Guard)),
        "diagnostics": array_of(diagnostic_shape()),
        "digest": {
            **DIGEST,
            "description": "Over the canonical form of all but digest and signature.",
        },
        "signature": {
            "description": "Made with the key of the state; null where there was none, or made --offline.",
            "anyOf": [object_of({"key_id": _HEX, "hmac": _HEX}), {"type": "null"}],
        },
    }
    return {
        "$schema": DIALECT,
        "$id": "plan.schema.json",
        "title": "ekomi-reconcile plan",
        **object_of(properties),
    }


@cache
def step_types() -> Mapping[str, Any]:
    """The same, for msgspec, of the lists of steps, by key: a hundred times faster for what is valid.

    No wider than the schema: what these do not take is left to the schema, which names the place.
    """
    kinds: dict[str, type[Any]] = {**_STEPS, "observations": Observation}
    return {name: list[msgspec.defstruct(kind.__name__, _fast_fields(kind))] for name, kind in kinds.items()}  # type: ignore[misc]


def _fast_fields(kind: type[Any]) -> list[tuple[str, Any]]:
    hints = get_type_hints(kind)
    own = [(RENAMED.get(name, name), _fast(name, hints[name])) for name in hints]
    return own if kind is Observation else [("account", str | None), *own]


def _fast(name: str, hint: Any) -> Any:
    match name:
        case "row_id":
            row = Annotated[int, msgspec.Meta(ge=1, le=_LARGEST)]
            return row if hint is int else row | None
        case "order_id":
            number = Annotated[int, msgspec.Meta(ge=-_LARGEST - 1, le=_LARGEST)]
            return number | Annotated[str, msgspec.Meta(min_length=1)]
        case "interface_id":
            return Annotated[str, msgspec.Meta(pattern=str(_INTERFACE_ID["pattern"]))]
        case "reached_source":
            return Literal[tuple(each.value for each in Evidence)]
        case _ if name in INSTANTS:
            return Annotated[str, msgspec.Meta(pattern=_PLAIN_TIME)]
        case _:
            return hint


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
            "interface_id": _INTERFACE_ID,
            "previous_address": _MAYBE_TEXT,
            "previous_name": _MAYBE_TEXT,
            "previous_id": maybe(_INTERFACE_ID),
            "change": object_of(change),
            "action_reason": _MAYBE_TEXT,
            "blocked": _MAYBE_TEXT,
        }
    )


def _operation() -> dict[str, Json]:
    return object_of(
        {"kind": words_of(OperationKind), "account": TEXT, "interface_id": _INTERFACE_ID, "reason": TEXT}
    )


def _invitations() -> dict[str, Json]:
    reasons = {
        "type": "object",
        "propertyNames": words_of(Criterion),
        "additionalProperties": _COUNT,
    }
    return object_of(
        {name: array_of(_of(kind, account=_MAYBE_TEXT)) for name, kind in _STEPS.items()}
        | {
            "deferred": _COUNT,
            "waiting": _COUNT,
            "due_by_rule_change": _COUNT,
            "not_invited": {"type": "object", "additionalProperties": reasons},
            "observations": array_of(_of(Observation)),
        },
        optional=("waiting",),
    )


def diagnostic_shape() -> dict[str, Json]:
    """A diagnostic about the files or the plan."""
    point = object_of({"line": _COUNT, "column": _COUNT})
    span = object_of({"filename": TEXT, "start": point, "end": point})
    notes = dict.fromkeys(("account", "key", "found", "allowed", "mend"), _MAYBE_TEXT)
    return object_of(
        {
            "severity": words_of(Severity),
            "rule": TEXT,
            "summary": TEXT,
            **notes,
            "range": {"anyOf": [span, {"type": "null"}]},
        }
    )


def _of(kind: type[Any], **more: Json) -> dict[str, Json]:
    """The object with the fields of a struct or dataclass."""
    hints = get_type_hints(kind)
    fields = {RENAMED.get(name, name): _field(name, hints[name]) for name in hints}
    return object_of({**more, **fields})


def _field(name: str, hint: Any) -> Mapping[str, Json]:
    if name == "row_id":
        return _ROW_ID if hint is int else maybe(_ROW_ID)
    return TIME if name in INSTANTS else _FIXED.get(name) or hinted(hint)


_SHOWN = 60
"""How much of a value an error shows, in characters."""

_FEW = 4
"""The longest list of strings that an error shows."""

_TYPES: Mapping[str, str] = {
    "object": "an object",
    "array": "a list",
    "string": "a string",
    "boolean": "true or false",
    "integer": "a whole number",
    "number": "a number",
    "null": "null",
}


def first_problem(document: Json, schema: Mapping[str, Json]) -> str | None:
    """The first place where ``document`` does not match ``schema``, as ``path: what is wrong``, or ``None``.

    Stricter than JSON Schema in two points: ``1.0`` is not an integer, and a ``date-time`` must be a time
    that exists.
    """
    error = next(iter(_validator(schema).iter_errors(document)), None)
    return None if error is None else f"{_path(_leaf(error).absolute_path)}: {_described(_leaf(error))}"


def _validator(schema: Mapping[str, Json]) -> Validator:
    from jsonschema import Draft202012Validator
    from jsonschema.validators import extend

    checker = Draft202012Validator.TYPE_CHECKER.redefine("integer", lambda _, value: type(value) is int)
    strict: type[Validator] = extend(Draft202012Validator, type_checker=checker)  # type: ignore[no-untyped-call]
    return strict(schema, format_checker=_formats())


@cache
def _formats() -> FormatChecker:
    from jsonschema import FormatChecker

    formats = FormatChecker(formats=())
    formats.checks("date-time", raises=(ValueError, OverflowError))(_is_time)
    return formats


def _is_time(value: object) -> bool:
    if isinstance(value, str):
        parse(value)
    return True


def _leaf(error: ValidationError) -> ValidationError:
    """The most telling part of an error: where all alternatives fail, that of the one that fits best."""
    from jsonschema.exceptions import best_match

    return best_match([error]) or error


def _path(steps: Iterable[str | int]) -> str:
    text = ""
    for step in steps:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text or "the document"


_EXPECTED: Mapping[str, Callable[[Any], str]] = {
    "type": lambda wanted: " or ".join(
        _TYPES.get(name, name) for name in ([wanted] if isinstance(wanted, str) else wanted)
    ),
    "enum": lambda wanted: "one of " + ", ".join(map(_shown, wanted)),
    "const": lambda wanted: _shown(wanted),  # noqa: PLW0108 - defined below
    "minimum": lambda wanted: f"{wanted} or more",
    "maximum": lambda wanted: f"at most {wanted}",
    "format": lambda _: "a time such as 2026-11-30T12:00:00Z",
    "pattern": lambda wanted: f"a string that matches {wanted}",
}
"""What a value should have been, by the keyword of the schema that it does not satisfy."""


def _described(error: ValidationError) -> str:
    expected = _EXPECTED.get(str(error.validator))
    if expected is None:
        return _misfit(error)
    return f"expected {expected(error.validator_value)}, found {_shown(error.instance)}"


def _misfit(error: ValidationError) -> str:
    value: Any = error.instance
    schema: Any = error.schema
    if error.validator == "required":
        missing = next((key for key in schema["required"] if key not in value), "")
        return f"the key {_shown(missing)} is missing"
    if error.validator in ("additionalProperties", "unevaluatedProperties"):
        known = schema.get("properties", {})
        return f"unknown key {_shown(next((key for key in value if key not in known), ''))}"
    return f"{_shown(value)} is not allowed here"


def _shown(value: Any) -> str:
    if isinstance(value, list) and all(isinstance(each, str) for each in value) and len(value) <= _FEW:
        return f"[{', '.join(map(_shown, value))}]"
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    text = repr(value) if not isinstance(value, str) else f'"{value}"'
    text = {"True": "true", "False": "false", "None": "null"}.get(text, text)
    short = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
    return "".join(each if each.isprintable() else "?" for each in short)
