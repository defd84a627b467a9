"""A queue in memory with any rows and observations, and random ones of both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ekomi_reconcile.model.invitation import CustomerLimit, Evidence, Invitation, Observation, Reached, Status
from ekomi_reconcile.plan.view import EmptyQueue

SOURCE = "default"


@dataclass
class Rows(EmptyQueue):
    """Rows of one order; every customer in them has been asked at these instants."""

    rows: Sequence[Invitation] = ()
    seen: Observation | None = None
    asked: Sequence[int] = ()
    others: Sequence[Invitation] = ()

    def rows_for(self, source: str, order_ids: Sequence[int]) -> Mapping[int, Sequence[Invitation]]:
        """All of them, if the order is asked for."""
        return {key: self.rows for key in order_ids if self.rows and self.rows[0].order_id == key}

    def rows_numbered(self, numbers) -> Mapping[str, Sequence[Invitation]]:
        """Those that are not cancelled, if the number is asked for."""
        rows = [*self.rows, *self.others]
        live = [each for each in rows if each.status is not Status.CANCELLED and each.number in numbers]
        return {live[0].number: live} if live else {}

    def observations(self, source: str, order_ids: Sequence[int]) -> Mapping[int, Observation]:
        """The one there is."""
        return {} if self.seen is None else dict.fromkeys(order_ids, self.seen)

    def customer_load(self, customers, since) -> Mapping[str, Sequence[int]]:
        """The same for every customer."""
        return {each: list(self.asked) for each in customers}


@dataclass(frozen=True)
class Customers:
    """Who must not be asked: everybody or nobody, and a limit."""

    out: bool = False
    lasting: bool = True
    by_number: bool = False
    cap: CustomerLimit | None = None
    opted_out_digests: frozenset[str] = frozenset()

    def opted_out(self, order) -> bool:
        """Everybody, if so wanted."""
        return self.out

    def customer(self, order) -> str | None:
        """Nobody has another address than his own."""
        return order.contact.email


def row(interface_id: str, order, status: Status = Status.PENDING, **more) -> Invitation:
    """A row of this order."""
    values = {
        "id": int(interface_id),
        "source": SOURCE,
        "order_id": order.order_id,
        "number": order.number,
        "store_view": order.store_view,
        "order_date": order.created_at,
        "reached": Reached(order.created_at, "complete", Evidence.HISTORY),
        "judged_at": order.created_at,
        "scheduled_at": order.created_at + 14 * 86_400,
        "customer": order.contact.email,
    }
    return Invitation(interface_id=interface_id, status=status, **(values | more))
