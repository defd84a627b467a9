"""The state as one object, made of its repositories."""

from __future__ import annotations

from contextlib import AbstractContextManager, suppress
from types import TracebackType
from typing import Self

from ekomi_reconcile.model.errors import StateError
from ekomi_reconcile.state.engine.location import Location
from ekomi_reconcile.state.engine.mark import StateKey
from ekomi_reconcile.state.engine.runner import Runner
from ekomi_reconcile.state.engine.session import Session
from ekomi_reconcile.state.repositories import positions
from ekomi_reconcile.state.repositories.accounts import AccountRepository, ProductRepository
from ekomi_reconcile.state.repositories.aggregates import AggregateRepository
from ekomi_reconcile.state.repositories.customers import CustomerRepository
from ekomi_reconcile.state.repositories.invitations import InvitationRepository
from ekomi_reconcile.state.repositories.journal import JournalRepository, LostRecords
from ekomi_reconcile.state.repositories.queue import QueueRepository
from ekomi_reconcile.state.repositories.reviews import ReviewedRepository, ReviewRepository
from ekomi_reconcile.state.repositories.schedule import ScheduleRepository, SentImportRepository
from ekomi_reconcile.state.repositories.sending import RefusalRepository, SendingRepository


class State:
    """What the tool has recorded; ``open_state`` opens it, leaving the ``with`` block closes it.

    A file and a database differ in the dialect of the ``session`` and in the ``runner``. Every method of a
    repository that writes joins the open ``transaction``, or commits one of its own; claiming and settling
    always commit one of their own. Errors of the database are raised as ``StateError``.
    """

    def __init__(self, session: Session, runner: Runner, *, key: bytes | None) -> None:
        self.session = session
        self.runner = runner
        self.location: Location = session.location
        self.meta = positions.MetaRepository(session)
        self.key = StateKey(key, self.meta.key_check)
        self.accounts = AccountRepository(session)
        self.order_sources = positions.OrderSourceRepository(session)
        self.positions = positions.PositionRepository(session)
        self.queue = QueueRepository(session, runner)
        self.schedule = ScheduleRepository(session)
        self.sent_import = SentImportRepository(session)
        self.lost_records = LostRecords(session)
        self.sending = SendingRepository(session, runner, self.lost_records)
        self.invitations = InvitationRepository(session)
        self.refusals = RefusalRepository(session)
        self.reviews = ReviewRepository(session)
        self.reviewed = ReviewedRepository(session)
        self.products = ProductRepository(session)
        self.journal = JournalRepository(session)
        self.customers = CustomerRepository(session)
        self.aggregates = AggregateRepository(session)

    def transaction(self) -> AbstractContextManager[None]:
        """Everything written inside is committed at its end, or not at all.

        Raises:
            StateError: the state was opened for reading, or it cannot be written.
            StateLocked: the writer lock was lost.
        """
        return self.session.transaction()

    def refresh(self) -> None:
        """End the snapshot: the next read uses what is committed by then."""
        self.session.refresh()

    def close(self) -> None:
        """Bring the mark up to date, and close the file or the connection.

        Raises:
            StateError: the mark cannot be written.
        """
        self.runner.close()
        self.session.close()

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
                self.session.leave_mark()
        self.close()
