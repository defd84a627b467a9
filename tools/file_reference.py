"""The reference of the files as Markdown, made from their JSON Schemas."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from ekomi_reconcile.config import diagnostics
from ekomi_reconcile.config.models import schema
from ekomi_reconcile.formatting import emit

_NOTE: Final = "<!-- made by `python -m tools.generate`; do not edit -->"
_INTRODUCTION: Final = f"""\
# Configuration

{_NOTE}

A project is a file `ekomi-reconcile.yaml` and, below the folder that it names, one YAML document per account:
a file each, or several in a file, separated by `---`. Editors show the same texts:
[In the editor](../how-to/editor.md).

- Only `true` and `false` are booleans: a store view called `no` or `on` is a string. Numbers are decimal.
- Unknown keys, a key given twice, `null`, empty lists and merge keys `<<` are errors that say what to write
  instead. All errors of all files are reported in one run, with line and column.
- A key that is left out has its default, or what `defaults` of the project file says.
- A duration is a whole number and a unit: `30s`, `15m`, `6h`, `90d`, `2w`.

## Secrets

A secret is a reference, never the secret itself. It is resolved when a call needs it.

| reference | leads to |
|---|---|
| `${{env:NAME}}` | an environment variable |
| `${{file:/path}}` | a file, without the line break at its end; a relative path starts at the project file |
| `${{keyring:service/user}}` | the system's keyring; needs `pip install 'ekomi-reconcile[keyring]'` |

A plug-in may add kinds: [decision 16](../decisions/0016-where-references-may-lead.md).
"""

_PARTS: Final = {
    "account": (
        "Account files",
        "Every YAML document below the folder `accounts` describes an account of eKomi and its rules.",
    ),
    "project": (
        "Project file",
        "`ekomi-reconcile.yaml`, in the working directory, or named by `-C` or `--config`.",
    ),
}
_ELSEWHERE: Final = {
    "Condition": "a [condition](../conditions.md)",
    "ItemCondition": "a [condition about an item](../conditions.md)",
    "AccountDefaults": "keys of an [account](account.md) but its own name, id, password and links",
    "Exclude": "`{exclude: […]}`",
}
"""Mappings that are described in another place."""
_FILE: Final = {"file": "orders.csv"}
_BESIDE: Final[Mapping[str, Mapping[str, Any]]] = {
    "orders.columns": _FILE,
    "orders.decimal": _FILE,
    "orders.timezone": _FILE,
    "orders.items": _FILE,
    "orders.stores": _FILE,
    "orders.customer_groups": _FILE,
    "orders.magento.allow_http": {"token": "${env:MAGENTO_TOKEN}"},
    "orders.magento.base_url": {"token": "${env:MAGENTO_TOKEN}"},
    "orders.magento.annotate": {"token": "${env:MAGENTO_TOKEN}"},
    "orders.magento.parallelism": {"token": "${env:MAGENTO_TOKEN}"},
    "notify.rating": {"on": ["review"]},
}
"""What an example needs beside its key, and no schema calls required."""
_SHOWN: Final[Mapping[str, Any]] = {
    "accounts": "accounts",
    "tests": "tests",
    "links": {"webshop_url": "https://shop.example.com/de"},
    "invitations": {"enabled": True, "store_views": ["de", "at"], "pending_period": 14},
    "invitations.order_statuses": ["shipped", "complete"],
    "schedule": {"sync_every": "6h", "import_reviews_every": "12h"},
    "schedule.sync_every": "1h",
    "schedule.import_reviews_every": "1d",
    "ekomi": {"requests_per_second": 2, "timeout": "1m"},
    "ekomi.requests_per_second": 2,
    "ekomi.parallelism": 4,
    "ekomi.timeout": "1m",
    "safety": {"max_delete_percent": 10, "max_sends": 200},
    "safety.max_delete_percent": 10,
    "safety.max_sends": 200,
    "safety.max_schedules": 500,
    "safety.max_plan_age": "1d",
    "invitations.pending_period": 21,
    "invitations.skip_orders_older_than": 60,
    "priority": 10,
    "privacy": {"retention": "730d", "suppress": "suppressed.txt"},
    "orders.magento": {"base_url": "https://shop.example.com", "token": "${env:MAGENTO_TOKEN}"},
    "orders.decimal": ",",
    "orders.items": "per_row",
}
"""Values of examples, where neither the schema has one nor the default shows anything."""


def overview() -> str:
    """Return the page about all files, with a list of the keys."""
    return "\n".join([_INTRODUCTION, *(text for kind in _PARTS for text in _listed(kind))])


def _listed(kind: str) -> Iterator[str]:
    title, text = _PARTS[kind]
    yield f"## {title}\n\n{text}\n"
    yield "| key | |\n|---|---|"
    for place, _, value in _keys(kind):
        if place.count(".") < 2:
            yield f"| [`{place}`]({kind}.md#{_anchor(place)}) | {_summary(value)} |"
    yield ""


def _summary(value: dict[str, Any]) -> str:
    text = str(value.get("description", ""))
    return text.partition(". ")[0].rstrip(".").replace("|", "\\|")


def page(kind: str) -> str:
    """Return the page with every key of a file: its type, its default, and an example."""
    title, text = _PARTS[kind]
    parts = [f"# {title}", _NOTE, f"{text} What holds for all files: [Configuration](configuration.md)."]
    for place, mapping, value in _keys(kind):
        level = "#" * min(4, place.count(".") + 2)
        key = place.rpartition(".")[2]
        parts.append(f"{level} {place}")
        parts.append(_facts(value, is_required=key in mapping.get("required", ())))
        parts.append(_meaning(value))
        parts.append(f"```yaml\n{yaml_text(example(kind, place))}```")
    return "\n\n".join(parts) + "\n"


def _facts(value: dict[str, Any], *, is_required: bool) -> str:
    facts = [f"**Type:** {_takes(value)}"]
    if is_required:
        facts.append("**required**")
    elif "default" in value:
        facts.append(f"**Default:** `{_flow(value['default'])}`")
    return " · ".join(facts)


def places(kind: str) -> list[str]:
    """Every key of a file, as its path."""
    return [place for place, _, _ in _keys(kind)]


def _keys(kind: str) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Each key: its path, the mapping that it is in, and the schema of its value."""
    whole = schema(kind)
    yield from _keys_of(whole, whole["$defs"], "")


