"""The whole state as JSON-able data: stable order, a piece at a time, no secrets."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from sqlalchemy import Table, select

from ekomi_reconcile.errors import StateDamaged
from ekomi_reconcile.model.account import Json
from ekomi_reconcile.state.meta import MetaStore
from ekomi_reconcile.state.session import ROWS_PER_PAGE
from ekomi_reconcile.state.tables import metadata

TABLE_NAMES = {
    "accounts": "account",
    "positions": "position",
    "observations": "observation",
    "invitations": "invitation",
    "invitation_history": "invitation_history",
    "reviews": "review",
    "erased_reviews": "erased_review",
    "journal": "journal",
    "api_errors": "api_error",
}
"""How the export calls the tables."""


class ExportStore(MetaStore):
    """``state pull``, and whether the state is sound."""

    def export(self) -> dict[str, Json]:
        """Everything at once; see ``export_header`` and ``export_tables`` for a large state."""
        return self.export_header() | {name: list(rows) for name, rows in self.export_tables()}

    def export_header(self) -> dict[str, Json]:
        """What identifies this state."""
        meta = self.meta
        return {
            "format_version": str(meta.format_version),
            "lineage": meta.lineage,
            "serial": meta.serial,
            "created_at": meta.created_at,
            "tool_version": meta.tool_version,
        }

    def export_tables(self) -> Iterator[tuple[str, Iterator[dict[str, Json]]]]:
        """Name and rows of every table, each ordered by its key; read one to its end before the next."""
        for name, table in TABLE_NAMES.items():
            yield name, self._export(metadata.tables[table])

    def check(self) -> list[str]:
        """What is wrong with the stored data, in words; empty if it is sound. Reads everything."""
        try:
            return self._dialect.check(self._connection)
        except StateDamaged as error:
            return [error.message]

    def _export(self, table: Table) -> Iterator[dict[str, Json]]:
        statement = select(table).order_by(*table.primary_key)
        with self._connection.execute(statement, execution_options={"yield_per": ROWS_PER_PAGE}) as rows:
            for row in rows.mappings():
                yield _plain(dict(row))


def _plain(row: dict[str, Any]) -> dict[str, Json]:
    row.pop("name_key", None)
    if "desired" in row:
        row["desired"] = json.loads(row["desired"])
    return row
