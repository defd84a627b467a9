"""Bytes that are many: in memory at first, then in an unnamed temporary file."""

from __future__ import annotations

import tempfile
import weakref
from dataclasses import dataclass
from typing import IO

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
