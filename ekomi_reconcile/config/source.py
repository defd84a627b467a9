"""Files and the documents in them: from the disk or from any other tree."""

from __future__ import annotations

import errno
import os
import posixpath
import stat
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol, TypeAlias

from ekomi_reconcile.model.diagnostic import Place
from ekomi_reconcile.model.errors import ConfigurationNotFound
from ekomi_reconcile.model.paths import expand

if TYPE_CHECKING:
    from yaml.nodes import Node


KeyPath: TypeAlias = tuple[str | int, ...]
Part: TypeAlias = Literal["key", "value"]

_KEPT: Final = 16
"""Documents whose nodes are kept: diagnostics of one document follow each other."""


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """The text of one file, without byte order mark. ``path`` is how messages name it."""

    path: str
    text: str


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Document:
    """One YAML document: its data, and where its top-level mapping lies in the text.

    ``start`` and ``end`` are character offsets, ``line`` and ``column`` those of ``start`` from 0.
    """

    source: Source
    data: dict[str, Any]
    start: int
    end: int
    line: int
    column: int

    def place(self, path: KeyPath = (), part: Part = "value") -> Place:
        """Where the key or the value at ``path`` stands; what is absent is found at its parent."""
        node, nodes = self._root(), []
        for step in path:
            found = _child(node, step)
            if found is None:
                break
            nodes.append(found)
            node = found[1]
        if not nodes:
            return self._at(node)
        key, value = nodes[-1]
        return self._at(key if part == "key" and len(nodes) == len(path) and key is not None else value)

    def _root(self) -> Any:
        return _compose(self)

    def _at(self, node: Any) -> Place:
        start, end = node.start_mark, node.end_mark
        return Place(
            path=self.source.path,
            line=self.line + start.line + 1,
            column=start.column + 1,
            end_line=self.line + end.line + 1,
            end_column=end.column + 1,
        )


@lru_cache(maxsize=_KEPT)
def _compose(document: Document) -> Any:
    from ekomi_reconcile.config.yaml_nodes import composer

    # The spaces put the first line back at its column: indentation has a meaning.
    text = " " * document.column + document.source.text[document.start : document.end]
    return composer(text).get_single_node()


def _child(node: Any, step: str | int) -> tuple[Node | None, Node] | None:
    if node.id == "sequence" and isinstance(step, int) and step < len(node.value):
        return None, node.value[step]
    if node.id == "mapping":
        for key, value in node.value:
            if key.value == step:
                return key, value
    return None


MAX_BYTES: Final = 10 * 1024 * 1024
"""Size of the largest file that is read."""

SUFFIXES: Final = (".yaml", ".yml")

MAX_TOTAL_BYTES: Final = 256 * 1024 * 1024
"""Size of all files of a project together."""

MAX_ENTRIES: Final = 100_000
"""Files and folders below the accounts folder, of whatever kind, counted once per path that leads to them."""

DEEPEST: Final = 100
"""Folders above a folder that is still read."""


class OutOfLimits(OSError):
    """A folder with more entries than ``MAX_ENTRIES``, or files larger than ``MAX_TOTAL_BYTES`` together."""


@dataclass(frozen=True, slots=True)
class Listing:
    """What a walk found: paths of files, sorted, and paths that could not be followed, with the reason.

    ``misnamed`` are files whose extension would be one of ``SUFFIXES`` in lower case; they are not read.
    """

    files: tuple[str, ...]
    unreadable: tuple[tuple[str, str], ...] = ()
    misnamed: tuple[str, ...] = ()


@dataclass(slots=True)
class Walk:
    """A walk under way: it counts what it meets, and sorts it into the parts of a ``Listing``."""

    files: list[str] = field(default_factory=list)
    unreadable: list[tuple[str, str]] = field(default_factory=list)
    misnamed: list[str] = field(default_factory=list)
    entries: int = 0
    max_entries: int = MAX_ENTRIES

    def meet(self, name: str) -> bool:
        """Count an entry of a folder; is it looked at? Hidden ones (``.#a.yaml``, ``..data``) are not.

        Raises:
            OutOfLimits: it is one too many.
        """
        self.entries += 1
        if self.entries > self.max_entries:
            raise OutOfLimits(errno.E2BIG, f"more than {self.max_entries:,} files and folders")
        return not name.startswith(".")

    def add_file(self, path: str) -> None:
        """Add a file if it is named like a YAML file."""
        if path.endswith(SUFFIXES):
            self.files.append(path)
        elif path[-5:].lower().endswith(SUFFIXES):
            self.misnamed.append(path)

    def listing(self) -> Listing:
        """What was found, sorted."""
        return Listing(tuple(sorted(self.files)), tuple(self.unreadable), tuple(sorted(self.misnamed)))


