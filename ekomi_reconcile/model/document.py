"""JSON documents: structs, their schemas, and what does not fit one.

Readers ignore keys that they do not know, so the schemas allow them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from enum import Enum, StrEnum
from functools import cache
from inspect import cleandoc
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias, TypeVar

import msgspec

from ekomi_reconcile.model.account import Json
from ekomi_reconcile.model.instant import iso, parse

if TYPE_CHECKING:
    from jsonschema import FormatChecker, ValidationError
    from jsonschema.protocols import Validator


TEXT: Mapping[str, Json] = {"type": "string"}
COUNT: Mapping[str, Json] = {"type": "integer", "minimum": 0}
NUMBER: Mapping[str, Json] = {"type": "number"}
FLAG: Mapping[str, Json] = {"type": "boolean"}
TIME: Mapping[str, Json] = {"type": "string", "format": "date-time"}
ORDER_ID: Mapping[str, Json] = {"type": ["integer", "string"]}
"""A number where the source's keys are whole numbers, as Magento's are; else a string."""


def maybe(shape: Mapping[str, Json]) -> dict[str, Json]:
    """The same, or ``null``."""
    if isinstance(shape.get("type"), str):
        return {**shape, "type": [shape["type"], "null"]}
    return {"anyOf": [dict(shape), {"type": "null"}]}


def array_of(items: Mapping[str, Json]) -> dict[str, Json]:
    """A list of these."""
    return {"type": "array", "items": items}


def object_of(properties: Mapping[str, Json], *, optional: Iterable[str] = ()) -> dict[str, Json]:
    """An object that has all these keys, but for optional ones."""
    missing = set(optional)
    required = [key for key in properties if key not in missing]
    return {"type": "object", "properties": dict(properties), "required": required}


def words_of(kind: type[StrEnum]) -> dict[str, Json]:
    """One of the words of an enumeration."""
    return {"enum": [each.value for each in kind]}


DIALECT = "https://json-schema.org/draft/2020-12/schema"

Count: TypeAlias = Annotated[int, msgspec.Meta(ge=0)]
Time: TypeAlias = Annotated[str, msgspec.Meta(extra_json_schema={"format": "date-time"})]
"""ISO 8601 in UTC, as ``instant.iso`` writes it."""


class JsonObject(msgspec.Struct, frozen=True):
    """An object of a JSON output. Every key is written, but for those that are ``UNSET``."""


Object = TypeVar("Object", bound=JsonObject)


def from_records(kind: type[Object], *records: object, **values: Any) -> Object:
    """An object with these values, and for its other keys the attributes of that name of the first record.

    Instants become times.

    Raises:
        AttributeError: no record has such an attribute.
    """
    for name in kind.__struct_fields__:
        if name not in values:
            owner = next((each for each in records if hasattr(each, name)), None)
            values[name] = getattr(owner, name)
    for name in _times(kind):
        if isinstance(values[name], int):
            values[name] = iso(values[name])
    return kind(**values)


@cache
def _times(kind: type[JsonObject]) -> list[str]:
    """The fields that hold a time."""
    fields = msgspec.structs.fields(kind)
    return [each.name for each in fields if each.type in (Time, Time | None)]


def one_of(values: Iterable[Json]) -> msgspec.Meta:
    """One of these values, where no enumeration has exactly them."""
    return msgspec.Meta(extra_json_schema={"enum": list(values)})


def counts_of(keys: Iterable[str]) -> msgspec.Meta:
    """For a ``dict``: a count under each of these keys."""
    return _each_is({"type": "integer", "minimum": 0}, keys)


def strings_of(keys: Iterable[str]) -> msgspec.Meta:
    """For a ``dict``: a string under each of these keys."""
    return _each_is({"type": "string"}, keys)


def _each_is(schema: Json, keys: Iterable[str]) -> msgspec.Meta:
    properties = {key: dict(schema) for key in keys}
    return msgspec.Meta(extra_json_schema={"properties": properties, "required": [*properties]})


def version_of(format_version: str) -> msgspec.Meta:
    """For a string: any minor version of this major."""
    return msgspec.Meta(pattern=rf"^{format_version.partition('.')[0]}\.[0-9]+$")


def schema_of(kind: Any, *, optional: Collection[str] = ()) -> dict[str, Json]:
    """The schema of a type: of its outermost object, with all others under ``$defs``.

    Keys with a default are required too, as they are always written, but for ``optional`` ones. Enumerations
    keep their order.
    """
    (whole,), parts = msgspec.json.schema_components([kind])
    for each in _enumerations(msgspec.inspect.type_info(kind)):
        parts[each.__name__]["enum"] = [member.value for member in each]
    for part in parts.values():
        part.pop("title", None)
        if "description" in part:
            part["description"] = " ".join(cleandoc(part["description"]).split())
    if "$ref" in whole:
        whole = parts.pop(whole["$ref"].rpartition("/")[2])
    tidy: dict[str, Json] = _tidy({**whole, "$defs": parts} if parts else whole, optional)
    return tidy


def _enumerations(part: Any) -> Iterator[type[Enum]]:
    """The enumerations in a description of a type by msgspec, which sorts their values."""
    if isinstance(part, msgspec.inspect.EnumType):
        yield part.cls
    elif isinstance(part, tuple):
        for each in part:
            yield from _enumerations(each)
    elif isinstance(part, msgspec.inspect.Type | msgspec.inspect.Field):
        for name in part.__struct_fields__:
            yield from _enumerations(getattr(part, name))


def _is_simple(schema: Mapping[str, Json]) -> bool:
    """Whether the schema says nothing about values of other types than its own."""
    return isinstance(schema.get("type"), str) and not {"enum", "const"} & schema.keys()


_NONE = object()


def _tidy(schema: Any, optional: Collection[str]) -> Any:
    """The same in short: ``const``, a list of types, and no defaults."""
    if isinstance(schema, list):
        return [_tidy(each, optional) for each in schema]
    if not isinstance(schema, Mapping):
        return schema
    tidy = {key: _tidy(each, optional) for key, each in schema.items()}
    if tidy.get("format") == "date-time":
        tidy.pop("pattern", None)
    match tidy:
        case {"properties": properties, "required": required}:
            always = {name for name, each in properties.items() if each.pop("default", _NONE) is not _NONE}
            always -= {*optional}
            tidy["required"] = [name for name in properties if name in always or name in required]
        case {"anyOf": options} if all(_is_simple(each) for each in options):
            del tidy["anyOf"]
            for each in options:
                tidy |= each
            tidy["type"] = [each["type"] for each in options]
        case {"enum": [only]}:
            tidy["const"] = only
            del tidy["enum"]
    return tidy


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
    error = next(iter(validator(schema).iter_errors(document)), None)
    return None if error is None else f"{_path(_leaf(error).absolute_path)}: {_described(_leaf(error))}"


def validator(schema: Mapping[str, Json]) -> Validator:
    """Return what checks documents against ``schema``, with the strictness of ``first_problem``."""
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
