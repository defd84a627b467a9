"""What no copy of the state may undo: who was asked is not asked again, what was forgotten stays forgotten.

A copy knows nothing of what was sent or erased after it. So before its rows replace the present ones, those
are set aside that end the matter of an order; afterwards the ones that the copy does not have are put back.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import column, exists, insert, select, table, text, update

from ekomi_reconcile.model.instant import Instant
from ekomi_reconcile.model.invitation import BLOCKING, Status
from ekomi_reconcile.state.content import RECORDS, Content, ContentStore
from ekomi_reconcile.state.erased import ErasedReviewStore
from ekomi_reconcile.state.history import HistoryStore
from ekomi_reconcile.state.session import chunks
from ekomi_reconcile.state.tables import account, erased_review, invitation

CLOSED_SINCE = "closed since the copy was made"
"""The detail of what is put back, and the reason of a row that has to give way to it."""

_CLOSED = sorted(each.value for each in BLOCKING)
_COLUMNS = [each.name for each in invitation.columns if each.name not in ("id", "account_id")]
_ASIDE = table(
    "closed_aside", *(column(name, invitation.c[name].type) for name in _COLUMNS), column("interface_id")
)
_SET_ASIDE = text(
    "CREATE TEMPORARY TABLE closed_aside AS "  # noqa: S608
    f"SELECT {', '.join(f'invitation.{name}' for name in _COLUMNS)}, account.interface_id "
    "FROM invitation JOIN account ON account.id = invitation.account_id "
    f"WHERE invitation.status IN ({', '.join(map(repr, _CLOSED))}) OR invitation.customer IS NULL"
)
_FIND_AGAIN = text("CREATE INDEX closed_aside_order ON closed_aside (source, order_id)")
_DROP = text("DROP TABLE closed_aside")
_IS_CLOSED = exists().where(
    invitation.c.source == _ASIDE.c.source,
    invitation.c.order_id == _ASIDE.c.order_id,
    invitation.c.status.in_(_CLOSED),
)


_LACKING = (
    select(_ASIDE)
    .where(_ASIDE.c.status.in_(_CLOSED), ~_IS_CLOSED)
    .order_by(_ASIDE.c.source, _ASIDE.c.order_id)
)
_ERASED = select(account.c.interface_id, erased_review.c.order_id).join_from(erased_review, account)
_WAS_FORGOTTEN = exists().where(
    _ASIDE.c.source == invitation.c.source,
    _ASIDE.c.order_id == invitation.c.order_id,
    _ASIDE.c.interface_id == account.c.interface_id,
    account.c.id == invitation.c.account_id,
    _ASIDE.c.customer.is_(None),
)


class ClosedStore(ContentStore, ErasedReviewStore, HistoryStore):
    """Replacing the records of a living state."""

    def replace_records(self, source: Content, *, serial: int, now: Instant, actor: str) -> int:
        """Hold the records of ``source``, but keep the journal and every order closed that is closed now.

        All of it, or on an error nothing. Returns how many invitations were closed since ``source``.

        Raises:
            StateError: its rows contradict each other.
        """
        with self._joined():
            accounts = {row["interface_id"]: dict(row) for row in self._execute(select(account)).mappings()}
            erased = self._rows(_ERASED)
            self._execute(_SET_ASIDE)
            self._execute(_FIND_AGAIN)
            self.replace_content(source, serial=serial, tables=RECORDS)
            kept = self._rows(_LACKING)
            for rows in chunks(kept):
                self._put_back(rows, self._owners(rows, accounts, now), now=now, actor=actor)
            self._forget_again(erased, now=now)
            self._execute(_DROP)
        return len(kept)

    def _forget_again(self, erased: Sequence[Any], *, now: Instant) -> None:
        """What was erased since the copy was made goes once more."""
        forgotten = update(invitation).where(invitation.c.customer.is_not(None), _WAS_FORGOTTEN)
        self._execute(forgotten.values(customer=None, link=None, reason=None))
        owners = {interface_id: key for key, interface_id in self._names().items()}
        known = [(owners[row.interface_id], row.order_id) for row in erased if row.interface_id in owners]
        self.erase_reviews(known, now=now)

    def _owners(self, rows: Sequence[Any], accounts: Mapping[str, Any], now: Instant) -> dict[str, int]:
        """The ids of the accounts of these rows; one that the copy does not know comes back as deleted."""
        owners = {interface_id: key for key, interface_id in self._names().items()}
        for interface_id in sorted({row.interface_id for row in rows} - set(owners)):
            values = {name: value for name, value in accounts[interface_id].items() if name != "id"}
            values["deleted_at"] = values["deleted_at"] or now
            made = self._execute(insert(account).values(values).returning(account.c.id))
            owners[interface_id] = int(made.scalar_one())
            self._forget_accounts()
        return owners

    def _put_back(self, rows: Sequence[Any], owners: Mapping[str, int], *, now: Instant, actor: str) -> None:
        wanted = {(row.source, row.order_id): row for row in rows}
        found = list(self._present(wanted))
        mine = {
            key: row
            for row in found
            if (key := (row.source, row.order_id)) in wanted
            and row.account_id == owners[wanted[key].interface_id]
        }
        others = [row for row in found if mine.get((row.source, row.order_id)) is not row]
        self._give_way(others, now=now, actor=actor)
        for key, row in wanted.items():
            self._close(row, mine.get(key), owners[row.interface_id], now=now, actor=actor)

    def _present(self, wanted: Mapping[tuple[str, int], Any]) -> Iterator[Any]:
        """The rows of these orders; none of them is closed."""
        of_orders = select(invitation).where(
            invitation.c.source.in_({source for source, _ in wanted}),
            invitation.c.order_id.in_([order_id for _, order_id in wanted]),
        )
        return (row for row in self._rows(of_orders) if (row.source, row.order_id) in wanted)

    def _give_way(self, rows: Sequence[Any], *, now: Instant, actor: str) -> None:
        """Of an order that another account has closed, nothing stays pending."""
        ids = [row.id for row in rows if row.status == Status.PENDING.value]
        if not ids:
            return
        values = {"status": Status.CANCELLED.value, "reason": CLOSED_SINCE, "changed_at": now}
        self._execute(update(invitation).where(invitation.c.id.in_(ids)).values(values))
        self._record_changes(ids, Status.PENDING, Status.CANCELLED, at=now, actor=actor, detail=CLOSED_SINCE)

    def _close(self, row: Any, known: Any, owner: int, *, now: Instant, actor: str) -> None:
        values = {name: getattr(row, name) for name in _COLUMNS} | {"account_id": owner}
        if known is None:
            made = self._execute(insert(invitation).values(values).returning(invitation.c.id))
            key, before = int(made.scalar_one()), Status.PENDING
        else:
            self._execute(update(invitation).where(invitation.c.id == known.id).values(values))
            key, before = known.id, Status(known.status)
        self._record_changes([key], before, Status(row.status), at=now, actor=actor, detail=CLOSED_SINCE)
