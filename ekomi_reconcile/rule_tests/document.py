"""The documents of rule tests: schema, errors, and tests that the program writes."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeAlias

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType, to_builtins

from ekomi_reconcile.config.diagnostics import did_you_mean, error, kind, shown
from ekomi_reconcile.config.source import Document, KeyPath
from ekomi_reconcile.formatting.emit import text
from ekomi_reconcile.model.diagnostic import Diagnostic
from ekomi_reconcile.model.document import DIALECT, schema_of, validator
from ekomi_reconcile.model.invitation import Criterion
from ekomi_reconcile.orders.wire import WireOrder
from ekomi_reconcile.rule_tests.order import ITEM_NAMES, ORDER_NAMES

if TYPE_CHECKING:
    from jsonschema import ValidationError


SCHEMA: Final = "test"
"""The name of the schema: ``schema test``."""

_Time: TypeAlias = Annotated[
    str, Meta(extra_json_schema={"format": "date-time"}, examples=["2026-01-19T10:00:00Z"])
]


class GivenFacts(Struct, frozen=True, forbid_unknown_fields=True):
    """What is known of the order besides itself."""

    reviewed: Annotated[bool, Meta(description="The order has a review. Default: false")] = False
    invited: Annotated[bool, Meta(description="An invitation was sent. Default: false")] = False


class ExpectedOutcome(Struct, frozen=True, forbid_unknown_fields=True):
    """What is expected of the order; what is left out is not checked."""

    invited: Annotated[bool, Meta(description="Whether an invitation is scheduled.")]
    account: (
        Annotated[
            str,
            Meta(
                min_length=1,
                description="With `invited: true` the account that invites; with `invited: false` the one "
                "that does not. Left out: any account, or none.",
            ),
        ]
        | UnsetType
    ) = UNSET
    reason: (
        Annotated[Criterion, Meta(description="The first criterion that fails, as `explain` names it.")]
        | UnsetType
    ) = UNSET
    scheduled_at: Annotated[_Time, Meta(description="When the invitation is due.")] | UnsetType = UNSET
    leaves_at: (
        Annotated[
            _Time,
            Meta(description="When it can leave: from when it is due on, when the sending window is open."),
        ]
        | UnsetType
    ) = UNSET
    channel: (
        Annotated[
            str,
            Meta(description="How the invitation is sent.", extra_json_schema={"examples": ["ekomi-email"]}),
        ]
        | UnsetType
    ) = UNSET


class RuleTestDocument(Struct, frozen=True, forbid_unknown_fields=True):
    """One test of the rules: an order, and what is expected of it."""

    name: Annotated[str, Meta(min_length=1, description="What must hold, in one sentence.")]
    expect: ExpectedOutcome
    order: (
        Annotated[
            dict[str, Any],
            Meta(description="What is special about the order; everything else has a default."),
        ]
        | UnsetType
    ) = UNSET
    now: (
        Annotated[
            _Time,
            Meta(description="The present of the test. Left out: one day after the order's newest date."),
        ]
        | UnsetType
    ) = UNSET
    given: GivenFacts = GivenFacts()


_OPEN: Final = frozenset({"WireExtension", "WireItemExtension"})
"""Parts of an order that have keys of other extensions too."""

_DATES: Final = frozenset({"created_at", "updated_at"})


@cache
def rule_test_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of one document of a test file; not to be changed."""
    schema: dict[str, Any] = schema_of(RuleTestDocument, optional=("reviewed", "invited", "given"))
    parts: dict[str, Any] = schema.pop("$defs")
    order, order_parts = _order_schema()
    schema["properties"] = {
        name: schema["properties"][name] for name in ("name", "now", "order", "given", "expect")
    }
    schema["properties"]["order"] = {
        "description": schema["properties"]["order"]["description"],
        "$ref": "#/$defs/Order",
    }
    return {
        "$schema": DIALECT,
        "$id": f"urn:ekomi-reconcile:schema:{SCHEMA}:1",
        "title": "ekomi-reconcile rule test",
        **schema,
        "$defs": {"Order": order, **order_parts, **parts},
    }


def _order_schema() -> tuple[dict[str, Any], dict[str, Any]]:
    """The schema of an order in a test, and those of its parts."""
    order: dict[str, Any] = schema_of(WireOrder)
    parts: dict[str, Any] = order.pop("$defs")
    for name, part in (("", order), *parts.items()):
        part.pop("required", None)
        part["additionalProperties"] = name in _OPEN
        for key in _DATES & part["properties"].keys():
            part["properties"][key]["format"] = "date-time"
    for part, names in ((order, ORDER_NAMES), (parts["WireItem"], ITEM_NAMES)):
        for name, spelled in names.items():
            part["properties"][name] = {**spelled.schema, "description": f"The same as `{spelled.place}`."}
    order["properties"]["custom_attributes"] = {"type": ["array", "object", "null"]}
    order["description"] = "The order, in the shape of an order file or with the attributes of conditions."
    return order, parts


