"""The queue of a state that does not exist yet."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from typing_extensions import override

from ekomi_reconcile.model.instant import Instant
from ekomi_reconcile.model.invitation import Invitation, Status
from ekomi_reconcile.plan.view import Queue, RecordedObservation


class EmptyQueue(Queue):
    """Knows no order and no customer."""

    @override
    def rows_for(self, source: str, order_ids: Sequence[int]) -> Mapping[int, Sequence[Invitation]]:
        return {}

    @override
    def rows_numbered(self, numbers: Collection[str]) -> Mapping[str, Sequence[Invitation]]:
        return {}

    @override
    def sources(self) -> Sequence[str]:
        return ()

    @override
    def accounts_at(self, source: str) -> Sequence[str]:
        return ()

    @override
    def observations(self, source: str, order_ids: Sequence[int]) -> Mapping[int, RecordedObservation]:
        return {}

    @override
    def rows_of(self, interface_ids: Collection[str], statuses: Collection[Status]) -> Iterator[Invitation]:
        return iter(())

    @override
    def due(self, interface_ids: Collection[str], now: Instant) -> Iterator[Invitation]:
        return iter(())

    @override
    def pending_of(self, customers: Collection[str]) -> Iterator[Invitation]:
        return iter(())

    @override
    def customer_load(self, customers: Collection[str], since: Instant) -> Mapping[str, Sequence[Instant]]:
        return {}
