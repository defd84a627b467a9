"""A git revision of a project: found and read without touching the working tree."""

from __future__ import annotations

import errno
import os
import posixpath
import re
import subprocess
import tarfile
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Final, cast

from ekomi_reconcile.config.source import DEEPEST, MAX_BYTES, SUFFIXES, Listing, Walk
from ekomi_reconcile.model.errors import RevisionUnreadable

_TIMEOUT: Final = 120.0
"""Seconds for one question; the largest repositories answer in a few."""

_LOCAL_NAMES: Final = (
    "ALTERNATE_OBJECT_DIRECTORIES COMMON_DIR CONFIG DIR GRAFT_FILE IMPLICIT_WORK_TREE INDEX_FILE "
    "INTERNAL_SUPER_PREFIX NO_REPLACE_OBJECTS OBJECT_DIRECTORY PREFIX REPLACE_REF_BASE SHALLOW_FILE WORK_TREE"
)
_LOCAL: Final = frozenset(f"GIT_{name}" for name in _LOCAL_NAMES.split())
"""What ties git to one repository (``git rev-parse --local-env-vars``): hooks and aliases set it, and the
project may lie in another one. ``GIT_CONFIG_COUNT`` and ``GIT_CONFIG_PARAMETERS`` are passed on, as git does
for submodules: CI systems set ``safe.directory`` with them.
"""

