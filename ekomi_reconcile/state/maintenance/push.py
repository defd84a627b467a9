"""A state as JSON: out (pull), in (push), and its schema."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from sqlalchemy import Boolean, Column, Float, Integer, Table, select

from ekomi_reconcile.config.models import account_schema
from ekomi_reconcile.model import document as model_document
from ekomi_reconcile.model.account import Account, Json
from ekomi_reconcile.model.errors import StateError
from ekomi_reconcile.model.instant import Instant
from ekomi_reconcile.model.invitation import Evidence, Status
from ekomi_reconcile.model.order import OrderId
from ekomi_reconcile.model.rule import Deliver, InvitationRule
from ekomi_reconcile.model.run import Restored
from ekomi_reconcile.state import FORMAT_VERSION, StateIdentity
from ekomi_reconcile.state.engine.location import copy_path
from ekomi_reconcile.state.engine.lock import user
from ekomi_reconcile.state.engine.session import Session
from ekomi_reconcile.state.engine.tables import OrderKey, metadata
from ekomi_reconcile.state.maintenance.backup import copy_to
from ekomi_reconcile.state.maintenance.table_dump import replace_records
from ekomi_reconcile.state.repositories.accounts import name_key
from ekomi_reconcile.state.store import State

TABLE_NAMES = {
    "accounts": "account",
    "positions": "position",
    "observations": "observation",
    "invitations": "invitation",
    "invitation_history": "invitation_history",
    "reviews": "review",
    "erased_reviews": "erased_review",
    "products": "product",
    "journal": "journal",
    "api_errors": "api_error",
}
"""How the export calls the tables."""


def export(state: State) -> dict[str, Json]:
    """Everything at once; see ``export_header`` and ``export_tables`` for a large state."""
    return export_header(state) | {name: list(rows) for name, rows in export_tables(state)}


def export_header(state: State) -> dict[str, Json]:
    """What identifies this state."""
    meta = state.meta.read()
    return {
        "format_version": str(meta.format_version),
        "lineage": meta.lineage,
        "serial": meta.serial,
        "created_at": meta.created_at,
        "tool_version": meta.tool_version,
    }


def export_tables(state: State) -> Iterator[tuple[str, Iterator[dict[str, Json]]]]:
    """Name and rows of every table, each ordered by its key; read one to its end before the next."""
    for name, table in TABLE_NAMES.items():
        yield name, _rows(state.session, metadata.tables[table])


def _rows(session: Session, table: Table) -> Iterator[dict[str, Json]]:
    with session.stream(select(table).order_by(*table.primary_key)) as rows:
        for row in rows.mappings():
            yield _exported(dict(row))


def _exported(row: dict[str, Any]) -> dict[str, Json]:
    row.pop("name_key", None)
    if "desired" in row:
        row["desired"] = json.loads(row["desired"])
    return row


_WHOLE: Mapping[str, Json] = {"type": "integer", "minimum": -(2**63), "maximum": 2**63 - 1}
_ENUMS: Mapping[str, type[StrEnum]] = {
    "status": Status,
    "from_status": Status,
    "to_status": Status,
    "reached_source": Evidence,
    "channel": Deliver,
}
"""Columns of the queue that hold one of a few words."""
_QUEUE = ("invitation", "invitation_history")
_DERIVED = {"name_key"}
"""What the export leaves out, as it follows from the rest."""


@cache
def state_schema() -> dict[str, Json]:
    """The schema, JSON Schema 2020-12. Nothing that it does not name is allowed."""
    header = {
        "format_version": {"const": str(FORMAT_VERSION)},
        "lineage": model_document.TEXT,
        "serial": model_document.COUNT,
        "created_at": _WHOLE,
        "tool_version": model_document.TEXT,
    }
    tables = {
        name: model_document.array_of(_row_schema(metadata.tables[table]))
        for name, table in TABLE_NAMES.items()
    }
    return {
        "$schema": model_document.DIALECT,
        "$id": f"urn:ekomi-reconcile:schema:state:{FORMAT_VERSION}",
        "title": f"ekomi-reconcile state, format {FORMAT_VERSION}",
        "description": "What `state pull` writes and `state push` takes. Times are UTC epoch seconds.",
        **_closed({**header, **tables}),
        "$defs": {"Settings": _settings(), **account_schema()["$defs"]},
    }


def _row_schema(table: Table) -> dict[str, Json]:
    columns = [each for each in table.columns if each.name not in _DERIVED]
    shapes = {str(each.name): _shape(table, each) for each in columns}
    return _closed(shapes, optional={str(each.name) for each in columns if each.nullable})


def _shape(table: Table, column: Column[Any]) -> Mapping[str, Json]:
    shape = _column_schema(table, column)
    return model_document.maybe(shape) if column.nullable else shape


def _column_schema(table: Table, column: Column[Any]) -> Mapping[str, Json]:
    if column.name == "desired":
        return {"$ref": "#/$defs/Settings"}
    if table.name in _QUEUE and column.name in _ENUMS:
        return model_document.words_of(_ENUMS[column.name])
    if isinstance(column.type, OrderKey):
        return model_document.ORDER_ID
    if isinstance(column.type, Boolean):
        return model_document.FLAG
    if isinstance(column.type, Float):
        return model_document.NUMBER
    return _WHOLE if isinstance(column.type, Integer) else model_document.TEXT


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
        "orders": model_document.TEXT,
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


OPERATION = "state push"
_AGAIN = "pull the state again, and edit that"

_EDITED = {"name_key"}
"""What the export leaves out, as it follows from the rest."""

_Whole = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]


class _Header(msgspec.Struct, kw_only=True):
    format_version: str
    lineage: str
    serial: Annotated[int, msgspec.Meta(ge=0)]
    created_at: _Whole
    tool_version: str


class _PushedAccounts(msgspec.Struct):
    accounts: Any


@dataclass(frozen=True, slots=True)
class Pushed:
    """A whole state, read from JSON."""

    identity: StateIdentity
    tables: Mapping[str, Sequence[msgspec.Struct]]

    def rows(self, table: Table) -> Iterator[Sequence[Any]]:
        """See ``Content``."""
        names = [each.name for each in table.columns]
        for row in self.tables.get(table.name, ()):
            yield [_value(row, name) for name in names]


def parse(text: bytes) -> Pushed:
    """The state in this JSON.

    Raises:
        StateError: it is not an export of this version, with the path of what is wrong.
    """
    header = _decoded(text, _Header)
    if header.format_version != str(FORMAT_VERSION):
        raise StateError(
            f"the file has format {header.format_version}, this version needs format {FORMAT_VERSION}",
            hint=_AGAIN,
        )
    whole = _decoded(text, _whole())
    _check_accounts(header, _decoded(text, _PushedAccounts).accounts)
    tables = {TABLE_NAMES[name]: getattr(whole, name) for name in TABLE_NAMES}
    for at, row in enumerate(tables["account"]):
        _check_desired(row, f"accounts[{at}]")
    identity = StateIdentity(lineage=header.lineage, serial=header.serial, created_at=header.created_at)
    return Pushed(identity, tables)


def push(content: Pushed, state: State, *, root: Path, now: Instant, any_serial: bool = False) -> Restored:
    """Replace the records of a state in one transaction; killed, it is as before.

    The journal goes on, and a copy of the state before is kept. ``any_serial``: even if the state has
    changed since the file was pulled.

    Raises:
        StateError: the file is of another state or out of date, or its rows contradict each other.
    """
    ours, theirs = state.meta.identity, content.identity
    if ours.lineage != theirs.lineage:
        raise StateError(
            f"the file is of another state: its lineage is {theirs.lineage}, that of this one {ours.lineage}",
            hint="pull this state and edit the result",
        )
    if theirs.serial < ours.serial and not any_serial:
        raise StateError(
            f"the state has changed since the file was pulled: it has serial {ours.serial}, "
            f"the file {theirs.serial}",
            hint="pull it again; or, to undo those changes: --force",
        )
    kept = copy_to(state, copy_path(state.location, f"before-push-{ours.serial}", root=root))
    state.refresh()
    serial = max(ours.serial, theirs.serial) + 1
    with state.transaction():
        closed = replace_records(state, content, serial=serial, now=now, actor=user())
        state.journal.add(
            OPERATION, subject=f"serial {theirs.serial}", outcome=f"pushed as serial {serial}", now=now
        )
    return Restored(
        serial=serial,
        accounts=len(state.accounts.read()),
        invitations=sum(sum(each.values()) for each in state.queue.counts().values()),
        replaced=kept,
        closed_since=closed,
    )


def _decoded(text: bytes, kind: Any) -> Any:
    try:
        return _decoded_or_problem(text, kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise StateError(f"the file is not JSON: {error}", hint=_AGAIN) from None


def _decoded_or_problem(text: bytes, kind: Any) -> Any:
    """Decode; what does not fit is named by the schema, once the whole text is known to be JSON."""
    try:
        return msgspec.json.decode(text, type=kind)
    except msgspec.ValidationError as error:
        problem = model_document.first_problem(msgspec.json.decode(text), state_schema()) or str(error)
        raise StateError(f"the file is not a state: {problem}", hint=_AGAIN) from None


def _check_accounts(header: _Header, accounts: Json) -> None:
    """Check the settings of accounts against the schema; the columns are checked already."""
    rest: dict[str, Json] = {name: [] for name in TABLE_NAMES if name != "accounts"}
    document = {**msgspec.to_builtins(header), **rest, "accounts": accounts}
    if problem := model_document.first_problem(document, state_schema()):
        raise StateError(f"the file is not a state: {problem}", hint=_AGAIN)


def _whole() -> type[msgspec.Struct]:
    """The form of an export, made from the tables."""
    header = [(each.name, each.type) for each in msgspec.structs.fields(_Header)]
    tables: list[tuple[str, Any]] = [
        (name, list[_row_struct(metadata.tables[table])])  # type: ignore[misc]
        for name, table in TABLE_NAMES.items()
    ]
    return msgspec.defstruct("State", [*header, *tables], kw_only=True, forbid_unknown_fields=True)


def _row_struct(table: Table) -> type[msgspec.Struct]:
    fields: list[Any] = []
    for each in table.columns:
        name, kind = str(each.name), _kind(table, each)
        if name not in _EDITED:
            fields.append((name, kind | None, None) if each.nullable else (name, kind))
    return msgspec.defstruct(str(table.name), fields, kw_only=True, forbid_unknown_fields=True)


def _kind(table: Table, column: Column[Any]) -> Any:
    if column.name == "desired":
        return dict[str, Any]
    if table.name in _QUEUE and column.name in _ENUMS:
        return Literal[tuple(each.value for each in _ENUMS[column.name])]
    if isinstance(column.type, OrderKey):
        return OrderId
    if isinstance(column.type, Boolean):
        return bool
    if isinstance(column.type, Float):
        return float
    return _Whole if isinstance(column.type, Integer) else str


def _value(row: msgspec.Struct, name: str) -> Any:
    if name == "name_key":
        return name_key(getattr(row, "name"))  # noqa: B009
    value = getattr(row, name)
    if name == "desired":
        return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return value


def _check_desired(row: Any, place: str) -> None:
    for name in ("name", "interface_id", "protect"):
        if row.desired[name] != getattr(row, name):
            raise StateError(
                f"the file contradicts itself: {place}.{name} is not {place}.desired.{name}",
                hint="change both, or rename an account with: ekomi-reconcile state mv",
            )
