"""Finding the order that somebody asks about."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ekomi_reconcile.errors import OrderSourceError, ReconcileError
from ekomi_reconcile.model.order import Order
from ekomi_reconcile.orders.source import OrderSource

BY_ID = "#"
"""What is written before an order id (Magento: entity id); without it the number is meant."""


@dataclass(frozen=True, slots=True)
class Found:
    """An order, and the name of the source that has it."""

    source: str
    order: Order


@dataclass(frozen=True, slots=True)
class Search:
    """What a search brought; ``unread`` are the sources that could not be asked, with the reason."""

    found: Found
    unread: tuple[tuple[str, OrderSourceError], ...] = ()


def find_order(text: str, names: Sequence[str], open_source: Callable[[str], OrderSource]) -> Search:
    """The order meant by ``100000123`` (its number, else its id), ``#123`` (its id) or ``shop:#123``.

    ``names`` are the order sources to search.

    Raises:
        OrderSourceError: no source that could be asked has it, and one could not be asked.
        ReconcileError: there is no such order, or more than one.
    """
    wanted, searched = _narrowed(text.strip(), names)
    found: list[Found] = []
    unread: list[tuple[str, OrderSourceError]] = []
    for name in searched:
        try:
            orders = _meant(wanted, open_source(name).find(wanted))
        except OrderSourceError as error:
            unread.append((name, error))
        else:
            found += [Found(name, order) for order in orders]
    if len(found) > 1:
        raise _ambiguous(wanted, found, names)
    if not found:
        raise unread[0][1] if unread else _unknown(wanted, searched)
    return Search(found[0], tuple(unread))


def _narrowed(text: str, names: Sequence[str]) -> tuple[str, Sequence[str]]:
    """The order without the source before it, and the sources to search."""
    name, colon, rest = text.partition(":")
    return (rest, (name,)) if colon and name in names else (text, names)


def _meant(wanted: str, orders: Sequence[Order]) -> Sequence[Order]:
    """Of what a source found: with ``#`` the order of this id, without it those of this number, if any."""
    if wanted.startswith(BY_ID):
        exact = [each for each in orders if f"{BY_ID}{each.order_id}" == wanted]
    else:
        exact = [each for each in orders if each.number == wanted]
    return exact or orders


def _ambiguous(wanted: str, found: Sequence[Found], names: Sequence[str]) -> ReconcileError:
    several = len(names) > 1
    exact = [
        f"{each.source}:{BY_ID}{each.order.order_id}" if several else f"{BY_ID}{each.order.order_id}"
        for each in found
    ]
    return ReconcileError(
        f"{len(found)} orders are meant by {wanted}",
        mend="write one of: " + ", ".join(f"'{each}'" for each in exact),
    )


def _unknown(wanted: str, searched: Sequence[str]) -> ReconcileError:
    if not searched:
        return ReconcileError(
            "there is no order source to look in", mend="name one under `orders:` in the project file"
        )
    where = "order source" if len(searched) == 1 else "order sources"
    return ReconcileError(
        f"there is no order {wanted} in the {where} {', '.join(searched)}",
        mend=f"write its number, or its id as '{BY_ID}123'; an order that cannot be read counts as absent",
    )
