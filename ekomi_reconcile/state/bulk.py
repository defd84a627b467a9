"""Filling the queue with very many rows at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import func, inspect, select

from ekomi_reconcile.state.session import Session
from ekomi_reconcile.state.tables import CUSTOMER_INDEX, invitation

_WORTH_IT = 5_000
_SHARE = 16
"""Making the index anew costs per existing row about a sixteenth of keeping it costs per new row."""


class BulkStore(Session):
    """Scheduling without the index that is slow to keep."""

    @contextmanager
    def bulk(self, expected: int) -> Iterator[None]:
        """Make scheduling about ``expected`` new rows fast; transactions go inside.

        The index of customers is dropped and made anew at the end, if that is cheaper. Until then
        looking up customers is slow, but right; after a crash the next writer makes the index.
        """
        rows = self._execute(select(func.max(invitation.c.id))).scalar() or 0
        if expected < _WORTH_IT or expected * _SHARE < rows:
            yield
            return
        with self.transaction():
            CUSTOMER_INDEX.drop(self._connection, checkfirst=True)
        try:
            yield
        finally:
            self.mend_index()

    def mend_index(self) -> None:
        """Make the index of customers if a crash left the state without it."""
        names = {each["name"] for each in inspect(self._connection).get_indexes(invitation.name)}
        if CUSTOMER_INDEX.name not in names:
            with self.transaction():
                CUSTOMER_INDEX.create(self._connection, checkfirst=True)
