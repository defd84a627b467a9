"""Bytes to documents: YAML with bounds, and the place of every mistake.

Whatever the bytes are, the answer is documents and diagnostics, never an exception.
"""

from __future__ import annotations

import codecs
import re
from typing import Any, Final, NoReturn

import yaml
from yaml.nodes import MappingNode, ScalarNode, SequenceNode

from ekomi_reconcile.config import yaml_nodes
from ekomi_reconcile.config.diagnostics import error, is_secret, shown_key
from ekomi_reconcile.config.source import MAX_BYTES, Document, KeyPath, Source
from ekomi_reconcile.model.diagnostic import Diagnostic, Place

_TAG: Final = "tag:yaml.org,2002:"
_KINDS: Final = {
    f"{_TAG}bool": (bool,),
    f"{_TAG}int": (int,),
    f"{_TAG}float": (int, float),
    f"{_TAG}null": (type(None),),
}
_COLLECTIONS: Final = {f"{_TAG}map": MappingNode, f"{_TAG}seq": SequenceNode}
BOUNDS: Final = {
    "yaml-too-many": (
        f"more than {yaml_nodes.MAX_NODES:,} values in one document",
        "write fewer values, and no aliases of aliases",
    ),
    "yaml-recursion": ("an alias refers to a value that contains the alias itself", "remove the alias"),
    "yaml-too-deep": (f"more than {yaml_nodes.MAX_DEPTH} levels of nesting", "nest the values less deeply"),
}
_ENOUGH: Final = 100
"""Problems after which a document is given up: aliases multiply them."""

_TEXT_KEYS: Final[set[str]] = set()
"""Plain keys known to be text: files repeat the same few keys."""
_REMEMBERED: Final = 1_000


class _Stop(Exception):
    """The document leaves its bounds; the diagnostic is recorded."""


