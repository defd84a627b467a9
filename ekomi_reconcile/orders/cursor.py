"""Positions in a file of orders: recognising whether it is unchanged, only grown, or another one."""

from __future__ import annotations

import os
import time
from collections.abc import Collection
from hashlib import blake2b
from typing import BinaryIO

import msgspec

from ekomi_reconcile.orders.flaws import Flaw
from ekomi_reconcile.orders.normalize import Codes

RULES = 2
"""The rules by which order files are read now."""

_GROWING = frozenset({"jsonl", "csv"})
_SAMPLE = 4_096  # bytes at either end of what was read that must still be the same
_TICK = 50_000_000  # nanoseconds in which two writes may leave the same modification time
_COARSE_TICK = 2_000_000_000  # the same where the file system keeps whole seconds


class Identity(msgspec.Struct, frozen=True):
    """What the file system says of a file: as long as it is equal, the file is taken as unchanged.

    ``settled`` is false for a file changed so recently that a later change may leave it equal.
    """

    inode: int
    size: int
    mtime_ns: int
    settled: bool

    @classmethod
    def of(cls, stream: BinaryIO) -> Identity:
        """The identity of this open file, now."""
        stat = os.fstat(stream.fileno())
        tick = _TICK if stat.st_mtime_ns % 1_000_000_000 else _COARSE_TICK
        settled = abs(time.time_ns() - stat.st_mtime_ns) > tick
        return cls(stat.st_ino, stat.st_size, stat.st_mtime_ns, settled)

    def unchanged_since(self, earlier: Identity) -> bool:
        """Is the file as it was then?"""
        same = (self.inode, self.size, self.mtime_ns) == (earlier.inode, earlier.size, earlier.mtime_ns)
        return same and earlier.settled


class Cursor(msgspec.Struct, frozen=True, kw_only=True):
    """Everything before ``offset`` (bytes; ``lines`` lines) is read.

    ``digest`` is of the bytes before it; ``flaws`` are the first of the ``unreadable`` records, ``remarks``
    are warnings about the file. ``rules`` counts how strictly it was read: a file that was read by other
    rules is read again.
    """

    layout: str
    codes: str
    identity: Identity
    offset: int
    lines: int
    digest: str
    unreadable: int = 0
    flaws: tuple[Flaw, ...] = ()
    remarks: tuple[Flaw, ...] = ()
    rules: int = 1

    def text(self) -> str:
        """The form in which it is stored."""
        return msgspec.json.encode(self).decode()


_DECODER = msgspec.json.Decoder(Cursor)


def parse_cursor(text: str) -> Cursor | None:
    """The cursor in this text; ``None`` if it is none of ours."""
    try:
        return _DECODER.decode(text)
    except (msgspec.DecodeError, UnicodeError):
        return None


def earliest(texts: Collection[str], stream: BinaryIO, identity: Identity, *, codes: str) -> Cursor | None:
    """The earliest of these positions; ``None`` if any of them says nothing about this file."""
    cursors = [parse_cursor(text) for text in texts]
    usable = [each for each in cursors if each and _holds(each, stream, identity, codes=codes)]
    if not usable or len(usable) < len(cursors):
        return None
    return min(usable, key=lambda each: each.offset)


def _holds(cursor: Cursor, stream: BinaryIO, identity: Identity, *, codes: str) -> bool:
    if cursor.codes != codes or cursor.rules != RULES:
        return False
    if identity.unchanged_since(cursor.identity):
        return True
    grown = identity.inode == cursor.identity.inode and identity.size > cursor.identity.size
    lines = cursor.layout in _GROWING and cursor.offset > 0
    return grown and lines and digest_before(stream, cursor.offset) == cursor.digest


def digest_before(stream: BinaryIO, offset: int) -> str:
    """A digest of the first and of the last bytes before this offset."""
    stream.seek(0)
    digest = blake2b(stream.read(min(_SAMPLE, offset)), digest_size=16)
    stream.seek(max(0, offset - _SAMPLE))
    digest.update(stream.read(min(_SAMPLE, offset)))
    return digest.hexdigest()


def digest_of(codes: Codes) -> str:
    """A digest of what ids mean: with other meanings the same file holds other orders."""
    meanings = (sorted(codes.stores.items()), sorted(codes.customer_groups.items()))
    return blake2b(msgspec.json.encode(meanings), digest_size=8).hexdigest()
