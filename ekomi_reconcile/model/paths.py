"""Paths and locations that come from outside: flags, environment variables, files.

What is typed by hand or sourced from a file with Windows line ends may carry characters that nobody sees.
Such a name would quietly mean another file, so it is refused everywhere by the same check.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from pathlib import Path
from typing import Final

from ekomi_reconcile.model.errors import ConfigurationError, ReconcileError

UUID = "[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
"""The lineage of a state, as a pattern."""

CONTROL: Final = r"\u0000-\u001f\u007f-\u009f"
"""The control characters, as the inside of a character class."""

SPACE: Final = r" \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff"
"""Whitespace beside the control characters, and the byte order mark, in the same form."""

_INSIDE: Final = re.compile(f"[{CONTROL}]")
_AT_ENDS: Final = re.compile(f"[{CONTROL}{SPACE}]")
_NAMES: Final = {
    "\0": "a NUL character",
    "\t": "a tab",
    "\n": "a line feed",
    "\r": "a carriage return",
    " ": "a space",
    "\u00a0": "a no-break space",
    "\ufeff": "a byte order mark",
}
_HOME: Final = "~"
_OPENED: Final = ("/dev/fd/", "/proc/self/fd/", "/dev/stdin")
"""Where the pipes are that a shell has opened for a command."""


def flaw(text: str) -> str | None:
    """What is wrong with a path, URL or name, such as ``ends in a carriage return (U+000D)``.

    ``None`` if nothing is. The text itself is not repeated: a URL may hold a password.
    """
    if not text:
        return "is empty"
    if _AT_ENDS.match(text[-1]):
        return f"ends in {_named(text[-1])}"
    if _AT_ENDS.match(text[0]):
        return f"begins with {_named(text[0])}"
    found = _INSIDE.search(text)
    return None if found is None else f"contains {_named(found[0])}"


def expand(text: str) -> str:
    """Replace a leading ``~`` or ``~user`` by the home folder.

    Raises:
        ValueError: the home folder is not known.
    """
    expanded = os.path.expanduser(text)  # noqa: PTH111 - a path of the files may be a git path
    if expanded.startswith(_HOME):
        name = text.partition("/")[0]
        raise ValueError(f"begins with {name}, a home folder of an unknown user")
    return expanded


def local_path(text: str, *, root: Path, what: str, error: type[ReconcileError] = ConfigurationError) -> Path:
    """The path in ``text``: checked, ``~`` expanded, relative ones below ``root``.

    ``what`` begins the message: ``the suppression list (privacy.suppress)``.

    Raises:
        ReconcileError: of the type ``error``; the text has a flaw.
    """
    problem = flaw(text)
    if problem is None:
        try:
            return root / expand(text)
        except ValueError as unknown:
            raise error(
                f"{what} {unknown}",
                hint="write the full path; for a file whose name begins with ~, write ./~name",
            ) from None
    raise error(f"{what} {problem}", hint=HINT)


HINT: Final = (
    "remove it where the path is set; an environment file with Windows line ends puts a carriage return "
    "behind every value"
)
"""What to do about a flaw."""


def _named(character: str) -> str:
    known = _NAMES.get(character)
    if known is None:
        known = "a control character" if _INSIDE.match(character) else "whitespace"
    return f"{known} (U+{ord(character):04X})"


def read_bounded(path: Path, limit: int) -> bytes:
    """The first ``limit`` bytes of a regular file, or of a pipe that the shell has opened (``<(…)``).

    Named pipes and devices are refused and never waited for.

    Raises:
        OSError: it cannot be read, or is not a regular file.
    """
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(handle, "rb") as file:
        mode = os.fstat(handle).st_mode
        if stat.S_ISFIFO(mode) and path.as_posix().startswith(_OPENED):
            os.set_blocking(handle, True)
        elif not stat.S_ISREG(mode):
            raise OSError(errno.EINVAL, "not a regular file", str(path))
        return file.read(limit)


_LITTLE_ROOM = 128 * 1024
"""Bytes: with fewer a database cannot even make the index of its log."""


def no_room(path: Path) -> bool:
    """Is the disk of this file as good as full?"""
    try:
        found = os.statvfs(path.parent)
    except OSError:
        return False
    return found.f_bavail * found.f_frsize < _LITTLE_ROOM
