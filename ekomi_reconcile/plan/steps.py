"""Invitation steps of a plan, packed so that memory stays flat however many there are."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Generic, Self, TypeAlias, TypeVar

import msgspec

from ekomi_reconcile.model.instant import Instant
from ekomi_reconcile.plan.spool import Kept, Spool


class Schedule(msgspec.Struct, frozen=True, gc=False, array_like=True, kw_only=True):
    """Put an order into the queue of an account, or revive its cancelled row.

    ``rule_change`` says that a changed rule, not a new order, is the cause. ``customer`` is a keyed digest.
    """

    interface_id: str
    source: str
    order_id: int
    number: str
    store_view: str | None
    order_date: Instant
    reached_at: Instant
    reached_status: str
    reached_source: str
    judged_at: Instant
    scheduled_at: Instant
    customer: str | None = None
    rule_change: bool = False


class Reschedule(msgspec.Struct, frozen=True, gc=False, array_like=True, kw_only=True):
    """Move a pending row to another time."""

    interface_id: str
    row_id: int
    source: str
    order_id: int
    number: str
    scheduled_at: Instant
    previously: Instant
    reached_at: Instant
    reached_status: str
    reached_source: str
    rule_change: bool = False


class Cancel(msgspec.Struct, frozen=True, gc=False, array_like=True, kw_only=True):
    """Take a pending row out of the queue; ``reason`` is the criterion that fails, or why there is none."""

    interface_id: str
    row_id: int
    source: str
    order_id: int
    number: str
    reason: str
    rule_change: bool = False


class Send(msgspec.Struct, frozen=True, gc=False, array_like=True, kw_only=True):
    """Ask for the review now. ``row_id`` is ``None`` for a row that the same plan schedules."""

    interface_id: str
    row_id: int | None
    source: str
    order_id: int
    number: str
    scheduled_at: Instant
    rule_change: bool = False


class Observation(msgspec.Struct, frozen=True, gc=False, array_like=True, kw_only=True):
    """Remember the status in which an order was seen, so that a later change can be dated.

    ``moved`` says that it was seen in another status before.
    """

    source: str
    order_id: int
    status: str
    since: Instant
    moved: bool


Step = TypeVar("Step", Schedule, Reschedule, Cancel, Send, Observation)

EXAMPLES = 3
"""How many steps per account are kept at hand to be shown."""

_CHUNK = 1 << 16

_Ends: TypeAlias = "array[int]"
"""Where the steps of a chunk end."""


class Steps(Generic[Step]):
    """A growing sequence of steps of one kind, in order.

    ``by_account`` counts them per interface id, ``by_rule_change`` those that a changed rule causes;
    ``examples`` holds the first few of each account.
    """

    __slots__ = (
        "_chunk",
        "_decoder",
        "_encoder",
        "_ends",
        "_full",
        "_size",
        "_spool",
        "by_account",
        "by_rule_change",
        "examples",
    )

    def __init__(self, kind: type[Step]) -> None:
        self._decoder: msgspec.msgpack.Decoder[Step] = msgspec.msgpack.Decoder(kind)
        self._encoder = msgspec.msgpack.Encoder()
        self._spool = Spool()
        self._full: list[tuple[Kept, _Ends]] = []
        self._chunk = bytearray()
        self._ends: _Ends = array("I")
        self._size = 0
        self.by_account: Counter[str] = Counter()
        self.by_rule_change = 0
        self.examples: dict[str, list[Step]] = {}

    def append(self, step: Step) -> None:
        """Add one step at the end."""
        chunk = self._chunk
        self._encoder.encode_into(step, chunk, -1)
        self._ends.append(len(chunk))
        if len(chunk) > _CHUNK:
            self._put_away()
        self._size += 1
        if not isinstance(step, Observation):
            self.by_rule_change += step.rule_change
            self._count(step.interface_id, step)

    def _put_away(self) -> None:
        """The chunk is full: begin another one."""
        if self._ends:
            self._full.append((self._spool.keep(bytes(self._chunk)), self._ends))
            self._chunk, self._ends = bytearray(), array("I")

    def _count(self, owner: str, step: Step) -> None:
        count = self.by_account[owner] = self.by_account[owner] + 1
        if count <= EXAMPLES:
            self.examples.setdefault(owner, []).append(step)

    def extend(self, other: Steps[Step]) -> None:
        """Add all steps of ``other`` behind the own ones; ``other`` must not grow afterwards."""
        self._put_away()
        other._put_away()
        self._full += other._full
        self._size += other._size
        self.by_account.update(other.by_account)
        self.by_rule_change += other.by_rule_change
        for owner, more in other.examples.items():
            mine = self.examples.setdefault(owner, [])
            mine += more[: EXAMPLES - len(mine)]

    def without(self, unwanted: Callable[[Step], bool]) -> Self:
        """The steps for which ``unwanted`` does not hold."""
        kept = type(self)(self._decoder.type)
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