class Tree(Protocol):
    """Files by posix paths, written as the caller writes them: relative ones start where he stands."""

    def read(self, path: str) -> bytes:
        """The content of a file; of one larger than ``MAX_BYTES`` at least one byte more than that.

        Raises:
            OSError: it cannot be read; FileNotFoundError when there is no such file.
        """

    def walk(self, folder: str) -> Listing:
        """Every YAML file below ``folder``; names that begin with a dot are left out, at every level.

        Raises:
            OSError: the folder cannot be read; FileNotFoundError when there is none, ``OutOfLimits`` when it
                holds too much.
        """


class KeepingTree:
    """A tree that reads everything once: what is looked at twice is the same both times."""

    def __init__(self, tree: Tree, *, max_bytes: int = MAX_TOTAL_BYTES) -> None:
        self._tree = tree
        self._max_bytes = max_bytes
        self._contents: dict[str, bytes] = {}
        self._listings: dict[str, Listing] = {}
        self._total = 0

    def read(self, path: str) -> bytes:
        """Implements ``Tree``.

        Raises:
            OutOfLimits: the files that were read are larger than ``max_bytes`` together.
        """
        content = self._contents.get(path)
        if content is None:
            content = self._tree.read(path)
            self._total += len(content)
            if self._total > self._max_bytes:
                limit = self._max_bytes // 1024 // 1024
                raise OutOfLimits(errno.EFBIG, f"the files are larger than {limit} MiB together")
            self._contents[path] = content
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
    found = tree.walk(posixpath.normpath(posixpath.join(posixpath.dirname(project), expand(folder))))
    return replace(found, files=tuple(each for each in found.files if each != project))


def no_project(path: str) -> ConfigurationNotFound:
    """The error that ``path`` has no project file."""
    return ConfigurationNotFound(
        f"no project file {path}",
        hint="run in the project folder, or use -C DIR or --config FILE; `init` creates a new project",
    )


class DiskTree:
    """The files of this machine, relative to the working directory."""

    def __init__(self, *, max_entries: int = MAX_ENTRIES) -> None:
        self._max_entries = max_entries

    def read(self, path: str) -> bytes:
        """Implements ``Tree``; only regular files are read, so that a pipe does not hang the run.

        Raises:
            OSError: it is not a regular file, or cannot be read.
        """
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
        walk = Walk(max_entries=self._max_entries)
        itself = _identity(folder)
        _walk(folder, (itself, *(_identity(each) for each in Path(folder).resolve().parents)), walk)
        return walk.listing()


def _read_all(handle: int, size: int) -> bytes:
    wanted = min(size, MAX_BYTES) + 1
    content = os.read(handle, wanted)
    if size and len(content) == size:
        return content
    # The file has changed since, or does not tell its size.
    while len(content) <= MAX_BYTES and (more := os.read(handle, wanted)):
        content += more
    return content


def _walk(folder: str, outer: tuple[tuple[int, int], ...], walk: Walk) -> None:
    with os.scandir(folder) as entries:
        for entry in entries:
            if not walk.meet(entry.name):
                continue
            path = entry.name if folder == "." else f"{folder}/{entry.name}"
            try:
                is_folder = entry.is_dir()
            except OSError as problem:
                walk.unreadable.append((path, problem.strerror or str(problem)))
                continue
            if is_folder:
                _inner(path, outer, walk)
            else:
                walk.add_file(path)


def _inner(path: str, outer: tuple[tuple[int, int], ...], walk: Walk) -> None:
    try:
        identity = _identity(path)
        if identity in outer or len(outer) > DEEPEST:
            walk.unreadable.append((path, "it leads back to a folder above it, or too deep"))
            return
        _walk(path, (*outer, identity), walk)
    except OutOfLimits:
        raise
    except OSError as problem:
        walk.unreadable.append((path, problem.strerror or str(problem)))


def _identity(path: str | Path) -> tuple[int, int]:
    status = Path(path).stat()
    return status.st_dev, status.st_ino
