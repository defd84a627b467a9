"""The canonical form of a file, and the proof that it says the same."""

from __future__ import annotations

import json
import re
from typing import Any, Final

import yaml

from ekomi_reconcile.config.diagnostics import error
from ekomi_reconcile.config.source import Document
from ekomi_reconcile.config.yaml import read
from ekomi_reconcile.errors import ConfigurationInvalid
from ekomi_reconcile.formatting import order, tree
from ekomi_reconcile.formatting.comments import Note, attach, notes
from ekomi_reconcile.formatting.emit import emitted
from ekomi_reconcile.model.diagnostic import Diagnostic, Place

NOT_OURS: Final = "not-ours"
"""The rule of the diagnostic that a file is one of another program."""

_LINE_BREAK: Final = re.compile("\r\n?")


def canonical(path: str, content: bytes, *, kind: str | None = None) -> bytes:
    """The canonical form of a file of accounts or of a project. ``path`` is how messages name it.

    ``kind`` is ``account`` or ``project``; where it is not known, the keys of the file tell it. Line breaks
    stay as the first one is (LF or CRLF); a byte order mark goes.

    Raises:
        ConfigurationInvalid: it is not YAML as this format allows it, or not a file of this format.
    """
    documents = _read(path, content)
    text = content.decode("utf-8-sig")
    is_crlf = "\r\n" in text[: text.find("\n") + 1]
    formatted = _format(_LINE_BREAK.sub("\n", text), [kind or _kind(each) for each in documents])
    result = (formatted.replace("\n", "\r\n") if is_crlf else formatted).encode()
    _compare(path, before=content, after=result)
    return result


def _format(text: str, kinds: list[str]) -> str:
    tokens = _tokens(text)
    documents = tree.parse(text, tokens)
    comments = notes(text, tokens)
    if not documents:
        return _only_comments(comments)
    attach(comments, documents)
    for document, kind in zip(documents, kinds, strict=True):
        order.sort(document, kind, opens_file=document is documents[0])
    return emitted(documents)


def _tokens(text: str) -> list[yaml.Token]:
    return list(yaml.scan(text, Loader=yaml.CLoader))


def _only_comments(found: list[Note]) -> str:
    text = "\n".join(note.text for note in found).strip("\n")
    return re.sub("\n{3,}", "\n\n", text) + "\n" if text else ""


def _read(path: str, content: bytes) -> list[Document]:
    documents, problems = read(path, content)
    if problems:
        raise ConfigurationInvalid(problems)
    return documents


def _kind(document: Document) -> str:
    kind = order.kind_of(document.data)
    if kind is None:
        raise ConfigurationInvalid([_foreign(document.place())])
    return kind


def _foreign(place: Place) -> Diagnostic:
    return error(
        NOT_OURS,
        "this is neither an account nor a project",
        place,
        allowed="mappings most of whose keys are those of accounts or of the project file",
        mend="leave this file out, or correct its keys: see `ekomi-reconcile validate`",
    )


def _compare(path: str, *, before: bytes, after: bytes) -> None:
    """A form that is read differently, or lost a comment, must never be written.

    Raises:
        ConfigurationInvalid: it is; that is a mistake of the formatter.
    """
    if _meaning(path, before) != _meaning(path, after):
        raise ConfigurationInvalid(
            [
                error(
                    "format-refused",
                    "the canonical form would not say the same, so the file is left as it is",
                    Place(path=path),
                    mend="please report this file, without its secrets, as a fault of ekomi-reconcile",
                )
            ]
        )


def _meaning(path: str, content: bytes) -> tuple[list[str], list[str]]:
    documents, problems = read(path, content)
    data: list[Any] = [each.data for each in documents]
    text = _LINE_BREAK.sub("\n", content.decode("utf-8-sig"))
    comments = [] if problems else [each.text for each in notes(text, _tokens(text)) if each.text]
    told = [each.message for each in problems]
    return [*(json.dumps(each, sort_keys=True) for each in data), *told], sorted(comments)
