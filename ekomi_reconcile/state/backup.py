"""Copies of a file state, beside it. The key is never copied."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection

from ekomi_reconcile.errors import StateError
from ekomi_reconcile.state.dialect import Dialect
from ekomi_reconcile.state.files import create_private, file_errors, publish, sync_folder


def back_up(connection: Connection, dialect: Dialect, *, target: Path) -> Path:
    """Write a consistent copy with mode 0600; an older copy of this name is never overwritten.

    Returns the path: ``target``, or with a number if that name is taken. Raises ``StateError`` if the
    copy cannot be written; then nothing is left behind.
    """
    draft = free_name(target.with_name(f"{target.name}.part"))
    path = free_name(target)
    with file_errors(path):
        create_private(draft)
        try:
            dialect.copy(connection, draft)
            publish(draft, path)
        finally:
            draft.unlink(missing_ok=True)
        sync_folder(path.parent)
    return path


def free_name(path: Path) -> Path:
    """This path, or the first free one with a number."""
    if not path.exists():
        return path
    for number in range(2, 10_000):
        candidate = path.with_name(f"{path.name}.{number}")
        if not candidate.exists():
            return candidate
    raise StateError(f"{path}: there are too many copies already", mend="remove some")
