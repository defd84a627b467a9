"""Invitation steps of a plan, packed so that memory stays flat; counts of orders not invited."""

from __future__ import annotations

import tempfile
import weakref
from array import array
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import IO, Generic, Self, TypeAlias, TypeVar

import msgspec

from ekomi_reconcile.model.invitation import (
    CancelStep,
    Observation,
    RescheduleStep,
    ScheduleStep,
    SendStep,
)

IN_MEMORY = 2 * 1024 * 1024
"""Bytes that are kept at hand."""


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
        self._spool = SpooledBuffer()
        self._full: list[tuple[SpooledPart, _Ends]] = []
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
