"""Documents of files that were read before, recognised by the digest of their bytes.

Only files without any mistake are kept: what is wrong is always found anew, with its place.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Any, Final

import msgspec

from ekomi_reconcile.config.cache import Cache, reader
from ekomi_reconcile.config.source import Document, Source

_NAME: Final = "documents"
_SPARE: Final = 1_000
"""Files kept beyond twice those of the last run: other branches have other versions of them."""


class _Document(msgspec.Struct, array_like=True, gc=False):
    start: int
    end: int
    line: int
    column: int
    data: dict[str, Any]


class _File(msgspec.Struct, array_like=True, gc=False):
    digest: bytes
    documents: msgspec.Raw


class _Files(msgspec.Struct, array_like=True, gc=False):
    reader: bytes
    files: list[_File]


_DECODER: Final = msgspec.msgpack.Decoder(_Files)
_DOCUMENTS: Final = msgspec.msgpack.Decoder(list[_Document])


class KnownFiles:
    """What is known of files; without a cache nothing is, and nothing is kept."""

    def __init__(self, cache: Cache | None) -> None:
        self._cache = cache
        self._known: dict[bytes, msgspec.Raw] = {} if cache is None else _load(cache)
        self._present: dict[bytes, msgspec.Raw] = {}

    def find(self, path: str, content: bytes) -> list[Document] | None:
        """The documents of a file with this content, if it was kept; ``path`` is how messages name it."""
        if not self._known:
            return None
        digest = sha256(content).digest()
        packed = self._known.get(digest)
        if packed is None:
            return None
        self._present[digest] = packed
        source = Source(path, content.decode("utf-8-sig"))
        return [
            Document(
                source=source,
                data=each.data,
                start=each.start,
                end=each.end,
                line=each.line,
                column=each.column,
            )
            for each in _DOCUMENTS.decode(packed)
        ]

    def keep(self, content: bytes, documents: Sequence[Document]) -> None:
        """These are the documents of a file with this content, and they are valid."""
        if self._cache is not None:
            parts = [_Document(each.start, each.end, each.line, each.column, each.data) for each in documents]
            self._present[sha256(content).digest()] = msgspec.Raw(msgspec.msgpack.encode(parts))

    def save(self) -> None:
        """Write down what was kept and found, and as much again of what was known before."""
        if self._cache is None or self._present.keys() <= self._known.keys():
            return
        files = self._present | {
            digest: packed for digest, packed in self._known.items() if digest not in self._present
        }
        most = 2 * len(self._present) + _SPARE
        packed = [_File(*each) for each in list(files.items())[:most]]
        self._cache.write(_NAME, msgspec.msgpack.encode(_Files(reader(), packed)))


def _load(cache: Cache) -> dict[bytes, msgspec.Raw]:
    content = cache.read(_NAME)
    if content is None:
        return {}
    try:
        found = _DECODER.decode(content)
    except msgspec.DecodeError:
        return {}
    return {each.digest: each.documents for each in found.files} if found.reader == reader() else {}
