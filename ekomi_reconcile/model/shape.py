"""Building blocks of JSON Schemas (2020-12) of what is written. Readers ignore keys that they do not know."""

from __future__ import annotations

import types
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any, get_args, get_origin, get_type_hints

from ekomi_reconcile.model.account import Json

DIALECT = "https://json-schema.org/draft/2020-12/schema"

TEXT: Mapping[str, Json] = {"type": "string"}
COUNT: Mapping[str, Json] = {"type": "integer", "minimum": 0}
NUMBER: Mapping[str, Json] = {"type": "number"}
FLAG: Mapping[str, Json] = {"type": "boolean"}
ANYTHING: Mapping[str, Json] = {}
TIME: Mapping[str, Json] = {"type": "string", "format": "date-time"}
ORDER_ID: Mapping[str, Json] = {"type": ["integer", "string"]}
"""A number where the source's keys are whole numbers, as Magento's are; else a string."""
DIGEST: Mapping[str, Json] = {"type": "string", "pattern": "^sha256:[0-9a-f]{64}$"}


_SIMPLE = {str: "string", int: "integer", float: "number", bool: "boolean", type(None): "null"}


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


def counts_of(keys: Iterable[str]) -> dict[str, Json]:
    """An object of figures."""
    return object_of(dict.fromkeys(keys, COUNT))


def words_of(kind: type[StrEnum]) -> dict[str, Json]:
    """One of the words of an enumeration."""
    return {"enum": [each.value for each in kind]}


def version_of(format_version: str) -> dict[str, Json]:
    """Any minor version of this major."""
    return {"type": "string", "pattern": rf"^{format_version.partition('.')[0]}\.[0-9]+$"}


def hinted(hint: Any) -> dict[str, Json]:
    """What a type hint of simple values, unions and tuples of them allows."""
    if get_origin(hint) is tuple:
        return array_of(hinted(get_args(hint)[0]))
    if isinstance(hint, types.UnionType):
        shapes = [hinted(each) for each in get_args(hint)]
        rest = {key: value for shape in shapes for key, value in shape.items()}
        return {**rest, "type": [shape["type"] for shape in shapes]}
    return {"type": _SIMPLE[hint]}


def fields_of(kind: type[Any]) -> dict[str, Json]:
    """The properties of a dataclass of simple values."""
    return {name: hinted(hint) for name, hint in get_type_hints(kind).items()}
