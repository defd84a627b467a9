"""Bytes to documents: YAML with bounds, without surprises, with every mistake and its place.

Whatever the bytes are, the answer is documents and diagnostics, never an exception.
"""

from __future__ import annotations

import codecs
import re
from typing import Any, Final

import yaml
from yaml.nodes import ScalarNode

from ekomi_reconcile.config.build import BOUNDS, Builder
from ekomi_reconcile.config.compose import OutOfBounds, TooDeep, composer
from ekomi_reconcile.config.diagnostics import error
from ekomi_reconcile.config.source import Document, Source
from ekomi_reconcile.config.tree import MAX_BYTES
from ekomi_reconcile.model.diagnostic import Diagnostic, Place

_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
# U+0085, U+2028 and U+2029 were line breaks in YAML 1.1: libyaml and an editor would count lines differently.
_FORBIDDEN = re.compile(
    "[^\t\n\r\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)
_CONFLICT = re.compile(r"^(?:<{7,}|\|{7,}|={7,}|>{7,})(?:[ \t].*)?\r?$", re.M)
_QUOTED_WORD = re.compile(r"\s*'[^']*\w[^']*'")
_SYNTAX_MENDS: Final = (
    ("tab", "indent with spaces, never with tabs"),
    ("cannot start any token", "put the text in quotes, and indent with spaces, never with tabs"),
    ("expected ':'", "write `key: value`, with a blank after the colon"),
    ("mapping values are not allowed", "put text that holds `: ` in quotes, and check the indentation"),
    ("undefined alias", "put text that begins with * in quotes"),
    ("duplicate anchor", "give every anchor a name of its own, or put text that begins with & in quotes"),
    ("escape", "use single quotes, or write \\\\ for a backslash"),
    ("quoted scalar", "close the quotes"),
    ("flow", "close the bracket, and put commas between the entries"),
)
_MARKER_SHOWN: Final = 60
_SYNTAX_MEND: Final = "check indentation, colons, quotes and brackets here and in the line before"


def read(path: str, content: bytes) -> tuple[list[Document], list[Diagnostic]]:
    """The documents of a file that are mappings, and what is wrong with its YAML.

    Empty documents are left out. ``path`` is how messages name the file.
    """
    text = _decode(path, content)
    if isinstance(text, Diagnostic):
        return [], [text]
    conflict = _CONFLICT.search(text)
    if conflict is not None:
        return [], [_conflict_markers(path, text, conflict)]
    return _documents(Source(path, text))


def _decode(path: str, content: bytes) -> str | Diagnostic:
    if len(content) > MAX_BYTES:
        return error(
            "yaml-too-large",
            f"the file is larger than {MAX_BYTES // 1024 // 1024} MiB",
            Place(path=path),
            mend="split it into several files",
        )
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        return _not_utf8(path, content, problem.start)
    odd = _FORBIDDEN.search(text)
    return text if odd is None else _odd_character(path, text, odd)


def _not_utf8(path: str, content: bytes, offset: int) -> Diagnostic:
    found = "UTF-16" if content.startswith(_UTF16) else f"the byte 0x{content[offset]:02x}"
    good = content[:offset].decode("utf-8-sig")
    return error(
        "yaml-encoding",
        "the file is not UTF-8",
        _place_of(path, good, len(good)),
        found=found,
        allowed="UTF-8, with or without byte order mark",
        mend="save the file as UTF-8",
    )


def _odd_character(path: str, text: str, odd: re.Match[str]) -> Diagnostic:
    return error(
        "yaml-control-character",
        "the file holds a character that YAML does not allow",
        _place_of(path, text, odd.start()),
        found=f"U+{ord(odd.group()):04X}",
        allowed="text, tabs and line breaks (LF or CRLF)",
        mend='delete the character; in double quotes it can be written as "\\uXXXX"',
    )


def _conflict_markers(path: str, text: str, first: re.Match[str]) -> Diagnostic:
    return error(
        "git-conflict",
        "git conflict markers: resolve them",
        _place_of(path, text, first.start()),
        found=first.group().strip()[:_MARKER_SHOWN],
        mend="keep the lines that are right, and remove those that begin with <<<<<<<, ======= and >>>>>>>",
    )


def _place_of(path: str, text: str, offset: int) -> Place:
    lines = re.split("\r\n|\n|\r", text[:offset])
    return Place(path=path, line=len(lines), column=len(lines[-1]) + 1)


def _documents(source: Source) -> tuple[list[Document], list[Diagnostic]]:
    documents: list[Document] = []
    problems: list[Diagnostic] = []
    try:
        parser = composer(source.text)
        while parser.check_node():
            node = parser.get_node()
            document = _document(source, node, problems)
            if document is not None:
                documents.append(document)
    except OutOfBounds as limit:
        problems.append(_out_of_bounds(source, limit))
    except yaml.YAMLError as problem:
        problems.append(_syntax(source, problem))
    return documents, problems


def _document(source: Source, node: Any, problems: list[Diagnostic]) -> Document | None:
    if _is_empty(node):
        return None
    builder = Builder(source.path)
    data: Any = builder.build(node)
    problems += builder.problems
    start, end = node.start_mark, node.end_mark
    if isinstance(data, dict):
        return Document(
            source=source, data=data, start=start.index, end=end.index, line=start.line, column=start.column
        )
    if not builder.problems:
        problems.append(
            error(
                "not-a-mapping",
                "the document is not a mapping",
                Place(path=source.path, line=start.line + 1, column=start.column + 1),
                found=node.id,
                allowed="keys with values",
                mend="write `key: value` lines, with a blank after each colon",
            )
        )
    return None


def _is_empty(node: Any) -> bool:
    return type(node) is ScalarNode and node.value == "" and type(node.tag) is not str and bool(node.tag[0])


def _out_of_bounds(source: Source, limit: OutOfBounds) -> Diagnostic:
    rule = "yaml-too-deep" if isinstance(limit, TooDeep) else "yaml-too-many"
    message, mend = BOUNDS[rule]
    mark = limit.problem_mark
    return error(
        rule, message, Place(path=source.path, line=mark.line + 1, column=mark.column + 1), mend=mend
    )


def _syntax(source: Source, problem: yaml.YAMLError) -> Diagnostic:
    mark = getattr(problem, "problem_mark", None) or getattr(problem, "context_mark", None)
    place = Place(path=source.path)
    if mark is not None:
        place = Place(path=source.path, line=mark.line + 1, column=mark.column + 1)
    # libyaml may quote a word of the file, which may be a secret; punctuation is worth showing.
    parts = (getattr(problem, "context", None), getattr(problem, "problem", None))
    text = ", ".join(_QUOTED_WORD.sub("", str(part)) for part in parts if part) or "it cannot be read"
    mend = next((mend for words, mend in _SYNTAX_MENDS if words in text), _SYNTAX_MEND)
    return error("yaml-syntax", f"this is not YAML: {text}", place, mend=mend)
