"""How far the orders of each account were evaluated."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import asdict
from sqlalchemy import and_, delete, or_, select, tuple_

from ekomi_reconcile.model.account_record import PositionRecord
from ekomi_reconcile.model.instant import Instant
from ekomi_reconcile.model.invitation import Observation
from ekomi_reconcile.state.engine.session import Repository
from ekomi_reconcile.state.engine.tables import observation, position

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

    def forget_observations(self, *, before: Instant, most: int) -> int:
        """Forget statuses that orders had since an instant before that, at most so many; how many it were."""
        oldest = select(observation.c.source, observation.c.order_id).where(observation.c.since < before)
        mine = tuple_(observation.c.source, observation.c.order_id).in_(oldest.limit(most))
        with self._session.joined():
            return self._session.execute(delete(observation).where(mine)).rowcount
