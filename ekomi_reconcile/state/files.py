"""Private files: made with mode 0600 in folders of mode 0700, errors in plain words."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ekomi_reconcile.errors import StateError

_MENDS = {
    errno.EACCES: "let this user write there, or choose another path with --state",
    errno.EPERM: "let this user write there, or choose another path with --state",
    errno.EROFS: "the file system is read-only: choose another path with --state",
    errno.ENOENT: "make the folder, or choose another path with --state",
    errno.ENOTDIR: "a part of the path is a file: choose another path with --state",
    errno.EEXIST: "a part of the path is a file: choose another path with --state",
    errno.EISDIR: "it is a folder: choose the path of a file with --state",
    errno.ENOSPC: "make room on the disk and run again; nothing was lost",
    errno.EDQUOT: "make room on the disk and run again; nothing was lost",
    errno.ENOLCK: "its file system cannot lock: keep the state on a local disk",
    errno.ENOTSUP: "its file system cannot lock: keep the state on a local disk",
}


@contextmanager
def file_errors(path: Path) -> Iterator[None]:
    """Turn errors of the operating system into ``StateError`` with what to do about ``path``."""
    try:
        yield
    except OSError as error:
        said = error.strerror or "cannot be used"
        raise StateError(f"{path}: {said}", mend=_MENDS.get(error.errno or 0)) from error


def make_folder(folder: Path) -> None:
    """Make this folder and those above it, each 0700; one that exists stays as it is."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    folder.mkdir(mode=0o700, exist_ok=True)


def create_private(path: Path, content: bytes = b"") -> None:
    """Make a file that only its owner may read, from its first instant on.

    Raises:
        FileExistsError: it exists; nothing was written.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def publish(draft: Path, path: Path) -> None:
    """Give a finished file its name, all at once and never over another file.

    Raises:
        FileExistsError: the name is taken; both files stay.
    """
    os.link(draft, path)
    draft.unlink()
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make new names in this folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
