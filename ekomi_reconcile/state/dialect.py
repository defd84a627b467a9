"""What differs from database to database, as the store needs it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from sqlalchemy import Connection, Table

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql, sqlite


class Dialect(Protocol):
    """One kind of database.

    ``rows_per_insert`` is how many rows ``insert_rows`` may take at most.
    """

    rows_per_insert: int

    def begin_writing(self, connection: Connection) -> None:
        """Let the next transaction of this connection be one that writes."""

    def begin_reading(self, connection: Connection) -> None:
        """Let the next transaction of this connection be a snapshot."""

    def insert(self, table: Table) -> sqlite.Insert | postgresql.Insert:
        """An insert that knows ``on_conflict_do_update`` and ``on_conflict_do_nothing``."""

    def insert_rows(
        self, connection: Connection, table: Table, columns: Sequence[str], rows: Sequence[Sequence[Any]]
    ) -> int:
        """Insert rows at once, without those that break a unique index; how many there were."""

    def drops_index(self, *, new: int, existing: int) -> bool:
        """Is it better to make an index anew than to keep it while so many rows are inserted?"""

    def learn(self, connection: Connection, table: Table) -> None:
        """Let the database look at a table that has become another, so that it searches it well."""

    def check(self, connection: Connection) -> list[str]:
        """What is wrong with the database, in words; empty if it is sound."""

    def undecodable(self, connection: Connection, table: Table) -> list[tuple[str, Sequence[Any]]]:
        """Texts of a table that are not UTF-8: the column, and the key of the row."""

    def copy(self, connection: Connection, target: Path) -> None:
        """Write a consistent copy of the whole database into an existing file."""
