"""Invitation steps of a plan, packed so that memory stays flat; counts of orders not invited."""

from __future__ import annotations

import tempfile
import weakref
from array import array
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import IO, Generic, Self, TypeAlias, TypeVar

import msgspec

from ekomi_reconcile.model.account import Account
from ekomi_reconcile.model.invitation import (
    CancelStep,
    Criterion,
    Observation,
    RescheduleStep,
    ScheduleStep,
    SendStep,
)
from ekomi_reconcile.model.order import Order

IN_MEMORY = 2 * 1024 * 1024
"""Bytes that are kept at hand."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A stretch of a spool: its bytes, or where they are."""

    spool: Spool
    size: int
    data: bytes | None = None
    offset: int = 0

    def read(self) -> bytes:
        """The bytes."""
        return self.spool.read(self) if self.data is None else self.data


class Spool:
    """Keeps stretches of bytes until nobody asks for them any more.

    What is kept holds no personal data, and the file has no name: it is gone with the process. Where the disk
    takes no more, memory does.
    """

    def __init__(self) -> None:
        self._used = 0
        self._end = 0
        self._file: IO[bytes] | None = None

    def keep(self, data: bytes) -> Kept:
        """Keep these bytes."""
        self._used += len(data)
        if self._used > IN_MEMORY:
            try:
                return self._write(data)
            except OSError:
                pass  # the disk is full, or there is none: memory is what is left
        return Kept(self, len(data), data)

    def read(self, kept: Kept) -> bytes:
        """The bytes of a stretch that was written."""
        assert self._file is not None  # noqa: S101 - for the type checker
        self._file.seek(kept.offset)
        return self._file.read(kept.size)

    def _write(self, data: bytes) -> Kept:
        if self._file is None:
            self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - closed with the spool
            weakref.finalize(self, self._file.close)
        self._file.seek(self._end)
        if self._file.write(data) != len(data):
            raise OSError("written in part")
        kept = Kept(self, len(data), offset=self._end)
        self._end += len(data)
        return kept


ENOUGH = 20
"""From so many orders on, a condition that holds for all or for none of them is worth a word."""

_EXAMPLES = 3
"""How many orders a warning names."""

_AFTER_CONDITIONS = frozenset(
    {Criterion.DELIVERABLE, Criterion.SUPPRESSED, Criterion.DUPLICATE_NUMBER, Criterion.ALREADY_INVITED}
)


class _Counts:
    """Of one account: orders looked at, orders for which its conditions held or not, and refusals."""

    __slots__ = ("against", "held", "refused", "seen")

    def __init__(self) -> None:
        self.seen = self.held = self.against = 0
        self.refused: Counter[Criterion] = Counter()


class ReasonTally:
    """Counts the first criterion that fails.

    Accounts that an order's store view rules out are never looked at one by one: their number follows
    from the orders read and the orders seen.
    """

    __slots__ = ("_counts", "misdated", "misdated_examples", "orders")

    def __init__(self) -> None:
        self.orders = self.misdated = 0
        self.misdated_examples: list[tuple[str, tuple[str, ...]]] = []
        self._counts: defaultdict[str, _Counts] = defaultdict(_Counts)

    def read(self, order: Order) -> None:
        """This order was read."""
        self.orders += 1
        if order.misdated:
            self.misdated += 1
            if len(self.misdated_examples) < _EXAMPLES:
                self.misdated_examples.append((order.number, order.misdated))

    def saw(self, interface_id: str) -> None:
        """This account was looked at for one order."""
        self._counts[interface_id].seen += 1

    def refused(self, interface_id: str, criterion: Criterion) -> None:
        """It was not invited, and this is why."""
        self._counts[interface_id].refused[criterion] += 1

    def judged(self, interface_id: str, first_failed: Criterion | None) -> None:
        """Its conditions were reached for one order, unless a criterion before them failed."""
        if first_failed is Criterion.CONDITIONS:
            self._counts[interface_id].against += 1
        elif first_failed is None or first_failed in _AFTER_CONDITIONS:
            self._counts[interface_id].held += 1

    def one_sided(self, accounts: Collection[Account]) -> Iterator[tuple[Account, bool, int]]:
        """Accounts whose conditions held for all, or for none, of so many orders."""
        for account in accounts:
            if account.invitations.conditions is None or account.interface_id not in self._counts:
                continue
            counts = self._counts[account.interface_id]
            total = counts.held + counts.against
            if total >= ENOUGH and total in (counts.held, counts.against):
                yield account, bool(counts.held), total

    def result(self, accounts: Collection[Account]) -> dict[str, dict[str, int]]:
        """By account name and criterion, in the order in which criteria are judged."""
        found = {account.name: self._of(account) for account in accounts}
        return {name: counts for name, counts in found.items() if counts}

    def _of(self, account: Account) -> dict[str, int]:
        if not account.invitations.enabled:
            return _positive({Criterion.ENABLED: self.orders})
        counts = self._counts[account.interface_id]
        return _positive({Criterion.STORE_VIEW: self.orders - counts.seen, **counts.refused})


def _positive(counts: Mapping[Criterion, int]) -> dict[str, int]:
    return {each.value: counts[each] for each in Criterion if counts.get(each)}


Step = TypeVar("Step", ScheduleStep, RescheduleStep, CancelStep, SendStep, Observation)

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
