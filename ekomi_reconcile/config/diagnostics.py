"""Making diagnostics, such that no value of a secret ever gets into one, and what the schemas allow."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib import resources
from typing import Any, Final, NamedTuple

from ekomi_reconcile.config.source import KeyPath
from ekomi_reconcile.model.diagnostic import Diagnostic, Place, Severity

_EXPLANATIONS: Final = "explanations.yaml"


class MessageHelp(NamedTuple):
    """What an id of a diagnostic or an error means, and what to do."""

    means: str
    fix: str


@cache
def explanations() -> Mapping[str, Mapping[str, MessageHelp]]:
    """The explanation of every id, under the headings of the reference page."""
    import yaml

    text = resources.files(__package__).joinpath(_EXPLANATIONS).read_text("utf-8")
    loaded = yaml.safe_load(text)
    groups = {**loaded["groups"], "Errors": loaded["errors"]}
    return {title: {id_: MessageHelp(**each) for id_, each in part.items()} for title, part in groups.items()}


def explanation(id_: str) -> MessageHelp | None:
    """What is known of an id; ``None``: there is no such id."""
    return next((part[id_] for part in explanations().values() if id_ in part), None)


SENSITIVE: Final = "(sensitive)"
SECRET_KEYS: Final = frozenset(
    {
        "interface_password",
        "token",
        "oauth",
        "consumer_key",
        "consumer_secret",
        "access_token",
        "access_token_secret",
        "key",
        "webhook",
    }
)
_SECRET_KEY = re.compile(
    r"(?:interface_password|\btoken|\bwebhook|consumer_key|consumer_secret|access_token|access_token_secret)\s*[:=]",
    re.I,
)
_LONGEST: Final = 60


def error(
    rule: str,
    message: str,
    place: Place,
    *,
    hint: str,
    path: KeyPath = (),
    found: str | None = None,
    allowed: str | None = None,
) -> Diagnostic:
    """An error at ``place``; ``path`` becomes the key path of the message."""
    return Diagnostic(
        severity=Severity.ERROR,
        rule=rule,
        message=message,
        place=place,
        key=key_path(path) or None,
        found=found,
        allowed=allowed,
        hint=hint,
    )


def warning(
    rule: str,
    message: str,
    place: Place,
    *,
    hint: str,
    path: KeyPath = (),
    found: str | None = None,
    account: str | None = None,
) -> Diagnostic:
    """A warning at ``place``."""
    return Diagnostic(
        severity=Severity.WARNING,
        rule=rule,
        message=message,
        place=place,
        key=key_path(path) or None,
        found=found,
        hint=hint,
        account=account,
    )


def key_path(path: KeyPath) -> str:
    """``invitations.store_views[0]``; what lies below a secret's key is left out."""
    text = ""
    for step in _open_part(path):
        text += f"[{step}]" if isinstance(step, int) else f".{shown_key(step)}"
    return text.removeprefix(".")


def shown_key(key: str) -> str:
    """A key for a message. ``interface_password:abc``, a forgotten space, would show the secret."""
    match = _SECRET_KEY.search(key)
    return _short(key) if match is None else f"{key[: match.end()]}{SENSITIVE}"


def shown(value: Any, path: KeyPath = ()) -> str:
    """A found value for a message: short, on one line, and never one that is or holds a secret."""
    if is_secret(path):
        return f"{kind(value)} {SENSITIVE}"
    if isinstance(value, dict) or value == [] or _is_nested(value):
        return kind(value)
    text = json.dumps(value, ensure_ascii=False)
    # https://user:password@host, and a line that slipped into the value of its neighbour
    if ("://" in text and "@" in text) or _SECRET_KEY.search(text):
        return f"{kind(value)} {SENSITIVE}"
    return _short(text)


def _is_nested(value: Any) -> bool:
    return isinstance(value, list) and any(isinstance(each, dict | list) for each in value)


def kind(value: Any) -> str:
    """What kind of value it is, in words."""
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case str():
            return "a string"
        case list():
            return "a list" if value else "an empty list"
        case _:
            return "a mapping" if value else "an empty mapping"


def is_secret(path: KeyPath) -> bool:
    """Does the value at ``path`` lie at or below a key that holds a secret?"""
    return any(step in SECRET_KEYS for step in path)


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """The known word that is most like ``word``, if one is like it."""
    close = difflib.get_close_matches(word.lower(), list(known), n=1, cutoff=0.6)
    return close[0] if close else None


def sort_key(diagnostic: Diagnostic) -> tuple[str, int, int, str, str]:
    """By path, line and column; then stable."""
    place = diagnostic.place
    where = (place.path, place.line, place.column) if place else ("", 0, 0)
    return (*where, diagnostic.rule, diagnostic.message)


def _open_part(path: KeyPath) -> KeyPath:
    for length, step in enumerate(path):
        if is_secret(path[:length]) and step not in SECRET_KEYS:
            return path[:length]
    return path


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"


_TYPES: Final = {
    "boolean": "true or false",
    "integer": "a whole number",
    "number": "a number",
    "string": "a string",
    "array": "a list",
    "object": "a mapping",
}
_PLACEHOLDERS: Final = {"boolean": "true", "integer": "1", "number": "1", "string": "...", "array": "[...]"}

_LISTED: Final = re.compile(r"[a-z_]+(\.[a-z_]+)?")

_FEW: Final = 12
"""Keys that are still named in a message."""


class Expectation:
    """What one of the schemas (of accounts or of the project file) allows."""

    def __init__(self, schema: dict[str, Any]) -> None:
        self._root = schema

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
        """What is allowed at ``path``."""
        words = [_words(each) for each in self._at(path)]
        return " or ".join(dict.fromkeys(words)) or "something else"

    def example(self, path: KeyPath) -> str:
        """A value that is allowed at ``path``, as YAML in one line."""
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
            return f"a string such as {', '.join(_flow(each) for each in schema['examples'][:3])}"
    return words


def _some_keys(schema: dict[str, Any]) -> str:
    keys = list(_properties(schema))
    return f" with {', '.join(keys)}" if 0 < len(keys) <= _FEW else ""


def _plural(schema: dict[str, Any]) -> str:
    return {"string": "strings", "integer": "whole numbers", "number": "numbers"}.get(
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
