"""The list of failed calls to eKomi."""

from __future__ import annotations

from dataclasses import dataclass

from ekomi_reconcile.model.account import Json
from ekomi_reconcile.model.instant import iso
from ekomi_reconcile.render.records import ShownError
from ekomi_reconcile.render.style import Tone
from ekomi_reconcile.render.tables import Cell, Column, Layout, Row, cell, time_cell

LAYOUT: Layout = (
    (Column("At (UTC)"),),
    (Column("Account", whole=False), Column("Operation", whole=False)),
    (Column("Kind"), Column("HTTP")),
    (Column("Message", whole=False),),
)


@dataclass(frozen=True, slots=True)
class ListedError:
    """A failed call and the name of its account, if it had one."""

    account: str | None
    error: ShownError


def error_json(each: ListedError) -> dict[str, Json]:
    """One object of ``errors --format json``."""
    error = each.error
    return {
        "at": iso(error.at),
        "account": each.account,
        "interface_id": error.interface_id,
        "operation": error.operation,
        "kind": error.kind,
        "http_status": error.http_status,
        "message": error.message,
    }


def error_row(each: ListedError) -> Row:
    """One line of the list."""
    error = each.error
    return (
        time_cell(error.at),
        cell(each.account),
        cell(error.operation),
        Cell(error.kind, Tone.REMOVE),
        cell(error.http_status),
        cell(error.message),
    )
