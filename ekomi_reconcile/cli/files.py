"""Writing files that a command was asked for."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from ekomi_reconcile.errors import ReconcileError
from ekomi_reconcile.paths import read_bounded


def write_private(path: Path, content: bytes) -> None:
    """Write a file that only its owner may read, whole or not at all.

    Raises:
        ReconcileError: it cannot be written.
    """
    with private_file(path) as file:
        file.write(content)


@contextmanager
def private_file(path: Path) -> Iterator[IO[bytes]]:
    """A file that only its owner may read; it gets its name when all of it is written, or never.

    Raises:
        ReconcileError: it cannot be written.
    """
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            yield file
        draft.replace(path)
    except OSError as error:
        raise ReconcileError(
            f"{path} cannot be written: {error.strerror}", mend="choose another place for it"
        ) from None
    finally:
        with suppress(OSError):
            draft.unlink(missing_ok=True)


def read_file(path: Path, *, limit: int) -> bytes:
    """Read a file of at most ``limit`` bytes.

    Raises:
        ReconcileError: it cannot be read, or is larger.
    """
    try:
        content = read_bounded(path, limit + 1)
    except OSError as error:
        raise ReconcileError(f"{path} cannot be read: {error.strerror}", mend="check the name") from None
    if len(content) > limit:
        raise ReconcileError(f"{path} is larger than {limit // 2**20} MiB", mend="is it the right file?")
    return content
