"""What differs from database to database, as the store needs it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import sqlite


class Dialect(Protocol):
    """One kind of database.

    ``rows_per_insert`` is how many rows one statement of ``insert_ignoring`` may take at most.
    """

    rows_per_insert: int

    def begin_writing(self, connection: Connection) -> None:
        """Let the next transaction of this connection be one that writes."""

    def begin_reading(self, connection: Connection) -> None:
        """Let the next transaction of this connection be a snapshot."""

    def insert(self, table: Table) -> sqlite.Insert:
        """An insert that knows ``on_conflict_do_update`` and ``on_conflict_do_nothing``."""

    def insert_ignoring(self, table: Table, columns: Sequence[str], rows: int) -> str:
        """SQL that inserts so many rows at once and leaves out those that break a unique index."""

    def check(self, connection: Connection) -> list[str]:
        """What is wrong with the database, in words; empty if it is sound."""

    def copy(self, connection: Connection, target: Path) -> None:
        """Write a consistent copy of the whole database into an existing file."""
