"""Files of the cache: what was worked out before, safe to delete, to share and to damage.

A file begins with the digest of the rest: whatever is wrong with it, it counts as not there. There is none
where the folder cannot be written, nor before the project has a folder ``.ekomi-reconcile``: looking at files
leaves no traces beside them. References to secrets may be in it, secrets never are.
"""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Final

from ekomi_reconcile import __version__

FOLDER: Final = Path(".ekomi-reconcile", "cache")
"""Relative to the folder of the project file."""

_DIGEST: Final = sha256().digest_size


class Cache:
    """The cache of the project in the folder ``root``."""

    def __init__(self, root: Path) -> None:
        self._folder = root / FOLDER

    def read(self, name: str) -> memoryview | None:
        """What was written under this name; ``None`` if there is nothing, or something else by now."""
        try:
            content = memoryview((self._folder / name).read_bytes())
        except OSError:
            return None
        sound = sha256(content[_DIGEST:]).digest() == content[:_DIGEST]
        return content[_DIGEST:] if sound else None

    def write(self, name: str, content: bytes) -> None:
        """Keep this under a name, at once or not at all; only its owner may read it."""
        draft = self._folder / f"{name}.{secrets.token_hex(4)}.part"
        with suppress(OSError):
            self._folder.mkdir(mode=0o700, exist_ok=True)
            try:
                _write(draft, sha256(content).digest(), content)
                draft.replace(self._folder / name)
            finally:
                draft.unlink(missing_ok=True)


@cache
def reader() -> bytes:
    """The digest of the code that reads files: for other code they may mean something else."""
    digest = sha256(__version__.encode())
    package = Path(__file__).parent.parent
    for folder in ("config", "model"):
        for path in sorted((package / folder).glob("*.py")):
            digest.update(path.read_bytes())
    return digest.digest()


def _write(path: Path, *parts: bytes) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.writelines(parts)
