"""JSON Schemas of the files, generated from the models.

Editors show what stands here: every key has a title and a description that also says its default, or what
leaving it out means, once as text and once as Markdown (``markdownDescription``, which the YAML language
server prefers).
"""

from __future__ import annotations

import json
import re
from functools import cache
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from ekomi_reconcile.config.conditions import ABSENT
from ekomi_reconcile.config.models import AccountDocument, ProjectDocument

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_MODELS: Final[dict[str, type[BaseModel]]] = {"account": AccountDocument, "project": ProjectDocument}
KINDS: Final = tuple(_MODELS)
_ACRONYMS: Final = {"api": "API", "id": "id", "qty": "quantity", "sku": "SKU", "srr": "SRR", "url": "URL"}


class _Generator(GenerateJsonSchema):
    """Leaves out the default of optional keys: it is "absent", and ``null`` would be an error."""

    schema_dialect = DIALECT

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        """Called by pydantic."""
        generated = super().default_schema(schema)
        if generated.get("default", ...) is None:
            del generated["default"]
        return generated


@cache
def schema(kind: str) -> dict[str, Any]:
    """The JSON Schema (2020-12) of ``account`` or ``project`` files; not to be changed.

    Raises:
        KeyError: there is no such kind.
    """
    generated = _MODELS[kind].model_json_schema(by_alias=True, schema_generator=_Generator)
    named = generated["$defs"]
    for part in named.values():
        part["title"] = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", part["title"]).capitalize()
        part["description"] = part["description"].replace("``", "`")
    for part in (generated, *named.values()):
        _explain(part, named)
    return {"$schema": DIALECT, "$id": f"urn:ekomi-reconcile:schema:{kind}:1", **generated}


def _explain(part: dict[str, Any], named: dict[str, dict[str, Any]]) -> None:
    """Give the keys of a mapping titles for people, and descriptions that say the default."""
    for name, key in part.get("properties", {}).items():
        # pydantic leaves out a description that says the same as that of the mapping it leads to.
        text = key.get("description") or named[key["$ref"].rpartition("/")[2]]["description"]
        note = _note(key, is_required=name in part.get("required", ()))
        key["title"] = _title(name)
        key["description"] = f"{text} {note.replace('`', '')}".strip()
        key["markdownDescription"] = f"{text}\n\n{note}".strip()


def _note(key: dict[str, Any], *, is_required: bool) -> str:
    """What holds where the key is left out, as Markdown."""
    absent = key.pop(ABSENT, None)
    match key.get("default"):
        case None if is_required:
            return ""
        case None:
            return f"Left out: {absent}." if absent else "No default."
        case list() as values:
            return f"Default: `[{', '.join(map(str, values))}]`"
        case value:
            return f"Default: `{value if isinstance(value, str) else json.dumps(value)}`"


def _title(name: str) -> str:
    words = " ".join(_ACRONYMS.get(word, word) for word in name.split("_"))
    return words[:1].upper() + words[1:]


def account_schema() -> dict[str, Any]:
    """The JSON Schema of one account document."""
    return schema("account")


def project_schema() -> dict[str, Any]:
    """The JSON Schema of ``ekomi-reconcile.yaml``."""
    return schema("project")


def rendered(kind: str) -> str:
    """The schema as the text of its file."""
    return json.dumps(schema(kind), indent=2, ensure_ascii=False) + "\n"
