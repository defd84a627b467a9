"""Validate data against the models; every finding with place, rule and expectation."""

from __future__ import annotations

import json
from collections.abc import Mapping
from math import floor
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from ekomi_reconcile.config import diagnostics
from ekomi_reconcile.config.diagnostics import Expectation
from ekomi_reconcile.config.models import AccountDocument, ProjectDocument, schema
from ekomi_reconcile.config.source import Document, KeyPath, Part
from ekomi_reconcile.model.diagnostic import Diagnostic
from ekomi_reconcile.model.paths import flaw

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
    "interface-id-quotes": "an interface id is a string: as a number it would lose leading zeros",
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
_OTHER_NAMES: Final[Mapping[str, str]] = {
    "min": "gte",
    "minimum": "gte",
    ">=": "gte",
    ">": "gt",
    "max": "lte",
    "maximum": "lte",
    "<=": "lte",
    "<": "lt",
    "equals": "eq",
    "is": "eq",
    "=": "eq",
    "==": "eq",
    "!=": "ne",
    "and": "all",
    "or": "any",
    "like": "glob",
    "one_of": "in",
}
"""Names that conditions have elsewhere."""

_FLAG: Final = "true or false"
_FLAGS: Final = {"yes": "true", "on": "true", "true": "true", "no": "false", "off": "false", "false": "false"}
_NUMBERS: Final = ("a number", "a whole number")
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


def _problems(problem: ValidationError, document: Document, kind: str) -> list[Diagnostic]:
    errors, expected = problem.errors(include_url=False), Expectation(schema(kind))
    return [_diagnostic(document, each, expected) for each in errors]


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
    return diagnostics.error(
        "unknown-key",
        "unknown key" if name == "a key" else f"unknown key {name}",
        document.place(path, "key"),
        path=path,
        found=name.strip("`"),
        allowed=", ".join(known) or expected.key_pattern(path[:-1]),
        hint=_key_hint(key, path, known, expected),
    )


def _key_hint(key: str, path: KeyPath, known: list[str], expected: Expectation) -> str:
    """What to write instead of an unknown key: where it belongs, its name here, or the most similar one."""
    inner = [each for each in known if key in expected.keys((*path[:-1], each))]
    if inner:
        return f"`{key}` belongs under `{inner[0]}:`; indent it below that key"
    outer = path[:-2]
    if len(path) > 1 and key in expected.keys(outer):
        above = next((each for each in reversed(outer) if isinstance(each, str)), None)
        return f"`{key}` belongs {f'under `{above}:`' if above else 'at the top level'}, not here"
    other = _OTHER_NAMES.get(key.lower())
    guess = other if other in known else diagnostics.did_you_mean(key, known)
    if guess is not None:
        return f"did you mean `{guess}`?"
    return "remove it, or write one of the allowed keys"


def _wrong_value(document: Document, path: KeyPath, found: Any, expected: Expectation) -> Diagnostic:
    value = _at(document.data, path)
    rule = _rule(found["type"], path, value)
    allowed = expected.allowed(path)
    part: Part = "key" if rule in {"one-key", "missing-operator", "one-of"} else "value"
    return diagnostics.error(
        rule,
        _message(rule, value, allowed, _found(rule, value, path)),
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


def _message(rule: str, value: Any, allowed: str, found: str) -> str:
    if rule == "one-key":
        return f"a condition has exactly one key, here are {len(value)}"
    if rule in _FLAWED and isinstance(value, str) and (fault := flaw(value)) is not None:
        return f"the value {fault}"
    if rule == "duplicate-entry":
        return f"{found} occurs twice in this list"
    return _MESSAGES.get(rule) or f"expected {allowed}, got {found}"


def _hint(rule: str, path: KeyPath, value: Any, allowed: str, expected: Expectation) -> str:
    key = path[-1] if path else ""
    if rule == "empty-list":
        return _EMPTY_HINTS.get(str(key), "write at least one entry")
    if isinstance(value, str) and (special := _string_hint(rule, path, value)) is not None:
        return special
    if rule == "interface-id-quotes":
        return f'quote it: interface_id: "{value}"'
    if rule in _HINTS:
        return _HINTS[rule].format(allowed=allowed, key=key, example=expected.example(path))
    hint = _word_hint(rule, value, allowed) if isinstance(value, str) else _scalar_hint(rule, value, allowed)
    example = expected.example(path)
    return hint or (f"write {allowed}" if "..." in example else f"write a value such as {example}")


def _string_hint(rule: str, path: KeyPath, value: str) -> str | None:
    """The hint at a string that is wrong in a way of its own."""
    if value == "link" and path[-2:-1] == ("deliver",):
        return "link stands alone: write `deliver: link`, or remove it from the list"
    if rule in _FLAWED and flaw(value) is not None:
        return "remove this character"
    if path[-1:] == ("interface_id",) and rule in {"invalid-text", "empty-text"}:
        return "write the number of the interface at eKomi, in quotes"
    if rule in {"empty-text", "too-long"}:
        return "write at least one character" if not value else f"shorten it: it has {len(value)} characters"
    name = _variable(value) if rule == "secret-literal" else None
    return None if name is None else f"write ${{env:{name}}}"


def _word_hint(rule: str, value: str, allowed: str) -> str | None:
    """The value to write instead of a string."""
    if rule == "unknown-value" and (guess := _similar(value, allowed.split(" or "))) is not None:
        return f"did you mean `{guess}`?"
    if allowed == _FLAG and value.lower() in _FLAGS:
        return f"write {_FLAGS[value.lower()]} without quotes; yes and no are strings"
    if _is_number(value) and allowed.startswith(_NUMBERS):
        return f"write {value} without quotes"
    return f"write it as a list: [{value}]" if allowed.startswith("a list") else None


def _scalar_hint(rule: str, value: Any, allowed: str) -> str | None:
    """The value to write instead of a number or a boolean."""
    if not isinstance(value, bool | int | float):
        return None
    if rule == "out-of-range":
        low, _, high = allowed.partition(" from ")[2].partition(" to ")
        return _nearest(value, low, high)
    if isinstance(value, float) and allowed.startswith("a whole number"):
        return f"write {floor(value)} or {floor(value) + 1}"
    if allowed.startswith("a string"):
        return f"in quotes it is a string: {json.dumps(str(value).lower())}"
    if allowed == _FLAG:
        return f"write {'true' if value else 'false'}"
    return f"write it as a list: [{json.dumps(value)}]" if allowed.startswith("a list") else None


def _nearest(value: float, low: str, high: str) -> str | None:
    if not low:
        return None
    is_high = high and value > int(high.replace(",", ""))
    return f"write {high} or less" if is_high else f"write {low} or more"


def _similar(value: str, known: list[str]) -> str | None:
    whole = [each for each in known if value.lower() in each.split("-")]
    return whole[0] if whole else diagnostics.did_you_mean(value, known)


def _is_number(value: str) -> bool:
    return value.lstrip("-").replace(".", "", 1).isdigit()


def _variable(value: str) -> str | None:
    """The name in ``${NAME}``: the kind of the reference is missing."""
    name = value.removeprefix("${").removesuffix("}")
    is_name = name.isidentifier() and name.isascii() and name.isupper()
    return name if is_name and value == f"${{{name}}}" else None


def _found(rule: str, value: Any, path: KeyPath) -> str:
    if path[-1:] == ("interface_id",) and isinstance(value, str | list):
        # It may be the password, pasted into the wrong line.
        return f"{diagnostics.kind(value)} {diagnostics.SENSITIVE}"
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
