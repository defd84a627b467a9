"""Lines of a file that may be huge, damaged, or still being written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from ekomi_reconcile.errors import OrderSourceError

MAX_LINE = 8 * 1024 * 1024
"""Bytes of the longest line that is read; an order with 1,000 rows has about 1 MB."""

TOO_LONG = b""
"""Stands for a line longer than that; no line of ``Lines`` is empty, they end in a newline."""

BYTE_ORDER_MARK = b"\xef\xbb\xbf"

_BLOCK = 256 * 1024


@dataclass(frozen=True, slots=True)
class Block:
    """Lines that follow each other, without their newlines; ``None`` is one that is too long.

    They start at ``offset`` and are over at ``end`` (bytes); ``number`` lines precede them. Unless ``ended``
    the one line of the block is the last of all, and no newline ends it.
    """

    lines: Sequence[bytes | None]
    offset: int
    end: int
    number: int
    ended: bool = True


def blocks(stream: BinaryIO, *, start: int, end: int, number: int = 0, size: int = _BLOCK) -> Iterator[Block]:
    """The lines between ``start`` and ``end`` (bytes), many at a time; ``size`` bytes are read first.

    Raises:
        OrderSourceError: the file became shorter meanwhile.
    """
    stream.seek(start)
    rest, at, position = b"", start, start
    while position < end:
        part = _read(stream, min(size, end - position))
        position, size = position + len(part), min(2 * size, _BLOCK)
        whole, newline, tail = (rest + part).rpartition(b"\n")
        if newline:
            for block in _split(whole, at, number):
                number += len(block.lines)
                yield block
            at += len(whole) + 1
        rest = tail
        if len(rest) >= MAX_LINE:
            position, ended = _skip(stream, position, end)
            yield Block((None,), at, position, number, ended)
            rest, at, number = b"", position, number + 1
    if rest:
        yield from _split(rest, at, number, ended=False)


def _split(text: bytes, offset: int, number: int, *, ended: bool = True) -> Iterator[Block]:
    """One block, or two: the first line is set apart where it is not just a line."""
    end = offset + len(text) + ended
    marked = offset == 0 and text.startswith(BYTE_ORDER_MARK)
    if not marked and len(text) < MAX_LINE:
        yield Block(text.split(b"\n"), offset, end, number, ended)
        return
    head, more, body = text.partition(b"\n")
    after = offset + len(head) + 1 if more else end
    line = None if len(head) >= MAX_LINE else head.removeprefix(BYTE_ORDER_MARK) if marked else head
    yield Block((line,), offset, after, number, ended or bool(more))
    if more:
        yield Block(body.split(b"\n"), after, end, number + 1, ended)


def _read(stream: BinaryIO, size: int) -> bytes:
    part = stream.read(size)
    if not part:
        raise OrderSourceError("it became shorter while it was read", mend="run again")
    return part


def _skip(stream: BinaryIO, position: int, end: int) -> tuple[int, bool]:
    """Go to the end of a line that is too long, without keeping it: where that is, and whether it is one."""
    stream.seek(position)
    while position < end:
        part = stream.readline(min(_BLOCK, end - position))
        if not part:
            break
        position += len(part)
        if part.endswith(b"\n"):
            return position, True
    return position, False


class Lines:
    """The lines between ``start`` and ``end`` (bytes), with their newlines; iterate once.

    ``offset`` is where the next line starts, ``number`` how many lines of the file precede it.
    ``ended`` tells whether the last one was complete: it ended in a newline. Where few lines are wanted,
    ``size`` bounds what is read ahead.
    """

    def __init__(
        self, stream: BinaryIO, *, start: int, end: int, number: int = 0, size: int = _BLOCK
    ) -> None:
        self._blocks = blocks(stream, start=start, end=end, number=number, size=size)
        self.offset = start
        self.number = number
        self.ended = True

    def __iter__(self) -> Iterator[bytes]:
        for block in self._blocks:
            left = len(block.lines)
            for line in block.lines:
                left -= 1
                self.number += 1
                self.ended = block.ended
                self.offset = block.end if not left else self.offset + len(line or b"") + 1
                yield TOO_LONG if line is None else line + b"\n" if block.ended else line
