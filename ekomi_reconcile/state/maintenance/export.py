"""The whole state as JSON, and what is older than the retention period."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

from sqlalchemy import Table, delete, insert, or_, select, update

from ekomi_reconcile.model.account import Json
from ekomi_reconcile.model.errors import StateDamaged
from ekomi_reconcile.model.instant import DAY, Instant, iso
from ekomi_reconcile.model.invitation import Status
from ekomi_reconcile.state.engine.metadata import MetaStore
from ekomi_reconcile.state.engine.session import ROWS_PER_PAGE
from ekomi_reconcile.state.engine.tables import (
    api_error,
    invitation,
    invitation_history,
    journal,
    meta,
    metadata,
    observation,
    review,
)
from ekomi_reconcile.state.repositories.journal import JournalStore

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


OPERATION = "privacy retention"

_PRUNED = "pruned_before"
_OPEN = (Status.PENDING.value, Status.SENDING.value)
_REMOVED = ("store_view", "link", "reason", "customer")


@dataclass(frozen=True, slots=True, kw_only=True)
class PruneCounts:
    """What was forgotten; ``reduced`` invitations keep ids, status and times."""

    reviews: int = 0
    errors: int = 0
    journal: int = 0
    changes: int = 0
    observations: int = 0
    reduced: int = 0

    @property
    def total(self) -> int:
        """How many rows were concerned."""
        return sum(getattr(self, each.name) for each in fields(self))

    def __str__(self) -> str:
        shown = {each.name: getattr(self, each.name) for each in fields(self)}
        return ", ".join(f"{count} {name}" for name, count in shown.items() if count)


class RetentionStore(JournalStore):
    """Pruning."""

    def prune(self, before: Instant, now: Instant) -> PruneCounts:
        """Delete reviews, logs and histories from before, and reduce invitations that ended before.

        An invitation keeps what is needed never to ask twice: ids, status and times. What is open stays.
        At most once a day something is done, and what was done is journaled.
        """
        with self._joined():
            last = self._execute(select(meta.c.value).where(meta.c.key == _PRUNED)).scalar()
            if last is not None and int(last) <= before < int(last) + DAY:
                return PruneCounts()
            self._remember(before, known=last is not None)
            counts = PruneCounts(
                reviews=self._delete(review, review.c.submitted_at < before),
                errors=self._delete(api_error, api_error.c.at < before),
                journal=self._delete(journal, journal.c.at < before),
                changes=self._delete(invitation_history, invitation_history.c.at < before),
                observations=self._delete(observation, observation.c.since < before),
                reduced=self._reduce(before),
            )
            if counts.total:
                self.journal(OPERATION, subject=f"before {iso(before)}", outcome=str(counts), now=now)
        return counts

    def _delete(self, table: Any, old: Any) -> int:
        return self._execute(delete(table).where(old)).rowcount

    def _reduce(self, before: Instant) -> int:
        holds = or_(*(invitation.c[name].is_not(None) for name in _REMOVED))
        ended = invitation.c.status.not_in(_OPEN) & (invitation.c.changed_at < before)
        values = dict.fromkeys(_REMOVED)
        return self._execute(update(invitation).where(ended, holds).values(values)).rowcount

    def _remember(self, before: Instant, *, known: bool) -> None:
        mine = update(meta).where(meta.c.key == _PRUNED).values(value=str(before))
        self._execute(mine if known else insert(meta).values(key=_PRUNED, value=str(before)))
