"""How far each account and source was read, and what a state records about itself."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from msgspec.structs import asdict
from sqlalchemy import and_, delete, exists, func, insert, or_, select, tuple_, update

from ekomi_reconcile.model.account import PositionRecord
from ekomi_reconcile.model.instant import Instant
from ekomi_reconcile.model.invitation import BLOCKING, Observation, PassedOrder, Status
from ekomi_reconcile.model.order import id_rank
from ekomi_reconcile.model.run import Meta
from ekomi_reconcile.state import ADDRESSES, KEY_CHECK, StateIdentity, parse_addresses, parse_meta
from ekomi_reconcile.state.engine import tables
from ekomi_reconcile.state.engine.mark import check_value
from ekomi_reconcile.state.engine.session import Repository
from ekomi_reconcile.state.engine.tables import invitation, invitation_history, meta, observation, position

_RUNS = "applies"


class MetaRepository(Repository):
    """The keys and values of the table ``meta``."""

    def read(self) -> Meta:
        """The state's own data as of now.

        Raises:
            StateDamaged: a part of it is missing or not a number.
        """
        return parse_meta(self._session.meta_values())

    @property
    def identity(self) -> StateIdentity:
        """Which state this is, in which version."""
        known = self.read()
        return StateIdentity(
            lineage=known.lineage,
            serial=known.serial,
            created_at=known.created_at,
            key_check=self.key_check(),
        )

    def key_check(self) -> str | None:
        """The value by which the state knows its key again; ``None`` before digests were made."""
        return self._session.meta_values().get(KEY_CHECK)

    def adopt_key(self, key: bytes | None) -> None:
        """Make this key the one of the state, where it has none yet."""
        if key is not None and self.key_check() is None:
            with self._session.joined():
                self._session.execute(insert(meta).values(key=KEY_CHECK, value=check_value(key)))

    def take_lineage(self, lineage: str) -> None:
        """Give a state that is about to be created this identity."""
        with self._session.joined():
            self._session.execute(update(meta).where(meta.c.key == "lineage").values(value=lineage))

    def take_identity(self, identity: StateIdentity, serial: int) -> None:
        """Become the state with this identity, in this version."""
        values = {"lineage": identity.lineage, "created_at": str(identity.created_at), "serial": str(serial)}
        if identity.key_check is not None:
            values[KEY_CHECK] = identity.key_check
        self._save(values)

    def addresses(self) -> dict[str, str]:
        """The remote addresses that the last run used, by their keys in the project file."""
        return parse_addresses(self._session.meta_values())

    def record_addresses(self, addresses: Mapping[str, str]) -> None:
        """Record which remote addresses are used; nothing is written where they are the same."""
        if self.addresses() != addresses:
            self._save({ADDRESSES: json.dumps(dict(addresses))})

    def bump_serial(self) -> int:
        """Count a change of accounts or a state command; the new serial."""
        with self._session.joined():
            self._lock("serial")
            serial = self.read().serial + 1
            self._session.execute(update(meta).where(meta.c.key == "serial").values(value=str(serial)))
        return serial

    def count_run(self) -> int:
        """Count a run of ``apply`` that did something; how many there have been."""
        with self._session.joined():
            runs = int(self._lock(_RUNS) or 0) + 1
            self._save({_RUNS: str(runs)})
        return runs

    def _lock(self, key: str) -> str | None:
        """The value of this key, which no other process changes until the transaction ends."""
        statement = select(meta.c.value).where(meta.c.key == key).with_for_update()
        found: str | None = self._session.execute(statement).scalar()
        return found

    def _save(self, values: Mapping[str, str]) -> None:
        insert = self._session.dialect.insert(meta)
        statement = insert.on_conflict_do_update(
            index_elements=["key"], set_={"value": insert.excluded["value"]}
        )
        with self._session.joined():
            self._session.execute(statement, [{"key": key, "value": each} for key, each in values.items()])


MERGED = "source_merged"
"""Why an invitation is cancelled whose order has another one under the new name of its source."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRows:
    """What is recorded under the name of an order source; ``merged`` orders are under both names."""

    invitations: int
    positions: int
    observations: int
    merged: int = 0

    def __bool__(self) -> bool:
        return bool(self.invitations or self.positions or self.observations)


