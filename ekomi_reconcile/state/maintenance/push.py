"""Push edited JSON back into a state."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from sqlalchemy import Boolean, Column, Float, Integer, Table

from ekomi_reconcile.model.account import Json
from ekomi_reconcile.model.document import first_problem
from ekomi_reconcile.model.errors import StateError
from ekomi_reconcile.model.instant import Instant
from ekomi_reconcile.model.invitation import Evidence, Status
from ekomi_reconcile.model.order import OrderId
from ekomi_reconcile.model.rule import Deliver
from ekomi_reconcile.model.state import Restored
from ekomi_reconcile.state.engine.location import copy_path
from ekomi_reconcile.state.engine.lock import user
from ekomi_reconcile.state.engine.metadata import FORMAT_VERSION, StateIdentity
from ekomi_reconcile.state.engine.tables import OrderKey, metadata
from ekomi_reconcile.state.maintenance.backup import copy_to
from ekomi_reconcile.state.maintenance.export import TABLE_NAMES
from ekomi_reconcile.state.maintenance.export_schema import state_schema
from ekomi_reconcile.state.maintenance.table_dump import replace_records
from ekomi_reconcile.state.repositories.accounts import name_key
from ekomi_reconcile.state.store import State

OPERATION = "state push"
_AGAIN = "pull the state again, and edit that"

_WORDS: Mapping[str, type[StrEnum]] = {
    "status": Status,
    "from_status": Status,
    "to_status": Status,
    "reached_source": Evidence,
    "channel": Deliver,
}
"""Columns of the queue that hold one of a few words."""

_QUEUE = ("invitation", "invitation_history")
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
            mend=_AGAIN,
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
            mend="pull this state, and edit that",
        )
    if theirs.serial < ours.serial and not any_serial:
        raise StateError(
            f"the state has changed since the file was pulled: it has serial {ours.serial}, "
            f"the file {theirs.serial}",
            mend="pull it again; or, to undo those changes: --force",
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
        raise StateError(f"the file is not JSON: {error}", mend=_AGAIN) from None


def _decoded_or_problem(text: bytes, kind: Any) -> Any:
    """Decode; what does not fit is named by the schema, once the whole text is known to be JSON."""
    try:
        return msgspec.json.decode(text, type=kind)
    except msgspec.ValidationError as error:
        problem = first_problem(msgspec.json.decode(text), state_schema()) or str(error)
        raise StateError(f"the file is not a state: {problem}", mend=_AGAIN) from None


def _check_accounts(header: _Header, accounts: Json) -> None:
    """Check the settings of accounts against the schema; the columns are checked already."""
    rest: dict[str, Json] = {name: [] for name in TABLE_NAMES if name != "accounts"}
    document = {**msgspec.to_builtins(header), **rest, "accounts": accounts}
    if problem := first_problem(document, state_schema()):
        raise StateError(f"the file is not a state: {problem}", mend=_AGAIN)


def _whole() -> type[msgspec.Struct]:
    """The form of an export, made from the tables."""
    header = [(each.name, each.type) for each in msgspec.structs.fields(_Header)]
    tables: list[tuple[str, Any]] = [
        (name, list[_row(metadata.tables[table])])  # type: ignore[misc]
        for name, table in TABLE_NAMES.items()
    ]
    return msgspec.defstruct("State", [*header, *tables], kw_only=True, forbid_unknown_fields=True)


def _row(table: Table) -> type[msgspec.Struct]:
    fields: list[Any] = []
    for each in table.columns:
        name, kind = str(each.name), _kind(table, each)
        if name not in _EDITED:
            fields.append((name, kind | None, None) if each.nullable else (name, kind))
    return msgspec.defstruct(str(table.name), fields, kw_only=True, forbid_unknown_fields=True)


def _kind(table: Table, column: Column[Any]) -> Any:
    if column.name == "desired":
        return dict[str, Any]
    if table.name in _QUEUE and column.name in _WORDS:
        return Literal[tuple(each.value for each in _WORDS[column.name])]
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
                mend="change both, or rename an account with: ekomi-reconcile state mv",
            )
