"""JSON Schemas of the files, generated from the models; ``python -m`` writes them into a folder."""

from __future__ import annotations

import json
import sys
from functools import cache
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from ekomi_reconcile.config.models import AccountDocument, ProjectDocument

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_MODELS: Final[dict[str, type[BaseModel]]] = {"account": AccountDocument, "project": ProjectDocument}
KINDS: Final = tuple(_MODELS)


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
    return {"$schema": DIALECT, "$id": f"urn:ekomi-reconcile:schema:{kind}:1", **generated}


def account_schema() -> dict[str, Any]:
    """The JSON Schema of one account document."""
    return schema("account")


def project_schema() -> dict[str, Any]:
    """The JSON Schema of ``ekomi-reconcile.yaml``."""
    return schema("project")


def rendered(kind: str) -> str:
    """The schema as the text of its file."""
    return json.dumps(schema(kind), indent=2, ensure_ascii=False) + "\n"


def write(folder: Path) -> list[Path]:
    """Write ``<kind>.schema.json`` for every kind into ``folder``; returns the files."""
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for kind in KINDS:
        file = folder / f"{kind}.schema.json"
        file.write_text(rendered(kind), encoding="utf-8", newline="\n")
        files.append(file)
    return files


if __name__ == "__main__":
    write(Path(sys.argv[1] if len(sys.argv) > 1 else "schemas"))
