"""JSON documents: structs declare them, and their JSON Schemas (2020-12) are generated from the structs.

Readers ignore keys that they do not know, so the schemas allow them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from enum import Enum
from functools import cache
from inspect import cleandoc
from typing import Annotated, Any, TypeAlias, TypeVar

import msgspec

from ekomi_reconcile.model.account import Json
from ekomi_reconcile.model.instant import iso

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
    """One of these values, where there is no enumeration that holds exactly them."""
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


def schema_of(kind: Any) -> dict[str, Json]:
    """The schema of a type: of its outermost object, with all others under ``$defs``.

    Keys with a default are required too, as they are always written. Enumerations keep their order.
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
    tidy: dict[str, Json] = _tidy({**whole, "$defs": parts} if parts else whole)
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


_NONE = object()


def _tidy(schema: Any) -> Any:
    """The same in short: ``const``, a list of types, and no defaults."""
    if isinstance(schema, list):
        return [_tidy(each) for each in schema]
    if not isinstance(schema, Mapping):
        return schema
    tidy = {key: _tidy(each) for key, each in schema.items()}
    match tidy:
        case {"properties": properties, "required": required}:
            always = {name for name, each in properties.items() if each.pop("default", _NONE) is not _NONE}
            tidy["required"] = [name for name in properties if name in always or name in required]
        case {"anyOf": [{"type": str(simple)} as first, {"type": "null"}]}:
            tidy |= {**first, "type": [simple, "null"]}
            del tidy["anyOf"]
        case {"enum": [only]}:
            tidy["const"] = only
            del tidy["enum"]
    return tidy
