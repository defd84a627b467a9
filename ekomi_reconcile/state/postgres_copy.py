"""A copy of a state on PostgreSQL of whatever format, before it is brought to another one.

It is a file state with every table and row as they stand, but without indexes: to be restored from by a
version that knows the format, not to be worked with.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

from sqlalchemy import ARRAY, Column, Connection, Integer, MetaData, Table, Text, insert, select
from sqlalchemy.types import TypeEngine

from ekomi_reconcile.state import sqlite
from ekomi_reconcile.state.backup import free_name, whole_file
from ekomi_reconcile.state.session import ROWS_PER_PAGE


def copy_as_it_stands(connection: Connection, wanted: Collection[str], *, target: Path) -> Path:
    """Write the copy within the open transaction, until whose end nobody else writes the tables.

    ``wanted`` are our tables, as far as they are there: others in the same schema are left alone.

    Returns its path: ``target``, or with a number where that is taken. Raises ``StateError`` if it cannot
    be written; then nothing is left behind.
    """
    found = MetaData()
    found.reflect(connection, only=lambda name, _: name in wanted, resolve_fks=False)
    tables = found.sorted_tables
    names = ", ".join(f'"{each.name}"' for each in tables)
    connection.exec_driver_sql(f"LOCK TABLE {names} IN SHARE MODE")
    path = free_name(target)
    with whole_file(path) as draft, sqlite.connect_draft(draft).begin() as copy:
        sqlite.sign(copy)
        for table in tables:
            _copy(table, connection, copy)
    return path


def _copy(table: Table, connection: Connection, copy: Connection) -> None:
    key = list(table.primary_key)
    numbered = len(key) == 1 and isinstance(key[0].type, Integer)
    columns = [
        Column(
            each.name,
            Integer() if numbered and each is key[0] else _plain(each.type),
            primary_key=each.primary_key,
            nullable=each.nullable,
        )
        for each in table.columns
    ]
    new = Table(table.name, MetaData(), *columns, sqlite_autoincrement=numbered)
    new.create(copy)
    if any(isinstance(each.type, ARRAY) for each in table.columns):
        return  # only what runners tell each other from second to second
    rows = connection.execute(select(table).order_by(*key), execution_options={"yield_per": ROWS_PER_PAGE})
    for page in rows.mappings().partitions():
        copy.execute(insert(new), [dict(row) for row in page])


def _plain(kind: TypeEngine[Any]) -> TypeEngine[Any]:
    return Text() if isinstance(kind, ARRAY) else kind.as_generic()
