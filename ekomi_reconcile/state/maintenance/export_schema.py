"""The published JSON Schema of what ``state pull`` writes and ``state push`` takes."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from sqlalchemy import Boolean, Column, Float, Integer, Table

from ekomi_reconcile.config.schema import account_schema
from ekomi_reconcile.model.account import Account, Json
from ekomi_reconcile.model.document import DIALECT
from ekomi_reconcile.model.invitation import Evidence, Status
from ekomi_reconcile.model.rule import Deliver, InvitationRule
from ekomi_reconcile.model.shape import (
    COUNT,
    FLAG,
    NUMBER,
    ORDER_ID,
    TEXT,
    array_of,
    maybe,
    words_of,
)
from ekomi_reconcile.state.engine.metadata import FORMAT_VERSION
from ekomi_reconcile.state.engine.tables import OrderKey, metadata
from ekomi_reconcile.state.maintenance.export import TABLE_NAMES

_WHOLE: Mapping[str, Json] = {"type": "integer", "minimum": -(2**63), "maximum": 2**63 - 1}
_WORDS: Mapping[str, Mapping[str, Json]] = {
    "status": words_of(Status),
    "from_status": words_of(Status),
    "to_status": words_of(Status),
    "reached_source": words_of(Evidence),
    "channel": words_of(Deliver),
}
_QUEUE = ("invitation", "invitation_history")
_DERIVED = {"name_key"}
"""What the export leaves out, as it follows from the rest."""


@cache
def state_schema() -> dict[str, Json]:
    """The schema, JSON Schema 2020-12. Nothing that it does not name is allowed."""
    header = {
        "format_version": {"const": str(FORMAT_VERSION)},
        "lineage": TEXT,
        "serial": COUNT,
        "created_at": _WHOLE,
        "tool_version": TEXT,
    }
    tables = {name: array_of(_row(metadata.tables[table])) for name, table in TABLE_NAMES.items()}
    return {
        "$schema": DIALECT,
        "$id": f"urn:ekomi-reconcile:schema:state:{FORMAT_VERSION}",
        "title": f"ekomi-reconcile state, format {FORMAT_VERSION}",
        "description": "What `state pull` writes and `state push` takes. Times are UTC epoch seconds.",
        **_closed({**header, **tables}),
        "$defs": {"Settings": _settings(), **account_schema()["$defs"]},
    }


def _row(table: Table) -> dict[str, Json]:
    columns = [each for each in table.columns if each.name not in _DERIVED]
    shapes = {str(each.name): _shape(table, each) for each in columns}
    return _closed(shapes, optional={str(each.name) for each in columns if each.nullable})


def _shape(table: Table, column: Column[Any]) -> Mapping[str, Json]:
    shape = _plain(table, column)
    return maybe(shape) if column.nullable else shape


def _plain(table: Table, column: Column[Any]) -> Mapping[str, Json]:
    if column.name == "desired":
        return {"$ref": "#/$defs/Settings"}
    if table.name in _QUEUE and column.name in _WORDS:
        return _WORDS[column.name]
    if isinstance(column.type, OrderKey):
        return ORDER_ID
    if isinstance(column.type, Boolean):
        return FLAG
    if isinstance(column.type, Float):
        return NUMBER
    return _WHOLE if isinstance(column.type, Integer) else TEXT


def _settings() -> dict[str, Json]:
    """An account as it is recorded: as in the files, but whole, with ``null`` for what is not there."""
    files, named = account_schema()["properties"], account_schema()["$defs"]
    plain = Account(name="", interface_id="", interface_password="").canonical()
    rule = InvitationRule().canonical()
    invitations = {
        key: _recorded(each, rule.get(key, each)) for key, each in named["Invitations"]["properties"].items()
    }
    links = {key: _recorded(each, None) for key, each in named["Links"]["properties"].items()}
    own = {
        **{key: _bare(each) for key, each in files.items()},
        "tags": {"type": "array", "items": _bare(files["tags"])["items"]},
        "orders": TEXT,
        "links": _closed(links),
        "invitations": _closed(invitations, optional=set(invitations) - set(rule)),
    }
    return _closed(own, optional=set(own) - set(plain))


def _recorded(key: Mapping[str, Json], default: Json) -> dict[str, Json]:
    """A key of the files that is recorded as ``null`` or ``all`` where it is not set."""
    shape = _bare(key)
    return {"anyOf": [shape, {"const": default}]} if default in (None, "all") else shape


def _bare(key: Mapping[str, Json]) -> dict[str, Json]:
    """A key of the files without what is written for editors."""
    notes = ("title", "description", "markdownDescription", "default", "examples", "enumDescriptions")
    return {name: each for name, each in key.items() if name not in notes}


def _closed(properties: Mapping[str, Json], *, optional: set[str] | None = None) -> dict[str, Json]:
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": dict(properties),
        "required": [key for key in properties if key not in (optional or set())],
    }
