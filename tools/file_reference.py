"""The reference of the files as Markdown, made from their JSON Schemas."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

from ekomi_reconcile.config.models import schema

_INTRODUCTION: Final = """\
# Configuration

<!-- made by `python -m tools.generate`; do not edit -->

A project is a file `ekomi-reconcile.yaml` and, below the folder that it names, one YAML document per account:
a file each, or several in a file, separated by `---`. Editors show the same texts:
[In the editor](../how-to/editor.md).

- Only `true` and `false` are yes and no: a store view called `no` or `on` is text. Numbers are decimal.
- Unknown keys, a key given twice, `null`, empty lists and merge keys `<<` are errors that say what to write
  instead. All errors of all files are reported in one run, with line and column.
- A key that is left out has its default, or what `defaults` of the project file says.
- A duration is a whole number and a unit: `30s`, `15m`, `6h`, `90d`, `2w`.

## Secrets

A secret is a reference, never the secret itself. It is resolved when a call needs it.

| reference | leads to |
|---|---|
| `${env:NAME}` | an environment variable |
| `${file:/path}` | a file, without the line break at its end; a relative path starts at the project file |
| `${keyring:service/user}` | the system's keyring; needs `pip install 'ekomi-reconcile[keyring]'` |

A plug-in may add kinds: [decision 16](../decisions/0016-where-references-may-lead.md).
"""

_PARTS: Final = {
    "account": ("Account", "A YAML document below the folder `accounts`."),
    "project": (
        "Project file",
        "`ekomi-reconcile.yaml`, in the working directory, or named by `-C` or `--config`.",
    ),
}
_ELSEWHERE: Final = {
    "Condition": "a [condition](../conditions.md)",
    "ItemCondition": "a [condition about an item](../conditions.md)",
    "AccountDefaults": "keys of an [account](#account) but its own name, id, password and links",
    "Exclude": "`{exclude: […]}`",
}
"""Mappings that are described in another place."""


def reference() -> str:
    """Return the whole page."""
    parts = [_INTRODUCTION, *(text for kind in _PARTS for text in _part(kind))]
    return "\n".join(parts)


def _part(kind: str) -> Iterator[str]:
    title, text = _PARTS[kind]
    whole = schema(kind)
    yield f"## {title}\n\n{text}\n"
    yield from _mapping(whole, whole["$defs"], "")


def _mapping(mapping: dict[str, Any], named: dict[str, Any], path: str) -> Iterator[str]:
    """The table of a mapping's keys, then the mappings in them, each under its path."""
    rows = ["| key | takes | meaning |", "|---|---|---|"]
    inner = []
    for key, value in mapping["properties"].items():
        place = f"{path}.{key}" if path else key
        name = _leads_to(value)
        if name is not None and name not in _ELSEWHERE:
            inner.append((place, named[name]))
        required = " (required)" if key in mapping.get("required", ()) else ""
        rows.append(f"| `{key}`{required} | {_takes(value, place)} | {_meaning(value)} |")
    yield "\n".join([*rows, ""])
    for place, part in inner:
        yield f"### {place}\n\n{part['description']}\n"
        yield from _mapping(part, named, place)


def _leads_to(value: dict[str, Any]) -> str | None:
    """The name of the mapping that a key takes, alone, in a list, or as one of several forms."""
    if "$ref" in value:
        return str(value["$ref"]).rpartition("/")[2]
    if value.get("type") == "array":
        return _leads_to(value["items"])
    inner = (*value.get("oneOf", ()), *value.get("patternProperties", {}).values())
    found = (_leads_to(each) for each in inner)
    return next((each for each in found if each), None)


def _takes(value: dict[str, Any], place: str) -> str:
    """What may be written there, in a few words."""
    if "oneOf" in value:
        return ", or ".join(dict.fromkeys(_takes(each, place) for each in value["oneOf"]))
    if "$ref" in value:
        return _ELSEWHERE.get(_leads_to(value) or "", f"[keys](#{_anchor(place)})")
    if value.get("type") == "array":
        return f"a list of {_takes(value['items'], place)}"
    if "enum" in value or "const" in value:
        return ", ".join(f"`{each}`" for each in value.get("enum", [value.get("const")]))
    return _plain(value)


def _plain(value: dict[str, Any]) -> str:
    match value.get("type"):
        case "object" if _leads_to(value) == "FileColumn":
            return "a mapping of fields to titles, or to such mappings"
        case "object" if _named(value):
            return "such a mapping for each name"
        case "object":
            return "a mapping of ids to names"
        case "boolean":
            return "`true` or `false`"
        case "integer" | "number":
            return _number(value)
        case _:
            return "text"


def _named(value: dict[str, Any]) -> bool:
    return any("$ref" in each for each in value.get("patternProperties", {}).values())


def _number(value: dict[str, Any]) -> str:
    kind = "a whole number" if value["type"] == "integer" else "a number"
    low, high = value.get("minimum"), value.get("maximum")
    match low, high:
        case None, None:
            above = value.get("exclusiveMinimum")
            return kind if above is None else f"{kind} above {above}"
        case _, None:
            return f"{kind} from {low}"
        case _:
            return f"{kind}, {low} to {high}"


def _meaning(value: dict[str, Any]) -> str:
    text = str(value.get("markdownDescription", value.get("description", ""))).replace("\n\n", " ")
    text += "." if text.endswith("`") else ""
    for part in (value, *value.get("anyOf", ()), *value.get("oneOf", ())):
        choices = zip(part.get("enum", ()), part.get("enumDescriptions", ()), strict=False)
        text += "".join(f" `{name}`: {said}" for name, said in choices)
    if shown := value.get("examples", ()):
        text += f" Such as {' or '.join(f'`{_flow(each)}`' for each in shown)}."
    return text.replace("|", "\\|")


def _flow(value: Any) -> str:
    """An example as it may be written in YAML on one line."""
    match value:
        case dict():
            return f"{{{', '.join(f'{key}: {_flow(each)}' for key, each in value.items())}}}"
        case list():
            return f"[{', '.join(map(_flow, value))}]"
        case str() if not value.isdecimal():
            return value
        case _:
            return json.dumps(value)


def _anchor(place: str) -> str:
    """The anchor of a heading as GitHub and the site make it."""
    return place.replace(".", "")