class OrderSourceRepository(Repository):
    """``state mv-source``."""

    def recorded(self, source: str, new: str | None = None) -> SourceRows:
        """What is recorded under this name of a source, and how many orders are under ``new`` as well."""
        invitations, positions, observations = (
            int(self._session.execute(select(func.count()).where(table.c.source == source)).scalar_one())
            for table in (invitation, position, observation)
        )
        merged = 0 if new is None else sum(1 for _ in self._under_both(source, new))
        return SourceRows(
            invitations=invitations, positions=positions, observations=observations, merged=merged
        )

    def rename(self, old: str, new: str, *, now: Instant) -> SourceRows:
        """Put everything that is recorded under one name of an order source under another one.

        An order with invitations under both names keeps one: the first that blocks it, else a pending one.
        """
        with self._session.joined():
            found = self.recorded(old, new)
            for rows in list(self._under_both(old, new)):
                self._merge(rows, now=now)
            for table in (observation, tables.passed_order):
                twin = table.alias()
                known = exists().where(twin.c.source == new, twin.c.order_id == table.c.order_id)
                self._session.execute(delete(table).where(table.c.source == old, known))
            for table in (invitation, observation, tables.passed_order, position):
                self._session.execute(update(table).where(table.c.source == old).values(source=new))
        return found

    def _under_both(self, old: str, new: str) -> Iterator[Sequence[Any]]:
        """The rows of each order that has some under both names, the most important first."""
        mine, other = invitation.alias(), invitation.alias()
        both = (
            select(mine.c.order_id)
            .join(other, mine.c.order_id == other.c.order_id)
            .where(mine.c.source == old, other.c.source == new)
        )
        table = invitation.c
        rows = self._session.rows(
            select(table.id, table.order_id, table.account_id, table.status, table.changed_at).where(
                or_(table.source == old, table.source == new), table.order_id.in_(both)
            )
        )
        ranked = sorted(
            rows, key=lambda row: (id_rank(row.order_id), _weight(row.status), row.changed_at, row.id)
        )
        for _, group in groupby(ranked, key=lambda row: row.order_id):
            yield list(group)

    def _merge(self, rows: Sequence[Any], *, now: Instant) -> None:
        """Leave one invitation per account, and one that is not cancelled."""
        kept: dict[int, int] = {}
        for number, row in enumerate(rows):
            first = kept.setdefault(row.account_id, row.id)
            if first != row.id:
                history = update(invitation_history).where(invitation_history.c.invitation_id == row.id)
                self._session.execute(history.values(invitation_id=first))
                self._session.execute(delete(invitation).where(invitation.c.id == row.id))
            elif number and row.status != Status.CANCELLED.value:
                reason = f"{MERGED}: {row.status}"
                values = {"status": Status.CANCELLED.value, "reason": reason, "changed_at": now}
                self._session.execute(update(invitation).where(invitation.c.id == row.id).values(values))


def _weight(status: str) -> int:
    if status in {each.value for each in BLOCKING}:
        return 0
    return 1 if status == Status.PENDING.value else 2


_POSITION = PositionRecord.__struct_fields__
_POSITIONS = select(position.c.account_id, *(position.c[name] for name in _POSITION)).order_by(
    position.c.account_id
)


class PositionRepository(Repository):
    """Positions per account, observations per order."""

    def read(self) -> dict[str, PositionRecord]:
        """The positions of live accounts by interface id."""
        live = {key: interface_id for interface_id, key in self._keys.live().items()}
        rows = self._session.rows(_POSITIONS)
        return {live[key]: PositionRecord(*row) for key, *row in rows if key in live}

    def save(self, reached: dict[str, PositionRecord]) -> None:
        """These accounts, by interface id, have been evaluated up to here.

        Raises:
            StateError: there is no such live account.
        """
        with self._session.joined():
            rows = [{"account_id": self._keys.of(key), **asdict(each)} for key, each in reached.items()]
            if rows:
                insert = self._session.dialect.insert(position)
                latest = {name: insert.excluded[name] for name in _POSITION}
                self._session.execute(
                    insert.on_conflict_do_update(index_elements=["account_id"], set_=latest), rows
                )

    def observe(self, seen: Iterable[Observation]) -> None:
        """Remember in which status orders were seen.

        The planner leaves out what has not changed. A status that it notes again moves to the later instant,
        never to an earlier one, and never from a change to a first observation or back.
        """
        rows = [asdict(each) for each in seen]
        if not rows:
            return
        insert = self._session.dialect.insert(observation)
        latest = {name: insert.excluded[name] for name in ("status", "since", "moved")}
        statement = insert.on_conflict_do_update(
            index_elements=["source", "order_id"],
            set_=latest,
            where=or_(
                observation.c.status != insert.excluded.status,
                and_(
                    observation.c.moved == insert.excluded.moved,
                    observation.c.since < insert.excluded.since,
                ),
            ),
        )
        with self._session.joined():
            self._session.execute(statement, rows)

    def pass_over(self, orders: Iterable[PassedOrder]) -> None:
        """Remember orders that no account takes; the reason is that of the last time they were judged."""
        rows = [asdict(each) for each in orders]
        if not rows:
            return
        insert = self._session.dialect.insert(tables.passed_order)
        statement = insert.on_conflict_do_update(
            index_elements=["source", "order_id"],
            set_={name: insert.excluded[name] for name in ("order_date", "reason")},
            where=or_(
                tables.passed_order.c.reason != insert.excluded.reason,
                tables.passed_order.c.order_date != insert.excluded.order_date,
            ),
        )
        with self._session.joined():
            self._session.execute(statement, rows)

    def passed_orders(self, since: Instant) -> dict[str, int]:
        """Orders placed since then that no account has taken, by the reason of the nearest one."""
        table, taken = tables.passed_order.c, invitation.c
        known = exists().where(taken.source == table.source, taken.order_id == table.order_id)
        statement = select(table.reason, func.count()).where(table.order_date >= since, ~known)
        return {row[0]: row[1] for row in self._session.rows(statement.group_by(table.reason))}

    def forget_passed(self, *, before: Instant, most: int) -> int:
        """Delete passed orders placed before that instant, at most ``most``; return their number."""
        table = tables.passed_order.c
        oldest = select(table.source, table.order_id).where(table.order_date < before).limit(most)
        with self._session.joined():
            mine = tuple_(table.source, table.order_id).in_(oldest)
            return self._session.execute(delete(tables.passed_order).where(mine)).rowcount

    def forget_observations(self, *, before: Instant, most: int) -> int:
        """Delete order statuses seen before that instant, at most ``most``; return their number."""
        oldest = select(observation.c.source, observation.c.order_id).where(observation.c.since < before)
        mine = tuple_(observation.c.source, observation.c.order_id).in_(oldest.limit(most))
        with self._session.joined():
            return self._session.execute(delete(observation).where(mine)).rowcount
