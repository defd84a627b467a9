"""The accounts grid, and the verdicts on credentials."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from ekomi_reconcile.model.account import Json
from ekomi_reconcile.model.credentials import Checked, Credential
from ekomi_reconcile.model.instant import iso, iso_or_none
from ekomi_reconcile.model.invitation import Status
from ekomi_reconcile.render.records import ShownAccount
from ekomi_reconcile.render.style import Paint, Tone, printable
from ekomi_reconcile.render.tables import Cell, Column, Layout, Row, cell, time_cell

LAYOUT: Layout = (
    (Column("ID", right=True),),
    (Column("Name", whole=False), Column("Account name", whole=False)),
    (Column("Interface ID"), Column("Locale")),
    (Column("Total reviews", right=True), Column("Average score", right=True)),
    (Column("Invitations"), Column("Queue")),
    (Column("Updated (UTC)"), Column("Last fetched (UTC)")),
)

_TONES = {
    Credential.OK: Tone.ADD,
    Credential.WRONG: Tone.REMOVE,
    Credential.UNCHECKED: Tone.CHANGE,
    Credential.UNRESOLVED: Tone.CHANGE,
}


@dataclass(frozen=True, slots=True)
class GridRow:
    """An account and how many invitations it has in each state."""

    account: ShownAccount
    queue: Mapping[Status, int]

    @property
    def invites(self) -> bool:
        """Are its invitations enabled, as last applied?"""
        return bool(self.account.desired["invitations"]["enabled"])


def queue_json(queue: Mapping[Status, int]) -> dict[str, int]:
    """The two counters of the grid."""
    return {"total": sum(queue.values()), "pending": queue.get(Status.PENDING, 0)}


def grid_json(row: GridRow) -> dict[str, Json]:
    """One object of ``accounts list --format json``."""
    account, shop = row.account, row.account.shop
    return {
        "id": account.id,
        "name": account.name,
        "account_name": shop.account_name,
        "interface_id": account.interface_id,
        "locale": shop.locale,
        "total_reviews": shop.total_reviews,
        "average_score": shop.average_score,
        "invitations": row.invites,
        "queue": queue_json(row.queue),
        "updated_at": iso(account.updated_at),
        "last_fetched_at": iso_or_none(account.last_fetched_at),
        "last_error": account.last_error,
    }


def grid_row(row: GridRow) -> Row:
    """One line of the grid; the queue is written total/pending."""
    account, shop, queue = row.account, row.account.shop, queue_json(row.queue)
    return (
        cell(account.id),
        cell(account.name),
        cell(shop.account_name),
        cell(account.interface_id),
        cell(shop.locale),
        cell(shop.total_reviews),
        cell(shop.average_score),
        Cell("yes", Tone.ADD) if row.invites else Cell("no", Tone.FAINT),
        Cell(f"{queue['total']}/{queue['pending']}"),
        time_cell(account.updated_at),
        time_cell(account.last_fetched_at),
    )


def troubles(rows: Iterable[GridRow], paint: Paint) -> Iterator[str]:
    """One line for every account whose last call failed."""
    for row in rows:
        if row.account.last_error:
            name = printable(row.account.name)
            yield f"{paint(Tone.REMOVE, 'failed')}: {name}: {printable(row.account.last_error)}\n"


def checked_text(each: Checked, paint: Paint) -> str:
    """``Germany (28374): ok``, or what is wrong, on one line."""
    verdict = paint(_TONES[each.verdict], each.verdict.value)
    why = "" if each.message is None else f": {printable(each.message)}"
    return f"{printable(each.name)} ({each.interface_id}): {verdict}{why}\n"


def checked_json(each: Checked) -> dict[str, Json]:
    """One object of ``accounts check --format json``."""
    return {
        "account": each.name,
        "interface_id": each.interface_id,
        "result": each.verdict.name.lower(),
        "message": each.message,
        "mend": each.mend,
    }