_DEEPER: Final = (
    "fetch it: `git fetch origin` here, `fetch-depth: 0` for actions/checkout, `GIT_DEPTH: 0` in GitLab"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """A commit as seen from a project.

    ``ref`` is how it was named, ``head`` what is checked out. ``folder`` is the project's folder as the
    caller writes it, ``prefix`` the same folder inside the repository, ``""`` at its top.
    """

    ref: str
    commit: str
    head: str
    folder: Path
    prefix: str


def merge_base(ref: str, folder: Path) -> Revision:
    """The commit at which what is checked out in ``folder`` branched off from ``ref``.

    That is what a pull request shows: changes that others made on ``ref`` since do not count.

    Raises:
        RevisionUnreadable: git or the repository is missing, ``ref`` is not known, or history is cut off.
    """
    prefix = _prefix(folder)
    tip, head = _commit(ref, folder), _commit("HEAD", folder)
    found = ask(folder, "merge-base", tip, head)
    if found.returncode:
        shallow = ask(folder, "rev-parse", "--is-shallow-repository").stdout.strip() == b"true"
        raise RevisionUnreadable(
            f"{ref} and what is checked out have no common commit"
            + (" in this shallow clone" if shallow else ""),
            hint=_DEEPER if shallow else "give the branch that this one was created from",
        )
    return Revision(ref=ref, commit=_text(found).strip(), head=head, folder=folder, prefix=prefix)


def _prefix(folder: Path) -> str:
    found = ask(folder, "rev-parse", "--is-inside-work-tree", "--show-prefix")
    inside, _, prefix = _text(found).partition("\n")
    if inside == "true":
        return prefix.removesuffix("\n").rstrip("/")
    reason = found.stderr.decode(errors="replace").strip().splitlines()[:1] or ["it has no working tree"]
    raise RevisionUnreadable(
        f"{folder} is not a checkout of a git repository: {reason[0]}",
        hint="check the project out with git; if the folder belongs to another user, git requires "
        "`git config --global --add safe.directory FOLDER`",
    )


def _commit(ref: str, folder: Path) -> str:
    found = ask(folder, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}")
    if found.returncode == 0:
        return _text(found).strip()
    if ref == "HEAD":
        raise RevisionUnreadable("nothing is committed in this repository yet", hint="commit the files first")
    raise RevisionUnreadable(f"git does not know the revision {ref} here", hint=_DEEPER)


def ask(folder: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    """Run git and return what it said.

    Raises:
        RevisionUnreadable: git is not installed, or does not answer.
    """
    try:
        return subprocess.run(
            command(folder, *arguments),
            capture_output=True,
            check=False,
            timeout=_TIMEOUT,
            env=environment(),
            stdin=subprocess.DEVNULL,
        )
    except FileNotFoundError:
        raise RevisionUnreadable("git is not installed", hint="install git") from None
    except (OSError, ValueError, subprocess.TimeoutExpired) as problem:
        raise RevisionUnreadable(
            f"git cannot be asked: {problem}", hint="run the same git command to see the reason"
        ) from None


def command(folder: Path, *arguments: str) -> list[str]:
    """A command line of git in this folder."""
    return ["git", "-C", str(folder), *arguments]


def environment() -> dict[str, str]:
    """This process's environment, for a git that finds its repository from the folder alone.

    It neither prompts nor goes to the network nor writes.
    """
    return {
        **{name: value for name, value in os.environ.items() if name not in _LOCAL},
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_TERMINAL_PROMPT": "0",
        "LC_ALL": "C",
    }


def _text(found: subprocess.CompletedProcess[bytes]) -> str:
    return os.fsdecode(found.stdout)


_LINK: Final = "120000"
_FILES: Final = ("100644", "100755")
_MOST_LINKS: Final = 40
_AT_ONCE: Final = 500
"""Paths in one command line of git."""


@dataclass(frozen=True, slots=True)
class _Entry:
    mode: str
    digest: str


class GitTree:
    """The files of a commit, by the paths that they have in the working directory. Implements ``Tree``.

    Links are followed as on the disk, as long as they stay inside the repository. Contents are read when they
    are needed, those of a folder at once.
    """

    def __init__(self, revision: Revision, archive: _Archive) -> None:
        self._revision = revision
        self._archive = archive
        self._contents = dict[str, bytes]()
        self._entries = _entries(revision)
        self._folders = _folders(self._entries)

    def read(self, path: str) -> bytes:
        """Implements ``Tree``.

        Raises:
            RevisionUnreadable: git does not have the content, or does not answer.
        """
        real = self._real(self._inside(path))
        entry = self._entries.get(real)
        if entry is None:
            raise FileNotFoundError(errno.ENOENT, "not in this revision", path)
        if entry.mode not in _FILES:
            raise OSError(errno.EINVAL, "not a regular file", path)
        self._fetch([real])
        return self._contents[real]

    def walk(self, folder: str) -> Listing:
        """Implements ``Tree``."""
        real = self._real(self._inside(folder))
        if real not in self._folders:
            raise FileNotFoundError(errno.ENOENT, "not in this revision", folder)
        self._fetch_folder(real)
        walk = Walk()
        self._below(folder, (*_parents(real), real), walk)
        listing = walk.listing()
        self._fetch(self._real(self._inside(path)) for path in listing.files)
        return listing

    def _fetch_folder(self, folder: str) -> None:
        """Read the links below a folder, and the files that a project consists of."""
        top = f"{folder}/" if folder else ""
        below = [path for path in self._entries if path.startswith(top)]
        links = [path for path in below if self._entries[path].mode == _LINK and self._is_wanted(path)]
        found, patterns = set(links[:_AT_ONCE]), [f":(literal){path}" for path in links[:_AT_ONCE]]
        for suffix in SUFFIXES:
            if files := {path for path in below if path.endswith(suffix) and self._is_wanted(path)}:
                found |= files
                patterns.append(f":(glob){_escaped(top)}**/*{suffix}")
        self._read(found, patterns)
        self._fetch(links)

    def _fetch(self, paths: Iterable[str]) -> None:
        wanted = sorted({path for path in paths if self._is_wanted(path)})
        for start in range(0, len(wanted), _AT_ONCE):
            some = wanted[start : start + _AT_ONCE]
            self._read(some, [f":(literal){path}" for path in some])

    def _is_wanted(self, path: str) -> bool:
        entry = self._entries.get(path)
        return entry is not None and entry.mode in (_LINK, *_FILES) and path not in self._contents

    def _read(self, paths: Collection[str], patterns: list[str]) -> None:
        """Read contents; ``patterns`` are git's pathspecs for these paths.

        Raises:
            RevisionUnreadable: git does not have them all, or leaves some out.
        """
        if not paths:
            return
        is_whole = self._archive.read(patterns, self._contents)
        missing = next((path for path in paths if path not in self._contents), None)
        if missing is not None and is_whole:
            hint = "remove export-ignore from the file info/attributes of the repository"
            raise RevisionUnreadable(f"git archive leaves out {missing}", hint=hint)
        if missing is not None:
            digest = self._entries[missing].digest[:12]
            hint = "fetch it: a clone made with --filter leaves contents out"
            raise RevisionUnreadable(f"git does not have the content of {digest} here", hint=hint)

    def _below(self, shown: str, outer: tuple[str, ...], walk: Walk) -> None:
        for name in self._folders[outer[-1]]:
            if not walk.meet(name):
                continue
            path = name if shown == "." else f"{shown}/{name}"
            try:
                real = self._real(posixpath.join(outer[-1], name))
            except OSError as problem:
                walk.unreadable.append((path, problem.strerror or str(problem)))
                continue
            if real not in self._folders:
                walk.add_file(path)
            elif real in outer or len(outer) > DEEPEST:
                walk.unreadable.append((path, "it leads back to a folder above it, or too deep"))
            else:
                self._below(path, (*outer, real), walk)

    def _inside(self, path: str) -> str:
        """A path of the working directory as a path of the repository."""
        steps = posixpath.relpath(path, self._revision.folder.as_posix())
        return posixpath.normpath(posixpath.join(self._revision.prefix, steps))

    def _real(self, path: str) -> str:
        """The path without links; ``""`` is the top."""
        ahead, done, links = path.split("/")[::-1], list[str](), 0
        while ahead:
            step = ahead.pop()
            if step in ("", "."):
                continue
            if step == "..":
                if not done:
                    raise FileNotFoundError(errno.ENOENT, "it is outside of the repository", path)
                done.pop()
                continue
            done.append(step)
            entry = self._entries.get("/".join(done))
            if entry is not None and entry.mode == _LINK:
                links += 1
                ahead += self._target("/".join(done), path, links).split("/")[::-1]
                done.pop()
        return "/".join(done)

    def _target(self, link: str, path: str, links: int) -> str:
        if links > _MOST_LINKS:
            raise OSError(errno.ELOOP, "too many links", path)
        self._fetch([link])
        target = os.fsdecode(self._contents[link])
        if target.startswith("/"):
            raise FileNotFoundError(errno.ENOENT, "it is outside of the repository", path)
        return target


def _escaped(path: str) -> str:
    """A path as a part of a glob of git that matches it alone."""
    return re.sub(r"[\\*?\[]", r"\\\g<0>", path)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Archive:
    """The contents of a commit by ``git archive``, byte by byte as they are committed.

    Attributes that the commit defines could leave files out or change them (``export-ignore``, ``eol``): git
    reads those of ``empty`` instead, a folder without any.
    """

    commit: str
    repository: str
    empty: str

    def read(self, patterns: list[str], contents: dict[str, bytes]) -> bool:
        """Add to ``contents`` what matches the pathspecs; is that all that there is?

        Of a file, at most ``MAX_BYTES`` + 1 bytes are kept; of a link, where it leads to.
        """
        place = (f"--git-dir={self.repository}", f"--work-tree={self.empty}")
        settings = ("-c", "core.attributesFile=", "-c", "core.autocrlf=false")
        archive = ("archive", "--format=tar", "--worktree-attributes", self.commit, "--")
        with subprocess.Popen(
            command(Path(self.empty), *place, *settings, *archive, *patterns),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**environment(), "GIT_ATTR_NOSYSTEM": "1"},
        ) as git:
            try:
                _unpack(cast("IO[bytes]", git.stdout), contents)
            except tarfile.TarError:
                return False
        return git.returncode == 0


def _unpack(stream: IO[bytes], contents: dict[str, bytes]) -> None:
    with tarfile.open(fileobj=stream, mode="r|", encoding="utf-8", errors="surrogateescape") as archive:
        for member in archive:
            if member.issym():
                contents[member.name] = os.fsencode(member.linkname)
            elif (file := archive.extractfile(member)) is not None:
                contents[member.name] = file.read(MAX_BYTES + 1)


def _empty_folder() -> TemporaryDirectory[str]:
    try:
        return TemporaryDirectory(prefix="ekomi-reconcile-")
    except OSError as problem:
        raise RevisionUnreadable(
            f"cannot create a temporary folder: {problem.strerror or problem}",
            hint="set TMPDIR to a writable folder",
        ) from None


@contextmanager
def tree_at(revision: Revision) -> Iterator[GitTree]:
    """Give the files of this revision.

    Raises:
        RevisionUnreadable: git cannot list or read them.
    """
    repository = _text(ask(revision.folder, "rev-parse", "--absolute-git-dir")).removesuffix("\n")
    empty = _empty_folder()
    with empty:
        yield GitTree(revision, _Archive(commit=revision.commit, repository=repository, empty=empty.name))


def _entries(revision: Revision) -> dict[str, _Entry]:
    found = ask(revision.folder, "ls-tree", "-r", "-z", "--full-tree", revision.commit)
    if found.returncode:
        raise RevisionUnreadable(
            f"git cannot list the files of {revision.ref} ({revision.commit[:12]})",
            hint="fetch it without --filter: such a clone omits files",
        )
    entries = {}
    for line in found.stdout.split(b"\0")[:-1]:
        head, _, path = line.partition(b"\t")
        mode, _, digest = head.decode().split(" ")
        entries[os.fsdecode(path)] = _Entry(mode, digest)
    return entries


def _folders(entries: Mapping[str, _Entry]) -> dict[str, list[str]]:
    """The names in each folder, as git sorts them."""
    folders: dict[str, list[str]] = {"": []}
    for path in entries:
        folder, _, name = path.rpartition("/")
        for outer, inner in _missing(folder, folders):
            folders[outer].append(inner)
            folders[f"{outer}/{inner}".lstrip("/")] = []
        folders[folder].append(name)
    return folders


def _missing(folder: str, known: Mapping[str, list[str]]) -> list[tuple[str, str]]:
    missing = []
    while folder not in known:
        outer, _, inner = folder.rpartition("/")
        missing.append((outer, inner))
        folder = outer
    return missing[::-1]


def _parents(folder: str) -> tuple[str, ...]:
    steps = folder.split("/")
    return ("", *("/".join(steps[:length]) for length in range(1, len(steps)))) if folder else ()
