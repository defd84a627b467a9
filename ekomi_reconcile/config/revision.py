"""A revision of the git repository in which a project lies, found without touching anything in it."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ekomi_reconcile.errors import RevisionUnreadable

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