def _keys_of(
    mapping: dict[str, Any], named: dict[str, Any], path: str
) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    for key, value in mapping["properties"].items():
        place = f"{path}.{key}" if path else key
        yield place, mapping, value
        name = _leads_to(value)
        if name is not None and name not in _ELSEWHERE:
            yield from _keys_of(named[name], named, place)


def example(kind: str, place: str) -> dict[str, Any]:
    """Return a document with this key, and what must be beside it."""
    whole = schema(kind)
    steps = place.split(".")
    return _with_key(whole, whole["$defs"], steps, "")


def _with_key(
    mapping: dict[str, Any], named: dict[str, Any], steps: Sequence[str], path: str
) -> dict[str, Any]:
    key = steps[0]
    place = f"{path}.{key}" if path else key
    value = mapping["properties"][key]
    if len(steps) == 1:
        inner = _value(value, named, place)
    else:
        inner = _with_key(named[_leads_to(value) or ""], named, steps[1:], place)
        inner = _form(value, key, inner)
    required = mapping.get("required", ()) if path else ()
    siblings = {each: mapping["properties"][each] for each in required if each != key}
    beside = {each: _value(part, named, f"{path}.{each}") for each, part in siblings.items()}
    found = {**beside, **_BESIDE.get(place, {}), key: inner}
    return {each: found[each] for each in mapping["properties"] if each in found}


def _form(value: dict[str, Any], key: str, inner: dict[str, Any]) -> Any:
    """A mapping in the form that its key takes: alone, in a list, or under a name."""
    if value.get("type") == "array":
        return [inner]
    return {"status": inner} if key == "columns" else inner


def _leads_to(value: dict[str, Any]) -> str | None:
    """The name of the mapping that a key takes, alone, in a list, or as one of several forms."""
    if "$ref" in value:
        return str(value["$ref"]).rpartition("/")[2]
    if value.get("type") == "array":
        return _leads_to(value["items"])
    inner = (*value.get("oneOf", ()), *value.get("patternProperties", {}).values())
    found = (_leads_to(each) for each in inner)
    return next((each for each in found if each), None)


