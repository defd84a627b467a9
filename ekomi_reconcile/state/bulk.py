"""Filling the queue with very many rows at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import func, inspect, select

from ekomi_reconcile.state.session import Session
from ekomi_reconcile.state.tables import CUSTOMER_INDEX, invitation

WORTH_IT = 5_000
"""New rows from which on it pays to do more than insert them."""


class BulkStore(Session):
    """Scheduling without the index that is slow to keep."""

    @contextmanager
    def bulk(self, expected: int) -> Iterator[None]:
        """Make scheduling about ``expected`` new rows fast; transactions go inside.

        The index of customers is dropped and made anew at the end, where that is better. Until then
        looking up customers is slow, but right; after a crash the next writer makes the index.
        """
        if expected < WORTH_IT:
            yield
            return
        rows = self._execute(select(func.max(invitation.c.id))).scalar() or 0
        drops = self._dialect.drops_index(new=expected, existing=rows)
        if drops:
            with self.transaction():
                CUSTOMER_INDEX.drop(self._connection, checkfirst=True)
        try:
            yield
        finally:
            if drops:
                self.mend_index()
        with self.transaction():
            self._dialect.learn(self._connection, invitation)

    def mend_index(self) -> None:
        """Make the index of customers if a crash left the state without it."""
        names = {each["name"] for each in inspect(self._connection).get_indexes(invitation.name)}
        if CUSTOMER_INDEX.name not in names:
            with self.transaction():
                CUSTOMER_INDEX.create(self._connection, checkfirst=True)
