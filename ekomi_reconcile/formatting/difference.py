"""A unified diff of two forms of a file, without secrets that should not stand there at all."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from typing import Any, Final

from ekomi_reconcile.config.diagnostics import SENSITIVE, is_secret
from ekomi_reconcile.config.types import REFERENCE
from ekomi_reconcile.config.yaml import read

_REFERENCE: Final = re.compile(REFERENCE)
_NO_NEWLINE: Final = "\n\\ No newline at end of file\n"


def difference(path: str, before: bytes, after: bytes) -> str:
    """The unified diff between two forms of the file ``path``; empty where they are the same.

    A literal secret is an error, but it may stand in a line next to one that changes: it is masked.
    """
    old, new = (_lines(each) for each in (before, after))
    lines = difflib.unified_diff(old, new, fromfile=path, tofile=f"{path} (formatted)")
    text = "".join(line if line.endswith("\n") else line + _NO_NEWLINE for line in lines)
    for secret in sorted(_literals(path, before), key=len, reverse=True):
        text = text.replace(secret, SENSITIVE)
    return text


def _lines(content: bytes) -> list[str]:
    return content.decode("utf-8", "replace").splitlines(keepends=True)


def _literals(path: str, content: bytes) -> set[str]:
    documents, _ = read(path, content)
    return {found for each in documents for found in _secrets(each.data, ()) if found.strip()}


def _secrets(value: Any, path: tuple[str | int, ...]) -> Iterator[str]:
    if isinstance(value, dict | list):
        pairs = value.items() if isinstance(value, dict) else enumerate(value)
        for step, each in pairs:
            yield from _secrets(each, (*path, step))
    elif is_secret(path) and not _REFERENCE.match(str(value)):
        yield str(value)
