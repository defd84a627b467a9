"""The state as one object, made of its parts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Self

from sqlalchemy import Connection

from ekomi_reconcile.model.errors import StateError
from ekomi_reconcile.model.instant import Instant
from ekomi_reconcile.model.invitation import Invitation
from ekomi_reconcile.state.engine.location import Location
from ekomi_reconcile.state.engine.lock import runner
from ekomi_reconcile.state.engine.session import Dialect
from ekomi_reconcile.state.lost_records import LostRecordsStore, Memory
from ekomi_reconcile.state.maintenance.backup import CopyStore
from ekomi_reconcile.state.maintenance.export import ExportStore, RetentionStore
from ekomi_reconcile.state.maintenance.table_dump import ClosedStore
from ekomi_reconcile.state.repositories.accounts import OfferStore, RenameStore
from ekomi_reconcile.state.repositories.aggregates import FigureStore
from ekomi_reconcile.state.repositories.customers import CustomerStore
from ekomi_reconcile.state.repositories.invitations import ListingStore, ManualStore
from ekomi_reconcile.state.repositories.journal import JournalStore
from ekomi_reconcile.state.repositories.positions import PositionStore
from ekomi_reconcile.state.repositories.queue import BulkStore, QueueStore
from ekomi_reconcile.state.repositories.refusals import RefusalStore
from ekomi_reconcile.state.repositories.reviews import ReviewStore
from ekomi_reconcile.state.repositories.schedule import AdoptStore, ScheduleStore
from ekomi_reconcile.state.repositories.sending import SendingStore


class State(
    CopyStore,
    ClosedStore,
    AdoptStore,
    CustomerStore,
    LostRecordsStore,
    RetentionStore,
    RenameStore,
    PositionStore,
    QueueStore,
    ScheduleStore,
    BulkStore,
    SendingStore,
    RefusalStore,
    ManualStore,
    ReviewStore,
    OfferStore,
    JournalStore,
    ListingStore,
    FigureStore,
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
        location: Location,
        writable: bool,
        key: bytes | None,
    ) -> None:
        super().__init__(connection, dialect, writable=writable)
        self.location = location
        self.key = key
        self.memory = Memory()
        self.runner = runner()

    def renew(self, *, now: Instant) -> None:
        """Give a sign of life, often enough while sending: what this runner claimed stays its own.

        Where several runners send, others take a runner without one for dead. On a file there is one.
        """
        del now

    def take_turn(self, interface_id: str, rate: float, *, now: float | None = None) -> float | None:
        """Use up one of the account's ``rate`` turns per second, which all runners share.

        Returns:
            ``None`` to go ahead, else after how many seconds to ask again. On a file always ``None``:
            there is one runner, which keeps its own pace.
        """
        del interface_id, rate, now
        return None

    @property
    def turns(self) -> Callable[[str, float], float | None] | None:
        """``take_turn`` for any thread, over a connection of its own; ``None`` where there is one runner."""
        return None

    def obstacles(self) -> Sequence[tuple[str, str]]:
        """What keeps this user from writing, and what to do about it. A file tells by its mode."""
        return ()

    def spread(self, rows: Sequence[Invitation]) -> list[Invitation]:
        """These rows in an order in which runners do not get into each other's way."""
        return list(rows)

    def close(self) -> None:
        """Bring the mark up to date, and let go of the file or the server.

        Raises:
            StateError: the mark cannot be written.
        """
        try:
            self._leave_mark()
        finally:
            self._connection.close()

    def _leave_mark(self) -> None:
        marker, self._marker = self._marker, None
        if marker is not None:
            self._connection.rollback()
            marker.close(self._connection)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None:
            with suppress(StateError):  # the error under way matters more
                self._leave_mark()
        self.close()