class Builder:
    """Builds the data of one document; afterwards ``problems`` holds what is wrong with it.

    Where an entry is wrong the rest is still built, so that all mistakes are found in one run.
    """

    def __init__(self, path: str) -> None:
        self.problems: list[Diagnostic] = []
        self._file = path
        self._path: list[str | int] = []
        self._open: list[Any] = []
        self._left = yaml_nodes.MAX_NODES

    def build(self, node: Any) -> Any:
        """The data below ``node``; ``None`` when the document leaves its bounds."""
        try:
            return self._special(node)
        except _Stop:
            return None

    def _value(self, node: Any, step: str | int) -> Any:
        # Most nodes by far are scalars without a tag: they need no key path.
        if type(node) is ScalarNode and type(node.tag) is not str:
            if not node.tag[0]:
                return node.value
            try:
                return yaml_nodes.plain(node.value)
            except yaml_nodes.NotANumber:
                pass
        self._path.append(step)
        value = self._special(node)
        self._path.pop()
        return value

    def _special(self, node: Any) -> Any:
        if type(node) is not ScalarNode:
            return self._collection(node)
        return self._tagged(node) if type(node.tag) is str else self._plain(node)

    def _plain(self, node: Any) -> Any:
        try:
            return yaml_nodes.plain(node.value)
        except yaml_nodes.NotANumber as problem:
            self._problem("yaml-number", str(problem), node, hint="put it in quotes if it is text")
            return node.value

    def _tagged(self, node: Any) -> Any:
        if node.tag == f"{_TAG}str":
            return node.value
        value = self._plain(node)
        if type(value) not in _KINDS.get(node.tag, ()):
            self._bad_tag(node)
        return value

    def _collection(self, node: Any) -> Any:
        self._enter(node)
        if type(node.tag) is str and _COLLECTIONS.get(node.tag) is not type(node):
            self._bad_tag(node)
        value = self._mapping(node) if type(node) is MappingNode else self._sequence(node)
        self._open.pop()
        return value

    def _enter(self, node: Any) -> None:
        # Aliases share their node: only counting what they expand to bounds the work.
        self._left -= len(node.value) + 1
        self._open.append(node)
        if self._left < 0:
            self._stop("yaml-too-many", node)
        if len(self._open) > yaml_nodes.MAX_DEPTH:
            self._too_deep(node)

    def _too_deep(self, node: Any) -> NoReturn:
        for depth, outer in enumerate(self._open):
            if any(outer is inner for inner in self._open[depth + 1 :]):
                self._path = self._path[:depth]
                self._stop("yaml-recursion", outer)
        self._stop("yaml-too-deep", node)

    def _stop(self, rule: str, node: Any) -> NoReturn:
        message, hint = BOUNDS[rule]
        self._problem(rule, message, node, hint=hint)
        raise _Stop

    def _sequence(self, node: Any) -> list[Any]:
        return [self._value(child, index) for index, child in enumerate(node.value)]

    def _mapping(self, node: Any) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key_node, child in node.value:
            key = key_node.value
            if type(key) is not str or key not in _TEXT_KEYS or type(key_node.tag) is str:
                key = self._key(key_node)
                if key is None:
                    continue
            if key in values:
                self._duplicate(key, key_node)
            else:
                values[key] = self._value(child, key)
        return values

    def _key(self, node: Any) -> str | None:
        if type(node) is not ScalarNode or (type(node.tag) is str and node.tag != f"{_TAG}str"):
            self._not_text(node)
            return None
        text: str = node.value
        if type(node.tag) is str or not node.tag[0]:
            return text
        if text == "<<":
            self._problem(
                "yaml-merge-key",
                "merge keys (<<) are not part of the format",
                node,
                hint="repeat the values, or put shared ones under `defaults:` in the project file",
            )
            return None
        # Ids of stores are keys: a whole number is its own text, as in JSON.
        if text[:1].isdigit() or self._is_text(text):
            if len(_TEXT_KEYS) < _REMEMBERED:
                _TEXT_KEYS.add(text)
            return text
        self._not_text(node)
        return None

    @staticmethod
    def _is_text(text: str) -> bool:
        try:
            return type(yaml_nodes.plain(text)) is str
        except yaml_nodes.NotANumber:
            return False

    def _not_text(self, node: Any) -> None:
        self._problem("yaml-key", "a key is not text", node, hint="put the key in quotes, or remove it")

    def _duplicate(self, key: str, node: Any) -> None:
        name = "a key" if is_secret(tuple(self._path)) else f"`{shown_key(key)}`"
        self._path.append(key)
        self._problem(
            "duplicate-key", f"{name} occurs twice in this mapping", node, hint="keep one of the two"
        )
        self._path.pop()

    def _bad_tag(self, node: Any) -> None:
        # The tag is not repeated: an unquoted secret may begin with an exclamation mark.
        self._problem(
            "yaml-tag",
            "the tag is not known, or does not fit the value",
            node,
            hint="remove the tag; put text that begins with ! in quotes",
        )

    def _problem(self, rule: str, message: str, node: Any, *, hint: str) -> None:
        start, end = node.start_mark, node.end_mark
        place = Place(
            path=self._file,
            line=start.line + 1,
            column=start.column + 1,
            end_line=end.line + 1,
            end_column=end.column + 1,
        )
        if len(self.problems) >= _ENOUGH:
            raise _Stop
        path: KeyPath = tuple(self._path)
        self.problems.append(error(rule, message, place, path=path, hint=hint))


