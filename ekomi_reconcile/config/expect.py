"""What a schema expects at a key path, in words: the allowed part of a message."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

from ekomi_reconcile.config.source import KeyPath

_TYPES: Final = {
    "boolean": "true or false",
    "integer": "a whole number",
    "number": "a number",
    "string": "text",
    "array": "a list",
    "object": "a mapping",
}
_PLACEHOLDERS: Final = {"boolean": "true", "integer": "1", "number": "1", "string": "...", "array": "[...]"}

_FEW: Final = 12
"""Keys that are still named in a message."""


class Expectation:
    """Questions to one of our schemas (``account`` or ``project``)."""

    def __init__(self, kind: str) -> None:
        from ekomi_reconcile.config.schema import schema

        self._root = schema(kind)

    def keys(self, path: KeyPath) -> list[str]:
        """The keys that a mapping at ``path`` may have."""
        names = [
            name for each in self._at(path) for name, part in _properties(each).items() if part is not False
        ]
        return list(dict.fromkeys(names))

    def key_pattern(self, path: KeyPath) -> str | None:
        """The pattern of the keys of a mapping that has names of its own as keys."""
        patterns = [
            f"keys like {pattern}" for each in self._at(path) for pattern in each.get("patternProperties", ())
        ]
        return patterns[0] if patterns else None

    def allowed(self, path: KeyPath) -> str:
        """What may stand at ``path``."""
        words = [_words(each) for each in self._at(path)]
        return " or ".join(dict.fromkeys(words)) or "something else"

    def example(self, path: KeyPath) -> str:
        """A value that may stand at ``path``, as YAML in one line."""
        for each in self._at(path):
            if "const" in each:
                return str(each["const"])
            if each.get("examples"):
                return _flow(each["examples"][0])
            if "enum" in each:
                return str(each["enum"][0])
            if each.get("minProperties"):
                return _flow({next(iter(_properties(each))): 1})
            return _PLACEHOLDERS.get(each.get("type", ""), "{...}")
        return "..."

    def _at(self, path: KeyPath) -> list[dict[str, Any]]:
        schemas = list(self._alternatives(self._root))
        for step in path:
            parts = [part for each in schemas for part in _child(each, step)]
            schemas = [found for part in parts for found in self._alternatives(part)]
        return schemas

    def _alternatives(self, schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
        if "$ref" in schema:
            named = self._root["$defs"][schema["$ref"].rpartition("/")[2]]
            yield from self._alternatives({**named, **{k: v for k, v in schema.items() if k != "$ref"}})
        elif "oneOf" in schema and "properties" not in schema:
            for each in schema["oneOf"]:
                yield from self._alternatives(each)
        else:
            yield schema


def _properties(schema: dict[str, Any]) -> dict[str, Any]:
    properties: dict[str, Any] = schema.get("properties", {})
    return properties


def _child(schema: dict[str, Any], step: str | int) -> Iterator[dict[str, Any]]:
    if isinstance(step, int):
        if "items" in schema:
            yield schema["items"]
    elif isinstance(_properties(schema).get(step), dict):
        yield _properties(schema)[step]
    elif step not in _properties(schema):
        yield from schema.get("patternProperties", {}).values()


def _words(schema: dict[str, Any]) -> str:
    if "const" in schema or "enum" in schema:
        return " or ".join(map(str, schema.get("enum", [schema.get("const")])))
    if "oneOf" in schema:
        return "exactly one of " + ", ".join(f"`{each['required'][0]}`" for each in schema["oneOf"])
    words = _TYPES.get(schema.get("type", ""), "something else") + _bounds(schema)
    match schema.get("type"):
        case "array":
            return f"{words} of {_plural(schema.get('items', {}))}"
        case "object":
            return words + _some_keys(schema)
        case "string" if "pattern" in schema and schema.get("examples"):
            return f"{words} such as {', '.join(_flow(each) for each in schema['examples'][:3])}"
    return words


def _some_keys(schema: dict[str, Any]) -> str:
    keys = list(_properties(schema))
    return f" with {', '.join(keys)}" if 0 < len(keys) <= _FEW else ""


def _plural(schema: dict[str, Any]) -> str:
    return {"string": "texts", "integer": "whole numbers", "number": "numbers"}.get(
        schema.get("type", ""), "conditions"
    )


def _bounds(schema: dict[str, Any]) -> str:
    if "exclusiveMinimum" in schema:
        return f" above {schema['exclusiveMinimum']}"
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None:
        return f" from {low:,}" + (f" to {high:,}" if high is not None else "")
    if "maxLength" in schema:
        return f" of 1 to {schema['maxLength']:,} characters, no blanks at its ends"
    return ""


def _flow(value: Any) -> str:
    if isinstance(value, str) and not value.isdigit():
        return value
    return json.dumps(value, ensure_ascii=False)
