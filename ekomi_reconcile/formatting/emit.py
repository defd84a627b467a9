"""A YAML stream as a tree, and writing it in canonical form."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

import yaml
from yaml import SafeLoader
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
)
from yaml.tokens import BlockEntryToken, ScalarToken, Token

from ekomi_reconcile.config.yaml_nodes import NotANumber, plain

_TEXT_TAG: Final = "tag:yaml.org,2002:str"
BLOCK_STYLES: Final = ("|", ">")
"""Marks of literal and folded text."""


@dataclass(slots=True, eq=False)
class Alias:
    """``*name``."""

    name: str
    start: int


@dataclass(slots=True, eq=False)
class Scalar:
    """A value; ``is_text`` where quotes, a block or a tag say that it is text whatever it looks like.

    ``block`` is the source of a literal or folded block, with its header.
    """

    value: str
    is_text: bool
    start: int
    anchor: str | None = None
    block: str | None = None


@dataclass(slots=True, eq=False)
class Collection:
    """A mapping (entries have keys) or a sequence; ``end`` is where a flow collection is closed.

    ``flow`` says how to write it, which comments inside may change.
    """

    is_mapping: bool
    flow: bool
    start: int
    end: int
    entries: list[EntryNode] = field(default_factory=list)
    anchor: str | None = None


Node: TypeAlias = Alias | Scalar | Collection


@dataclass(slots=True)
class Beside:
    """A comment at the end of a line, and the column where it stood."""

    column: int
    text: str


@dataclass(slots=True, eq=False)
class EntryNode:
    """A pair of a mapping or an item of a sequence, and its comments.

    ``lead`` is above it, ``tail`` below it and deeper than it; an empty text is an empty line.
    """

    key: Alias | Scalar | None
    value: Node
    start: int
    column: int
    lead: list[str] = field(default_factory=list)
    beside: Beside | None = None
    tail: list[str] = field(default_factory=list)


@dataclass(slots=True)
class DocumentNode:
    """A document that is not empty. ``start`` is where it begins: what stands before belongs to others."""

    root: Node
    start: int
    tail: list[str] = field(default_factory=list)


def parse(text: str, tokens: list[Token]) -> list[DocumentNode]:
    """The documents of a text that libyaml accepts and whose depth is bounded; ``tokens`` are its tokens."""
    return list(_Parser(text, tokens).documents())


class _Parser:
    def __init__(self, text: str, tokens: list[Token]) -> None:
        self._events: Iterator[Any] = iter(yaml.parse(text, Loader=yaml.CLoader))
        # No event tells where the dash of an item is. Dashes come in the order of the items.
        self._dashes = (each.start_mark for each in tokens if type(each) is BlockEntryToken)
        self._blocks = (
            text[each.start_mark.index : each.end_mark.index]
            for each in tokens
            if type(each) is ScalarToken and each.style in BLOCK_STYLES
        )

    def documents(self) -> Iterator[DocumentNode]:
        for event in self._events:
            if type(event) is DocumentStartEvent:
                root = self._node(next(self._events))
                if not _is_empty(root):
                    yield DocumentNode(root, _index(event.start_mark))

    def _node(self, event: Any) -> Node:
        kind = type(event)
        if kind is AliasEvent:
            return Alias(event.anchor, event.start_mark.index)
        if kind is ScalarEvent:
            return self._scalar(event)
        start = event.start_mark.index
        node = Collection(kind is MappingStartEvent, event.flow_style, start, start, anchor=event.anchor)
        if node.is_mapping:
            self._pairs(node)
        else:
            self._items(node)
        return node

    def _scalar(self, event: Any) -> Scalar:
        is_plain = event.implicit[0] or event.tag not in {None, "!", _TEXT_TAG}
        block = next(self._blocks) if event.style in BLOCK_STYLES else None
        return Scalar(event.value, not is_plain, event.start_mark.index, event.anchor, block)

    def _pairs(self, mapping: Collection) -> None:
        while type(event := next(self._events)) is not MappingEndEvent:
            key = self._node(event)
            if isinstance(key, Collection):
                raise TypeError("a key is a scalar: reading has checked it")
            mark: Any = event.start_mark
            mapping.entries.append(EntryNode(key, self._node(next(self._events)), mark.index, mark.column))
        mapping.end = _index(event.end_mark)

    def _items(self, sequence: Collection) -> None:
        while type(event := next(self._events)) is not SequenceEndEvent:
            mark: Any = event.start_mark if sequence.flow else next(self._dashes)
            sequence.entries.append(EntryNode(None, self._node(event), mark.index, mark.column))
        sequence.end = _index(event.end_mark)


def _index(mark: Any) -> int:
    index: int = mark.index
    return index


def _is_empty(root: Node) -> bool:
    return isinstance(root, Scalar) and root.value == "" and not root.is_text


def flattened(node: Node) -> Iterator[tuple[EntryNode, Collection]]:
    """Every entry below a node, in the order in which they begin, with the collection that it is in."""
    if isinstance(node, Collection):
        for entry in node.entries:
            yield entry, node
            yield from flattened(entry.value)


STEP: Final = 2
"""Spaces of one level of indentation."""

_INDICATORS: Final = tuple("-?:,[]{}#&*!|>'\"%@`")
_MARKERS: Final = ("---", "...")
_DASHED: Final = re.compile(r"-[^\s,\[\]{}]")
_ENDS_A_PLAIN: Final = re.compile(r":(?=\s|$)|(?<=\s)#|[^\S ]")
_ENDS_IN_A_FLOW: Final = re.compile(r"[,\[\]{}]")
# What YAML does not allow as it is, or what nobody would see.
_TO_ESCAPE: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]")
# Numbers of the YAML 1.2 core schema that are text to us, such as 007: editors would take them for numbers.
_CORE_NUMBER: Final = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
# Booleans of YAML 1.1 that PyYAML leaves alone, but other readers do not.
_LETTERS: Final = frozenset("yYnN")
_WORDS: Final = {True: "true", False: "false"}
_HEADER: Final = re.compile(r"[|>][-+0-9]*")


def written(scalar: Scalar, *, in_flow: bool) -> str:
    """A value that is not a block. Numbers stay as they are written."""
    value = plain(scalar.value) if not scalar.is_text else scalar.value
    if scalar.is_text and _is_other_in_yaml_1_1(scalar.value):
        return quoted(scalar.value)
    if isinstance(value, str):
        return text(value, in_flow=in_flow)
    if isinstance(value, bool):
        return _WORDS[value]
    if value is None:
        return "null" if scalar.value or in_flow else ""
    return scalar.value


def key_text(scalar: Scalar, *, in_flow: bool) -> str:
    """A key; whole numbers are text there."""
    if scalar.value.isascii() and scalar.value.isdigit():
        return scalar.value
    if scalar.value == "<<" or (scalar.is_text and _is_other_in_yaml_1_1(scalar.value)):
        return quoted(scalar.value)
    return text(scalar.value, in_flow=in_flow)


def _is_other_in_yaml_1_1(value: str) -> bool:
    """Is it a boolean, a date or a number to a reader of YAML 1.1? Quotes around it stay."""
    if value in _LETTERS:
        return True
    resolvers = SafeLoader.yaml_implicit_resolvers.get(value[:1], [])
    return any(pattern.match(value) for _, pattern in resolvers)


def text(value: str, *, in_flow: bool) -> str:
    """A text, in quotes where it needs them."""
    return value if _is_plain(value, in_flow=in_flow) else quoted(value)


def quoted(value: str) -> str:
    """A text in quotes: double ones, unless only those need escapes."""
    if ('"' in value or "\\" in value) and not _TO_ESCAPE.search(value):
        return "'" + value.replace("'", "''") + "'"
    return _TO_ESCAPE.sub(lambda odd: f"\\u{ord(odd.group()):04x}", json.dumps(value, ensure_ascii=False))


def _is_plain(value: str, *, in_flow: bool) -> bool:
    if not value or value.strip() != value or value.startswith(_MARKERS):
        return False
    if value.startswith(_INDICATORS) and not _DASHED.match(value):
        return False
    if _ENDS_A_PLAIN.search(value) or _TO_ESCAPE.search(value) or _CORE_NUMBER.fullmatch(value):
        return False
    return not (in_flow and _ENDS_IN_A_FLOW.search(value)) and _is_read_as_text(value)


def _is_read_as_text(value: str) -> bool:
    try:
        return isinstance(plain(value), str)
    except NotANumber:
        return False


def block(scalar: Scalar, indent: int) -> list[str]:
    """A literal or folded text: its header, and its lines at ``indent`` spaces."""
    source = scalar.block or ""
    body = source.rstrip().split("\n")[1:]
    first = next(line for line in body if line.strip())
    content = scalar.value.lstrip("\n")
    margin = _blanks(first) - _blanks(content)
    lines = [line[margin:] for line in body]
    hint = str(STEP) if lines[0][:1] == " " or content[:1] == " " else ""
    ends = len(scalar.value) - len(scalar.value.rstrip("\n"))
    keep = ("-", "", "+")[min(ends, 2)]
    lines += [""] * (ends - 1)
    return [source[0] + hint + keep, *(" " * indent + line if line else "" for line in lines)]


def _blanks(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


WIDTH: Final = 100
"""Columns that a collection in brackets may reach."""

_GAP: Final = 2
"""The least number of spaces between a line and the comment beside it."""

_ALWAYS_QUOTED: Final = frozenset({"interface_id"})


def emitted(documents: list[DocumentNode]) -> str:
    """The text of a stream."""
    writer = _Writer()
    for number, document in enumerate(documents):
        if number:
            writer.lines.append("---")
        writer.document(document)
    return "\n".join(writer.lines) + "\n"


class _Writer:
    def __init__(self) -> None:
        self.lines: list[str] = []

    def document(self, document: DocumentNode) -> None:
        """Write a document; the outermost collection is never in brackets."""
        root = document.root
        if isinstance(root, Collection) and root.entries:
            self._collection(root, 0)
        else:
            self.lines.append(_inline(root, in_flow=False))
        self._comments(document.tail, 0)

    def _collection(self, node: Collection, indent: int, opening: str | None = None) -> None:
        """Write the entries below each other; ``opening`` is what stands on the line of the first already."""
        for number, entry in enumerate(node.entries):
            if number or opening is None:
                self._comments(entry.lead if number else _without_blanks(entry.lead), indent)
            self._entry(entry, indent, " " * indent if number or opening is None else opening)

    def _entry(self, entry: EntryNode, indent: int, opening: str) -> None:
        line = opening + ("-" if entry.key is None else _key(entry.key, in_flow=False) + ":")
        value = entry.value
        if isinstance(value, Collection) and not _fits(entry, len(line)):
            self._below(entry, value, indent + STEP, line + _anchor(value))
        elif isinstance(value, Scalar) and value.block is not None and value.value.strip():
            header, *body = block(value, indent + STEP)
            self._line(f"{line}{_anchor(value)} {header}", entry.beside)
            self.lines += body
        else:
            self._line(f"{line} {_value(entry, in_flow=False)}".rstrip(), entry.beside)
        self._comments(entry.tail, indent + STEP)

    def _below(self, entry: EntryNode, value: Collection, indent: int, line: str) -> None:
        is_compact = entry.key is None and value.anchor is None and entry.beside is None
        if is_compact and not _without_blanks(value.entries[0].lead):
            self._collection(value, indent, f"{line} ")
        else:
            self._line(line, entry.beside)
            self._collection(value, indent)

    def _line(self, line: str, beside: Beside | None) -> None:
        if beside is not None:
            line = line.ljust(max(beside.column, len(line) + _GAP)) + beside.text
        self.lines.append(line)

    def _comments(self, comments: list[str], indent: int) -> None:
        for each in comments:
            if each:
                self.lines.append(" " * indent + each)
            elif self.lines and self.lines[-1]:
                self.lines.append("")


def _fits(entry: EntryNode, column: int) -> bool:
    value = entry.value
    if not isinstance(value, Collection) or not value.entries:
        return True
    return value.flow and column + 1 + len(_value(entry, in_flow=False)) <= WIDTH


def _value(entry: EntryNode, *, in_flow: bool) -> str:
    name = entry.key.value if isinstance(entry.key, Scalar) else ""
    value = entry.value
    if name in _ALWAYS_QUOTED and isinstance(value, Scalar) and value.is_text:
        return f"{_anchor(value)} {quoted(value.value)}".lstrip()
    return _inline(value, in_flow=in_flow)


def _inline(node: Node, *, in_flow: bool) -> str:
    if isinstance(node, Alias):
        return f"*{node.name}"
    if isinstance(node, Scalar):
        return f"{_anchor(node)} {written(node, in_flow=in_flow)}".strip()
    entries = ", ".join(map(_pair, node.entries))
    brackets = f"{{{entries}}}" if node.is_mapping else f"[{entries}]"
    return f"{_anchor(node)} {brackets}".lstrip()


def _pair(entry: EntryNode) -> str:
    key = "" if entry.key is None else f"{_key(entry.key, in_flow=True)}: "
    return key + _value(entry, in_flow=True)


def _key(key: Alias | Scalar, *, in_flow: bool) -> str:
    if isinstance(key, Alias):
        return f"*{key.name} "
    return f"{_anchor(key)} {key_text(key, in_flow=in_flow)}".lstrip()


def _anchor(node: Scalar | Collection) -> str:
    return f" &{node.anchor}" if node.anchor else ""


def _without_blanks(lead: list[str]) -> list[str]:
    """Without the empty lines at the beginning."""
    first = next((number for number, line in enumerate(lead) if line), len(lead))
    return lead[first:]
