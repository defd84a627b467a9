"""Everything a state holds, as rows of its tables: what restoring, pushing and moving have in common."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec
from sqlalchemy import Connection, Select, Table, delete, exists, func, literal, select

from ekomi_reconcile.errors import StateError
from ekomi_reconcile.model.instant import Instant
from ekomi_reconcile.state.described import KEY_CHECK
from ekomi_reconcile.state.meta import MetaStore, read_meta
from ekomi_reconcile.state.session import ROWS_PER_PAGE, chunks
from ekomi_reconcile.state.tables import journal, meta, metadata, turn

TABLES: tuple[Table, ...] = tuple(each for each in metadata.sorted_tables if each not in (meta, turn))
"""What is copied, referred to before referring: all but the state's own data and what runners share."""

RECORDS: tuple[Table, ...] = tuple(each for each in TABLES if each is not journal)
"""What restoring replaces. The journal tells what was done, which no copy can undo."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Which state this is, and in which version; ``key_check`` tells the key of its digests."""

    lineage: str
    serial: int
    created_at: Instant
    key_check: str | None = None


@dataclass(frozen=True, slots=True)
class TableDigest:
    """How many rows a table has, and the SHA-256 of all of them in the order of their keys."""

    rows: int
    digest: str


class Content(Protocol):
    """A whole state to be copied from."""

    @property
    def identity(self) -> Identity:
        """Which state it is."""

    def rows(self, table: Table) -> Iterable[Sequence[Any]]:
        """The rows of a table: the values of its columns, in their order."""


class ContentStore(MetaStore):
    """Reading and replacing whole tables."""

    @property
    def identity(self) -> Identity:
        """Which state this is."""
        known = self.meta
        return Identity(
            lineage=known.lineage,
            serial=known.serial,
            created_at=known.created_at,
            key_check=read_meta(self._connection).get(KEY_CHECK),
        )

    def rows(self, table: Table) -> Iterator[Sequence[Any]]:
        """The rows of a table by its key, a page at a time; read to the end before anything else."""
        statement = select(table).order_by(*table.primary_key)
        with self._connection.execute(statement, execution_options={"yield_per": ROWS_PER_PAGE}) as rows:
            yield from rows

    def is_unused(self) -> bool:
        """Was nothing ever recorded? Such a state counts as none."""
        return unused(self._connection)

    def rows_of_statement(self, statement: Select[Any]) -> Sequence[Any]:
        """All rows that this finds."""
        return self._rows(statement)

    def undecodable(self, table: Table) -> list[tuple[str, Sequence[Any]]]:
        """Texts of this table that are not UTF-8: the column, and the key of the row."""
        return self._dialect.undecodable(self._connection, table)

    def digests(self) -> dict[str, TableDigest]:
        """Every table that is copied, by name. Reads everything."""
        return {each.name: _digest(self.rows(each)) for each in TABLES}

    def replace_content(self, source: Content, *, serial: int, tables: Sequence[Table] = TABLES) -> None:
        """Hold what ``source`` holds, under its identity and this serial: all of it, or on an error nothing.

        Raises:
            StateError: its rows contradict each other.
        """
        with self._joined():
            for table in reversed(tables):
                self._execute(delete(table))
            for table in tables:
                self._fill(table, source.rows(table))
            self._continue_ids(tables)
            self._take_identity(source.identity, serial)
            self._forget_accounts()

    def copy_content(self, source: ContentStore, *, serial: int) -> dict[str, TableDigest]:
        """Hold what ``source`` holds, and read every row back to compare it; the tables.

        Raises:
            StateError: something is not the same.
        """
        with self._joined():
            self.replace_content(source, serial=serial)
            copied, expected = self.digests(), source.digests()
            if wrong := [name for name in expected if copied.get(name) != expected[name]]:
                raise StateError(
                    f"the copy is not the same as the state: {', '.join(wrong)} differ",
                    mend="nothing was copied; run it again while nobody writes",
                )
        return copied

    def _fill(self, table: Table, rows: Iterable[Sequence[Any]]) -> None:
        columns = [each.name for each in table.columns]
        for chunk in chunks(rows):
            if self._insert_rows(table, columns, chunk) < len(chunk):
                raise StateError(
                    f"two rows of {table.name} contradict each other: they are of the same key or order",
                    mend="nothing was changed; is the copy whole, and was it edited?",
                )

    def _continue_ids(self, tables: Sequence[Table]) -> None:
        """New rows go on after the last id; SQLite sees to that itself."""
        if self._connection.dialect.name != "postgresql":
            return
        for table in tables:
            if table.autoincrement_column is not None:
                key = table.autoincrement_column
                sequence = func.pg_get_serial_sequence(f'"{table.name}"', key.name)
                last = select(func.coalesce(func.max(key), 0) + 1).scalar_subquery()
                self._execute(
                    select(func.setval(sequence, func.greatest(func.nextval(sequence), last), False))  # noqa: FBT003
                )

    def _take_identity(self, identity: Identity, serial: int) -> None:
        values = {"lineage": identity.lineage, "created_at": str(identity.created_at), "serial": str(serial)}
        if identity.key_check is not None:
            values[KEY_CHECK] = identity.key_check
        insert = self._dialect.insert(meta)
        statement = insert.on_conflict_do_update(
            index_elements=["key"], set_={"value": insert.excluded["value"]}
        )
        self._execute(statement, [{"key": key, "value": value} for key, value in values.items()])


def unused(connection: Connection) -> bool:
    """Was nothing ever recorded in this state of the present format? Then making it was not finished."""
    serial = connection.execute(select(meta.c.value).where(meta.c.key == "serial")).scalar()
    if serial != "0":
        return False
    anything = (exists(select(literal(1)).select_from(each)) for each in TABLES)
    return not any(connection.execute(select(each)).scalar() for each in anything)


def _digest(rows: Iterable[Sequence[Any]]) -> TableDigest:
    """The one character that not every database can hold counts as its replacement."""
    count, digest, encode = 0, hashlib.sha256(), msgspec.json.encode
    for row in rows:
        count += 1
        digest.update(encode(tuple(row)).replace(b"\\u0000", "\ufffd".encode()) + b"\n")
    return TableDigest(count, f"sha256:{digest.hexdigest()}")
