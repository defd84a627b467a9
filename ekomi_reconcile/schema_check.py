"""Check JSON documents that come back to us against their published schemas (JSON Schema 2020-12)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from ekomi_reconcile.model.account import Json
from ekomi_reconcile.model.instant import parse

if TYPE_CHECKING:
    from jsonschema import FormatChecker, ValidationError
    from jsonschema.protocols import Validator

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
