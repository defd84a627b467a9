"""Where files come from: the disk, or anything else that can list and read them."""

from __future__ import annotations

import errno
import os
import posixpath
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from ekomi_reconcile.errors import ConfigurationNotFound

MAX_BYTES: Final = 10 * 1024 * 1024
"""Size of the largest file that is read."""

SUFFIXES: Final = (".yaml", ".yml")

DEEPEST: Final = 100
"""Folders above a folder that is still read."""


@dataclass(frozen=True, slots=True)
class Listing:
    """What a walk found: paths of files, sorted, and paths that could not be followed, with the reason."""

    files: tuple[str, ...]
    unreadable: tuple[tuple[str, str], ...] = ()


class Tree(Protocol):
    """Files by posix paths, written as the caller writes them: relative ones start where he stands."""

    def read(self, path: str) -> bytes:
        """The content of a file; of one larger than ``MAX_BYTES`` at least one byte more than that.

        Raises:
            OSError: it cannot be read; FileNotFoundError when there is no such file.
        """

    def walk(self, folder: str) -> Listing:
        """Every YAML file below ``folder``.

        Raises:
            OSError: the folder cannot be read; FileNotFoundError when there is none.
        """


class KeepingTree:
    """A tree that reads everything once: what is looked at twice is the same both times."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._contents: dict[str, bytes] = {}
        self._listings: dict[str, Listing] = {}

    def read(self, path: str) -> bytes:
        """Implements ``Tree``."""
        content = self._contents.get(path)
        if content is None:
            content = self._contents[path] = self._tree.read(path)
        return content

    def walk(self, folder: str) -> Listing:
        """Implements ``Tree``."""
        if folder not in self._listings:
            self._listings[folder] = self._tree.walk(folder)
        return self._listings[folder]


def account_files(tree: Tree, project: str, folder: str) -> Listing:
    """The files of the accounts in ``folder``, which is relative to that of the project file ``project``.

    Raises:
        OSError, ValueError: the folder cannot be read; FileNotFoundError when there is none.
    """
    found = tree.walk(posixpath.normpath(posixpath.join(posixpath.dirname(project), folder)))
    return Listing(tuple(each for each in found.files if each != project), found.unreadable)


def no_project(path: str) -> ConfigurationNotFound:
    """There is no project file at ``path``."""
    return ConfigurationNotFound(
        f"there is no project file {path}",
        mend="run in the folder of the project, or name it: -C DIR or --config FILE; `init` makes a new one",
    )


class DiskTree:
    """The files of this machine, relative to the working directory."""

    def read(self, path: str) -> bytes:
        """Implements ``Tree``; only regular files are read, so that a pipe does not hang the run."""
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            status = os.fstat(handle)
            if not stat.S_ISREG(status.st_mode):
                raise OSError(errno.EINVAL, "not a regular file", path)
            return _read_all(handle, status.st_size)
        finally:
            os.close(handle)

    def walk(self, folder: str) -> Listing:
        """Implements ``Tree``; links to folders are followed, but not back to where they lead from."""
        unreadable: list[tuple[str, str]] = []
        itself = _identity(folder)
        outer = (itself, *(_identity(each) for each in Path(folder).resolve().parents))
        files = sorted(_walk(folder, outer, unreadable))
        return Listing(tuple(files), tuple(unreadable))


def _read_all(handle: int, size: int) -> bytes:
    wanted = min(size, MAX_BYTES) + 1
    content = os.read(handle, wanted)
    if size and len(content) == size:
        return content
    # The file has changed since, or does not tell its size.
    while len(content) <= MAX_BYTES and (more := os.read(handle, wanted)):
        content += more
    return content


def _walk(
    folder: str, outer: tuple[tuple[int, int], ...], unreadable: list[tuple[str, str]]
) -> Iterator[str]:
    with os.scandir(folder) as entries:
        for entry in entries:
            path = entry.name if folder == "." else f"{folder}/{entry.name}"
            try:
                is_folder = entry.is_dir()
            except OSError as problem:
                unreadable.append((path, problem.strerror or str(problem)))
                continue
            if is_folder:
                yield from _inner(path, outer, unreadable)
            elif entry.name.endswith(SUFFIXES):
                yield path


def _inner(path: str, outer: tuple[tuple[int, int], ...], unreadable: list[tuple[str, str]]) -> Iterator[str]:
    try:
        identity = _identity(path)
        if identity in outer or len(outer) > DEEPEST:
            unreadable.append((path, "it leads back to a folder above it, or too deep"))
            return
        yield from _walk(path, (*outer, identity), unreadable)
    except OSError as problem:
        unreadable.append((path, problem.strerror or str(problem)))


def _identity(path: str | Path) -> tuple[int, int]:
    status = Path(path).stat()
    return status.st_dev, status.st_ino
