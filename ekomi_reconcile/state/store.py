"""The state as one object, made of its parts."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from sqlalchemy import Connection

from ekomi_reconcile.state.accounts import AccountStore
from ekomi_reconcile.state.bulk import BulkStore
from ekomi_reconcile.state.dialect import Dialect
from ekomi_reconcile.state.export import ExportStore
from ekomi_reconcile.state.journal import JournalStore
from ekomi_reconcile.state.listing import ListingStore
from ekomi_reconcile.state.location import FileLocation
from ekomi_reconcile.state.manual import ManualStore
from ekomi_reconcile.state.positions import PositionStore
from ekomi_reconcile.state.queue import QueueStore
from ekomi_reconcile.state.reviews import ReviewStore
from ekomi_reconcile.state.schedule import ScheduleStore
from ekomi_reconcile.state.sending import SendingStore


class State(
    AccountStore,
    PositionStore,
    QueueStore,
    ScheduleStore,
    BulkStore,
    SendingStore,
    ManualStore,
    ReviewStore,
    JournalStore,
    ListingStore,
    ExportStore,
):
    """What the tool has recorded; ``open_state`` opens it, leaving the ``with`` block closes it.

    Every method that writes joins the open ``transaction``, or commits one of its own; ``claim`` and
    ``settle`` always commit one of their own. Errors of the database arrive as ``StateError``.
    """

    def __init__(
        self,
        connection: Connection,
        dialect: Dialect,
        *,
        location: FileLocation,
        writable: bool,
        key: bytes | None,
    ) -> None:
        super().__init__(connection, dialect, writable=writable)
        self.location = location
        self.key = key

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
