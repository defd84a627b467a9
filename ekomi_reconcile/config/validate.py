"""Validate data against the models; every finding with place, rule and expectation."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from ekomi_reconcile.config import diagnostics
from ekomi_reconcile.config.models import AccountDocument, ProjectDocument
from ekomi_reconcile.config.source import Document, KeyPath, Part
from ekomi_reconcile.model.diagnostic import Diagnostic
from ekomi_reconcile.model.paths import flaw

_TYPES: Final = {
    "boolean": "true or false",
    "integer": "a whole number",
    "number": "a number",
    "string": "text",
    "array": "a list",
    "object": "a mapping",
}
_PLACEHOLDERS: Final = {"boolean": "true", "integer": "1", "number": "1", "string": "...", "array": "[...]"}

_LISTED: Final = re.compile(r"[a-z_]+(\.[a-z_]+)?")

_FEW: Final = 12
"""Keys that are still named in a message."""


class Expectation:
    """Questions to one of our schemas (``account`` or ``project``)."""

    def __init__(self, kind: str) -> None:
        from ekomi_reconcile.config.models import schema

        self._root = schema(kind)

    def keys(self, path: KeyPath) -> list[str]:
        """The keys that a mapping at ``path`` may have."""
        names = [
            name for each in self._at(path) for name, part in _properties(each).items() if part is not False
        ]
        listed = [name for each in self._at(path) for name in _listed(each)]
        return list(dict.fromkeys([*names, *listed]))

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


def _listed(schema: dict[str, Any]) -> Iterator[str]:
    """The keys of a mapping whose pattern lists them."""
    for pattern in schema.get("patternProperties", ()):
        if pattern.startswith("^(") and pattern.endswith(")$") and "|" in pattern:
            names = pattern[2:-2].replace("[.]", ".").split("|")
            yield from (each for each in names if _LISTED.fullmatch(each))


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
        return f" of 1 to {schema['maxLength']:,} characters, no spaces at its ends"
    return ""


def _flow(value: Any) -> str:
    if isinstance(value, str) and not value.isdigit():
        return value
    return json.dumps(value, ensure_ascii=False)


_ACCOUNT: Final = TypeAdapter(AccountDocument)
_PROJECT: Final = TypeAdapter(ProjectDocument)

_RULES: Final[Mapping[str, str]] = {
    "missing": "missing-key",
    "extra_forbidden": "unknown-key",
    "string_pattern_mismatch": "invalid-text",
    "string_too_short": "empty-text",
    "string_too_long": "too-long",
    "too_short": "too-few-entries",
    "too_long": "too-many-entries",
    "greater_than": "out-of-range",
    "greater_than_equal": "out-of-range",
    "less_than_equal": "out-of-range",
    "literal_error": "unknown-value",
    "duplicate_item": "duplicate-entry",
    "no_operator": "missing-operator",
    "one_key": "one-key",
    "one_of": "one-of",
    "empty_mapping": "empty-mapping",
    "between_order": "between-order",
}
_MESSAGES: Final[Mapping[str, str]] = {
    "null-value": "null is not allowed",
    "empty-list": "an empty list is not allowed",
    "empty-mapping": "an empty mapping is not allowed here",
    "secret-literal": "a secret must be a reference, never the secret itself",
    "interface-id-quotes": "an interface id is text: as a number it would lose leading zeros",
    "duplicate-entry": "an entry occurs twice in this list",
    "missing-operator": "an operator is missing",
    "one-of": "exactly one of two keys is needed",
    "between-order": "the low end is above the high end: nothing would match",
}
_HINTS: Final[Mapping[str, str]] = {
    "empty-mapping": "leave the key out, or write at least one key below it, such as `{key}: {example}`",
    "missing-operator": "add an operator, such as `{example}`",
    "null-value": "leave the key out, or write {allowed}",
    "secret-literal": "write ${{env:NAME}}, ${{file:/path}} or ${{keyring:service/user}}; "
    "a secret that was committed needs to be replaced",
    "duplicate-entry": "remove the second one",
    "between-order": "swap the two numbers: [low, high], both included",
    "one-key": "write exactly one condition; several go into `all: [...]` or `any: [...]`",
}
_FLAWED: Final = frozenset({"invalid-text"})
"""Rules behind which a character may stand that nobody sees."""

_EMPTY_HINTS: Final[Mapping[str, str]] = {
    "deliver": "leave the key out to mean ekomi-email, or name at least one channel",
    "store_views": "leave the key out to mean all store views, or name at least one",
    "customer_groups": "leave the key out to mean all customer groups, or name at least one",
    "order_statuses": "leave the key out to take [complete], or name at least one",
    "cancel_statuses": "leave the key out, or name at least one",
    "accept": 'name at least one value that means yes, in quotes: accept: ["1", "true"]',
    "days": "leave the key out to mean every day, or name at least one, such as mon",
    "pauses": "leave the key out, or write at least one pause with `from` and `until`",
    "pending_period_overrides": "leave the key out, or write at least one `when` with its `days`",
    "exclude": "leave the selection out to mean all, or name at least one to exclude",
    "tags": "leave the key out",
    "all": "remove the empty group, or write a condition into it",
    "any": "remove the empty group, or write a condition into it",
}


def account_problems(document: Document) -> list[Diagnostic]:
    """What is wrong with an account document; empty when it is valid."""
    try:
        _ACCOUNT.validate_python(document.data)
    except ValidationError as problem:
        return _problems(problem, document, "account")
    return []


def project_problems(document: Document) -> list[Diagnostic]:
    """What is wrong with a project file; empty when it is valid."""
    try:
        _PROJECT.validate_python(document.data)
    except ValidationError as problem:
        return _problems(problem, document, "project")
    return []


def _problems(problem: ValidationError, document: Document, schema: str) -> list[Diagnostic]:
    errors = problem.errors(include_url=False)
    return [_diagnostic(document, each, Expectation(schema)) for each in errors]


def _diagnostic(document: Document, found: Any, expected: Expectation) -> Diagnostic:
    path = _real_path(document.data, found["loc"], found["type"])
    if found["type"] == "missing":
        return _missing(document, path, expected)
    if found["type"] == "extra_forbidden" or found["loc"][-1] == "[key]":
        return _unknown_key(document, path, expected)
    return _wrong_value(document, path, found, expected)


def _real_path(data: Any, location: tuple[str | int, ...], error_type: str) -> KeyPath:
    """The location without the names that pydantic gives to the alternatives of a union."""
    path: list[str | int] = []
    for step in location:
        if _has(data, step):
            data = data[step]
            path.append(step)
    if error_type == "missing":
        path.append(location[-1])
    return tuple(path)


def _has(data: Any, step: str | int) -> bool:
    return step in data if isinstance(data, dict) else isinstance(data, list) and isinstance(step, int)


def _missing(document: Document, path: KeyPath, expected: Expectation) -> Diagnostic:
    key = str(path[-1])
    allowed = expected.allowed(path)
    return diagnostics.error(
        "missing-key",
        f"the key `{key}` is missing",
        document.place(path[:-1], "key"),
        path=path,
        found="nothing",
        allowed=allowed,
        hint=f"add `{key}: {expected.example(path)}`",
    )


def _unknown_key(document: Document, path: KeyPath, expected: Expectation) -> Diagnostic:
    key, known = str(path[-1]), expected.keys(path[:-1])
    name = (
        "a key"
        if diagnostics.is_secret(path[:-1]) and key not in diagnostics.SECRET_KEYS
        else f"`{diagnostics.shown_key(key)}`"
    )
    guess = diagnostics.did_you_mean(key, known)
    hint = f"did you mean `{guess}`?" if guess else "remove it, or write one of the allowed keys"
    return diagnostics.error(
        "unknown-key",
        "unknown key" if name == "a key" else f"unknown key {name}",
        document.place(path, "key"),
        path=path,
        found=name.strip("`"),
        allowed=", ".join(known) or expected.key_pattern(path[:-1]),
        hint=hint,
    )


def _wrong_value(document: Document, path: KeyPath, found: Any, expected: Expectation) -> Diagnostic:
    value = _at(document.data, path)
    rule = _rule(found["type"], path, value)
    allowed = expected.allowed(path)
    part: Part = "key" if rule in {"one-key", "missing-operator", "one-of"} else "value"
    return diagnostics.error(
        rule,
        _message(rule, value, allowed),
        document.place(path, part),
        path=path,
        found=_found(rule, value, path),
        allowed=allowed,
        hint=_hint(rule, path, value, allowed, expected),
    )


def _rule(error_type: str, path: KeyPath, value: Any) -> str:
    key = path[-1] if path else None
    if value is None:
        return "null-value"
    if value == []:
        return "empty-list"
    if diagnostics.is_secret(path) and not isinstance(value, dict | list):
        return "secret-literal"
    if key == "interface_id" and isinstance(value, int | float) and not isinstance(value, bool):
        return "interface-id-quotes"
    return _RULES.get(error_type, "wrong-type")


def _message(rule: str, value: Any, allowed: str) -> str:
    if rule == "one-key":
        return f"a condition has exactly one key, here are {len(value)}"
    if rule in _FLAWED and isinstance(value, str) and (found := flaw(value)) is not None:
        return f"the value {found}"
    return _MESSAGES.get(rule) or f"{diagnostics.kind(value)} does not fit here: {allowed} is expected"


def _hint(rule: str, path: KeyPath, value: Any, allowed: str, expected: Expectation) -> str:
    if rule == "empty-list":
        return _EMPTY_HINTS.get(str(path[-1]), "write at least one entry")
    if value == "link" and path[-2:-1] == ("deliver",):
        return "link stands alone: write `deliver: link`, or remove it from the list"
    if rule == "interface-id-quotes":
        return f'quote it: interface_id: "{value}"'
    if rule in _FLAWED and isinstance(value, str) and flaw(value) is not None:
        return "remove this character"
    if rule == "wrong-type":
        return f"write {allowed}{_quotes(value, allowed)}"
    key = path[-1] if path else ""
    return _HINTS.get(rule, "write {allowed}").format(
        allowed=allowed, key=key, example=expected.example(path)
    )


def _quotes(value: Any, allowed: str) -> str:
    """A hint at the quotes that are missing, or too many."""
    if isinstance(value, str) and not allowed.startswith(("text", "a list", "a mapping")):
        return ", without quotes; use true or false, not yes/no"
    if isinstance(value, bool | int | float) and allowed.startswith("text"):
        return "; in quotes it is text"
    return ""


def _found(rule: str, value: Any, path: KeyPath) -> str:
    if rule == "one-key" and value:
        return ", ".join(diagnostics.shown_key(str(each)) for each in value)
    if rule == "duplicate-entry":
        return diagnostics.shown(
            next(each for index, each in enumerate(value) if each in value[:index]), path
        )
    return diagnostics.shown(value, path)


def _at(data: Any, path: KeyPath) -> Any:
    for step in path:
        data = data[step]
    return data