def _value(value: dict[str, Any], named: dict[str, Any], place: str) -> Any:
    """A value to show: an example of the schema, one that is not the default, or the keys needed."""
    if place in _SHOWN:
        return _SHOWN[place]
    if value.get("examples"):
        return _in_order(value["examples"][0], value, named)
    choices = [each for each in value.get("enum", ()) if each != value.get("default")]
    if choices:
        return choices[0]
    if value.get("type") == "boolean":
        return not value.get("default", False)
    if "const" in value or "default" in value:
        return value.get("const", value.get("default"))
    part = named[_leads_to(value) or ""]
    wanted = part.get("required") or list(part["properties"])[:2]
    inner = {key: _value(part["properties"][key], named, f"{place}.{key}") for key in wanted}
    return [inner] if value.get("type") == "array" else inner


def _in_order(shown: Any, value: dict[str, Any], named: dict[str, Any]) -> Any:
    """An example with its keys in the order of the schema."""
    part = named.get(_leads_to(value) or "", {}).get("properties", {})
    if isinstance(shown, list):
        return [_in_order(each, value, named) for each in shown]
    if isinstance(shown, dict) and shown.keys() <= part.keys():
        return {key: shown[key] for key in part if key in shown}
    return shown


def yaml_text(value: Mapping[str, Any], indent: int = 0) -> str:
    """Write a mapping as people write YAML: mappings in blocks, short lists on one line."""
    return "".join(
        f"{' ' * indent}{emit.text(str(key), in_flow=False)}:{_after(each, indent)}"
        for key, each in value.items()
    )


def _after(value: Any, indent: int) -> str:
    match value:
        case dict():
            return f"\n{yaml_text(value, indent + 2)}"
        case [dict(), *_]:
            return "\n" + "".join(_entry(each, indent + 2) for each in value)
        case list():
            return f" [{', '.join(_scalar(each, in_flow=True) for each in value)}]\n"
        case _:
            return f" {_scalar(value, in_flow=False)}\n"


def _entry(value: Mapping[str, Any], indent: int) -> str:
    text = yaml_text(value, indent + 2)
    return f"{' ' * indent}- {text[indent + 2 :]}"


def _scalar(value: Any, *, in_flow: bool) -> str:
    return emit.text(value, in_flow=in_flow) if isinstance(value, str) else json.dumps(value)


def _takes(value: dict[str, Any]) -> str:
    """What may be written there, in a few words."""
    if "oneOf" in value:
        return ", or ".join(dict.fromkeys(_takes(each) for each in value["oneOf"]))
    if "$ref" in value:
        return _ELSEWHERE.get(_leads_to(value) or "", "a mapping")
    if value.get("type") == "array":
        return f"a list of {_plural(_takes(value['items']))}"
    if "enum" in value or "const" in value:
        return ", ".join(f"`{each}`" for each in value.get("enum", [value.get("const")]))
    return _plain(value)


def _plural(words: str) -> str:
    return {"a string": "strings", "a mapping": "mappings"}.get(words, words)


def _plain(value: dict[str, Any]) -> str:
    match value.get("type"):
        case "object" if _leads_to(value) == "FileColumn":
            return "a mapping of fields to titles, or to mappings with the keys below"
        case "object" if _named(value):
            return "a mapping of names to such mappings"
        case "object":
            return "a mapping of strings to strings"
        case "boolean":
            return "boolean"
        case "integer" | "number":
            return _number(value)
        case _:
            return "a string"


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
    """The description without the default, and each choice with what it means."""
    text = str(value.get("markdownDescription", value.get("description", "")))
    paragraphs = [each for each in text.split("\n\n") if not each.startswith("Default: ")]
    for part in (value, *value.get("anyOf", ()), *value.get("oneOf", ())):
        choices = zip(part.get("enum", ()), part.get("enumDescriptions", ()), strict=False)
        if listed := [f"- `{name}`: {said}" for name, said in choices]:
            paragraphs.append("\n".join(listed))
    return "\n\n".join(paragraphs)


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


_ABOUT_IDS: Final = """\
Every finding has a stable id, in brackets after its level: `error[unknown-key]`. Search this page for it, or
run `ekomi-reconcile help unknown-key`. Errors that stop a command have ids too; a terminal shows them below
the hint."""


def diagnostics_page() -> str:
    """Return the page that explains every id of a finding, a guard and an error."""
    parts = [
        "# Errors and warnings",
        _NOTE,
        _ABOUT_IDS,
    ]
    for title, group in diagnostics.explanations().items():
        parts.append(f"## {title}")
        for id_, found in group.items():
            parts.append(f"### {id_}")
            parts.append(found.means)
            parts.append(f"**Fix:** {found.fix}")
    return "\n\n".join(parts) + "\n"
