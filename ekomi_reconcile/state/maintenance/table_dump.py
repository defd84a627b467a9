"""Every row of a state's tables, and what no copy may undo.

A copy knows nothing of what was sent or erased after it. So before its rows replace the present ones, those
are set aside that settle an order; afterwards the ones that the copy does not have are put back.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import msgspec
from sqlalchemy import Table, column, delete, exists, func, insert, select, table, text, update

from ekomi_reconcile.model.errors import StateError
from ekomi_reconcile.model.instant import Instant
from ekomi_reconcile.model.invitation import BLOCKING, Status
from ekomi_reconcile.model.run import TableDigest
from ekomi_reconcile.state import StateIdentity
from ekomi_reconcile.state.engine.session import Repository, Session, chunks
from ekomi_reconcile.state.engine.tables import TABLES, account, erased_review, invitation, journal
from ekomi_reconcile.state.repositories.invitations import record_changes
from ekomi_reconcile.state.repositories.reviews import erase_reviews
from ekomi_reconcile.state.store import State

RECORDS: tuple[Table, ...] = tuple(each for each in TABLES if each is not journal)
"""What restoring replaces. The journal records what was done, which no copy can undo."""


class Content(Protocol):
    """A whole state to be copied from."""

    @property
    def identity(self) -> StateIdentity:
        """Which state it is."""

    def rows(self, table: Table) -> Iterable[Sequence[Any]]:
        """The rows of a table: the values of its columns, in their order."""


@dataclass(frozen=True, slots=True)
class StoredContent:
    """All of a state, as another one takes it over."""

    state: State

    @property
    def identity(self) -> StateIdentity:
        """Which state it is."""
        return self.state.meta.identity

    def rows(self, table: Table) -> Iterator[Sequence[Any]]:
        """The rows of a table by its key, a page at a time; read to the end before anything else."""
        with self.state.session.stream(select(table).order_by(*table.primary_key)) as rows:
            yield from rows

    def digests(self) -> dict[str, TableDigest]:
        """Every table that is copied, by name. Reads everything."""
        return {each.name: _digest(self.rows(each)) for each in TABLES}


def replace_content(state: State, source: Content, *, serial: int, tables: Sequence[Table] = TABLES) -> None:
    """Hold what ``source`` holds, under its identity and this serial: all of it, or on an error nothing.

    Raises:
        StateError: its rows contradict each other.
    """
    session = state.session
    with session.joined():
        for table in reversed(tables):
            session.execute(delete(table))
        for table in tables:
            _fill(session, table, source.rows(table))
        _continue_ids(session, tables)
        state.meta.take_identity(source.identity, serial)
        session.account_keys.forget()


def copy_content(state: State, source: State, *, serial: int) -> dict[str, TableDigest]:
    """Hold what ``source`` holds, and read every row back to compare it; the tables.

    Raises:
        StateError: something is not the same.
    """
    content = StoredContent(source)
    with state.session.joined():
        replace_content(state, content, serial=serial)
        copied, expected = StoredContent(state).digests(), content.digests()
        if wrong := [name for name in expected if copied.get(name) != expected[name]]:
            raise StateError(
                f"the copy is not the same as the state: {', '.join(wrong)} differ",
                hint="nothing was copied; run it again when no other process writes",
            )
    return copied


def _fill(session: Session, table: Table, rows: Iterable[Sequence[Any]]) -> None:
    columns = [each.name for each in table.columns]
    for chunk in chunks(rows):
        if session.insert_rows(table, columns, chunk) < len(chunk):
            raise StateError(
                f"duplicate rows in {table.name}: they have the same key or order",
                hint="nothing was changed; check that the copy is complete and was not edited",
            )


def _continue_ids(session: Session, tables: Sequence[Table]) -> None:
    """New rows go on after the last id; SQLite sees to that itself."""
    if session.connection.dialect.name != "postgresql":
        return
    for each in tables:
        if each.autoincrement_column is not None:
            key = each.autoincrement_column
            sequence = func.pg_get_serial_sequence(f'"{each.name}"', key.name)
            last = select(func.coalesce(func.max(key), 0) + 1).scalar_subquery()
            session.execute(
                select(func.setval(sequence, func.greatest(func.nextval(sequence), last), False))  # noqa: FBT003
            )


def _digest(rows: Iterable[Sequence[Any]]) -> TableDigest:
    """The one character that not every database can hold counts as its replacement."""
    count, digest, encode = 0, hashlib.sha256(), msgspec.json.encode
    for row in rows:
        count += 1
        digest.update(encode(tuple(row)).replace(b"\\u0000", "\ufffd".encode()) + b"\n")
    return TableDigest(count, f"sha256:{digest.hexdigest()}")


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


def replace_records(state: State, source: Content, *, serial: int, now: Instant, actor: str) -> int:
    """Hold the records of ``source``, but keep the journal and every order closed that is closed now.

    All of it, or on an error nothing. Returns how many invitations were closed since ``source``.

    Raises:
        StateError: its rows contradict each other.
    """
    closed = _ClosedOrders(state.session, now=now, actor=actor)
    return closed.kept_while(partial(replace_content, state, source, serial=serial, tables=RECORDS))


class _ClosedOrders(Repository):
    """Keeping orders closed while the records of a living state are replaced."""

    def __init__(self, session: Session, *, now: Instant, actor: str) -> None:
        super().__init__(session)
        self._now = now
        self._actor = actor

    def kept_while(self, replace: Callable[[], None]) -> int:
        """Replace the records; how many orders were closed that are not closed in the new ones."""
        with self._session.joined():
            accounts = {
                row["interface_id"]: dict(row) for row in self._session.execute(select(account)).mappings()
            }
            erased = self._session.rows(_ERASED)
            self._session.execute(_SET_ASIDE)
            self._session.execute(_FIND_AGAIN)
            replace()
            kept = self._session.rows(_LACKING)
            for rows in chunks(kept):
                self._put_back(rows, self._owners(rows, accounts))
            self._forget_again(erased)
            self._session.execute(_DROP)
        return len(kept)

    def _forget_again(self, erased: Sequence[Any]) -> None:
        """What was erased since the copy was made is erased again."""
        forgotten = update(invitation).where(invitation.c.customer.is_not(None), _WAS_FORGOTTEN)
        self._session.execute(forgotten.values(customer=None, link=None, reason=None))
        owners = {interface_id: key for key, interface_id in self._keys.names().items()}
        known = [(owners[row.interface_id], row.order_id) for row in erased if row.interface_id in owners]
        erase_reviews(self._session, known, now=self._now)

    def _owners(self, rows: Sequence[Any], accounts: Mapping[str, Any]) -> dict[str, int]:
        """The ids of the accounts of these rows; one that the copy does not know comes back as deleted."""
        owners = {interface_id: key for key, interface_id in self._keys.names().items()}
        for interface_id in sorted({row.interface_id for row in rows} - set(owners)):
            values = {name: value for name, value in accounts[interface_id].items() if name != "id"}
            values["deleted_at"] = values["deleted_at"] or self._now
            made = self._session.execute(insert(account).values(values).returning(account.c.id))
            owners[interface_id] = int(made.scalar_one())
            self._keys.forget()
        return owners

    def _put_back(self, rows: Sequence[Any], owners: Mapping[str, int]) -> None:
        wanted = {(row.source, row.order_id): row for row in rows}
        found = list(self._present(wanted))
        mine = {
            key: row
            for row in found
            if (key := (row.source, row.order_id)) in wanted
            and row.account_id == owners[wanted[key].interface_id]
        }
        others = [row for row in found if mine.get((row.source, row.order_id)) is not row]
        self._give_way(others)
        for key, row in wanted.items():
            self._close(row, mine.get(key), owners[row.interface_id])

    def _present(self, wanted: Mapping[tuple[str, int], Any]) -> Iterator[Any]:
        """The rows of these orders; none of them is closed."""
        of_orders = select(invitation).where(
            invitation.c.source.in_({source for source, _ in wanted}),
            invitation.c.order_id.in_([order_id for _, order_id in wanted]),
        )
        return (row for row in self._session.rows(of_orders) if (row.source, row.order_id) in wanted)

    def _give_way(self, rows: Sequence[Any]) -> None:
        """Of an order that another account has closed, nothing stays pending."""
        ids = [row.id for row in rows if row.status == Status.PENDING.value]
        if not ids:
            return
        values = {"status": Status.CANCELLED.value, "reason": CLOSED_SINCE, "changed_at": self._now}
        self._session.execute(update(invitation).where(invitation.c.id.in_(ids)).values(values))
        record_changes(
            self._session,
            ids,
            Status.PENDING,
            Status.CANCELLED,
            at=self._now,
            actor=self._actor,
            detail=CLOSED_SINCE,
        )

    def _close(self, row: Any, known: Any, owner: int) -> None:
        values = {name: getattr(row, name) for name in _COLUMNS} | {"account_id": owner}
        if known is None:
            made = self._session.execute(insert(invitation).values(values).returning(invitation.c.id))
            key, before = int(made.scalar_one()), Status.PENDING
        else:
            self._session.execute(update(invitation).where(invitation.c.id == known.id).values(values))
            key, before = known.id, Status(known.status)
        record_changes(
            self._session,
            [key],
            before,
            Status(row.status),
            at=self._now,
            actor=self._actor,
            detail=CLOSED_SINCE,
        )
