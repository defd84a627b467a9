"""Invitation steps of a plan, packed; which of two orders with one number is invited."""

from __future__ import annotations

import tempfile
import weakref
from array import array
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from itertools import islice
from typing import IO, Generic, Self, TypeAlias, TypeVar

import msgspec

from ekomi_reconcile.model import invitation
from ekomi_reconcile.model.diagnostic import Diagnostic, Severity
from ekomi_reconcile.model.instant import Instant
from ekomi_reconcile.model.order import Order, OrderId
from ekomi_reconcile.rules import case
from ekomi_reconcile.rules.rulebook import RuleBook

IN_MEMORY = 2 * 1024 * 1024
"""Bytes that are kept in memory."""


@dataclass(frozen=True, slots=True)
class SpooledPart:
    """A stretch of a spool: its bytes, or where they are."""

    spool: SpooledBuffer
    size: int
    data: bytes | None = None
    offset: int = 0

    def read(self) -> bytes:
        """The bytes."""
        return self.spool.read(self) if self.data is None else self.data


class SpooledBuffer:
    """Keeps stretches of bytes until nobody asks for them any more.

    What is kept holds no personal data, and the file has no name: it is gone with the process. Where the disk
    takes no more, memory does.
    """

    def __init__(self) -> None:
        self._used = 0
        self._end = 0
        self._file: IO[bytes] | None = None

    def keep(self, data: bytes) -> SpooledPart:
        """Keep these bytes."""
        self._used += len(data)
        if self._used > IN_MEMORY:
            try:
                return self._write(data)
            except OSError:
                pass  # the disk is full, or there is none: memory is what is left
        return SpooledPart(self, len(data), data)

    def read(self, kept: SpooledPart) -> bytes:
        """The bytes of a stretch that was written."""
        assert self._file is not None  # noqa: S101 - for the type checker
        self._file.seek(kept.offset)
        return self._file.read(kept.size)

    def _write(self, data: bytes) -> SpooledPart:
        if self._file is None:
            self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - closed with the spool
            weakref.finalize(self, self._file.close)
        self._file.seek(self._end)
        if self._file.write(data) != len(data):
            raise OSError("written in part")
        kept = SpooledPart(self, len(data), offset=self._end)
        self._end += len(data)
        return kept


Step = TypeVar(
    "Step",
    invitation.ScheduleStep,
    invitation.RescheduleStep,
    invitation.CancelStep,
    invitation.SendStep,
    invitation.Observation,
    invitation.PassedOrder,
)

EXAMPLES = 3
"""How many steps per account are kept to be shown."""

_CHUNK = 1 << 16

_Ends: TypeAlias = "array[int]"
"""Where the steps of a chunk end."""


class Link(Enum):
    """Which other step of the same plan concerns the invitation that is sent."""

    SCHEDULED = auto()
    """The plan schedules it."""
    MOVED = auto()
    """The plan moves it to another time."""


