"""The built-in kinds of order sources, and the check of what the sources of other packages give."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import msgspec

from ekomi_reconcile.config.order_sources import FOREIGN_ERRORS, FileSettings, MagentoSettings
from ekomi_reconcile.model.diagnostic import Diagnostic, Severity
from ekomi_reconcile.model.errors import OrderSourceError, ReconcileError
from ekomi_reconcile.model.order import Order, OrderId, OrderState, order_id_of
from ekomi_reconcile.model.paths import local_path
from ekomi_reconcile.orders.reader import MAX_FLAWS, UNREADABLE
from ekomi_reconcile.orders.source import Opening, OrderSource, Reading, SourceType, Wanted

LONGEST_ID = 255
"""Characters of the longest order id."""


def _open_magento(opening: Opening) -> OrderSource:
    from ekomi_reconcile.orders.magento.source import open_magento

    return open_magento(opening)


def _open_file(opening: Opening) -> OrderSource:
    from ekomi_reconcile.orders.file import FileSource

    settings: FileSettings = opening.settings
    what = f"the path of the order file (orders: {opening.name})"
    return FileSource(
        opening.name,
        local_path(settings.path, root=opening.root, what=what, error=OrderSourceError),
        stores=opening.stores,
        customer_groups=opening.customer_groups,
        uses=opening.uses,
        table=settings.table,
    )


MAGENTO = SourceType(MagentoSettings, _open_magento)
FILE = SourceType(FileSettings, _open_file)


@contextmanager
def foreign(name: str) -> Iterator[None]:
    """What the code of another package raises means that the source cannot be read.

    Raises:
        OrderSourceError: it raised ``FOREIGN_ERRORS``; only the type is shown, a text may hold an address.
    """
    try:
        yield
    except ReconcileError:
        raise
    except FOREIGN_ERRORS as error:
        problem = type(error).__name__
    else:
        return
    raise OrderSourceError(
        f"order source {name}: the package that provides it failed ({problem})",
        hint="upgrade the package, or report this bug to its author",
    )


class CheckedSource:
    """A source of another package. Its orders are checked and brought into the form of our own.

    An order with a field of a wrong type, or an id that is not printable, is reported and left out. One
    without a known state is ``OrderState.UNKNOWN``: its status alone does not make it a normal order.
    """

    def __init__(self, name: str, inner: OrderSource) -> None:
        self._name = name
        self.inner = inner

    @property
    def name(self) -> str:
        """Its name in ``orders:``."""
        return self._name

    def read(self, wanted: Wanted) -> CheckedReading:
        """Begin a pass."""
        with foreign(self._name):
            return CheckedReading(self._name, self.inner.read(wanted))

    def by_ids(self, order_ids: Collection[OrderId]) -> dict[OrderId, Order]:
        """The present version of these orders; one that cannot be read is left out.

        Raises:
            OrderSourceError: the source cannot be read.
        """
        with foreign(self._name):
            found = self._sound(list(self.inner.by_ids(order_ids).values()))
        wanted = frozenset(order_ids)
        return {each.order_id: each for each in found if each.order_id in wanted}

    def find(self, number: str) -> Sequence[Order]:
        """The orders with this number or id.

        Raises:
            OrderSourceError: the source cannot be read.
        """
        with foreign(self._name):
            return self._sound(self.inner.find(number))

    def find_many(self, numbers: Collection[str]) -> dict[str, list[Order]]:
        """The orders with these numbers by number.

        Raises:
            OrderSourceError: the source cannot be read.
        """
        with foreign(self._name):
            found = self.inner.find_many(numbers)
            return {number: self._sound(orders) for number, orders in found.items()}

    def close(self) -> None:
        """Let go of files and connections."""
        with foreign(self._name):
            self.inner.close()

    def _sound(self, orders: Sequence[Order]) -> list[Order]:
        return [each for each in map(checked, orders) if isinstance(each, Order)]


@dataclass(slots=True)
class CheckedReading:
    """One pass over such a source."""

    name: str
    inner: Reading
    _flaws: list[str] = field(default_factory=list)

    def batches(self) -> Iterator[Sequence[Order]]:
        """The orders that are sound.

        Raises:
            OrderSourceError: the source cannot be read.
        """
        with foreign(self.name):
            for batch in self.inner.batches():
                found = [checked(each) for each in batch]
                self._flaws += [each for each in found if isinstance(each, str)]
                yield [each for each in found if isinstance(each, Order)]

    @property
    def cursor(self) -> str:
        """Where this pass ended.

        Raises:
            OrderSourceError: it is not a string.
        """
        with foreign(self.name):
            found: object = self.inner.cursor
        if not isinstance(found, str):
            raise OrderSourceError(f"order source {self.name}: its cursor is not a string")
        return found

    @property
    def problems(self) -> Sequence[Diagnostic]:
        """What could not be read, with what the package itself reports."""
        with foreign(self.name):
            own = tuple(self.inner.problems)
        more = len(self._flaws) - MAX_FLAWS
        texts = [*self._flaws[:MAX_FLAWS], *([f"{more} more orders cannot be read"] if more > 0 else [])]
        return (*own, *(_unreadable(self.name, text) for text in texts))


def checked(order: object) -> Order | str:
    """The order in the form of our own, or what is wrong with it, without its values."""
    if not isinstance(order, Order):
        return "not an Order"
    text = str(order.order_id)
    if not text or len(text) > LONGEST_ID or not text.isprintable():
        return "an order id is empty, too long or not printable"
    state = order.state or OrderState.UNKNOWN.value
    history = tuple(sorted(order.history, key=lambda entry: (entry.created_at, entry.entry_id)))
    try:
        sound = msgspec.convert(msgspec.to_builtins(order), Order)
    except (msgspec.ValidationError, TypeError) as error:
        return f"order {text}: {error}"
    return msgspec.structs.replace(sound, order_id=order_id_of(text), state=str(state), history=history)


def _unreadable(source: str, text: str) -> Diagnostic:
    return Diagnostic(severity=Severity.ERROR, rule=UNREADABLE, message=f"order source {source}: {text}")
