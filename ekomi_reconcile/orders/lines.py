"""Lines of a file that may be huge, damaged, or still being written."""

from __future__ import annotations

from collections.abc import Iterator
from io import BufferedReader, RawIOBase
from typing import Any, BinaryIO

from ekomi_reconcile.errors import OrderSourceError

MAX_LINE = 8 * 1024 * 1024
"""Bytes of the longest line that is read; an order with 1,000 rows has about 1 MB."""

TOO_LONG = b""
"""Stands for a line longer than that; no line of ``Lines`` is empty, they end in a newline."""

_SNIFFED = 65_536

BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class _CarriageReturns(RawIOBase):
    """A file whose lines end in CR, read as if they ended in LF; offsets stay the same."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._stream.fileno()

    def seek(self, offset: int, whence: int = 0, /) -> int:
        return self._stream.seek(offset, whence)

    def readinto(self, buffer: Any, /) -> int:
        data = self._stream.read(len(buffer)).replace(b"\r", b"\n")
        buffer[: len(data)] = data
        return len(data)


def with_newlines(stream: BinaryIO, buffer: int) -> BinaryIO:
    """The file with lines that end in LF, also where they end in CR alone, as some spreadsheets write."""
    start = stream.read(_SNIFFED)
    stream.seek(0)
    if b"\r" not in start or b"\n" in start:
        return stream
    return BufferedReader(_CarriageReturns(stream), buffer)


class Lines:
    """The lines between ``start`` and ``end`` (bytes), with their newlines; iterate once.

    ``offset`` is where the next line starts, ``number`` how many lines of the file precede it.
    ``ended`` tells whether the last one was complete: it ended in a newline.
    """

    def __init__(self, stream: BinaryIO, *, start: int, end: int, number: int = 0) -> None:
        self._stream = stream
        self._end = end
        self.offset = start
        self.number = number
        self.ended = True

    def __iter__(self) -> Iterator[bytes]:
        """Read line by line, what lies behind ``end`` left out.

        Raises:
            OrderSourceError: the file became shorter meanwhile.
        """
        self._stream.seek(self.offset)
        readline, end = self._stream.readline, self._end
        while self.offset < end:
            start, line = self.offset, readline(MAX_LINE)
            if start + len(line) > end:
                line = line[: end - start]
            if not line:
                raise OrderSourceError("it became shorter while it was read", mend="run again")
            self.number += 1
            self.offset = start + len(line)
            self.ended = line.endswith(b"\n")
            if not self.ended and len(line) == MAX_LINE:
                self._skip()
                yield TOO_LONG
            elif start:
                yield line
            else:
                yield line.removeprefix(BYTE_ORDER_MARK)

    def _skip(self) -> None:
        """Go to the end of a line that is too long, without keeping it."""
        while not self.ended and self.offset < self._end:
            part = self._stream.readline(min(MAX_LINE, self._end - self.offset))
            if not part:
                break
            self.offset += len(part)
            self.ended = part.endswith(b"\n")
