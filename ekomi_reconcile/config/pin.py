"""Pinning a state in the project file: one value of the text is replaced, everything else stays as it is."""

from __future__ import annotations

from typing import Any, Final

from ekomi_reconcile.config.models import ProjectDocument
from ekomi_reconcile.config.source import Document, KeyPath
from ekomi_reconcile.config.yaml import read
from ekomi_reconcile.formatting.emit import text as scalar
from ekomi_reconcile.model.errors import ConfigurationError

_DEFAULT: Final = str(ProjectDocument.model_fields["state"].default)


def pinned(path: str, content: bytes, lineage: str) -> bytes:
    """The project file in ``content`` with this lineage pinned; ``path`` is how messages name it.

    Comments and layout stay. The result is read again: it says the same as before, but for ``state``.

    Raises:
        ConfigurationError: the file cannot be edited like that; the hint has the line to write by hand.
    """
    documents, problems = read(path, content)
    if problems or len(documents) != 1:
        raise ConfigurationError(f"{path} cannot be read", mend="see: ekomi-reconcile validate")
    document = documents[0]
    location = document.data.get("state", _DEFAULT)
    if isinstance(location, dict):
        location = location.get("location", _DEFAULT)
    value = f"{{location: {scalar(location, in_flow=True)}, lineage: {lineage}}}"
    edited = _edited(document, content.decode("utf-8-sig"), value)
    wanted = {**document.data, "state": {"location": location, "lineage": lineage}}
    encoded = edited.encode("utf-8")
    again, problems = read(path, encoded)
    if problems or [each.data for each in again] != [wanted]:
        raise ConfigurationError(
            f"{path} is written in a way that --pin cannot edit", mend=f"write it yourself: state: {value}"
        )
    return encoded


def _edited(document: Document, text: str, value: str) -> str:
    if "state" in document.data:
        start, end = _span(document, text, ("state",))
        return text[:start] + value + text[end:]
    _, end = _span(document, text, ("version",))
    line_end = text.find("\n", end)
    at = len(text) if line_end < 0 else line_end + 1
    before = text[:at] if text[:at].endswith("\n") else f"{text[:at]}\n"
    return f"{before}state: {value}\n{text[at:]}"


def _span(document: Document, text: str, path: KeyPath) -> tuple[int, int]:
    """Where the value at ``path`` begins and ends in the text, without what follows on its last line."""
    place: Any = document.place(path)
    starts = [0]
    for line in text.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    start = starts[place.line - 1] + place.column - 1
    end = starts[place.end_line - 1] + place.end_column - 1
    return start, start + len(text[start:end].rstrip())
