"""A git revision of a project: found and read without touching the working tree."""

from __future__ import annotations

import errno
import os
import posixpath
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final, cast

from ekomi_reconcile.config.source import DEEPEST, MAX_BYTES, Listing, Walk
from ekomi_reconcile.model.errors import RevisionUnreadable

_TIMEOUT: Final = 120.0
"""Seconds for one question; the largest repositories answer in a few."""

_LOCAL: Final = frozenset(
    {
        "GIT_ALTERNATE_OBJECT_DIRECTORIES",
        "GIT_COMMON_DIR",
        "GIT_CONFIG",
        "GIT_DIR",
        "GIT_GRAFT_FILE",
        "GIT_IMPLICIT_WORK_TREE",
        "GIT_INDEX_FILE",
        "GIT_INTERNAL_SUPER_PREFIX",
        "GIT_NO_REPLACE_OBJECTS",
        "GIT_OBJECT_DIRECTORY",
        "GIT_PREFIX",
        "GIT_REPLACE_REF_BASE",
        "GIT_SHALLOW_FILE",
        "GIT_WORK_TREE",
    }
)
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
            mend=_DEEPER if shallow else "name the branch that this one was made from",
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
        mend="check the project out with git; of a folder that belongs to somebody else, git asks for "
        "`git config --global --add safe.directory FOLDER`",
    )


def _commit(ref: str, folder: Path) -> str:
    found = ask(folder, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}")
    if found.returncode == 0:
        return _text(found).strip()
    if ref == "HEAD":
        raise RevisionUnreadable("nothing is committed in this repository yet", mend="commit the files first")
    raise RevisionUnreadable(f"git does not know the revision {ref} here", mend=_DEEPER)


def ask(folder: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    """Run git and return what it said.

    Raises:
        RevisionUnreadable: there is no git, or it does not answer.
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
        raise RevisionUnreadable("git is not installed", mend="install git") from None
    except (OSError, ValueError, subprocess.TimeoutExpired) as problem:
        raise RevisionUnreadable(
            f"git cannot be asked: {problem}", mend="run git by hand to see why"
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
_PIECE: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class _Entry:
    mode: str
    digest: str


class GitTree:
    """The files of a commit, by the paths that they have in the working directory. Implements ``Tree``.

    Links are followed as on the disk, as long as they stay inside the repository.
    """

    def __init__(self, revision: Revision, objects: _Objects) -> None:
        self._revision = revision
        self._objects = objects
        self._entries = _entries(revision)
        self._folders = _folders(self._entries)

    def read(self, path: str) -> bytes:
        """Implements ``Tree``.

        Raises:
            RevisionUnreadable: git does not have the content, or does not answer.
        """
        entry = self._entries.get(self._real(self._inside(path)))
        if entry is None:
            raise FileNotFoundError(errno.ENOENT, "not in this revision", path)
        if entry.mode not in _FILES:
            raise OSError(errno.EINVAL, "not a regular file", path)
        return self._objects.read(entry.digest, MAX_BYTES + 1)

    def walk(self, folder: str) -> Listing:
        """Implements ``Tree``."""
        real = self._real(self._inside(folder))
        if real not in self._folders:
            raise FileNotFoundError(errno.ENOENT, "not in this revision", folder)
        walk = Walk()
        self._below(folder, (*_parents(real), real), walk)
        return walk.listing()

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
                ahead += self._target(entry, path, links).split("/")[::-1]
                done.pop()
        return "/".join(done)

    def _target(self, entry: _Entry, path: str, links: int) -> str:
        if links > _MOST_LINKS:
            raise OSError(errno.ELOOP, "too many links", path)
        target = os.fsdecode(self._objects.read(entry.digest, _PIECE))
        if target.startswith("/"):
            raise FileNotFoundError(errno.ENOENT, "it is outside of the repository", path)
        return target


class _Objects:
    """Contents by their digests, from one process of git."""

    def __init__(self, requests: IO[bytes], answers: IO[bytes]) -> None:
        self._requests = requests
        self._answers = answers

    def read(self, digest: str, most: int) -> bytes:
        """The first ``most`` bytes.

        Raises:
            RevisionUnreadable: git does not have it, or does not answer.
        """
        try:
            self._requests.write(digest.encode() + b"\n")
            self._requests.flush()
            header = self._answers.readline().split()
        except OSError:
            header = []
        if len(header) != 3:
            raise RevisionUnreadable(
                f"git does not have the content of {digest[:12]} here",
                mend="fetch it: a clone made with --filter leaves contents out",
            )
        size = int(header[2])
        content = self._answers.read(min(size, most))
        rest = size - len(content) + 1  # and the newline that ends it
        while rest and (piece := self._answers.read(min(rest, _PIECE))):
            rest -= len(piece)
        return content


@contextmanager
def tree_at(revision: Revision) -> Iterator[GitTree]:
    """The files of this revision.

    Raises:
        RevisionUnreadable: git cannot list or read them.
    """
    with subprocess.Popen(
        command(revision.folder, "cat-file", "--batch"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment(),
    ) as reader:
        requests, answers = cast("tuple[IO[bytes], IO[bytes]]", (reader.stdin, reader.stdout))
        yield GitTree(revision, _Objects(requests, answers))


def _entries(revision: Revision) -> dict[str, _Entry]:
    found = ask(revision.folder, "ls-tree", "-r", "-z", "--full-tree", revision.commit)
    if found.returncode:
        raise RevisionUnreadable(
            f"git cannot list the files of {revision.ref} ({revision.commit[:12]})",
            mend="fetch it whole: a clone made with --filter leaves folders out",
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