class Steps(Generic[Step]):
    """A growing sequence of steps of one kind, in order.

    ``by_account`` counts them per interface id, ``by_rule_change`` those that a changed rule causes,
    ``linked`` sends by account, and ``released`` scheduled orders by the account that gives them up and the
    one that takes them. ``examples`` holds the first few of each account, without scheduled and moved ones
    that are due at ``now``: those are examples of sends.
    """

    __slots__ = (
        "_chunk",
        "_decoder",
        "_encoder",
        "_ends",
        "_full",
        "_now",
        "_size",
        "_spool",
        "by_account",
        "by_rule_change",
        "examples",
        "linked",
        "released",
    )

    def __init__(self, kind: type[Step], now: Instant | None = None) -> None:
        self._now = now
        self._decoder: msgspec.msgpack.Decoder[Step] = msgspec.msgpack.Decoder(kind)
        self._encoder = msgspec.msgpack.Encoder()
        self._spool = SpooledBuffer()
        self._full: list[tuple[SpooledPart, _Ends]] = []
        self._chunk = bytearray()
        self._ends: _Ends = array("I")
        self._size = 0
        self.by_account: Counter[str] = Counter()
        self.by_rule_change = 0
        self.examples: dict[str, list[Step]] = {}
        self.linked: Counter[tuple[Link, str]] = Counter()
        self.released: Counter[tuple[str, str]] = Counter()

    def append(self, step: Step) -> None:
        """Add one step at the end."""
        chunk = self._chunk
        self._encoder.encode_into(step, chunk, -1)
        self._ends.append(len(chunk))
        if len(chunk) > _CHUNK:
            self._put_away()
        self._size += 1
        if not isinstance(step, invitation.Observation | invitation.PassedOrder):
            self.by_rule_change += step.rule_change
            self._count(step.interface_id, step)

    def _put_away(self) -> None:
        """The chunk is full: begin another one."""
        if self._ends:
            self._full.append((self._spool.keep(bytes(self._chunk)), self._ends))
            self._chunk, self._ends = bytearray(), array("I")

    def _count(self, owner: str, step: Step) -> None:
        self.by_account[owner] += 1
        due = False
        if isinstance(step, invitation.SendStep):
            if step.row_id is None or step.moved_from is not None:
                self.linked[Link.SCHEDULED if step.row_id is None else Link.MOVED, owner] += 1
        elif isinstance(step, invitation.ScheduleStep | invitation.RescheduleStep):
            due = self._now is not None and step.scheduled_at <= self._now
            if isinstance(step, invitation.ScheduleStep) and step.released_by is not None:
                self.released[step.released_by, owner] += 1
        if not due and len(self.examples.get(owner, ())) < EXAMPLES:
            self.examples.setdefault(owner, []).append(step)

    def extend(self, other: Steps[Step]) -> None:
        """Add all steps of ``other`` behind the own ones; ``other`` must not grow afterwards."""
        self._put_away()
        other._put_away()
        self._full += other._full
        self._size += other._size
        self.by_account.update(other.by_account)
        self.by_rule_change += other.by_rule_change
        self.linked.update(other.linked)
        self.released.update(other.released)
        for owner, more in other.examples.items():
            mine = self.examples.setdefault(owner, [])
            mine += more[: EXAMPLES - len(mine)]

    def without(self, unwanted: Callable[[Step], bool]) -> Self:
        """The steps for which ``unwanted`` does not hold."""
        kept = type(self)(self._decoder.type, self._now)
        for step in self:
            if not unwanted(step):
                kept.append(step)
        return kept

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[Step]:
        for kept, ends in self._full:
            yield from self._unpacked(kept.read(), ends)
        yield from self._unpacked(bytes(self._chunk), self._ends)

    def _unpacked(self, packed: bytes, ends: _Ends) -> Iterator[Step]:
        decode, view, start = self._decoder.decode, memoryview(packed), 0
        for end in ends:
            yield decode(view[start:end])
            start = end

    def batches(self, size: int) -> Iterator[list[Step]]:
        """The steps in lists of at most ``size``."""
        steps = iter(self)
        while batch := list(islice(steps, size)):
            yield batch


_PAIRS_SHOWN = 20
_EXACT = 50_000
_BITS = 1 << 26


class GivenAway:
    """Which hashes were added: exact while they are few, then a bitmap that may err on the side of yes."""

    __slots__ = ("_bits", "_few")

    def __init__(self) -> None:
        self._few: set[int] | None = set()
        self._bits = bytearray()

    def add(self, value: int) -> bool:
        """Add a hash; false if it may have been there."""
        if self._few is not None:
            before = len(self._few)
            self._few.add(value)
            if len(self._few) > _EXACT:
                self._spread()
            return self._few is None or len(self._few) > before
        return self._set(value)

    def _spread(self) -> None:
        few, self._few = self._few or set(), None
        self._bits = bytearray(_BITS >> 3)
        for value in few:
            self._set(value)

    def _set(self, value: int) -> bool:
        place = value % _BITS
        mask = 1 << (place & 7)
        byte = self._bits[place >> 3]
        self._bits[place >> 3] = byte | mask
        return not byte & mask


