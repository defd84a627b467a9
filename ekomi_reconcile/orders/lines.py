"""Lines of a file that may be huge, damaged, or still being written."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from ekomi_reconcile.errors import OrderSourceError

MAX_LINE = 8 * 1024 * 1024
"""Bytes of the longest line that is read; an order with 1,000 rows has about 1 MB."""

TOO_LONG = b""
"""Stands for a line longer than that; no line is empty, they end in a newline."""

BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class Lines:
    """The lines between ``start`` and ``end`` (bytes), with their newlines; iterate once.

    ``offset`` is where the next line starts, ``number`` how many lines of the file precede it.
    ``ended`` tells whether the last one was complete: it ended in a newline.
    """

    def __init__(self, stream: BinaryIO, *, start: int, end: int, number: int = 0) -> None:
        stream.seek(start)
        self._stream = stream
        self._end = end
        self.offset = start
        self.number = number
        self.ended = True

    def __iter__(self) -> Iterator[bytes]:
        readline, end = self._stream.readline, self._end
        while self.offset < end:
            left = end - self.offset
            line = readline(left if left < MAX_LINE else MAX_LINE)
            if not line:
                raise OrderSourceError("it became shorter while it was read", mend="run again")
            self.number += 1
            start, self.offset = self.offset, self.offset + len(line)
            self.ended = line.endswith(b"\n")
            if not self.ended and len(line) == MAX_LINE:
                self._skip()
                line = TOO_LONG
            elif start == 0 and line.startswith(BYTE_ORDER_MARK):
                line = line.removeprefix(BYTE_ORDER_MARK) or b"\n"
            yield line

    def _skip(self) -> None:
        """Move to the end of a line that is too long, without keeping it."""
        while self.offset < self._end and not self.ended:
            part = self._stream.readline(min(MAX_LINE, self._end - self.offset))
            if not part:
                return
            self.offset += len(part)
            self.ended = part.endswith(b"\n")