_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
# U+0085, U+2028 and U+2029 were line breaks in YAML 1.1: libyaml and an editor would count lines differently.
_FORBIDDEN = re.compile(
    "[^\t\n\r\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)
_CONFLICT = re.compile(r"^(?:<{7,}|\|{7,}|={7,}|>{7,})(?:[ \t].*)?\r?$", re.M)
_QUOTED_WORD = re.compile(r"\s*'[^']*\w[^']*'")
_BARE_REFERENCE = re.compile(r".*[^\"'](?P<reference>\$\{[a-z][a-z0-9_-]*:[^{}\"']+\})")
_SYNTAX_HINTS: Final = (
    ("tab", "indent with spaces, never with tabs"),
    ("cannot start any token", "put the text in quotes, and indent with spaces, never with tabs"),
    ("expected ':'", "write `key: value`, with a space after the colon"),
    ("mapping values are not allowed", "put text that holds `: ` in quotes, and check the indentation"),
    ("undefined alias", "put text that begins with * in quotes"),
    ("duplicate anchor", "give every anchor a name of its own, or put text that begins with & in quotes"),
    ("escape", "use single quotes, or write \\\\ for a backslash"),
    ("quoted scalar", "close the quotes"),
    ("flow", "close the bracket, and put commas between the entries"),
)
_MARKER_SHOWN: Final = 60
_SYNTAX_HINT: Final = "check indentation, colons, quotes and brackets here and in the line before"


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
            hint="split it into several files",
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
        hint="save the file as UTF-8",
    )


def _odd_character(path: str, text: str, odd: re.Match[str]) -> Diagnostic:
    return error(
        "yaml-control-character",
        "the file holds a character that YAML does not allow",
        _place_of(path, text, odd.start()),
        found=f"U+{ord(odd.group()):04X}",
        allowed="text, tabs and line breaks (LF or CRLF)",
        hint='delete the character; in double quotes it can be written as "\\uXXXX"',
    )


def _conflict_markers(path: str, text: str, first: re.Match[str]) -> Diagnostic:
    return error(
        "git-conflict",
        "git conflict markers: resolve them",
        _place_of(path, text, first.start()),
        found=first.group().strip()[:_MARKER_SHOWN],
        hint="resolve the merge conflict: remove the lines that begin with <<<<<<<, ======= and >>>>>>>",
    )


def _place_of(path: str, text: str, offset: int) -> Place:
    lines = re.split("\r\n|\n|\r", text[:offset])
    return Place(path=path, line=len(lines), column=len(lines[-1]) + 1)


def _documents(source: Source) -> tuple[list[Document], list[Diagnostic]]:
    documents: list[Document] = []
    problems: list[Diagnostic] = []
    try:
        parser = yaml_nodes.composer(source.text)
        while parser.check_node():
            node = parser.get_node()
            document = _document(source, node, problems)
            if document is not None:
                documents.append(document)
    except yaml_nodes.OutOfBounds as limit:
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
                hint="write `key: value` lines, with a space after each colon",
            )
        )
    return None


def _is_empty(node: Any) -> bool:
    return type(node) is ScalarNode and node.value == "" and type(node.tag) is not str and bool(node.tag[0])


def _out_of_bounds(source: Source, limit: yaml_nodes.OutOfBounds) -> Diagnostic:
    rule = "yaml-too-deep" if isinstance(limit, yaml_nodes.TooDeep) else "yaml-too-many"
    message, hint = BOUNDS[rule]
    mark = limit.problem_mark
    return error(
        rule, message, Place(path=source.path, line=mark.line + 1, column=mark.column + 1), hint=hint
    )


def _syntax(source: Source, problem: yaml.YAMLError) -> Diagnostic:
    mark = getattr(problem, "problem_mark", None) or getattr(problem, "context_mark", None)
    place = Place(path=source.path)
    if mark is not None:
        place = Place(path=source.path, line=mark.line + 1, column=mark.column + 1)
    # libyaml may quote a word of the file, which may be a secret; punctuation is worth showing.
    parts = (getattr(problem, "context", None), getattr(problem, "problem", None))
    text = ", ".join(_QUOTED_WORD.sub("", str(part)) for part in parts if part) or "it cannot be read"
    hint = next((hint for words, hint in _SYNTAX_HINTS if words in text), _SYNTAX_HINT)
    bare = _BARE_REFERENCE.match("".join(source.text.splitlines(keepends=True)[place.line - 1 : place.line]))
    if bare is not None and "flow" in text:
        hint = f'a reference inside {{ }} needs quotes: "{bare["reference"]}"'
    return error("yaml-syntax", f"this is not YAML: {text}", place, hint=hint)