@dataclass(slots=True)
class OrderNumbers:
    """The numbers that one pass over a source meets. ``shops`` are the order sources in use.

    ``rows`` are the invitations of the present batch that are not cancelled, by number; ``reviews`` says
    when its orders were reviewed, by interface id and number.
    """

    source: str
    shops: frozenset[str]
    rows: Mapping[str, Sequence[invitation.Invitation]] = field(default_factory=dict)
    reviews: Mapping[tuple[str, str], Sequence[Instant]] = field(default_factory=dict)
    displaced: set[int] = field(default_factory=set)
    _given: GivenAway = field(default_factory=GivenAway)
    _pairs: dict[tuple[str, case.OrderKey], case.OrderKey] = field(default_factory=dict)
    _moved: dict[OrderId, str] = field(default_factory=dict)
    _ignored: set[tuple[str, str]] = field(default_factory=set)

    def rival(self, order: Order, interface_id: str) -> invitation.Invitation | None:
        """The invitation that keeps this order from being invited at this interface, by its number."""
        rows = self.rows.get(order.number)
        return case.rival_of(rows, case.key_of_order(order, self.source), interface_id) if rows else None

    def reviewed_at(self, order: Order, interface_id: str) -> Instant | None:
        """When this order was reviewed at this interface; what may be another's review is reported."""
        submitted = self.reviews.get((interface_id, order.number))
        if not submitted:
            return None
        key, rows = case.key_of_order(order, self.source), self.rows.get(order.number, ())
        own = case.own_review(submitted, rows, key, interface_id)
        if own is None and any(at > order.created_at for at in submitted):
            self._ignored.add((interface_id, order.number))
        return own

    def invited_before(self, order: Order, customer: str | None) -> invitation.Invitation | None:
        """The request that this very order got under another id or source, through whatever account."""
        rows = self.rows.get(order.number, ())
        key = case.key_of_order(order, self.source)
        return next(
            (
                row
                for row in rows
                if row.status in invitation.BLOCKING
                and not case.is_of(row, key)
                and (row.source == self.source or row.source not in self.shops)
                and case.is_same_order(row, key, customer)
            ),
            None,
        )

    def later(self, order: Order, interface_id: str) -> Iterator[invitation.Invitation]:
        """Pending invitations of this number at this interface whose orders come after this one."""
        key = case.key_of_order(order, self.source)
        for row in self.rows.get(order.number, ()):
            if row.interface_id == interface_id and not case.is_of(row, key) and row.id not in self.displaced:
                yield row

    def give(self, order: Order, interface_id: str) -> bool:
        """Give the number away at this interface; false where that may have been done already."""
        return self._given.add(hash((interface_id, order.number)))

    def note(self, name: str, *, invited: case.OrderKey, other: case.OrderKey) -> None:
        """Remember that ``other`` is not invited by the account of this name because of ``invited``."""
        self._pairs[name, other] = invited

    def compare(self, order: Order, rows: Sequence[invitation.Invitation]) -> None:
        """Compare an order with what is recorded under its id.

        Raises:
            OrderSourceError: too many orders are others than before; the source is another shop's.
        """
        row = rows[0]
        if row.number == order.number and abs(row.order_date - order.created_at) < case.SAME_DATE:
            return
        self._moved[order.order_id] = case.difference(row, order)
        if len(self._moved) >= case.MOVED_ORDERS:
            raise case.another_shop(self.source, list(self._moved.values()))

    @property
    def warnings(self) -> Iterator[Diagnostic]:
        """One warning for each order that is not invited because of its number, up to a limit."""
        yield from ignored_reviews(self._ignored)
        pairs = sorted(self._pairs.items(), key=lambda each: (each[0][0], each[0][1].rank))
        for (name, other), invited in pairs[:_PAIRS_SHOWN]:
            yield case.duplicate(name, invited=invited, other=other)
        if len(pairs) > _PAIRS_SHOWN:
            rest = len(pairs) - _PAIRS_SHOWN
            yield case.duplicates(None, f"{rest} more orders are not invited because of their number")


def review_places(
    orders: Iterable[Order], book: RuleBook, rows: Mapping[OrderId, Sequence[invitation.Invitation]]
) -> set[tuple[str, str]]:
    """Where reviews of these orders may be: interface id and number."""
    found = set[tuple[str, str]]()
    for order in orders:
        rules = book.candidates(order.store_view)
        found |= {(each.interface_id, order.number) for each in rules}
        found |= {(row.interface_id, order.number) for row in rows.get(order.order_id, ())}
    return found


def ignored_reviews(places: Collection[tuple[str, str]]) -> Iterator[Diagnostic]:
    """A warning about reviews, by interface id and number, that may be of one of several orders."""
    if places:
        interface_id, number = min(places)
        yield Diagnostic(
            severity=Severity.WARNING,
            rule="review-ambiguous",
            message=f"the reviews of {len(places)} order number(s), such as {number} at interface "
            f"{interface_id}, are ignored: several orders have the number there",
            hint="give each store its own number range, or each store an eKomi account of its own",
        )


def holders(
    steps: Steps[invitation.ScheduleStep], spots: set[tuple[str, str]]
) -> dict[tuple[str, str], case.OrderKey]:
    """The orders planned to be invited at these places: interface id and number."""
    return {
        spot: case.key_of_row(step) for step in steps if (spot := (step.interface_id, step.number)) in spots
    }
