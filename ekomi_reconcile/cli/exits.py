"""Exit codes. The same in every format."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """What the process tells its caller."""

    OK = 0
    ERROR = 1
    CHANGES = 2
    USAGE = 64
    INTERRUPTED = 130


MEANINGS = {
    Exit.OK: "success",
    Exit.ERROR: "an error, a refusal, or something that was to be done and was not",
    Exit.CHANGES: "changes are present (only `plan --detailed-exitcode`)",
    Exit.USAGE: "the command line is wrong",
    Exit.INTERRUPTED: "interrupted",
}
"""The table of ``--help`` and the documentation."""
