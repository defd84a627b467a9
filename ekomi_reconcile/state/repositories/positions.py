"""How far the orders of each account were evaluated."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec.structs import asdict
from sqlalchemy import and_, bindparam, delete, or_, select, tuple_

from ekomi_reconcile.model.account import PositionRecord
from ekomi_reconcile.model.instant import Instant
from ekomi_reconcile.model.invitation import Observation
from ekomi_reconcile.model.order import OrderId
from ekomi_reconcile.state.engine.session import Session, chunks
from ekomi_reconcile.state.engine.tables import observation, position

_POSITION = PositionRecord.__struct_fields__
_POSITIONS = select(position.c.account_id, *(position.c[name] for name in _POSITION)).order_by(
    position.c.account_id
)
_SEEN = select(*(observation.c[name] for name in Observation.__struct_fields__)).where(
    observation.c.source == bindparam("source"),
    observation.c.order_id.in_(bindparam("ids", expanding=True)),
)


class PositionStore(Session):
    """Positions per account, observations per order."""

    def positions(self) -> dict[str, PositionRecord]:
        """The positions of live accounts by interface id."""
        live = {key: interface_id for interface_id, key in self._account_ids().items()}
        rows = self._rows(_POSITIONS)
        return {live[key]: PositionRecord(*row) for key, *row in rows if key in live}

    def set_positions(self, reached: dict[str, PositionRecord]) -> None:
        """These accounts, by interface id, have been evaluated up to here.

        Raises:
            StateError: there is no such live account.
        """
        with self._joined():
            rows = [{"account_id": self._account_id(key), **asdict(each)} for key, each in reached.items()]
            if rows:
                insert = self._dialect.insert(position)
                latest = {name: insert.excluded[name] for name in _POSITION}
                self._execute(insert.on_conflict_do_update(index_elements=["account_id"], set_=latest), rows)

    def observations(self, source: str, order_ids: Sequence[OrderId]) -> dict[OrderId, Observation]:
        """In which status these orders were last seen; one never seen is left out."""
        found = {}
        for ids in chunks(order_ids):
            for row in self._rows(_SEEN, {"source": source, "ids": ids}):
                found[row.order_id] = Observation(*row)
        return found

    def observe(self, seen: Iterable[Observation]) -> None:
        """Remember in which status orders were seen.

        The planner leaves out what has not changed. A status that it notes again moves to the later instant,
        never to an earlier one, and never from a change to a first observation or back.
        """
        rows = [asdict(each) for each in seen]
        if not rows:
            return
        insert = self._dialect.insert(observation)
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
        with self._joined():
            self._execute(statement, rows)

    def forget_observations(self, *, before: Instant, most: int) -> int:
        """Forget statuses that orders had since an instant before that, at most so many; how many it were."""
        oldest = select(observation.c.source, observation.c.order_id).where(observation.c.since < before)
        mine = tuple_(observation.c.source, observation.c.order_id).in_(oldest.limit(most))
        with self._joined():
            return self._execute(delete(observation).where(mine)).rowcount
