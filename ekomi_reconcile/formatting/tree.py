"""A YAML stream as it is written: nodes with their places, styles and anchors, and room for comments."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

import yaml
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
)
from yaml.tokens import BlockEntryToken, ScalarToken, Token

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
    entries: list[Entry] = field(default_factory=list)
    anchor: str | None = None


Node: TypeAlias = Alias | Scalar | Collection


@dataclass(slots=True)
class Beside:
    """A comment at the end of a line, and the column where it stood."""

    column: int
    text: str


@dataclass(slots=True, eq=False)
class Entry:
    """A pair of a mapping or an item of a sequence, and its comments.

    ``lead`` stands above it, ``tail`` below it and deeper than it; an empty text is a blank line.
    """

    key: Alias | Scalar | None
    value: Node
    start: int
    column: int
    lead: list[str] = field(default_factory=list)
    beside: Beside | None = None
    tail: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Document:
    """A document that is not empty. ``start`` is where it begins: what stands before belongs to others."""

    root: Node
    start: int
    tail: list[str] = field(default_factory=list)


def parse(text: str, tokens: list[Token]) -> list[Document]:
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

    def documents(self) -> Iterator[Document]:
        for event in self._events:
            if type(event) is DocumentStartEvent:
                root = self._node(next(self._events))
                if not _is_empty(root):
                    yield Document(root, _index(event.start_mark))

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
            mapping.entries.append(Entry(key, self._node(next(self._events)), mark.index, mark.column))
        mapping.end = _index(event.end_mark)

    def _items(self, sequence: Collection) -> None:
        while type(event := next(self._events)) is not SequenceEndEvent:
            mark: Any = event.start_mark if sequence.flow else next(self._dashes)
            sequence.entries.append(Entry(None, self._node(event), mark.index, mark.column))
        sequence.end = _index(event.end_mark)


def _index(mark: Any) -> int:
    index: int = mark.index
    return index


def _is_empty(root: Node) -> bool:
    return isinstance(root, Scalar) and root.value == "" and not root.is_text


def flattened(node: Node) -> Iterator[tuple[Entry, Collection]]:
    """Every entry below a node, in the order in which they begin, with the collection that it is in."""
    if isinstance(node, Collection):
        for entry in node.entries:
            yield entry, node
            yield from flattened(entry.value)
