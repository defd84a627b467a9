"""Building blocks of JSON Schemas (2020-12) of what is written. Readers ignore keys that they do not know."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum

from ekomi_reconcile.model.account import Json

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


def counts_of(keys: Iterable[str]) -> dict[str, Json]:
    """An object of figures."""
    return object_of(dict.fromkeys(keys, COUNT))


def words_of(kind: type[StrEnum]) -> dict[str, Json]:
    """One of the words of an enumeration."""
    return {"enum": [each.value for each in kind]}


def version_of(format_version: str) -> dict[str, Json]:
    """Any minor version of this major."""
    return {"type": "string", "pattern": rf"^{format_version.partition('.')[0]}\.[0-9]+$"}
