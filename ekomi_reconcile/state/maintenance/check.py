"""Check that a state is sound: the database and what its rows contain."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    Integer,
    Table,
    false,
    func,
    literal,
    or_,
    select,
    type_coerce,
)
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.types import NullType

from ekomi_reconcile.model.errors import StateDamaged
from ekomi_reconcile.model.invitation import Evidence, Status
from ekomi_reconcile.model.rule import Deliver
from ekomi_reconcile.state import read_settings
from ekomi_reconcile.state.engine.location import FileLocation
from ekomi_reconcile.state.engine.tables import TABLES, account, invitation, invitation_history
from ekomi_reconcile.state.opening import Mode, open_state
from ekomi_reconcile.state.store import State

SHOWN = 20
"""How many damaged values of a table are named; the rest is counted."""

_WORDS: dict[Column[Any], type[StrEnum]] = {
    invitation.c.status: Status,
    invitation.c.reached_source: Evidence,
    invitation.c.channel: Deliver,
    invitation_history.c.from_status: Status,
    invitation_history.c.to_status: Status,
}
_INSTANTS = ("at", "since", "order_date", "lease_until")
_EARLIEST, _LATEST = -62_135_596_800, 253_402_300_799
"""The years 1 and 9999 in seconds of the epoch."""


@dataclass(frozen=True, slots=True)
class DamagedValue:
    """A value that cannot be read: in which row (by its key) and column, and what is wrong with it."""

    table: str
    row: str
    column: str
    problem: str

    def __str__(self) -> str:
        return f"{self.table} {self.row}: column {self.column} {self.problem}"


def check_state(state: State) -> list[str]:
    """What is wrong with a state, in words; empty if it is sound. Reads everything."""
    return check_database(state) or damaged_values(state)


def check_database(state: State) -> list[str]:
    """What is wrong with the stored data, in words; empty if it is sound. Reads everything."""
    try:
        return state.session.dialect.check(state.session.connection)
    except StateDamaged as error:
        return [error.message]


def damaged_values(state: State) -> list[str]:
    """Every value that cannot be read, by table, row and column, in words. Reads everything."""
    found = []
    for table in TABLES:
        try:
            damages = list(_damages(state, table))
        except StateDamaged as error:
            found.append(f"{table.name}: {error.message}")
            continue
        found += [str(each) for each in damages[:SHOWN]]
        if len(damages) > SHOWN:
            found.append(f"{table.name}: {len(damages) - SHOWN} more damaged values")
    return found


def explained_by_damage(location: str, *, root: Path) -> StateDamaged | None:
    """The error that names what cannot be read in the state there; ``None`` if it is sound.

    Raises:
        StateError: it cannot even be opened.
    """
    with open_state(location, root=root, mode=Mode.READ, accept_lost=True) as state:
        problems = check_state(state)
    if not problems:
        return None
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return StateDamaged(
        f"the state is damaged: {problems[0]}{more}",
        hint="list all damage: ekomi-reconcile state check; then restore a backup: "
        "ekomi-reconcile state restore FILE",
    )


def _undecodable(state: State, table: Table) -> list[tuple[str, Sequence[Any]]]:
    """Texts of this table that are not UTF-8: the column, and the key of the row."""
    return state.session.dialect.undecodable(state.session.connection, table)


def _damages(state: State, table: Table) -> Iterator[DamagedValue]:
    """Only rows with something wrong leave the database, but for the settings of accounts."""
    typed = isinstance(state.location, FileLocation)
    for name, key in _undecodable(state, table):
        yield DamagedValue(table.name, _name(table, key), name, "is not UTF-8")
    wrong = {each: _wrong(each, typed=typed) for each in table.columns}
    keys = [_raw(each) for each in table.primary_key]
    flags = [condition.label(f"wrong_{each.name}") for each, condition in wrong.items()]
    statement = select(*keys, *flags).where(or_(*wrong.values()))
    for row in state.session.rows(statement):
        name = _name(table, row[: len(keys)])
        for each, flag in zip(table.columns, row[len(keys) :], strict=True):
            if flag:
                yield DamagedValue(table.name, name, each.name, _problem(each))
    if table is account:
        yield from _settings(state)


def _settings(state: State) -> Iterator[DamagedValue]:
    if any(name == account.c.desired.name for name, _ in _undecodable(state, account)):
        return
    columns = (account.c.id, account.c.interface_id, account.c.desired)
    for key, interface_id, text in state.session.rows(select(*map(_raw, columns))):
        _, problem = read_settings(text)
        if problem is not None and isinstance(text, str):
            name = f"{_name(account, (key,))} (interface id {interface_id})"
            yield DamagedValue(account.name, name, account.c.desired.name, problem)


def _wrong(column: Column[Any], *, typed: bool) -> ColumnElement[bool]:
    """When is a value of this column not what it promises? SQLite keeps any kind of value anywhere."""
    conditions: list[ColumnElement[bool]] = []
    if typed:
        kind = func.typeof(_raw(column))
        conditions.append(kind.not_in([*_kinds(column), "null"]))
        if not column.nullable:
            conditions.append(kind == "null")
        if isinstance(column.type, Boolean):
            conditions.append(_raw(column).not_in([literal(0), literal(1)]))
    if _is_instant(column):
        conditions.append(or_(_raw(column) < literal(_EARLIEST), _raw(column) > literal(_LATEST)))
    if column in _WORDS:
        conditions.append(_raw(column).not_in([literal(each.value) for each in _WORDS[column]]))
    return func.coalesce(or_(false(), *conditions), false())


def _kinds(column: Column[Any]) -> tuple[str, ...]:
    if isinstance(column.type, Float):
        return ("real", "integer")
    return ("integer",) if isinstance(column.type, Boolean | Integer) else ("text",)


def _is_instant(column: Column[Any]) -> bool:
    named = column.name in _INSTANTS or column.name.endswith("_at")
    return named and isinstance(column.type, BigInteger)


def _problem(column: Column[Any]) -> str:
    if column in _WORDS:
        return f"is none of {', '.join(each.value for each in _WORDS[column])}"
    if _is_instant(column):
        return "is not a time"
    if isinstance(column.type, Boolean):
        return "is neither true nor false"
    return "is not a number" if _kinds(column) != ("text",) else "is not text"


def _raw(column: Column[Any]) -> ColumnElement[Any]:
    """The value as it is in the database, whatever the column promises."""
    return type_coerce(column, NullType())


def _name(table: Table, key: Any) -> str:
    if len(key) == 1:
        return f"row {key[0]}"
    return "row " + ", ".join(
        f"{each.name} {value}" for each, value in zip(table.primary_key, key, strict=True)
    )
