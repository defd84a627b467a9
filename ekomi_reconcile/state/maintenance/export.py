"""The whole state as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from sqlalchemy import Table, select

from ekomi_reconcile.model.account import Json
from ekomi_reconcile.state.engine.session import Session
from ekomi_reconcile.state.engine.tables import metadata
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
            yield _plain(dict(row))


def _plain(row: dict[str, Any]) -> dict[str, Json]:
    row.pop("name_key", None)
    if "desired" in row:
        row["desired"] = json.loads(row["desired"])
    return row