def rule_test_schema_text() -> str:
    """The schema as the text of its file."""
    return json.dumps(rule_test_schema(), indent=2, ensure_ascii=False) + "\n"


@cache
def _checks() -> Any:
    return validator(rule_test_schema())


def problems(document: Document, *, columns: Collection[str] = ()) -> list[Diagnostic]:
    """What is wrong with a test document; empty when it is valid.

    ``columns`` are keys of orders that only the rules of the project name.
    """
    found = [found for each in _checks().iter_errors(document.data) for found in _diagnostics(document, each)]
    named = {f"order.{each}" for each in columns}
    return [each for each in found if each.rule != "unknown-key" or each.key not in named]


def _diagnostics(document: Document, problem: ValidationError) -> Iterator[Diagnostic]:
    from jsonschema.exceptions import best_match

    leaf = best_match([problem]) or problem
    path, schema = tuple(leaf.absolute_path), _mapping(leaf.schema)
    if leaf.validator == "additionalProperties":
        known = list(_mapping(schema.get("properties")))
        for key in _mapping(leaf.instance):
            if key not in known:
                yield unknown_key(document, (*path, key), known)
    elif leaf.validator == "required":
        missing = [key for key in schema["required"] if key not in _mapping(leaf.instance)]
        key = next((each for each in missing if repr(each) in leaf.message), missing[0])
        yield _missing(document, (*path, key), schema)
    else:
        yield _wrong(document, path, leaf)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def unknown_key(document: Document, path: KeyPath, known: Iterable[str]) -> Diagnostic:
    """The key at ``path`` is none of the known ones."""
    key = str(path[-1])
    guess = did_you_mean(key, known)
    return error(
        "unknown-key",
        f"unknown key `{key}`",
        document.place(path, "key"),
        path=path,
        found=key,
        hint=f"did you mean `{guess}`?" if guess else "remove it; `schema test` lists the keys",
    )


_EXAMPLES: Final = {
    "name": "name: Orders below 50 EUR are left alone",
    "expect": "expect: {invited: true}",
    "invited": "invited: true",
}


def _missing(document: Document, path: KeyPath, schema: Mapping[str, Any]) -> Diagnostic:
    key = str(path[-1])
    del schema
    return error(
        "missing-key",
        f"missing key `{key}`",
        document.place(path[:-1], "key"),
        path=path,
        hint=f"add `{_EXAMPLES.get(key, f'{key}: …')}`",
    )


_TYPES: Final = {
    "object": "a mapping",
    "array": "a list",
    "string": "text",
    "boolean": "true or false",
    "integer": "a whole number",
    "number": "a number",
    "null": "null",
}


def _wrong(document: Document, path: KeyPath, problem: ValidationError) -> Diagnostic:
    value: Any = problem.instance
    wanted: Any = problem.validator_value
    rule, hint = "wrong-type", "write a value of that type"
    if problem.validator == "type":
        names = [wanted] if isinstance(wanted, str) else list(wanted)
        allowed = " or ".join(_TYPES.get(each, each) for each in names)
        if "string" in names and isinstance(value, int | float):
            hint = f'put it in quotes: "{value}"'
    elif problem.validator in ("enum", "const"):
        words = wanted if isinstance(wanted, list) else [wanted]
        rule, allowed = "unknown-value", ", ".join(map(str, words))
        guess = did_you_mean(value, words) if isinstance(value, str) else None
        hint = f"did you mean `{guess}`?" if guess else "write one of these"
    elif problem.validator == "format":
        rule, allowed, hint = "invalid-text", "a time", "write it like 2026-11-30T12:00:00Z"
    else:
        rule, allowed, hint = "wrong-value", _bounds(problem), "see `schema test`"
    return error(
        rule,
        f"expected {allowed}, got {kind(value)}" if rule == "wrong-type" else f"expected {allowed}",
        document.place(path),
        path=path,
        found=shown(value, path),
        hint=hint,
    )


def _bounds(problem: ValidationError) -> str:
    limits: Mapping[str, str] = {"minLength": "text that is not empty", "minimum": "a larger number"}
    return limits.get(str(problem.validator), "another value")


def read_document(document: Document) -> RuleTestDocument:
    """The test in a valid document."""
    return msgspec.convert(document.data, RuleTestDocument)


def rule_test_yaml(test: RuleTestDocument) -> str:
    """One document of a test file, without the line that separates it from others."""
    lines = [f"name: {text(test.name, in_flow=False)}"]
    if test.now is not UNSET:
        lines.append(f"now: {test.now}")
    if test.order is not UNSET:
        lines.append(f"order: {_flow(test.order)}")
    given = {key: value for key, value in to_builtins(test.given).items() if value}
    if given:
        lines.append(f"given: {_flow(given)}")
    lines.append(f"expect: {_flow(to_builtins(test.expect))}")
    return "\n".join(lines) + "\n"


def _flow(value: Any) -> str:
    """A value on one line."""
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{text(key, in_flow=True)}: {_flow(each)}' for key, each in value.items())}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_flow, value))}]"
    if isinstance(value, str):
        return text(value, in_flow=True)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return json.dumps(value)
