"""Comments and empty lines: finding them between the tokens, and giving each to the entry it is about.

A comment at the end of a line is about what that line begins. One on a line of its own is about the entry
below, unless it is indented deeper than that: then it ends the block above in whose column it stands.
"""

from __future__ import annotations

import re
from bisect import bisect
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from yaml.tokens import ScalarToken, Token

from ekomi_reconcile.formatting import emit

_HEADER: Final = re.compile(r"[|>][-+0-9]*")


@dataclass(frozen=True, slots=True)
class CommentNote:
    """A comment, or an empty line (its text is empty)."""

    index: int
    column: int
    text: str
    is_beside: bool = False


def notes(text: str, tokens: list[Token]) -> list[CommentNote]:
    """Every comment and empty line of a text, in order; ``tokens`` are its tokens."""
    found: list[CommentNote] = []
    position = 0
    for token in tokens:
        start, end = token.start_mark.index, token.end_mark.index
        if text[position:start].strip(" "):
            found += _in_gap(text, position, start)
        if isinstance(token, ScalarToken) and token.style in emit.BLOCK_STYLES:
            found += _in_header(text, start, end)
            end = _end_of_block(text, start, end)
        position = max(position, end)
    return [*found, *_in_gap(text, position, len(text))]


def _in_gap(text: str, start: int, end: int) -> Iterator[CommentNote]:
    """Everything between two tokens: spaces, line breaks and comments."""
    at = start
    for number, line in enumerate(text[start:end].split("\n")):
        begin = text.rfind("\n", 0, at) + 1
        words = line.strip()
        if words:
            index = at + line.index(words)
            yield CommentNote(index, index - begin, words, is_beside=bool(text[begin:index].strip()))
        elif (number or at == begin) and at + len(line) < end:
            yield CommentNote(at, 0, "")
        at += len(line) + 1


def _in_header(text: str, start: int, end: int) -> Iterator[CommentNote]:
    head = text[start:end].partition("\n")[0]
    match = _HEADER.match(head)
    rest = head[match.end() :] if match else ""
    if rest.strip():
        index = start + head.index(rest.strip())
        yield CommentNote(index, index - text.rfind("\n", 0, index) - 1, rest.strip(), is_beside=True)


def _end_of_block(text: str, start: int, end: int) -> int:
    """Where a block's content ends. The empty lines below are content only where the header keeps them."""
    match = _HEADER.match(text, start)
    if match and "+" in match.group():
        return end
    return start + len(text[start:end].rstrip())


def attach(found: list[CommentNote], documents: list[emit.DocumentNode]) -> None:
    """Give every note to an entry of the documents, or to the end of a document."""
    starts = [each.start for each in documents[1:]]
    groups: list[list[CommentNote]] = [[] for _ in documents]
    for note in found:
        groups[bisect(starts, note.index)].append(note)
    for document, group in zip(documents, groups, strict=True):
        _Attachment(document).run(group)


class _Attachment:
    """Gives the notes of one document, in order, to its entries."""

    def __init__(self, document: emit.DocumentNode) -> None:
        self._document = document
        self._entries: list[emit.EntryNode] = []
        self._inside: dict[emit.EntryNode, emit.Collection] = {}
        self._owners: dict[emit.Node, emit.EntryNode] = {}
        for entry, inside in emit.flattened(document.root):
            self._entries.append(entry)
            self._inside[entry] = inside
            self._owners[entry.value] = entry
        nodes = (document.root, *self._owners)
        self._flows = {each for each in nodes if isinstance(each, emit.Collection) and each.flow}
        self._next = 0
        self._ended: list[emit.EntryNode] = []
        self._blanks = 0

    def run(self, group: list[CommentNote]) -> None:
        for note in group:
            self._advance(note.index)
            around = self._around(note.index)
            if not note.text:
                self._blanks += not around and not self._is_before_value(note)
            elif note.is_beside and (entry := self._before(note.index)) is not None:
                _put_beside(entry, note)
                self._break_up(around)
            else:
                self._put(self._place(note, around), note.text)
                self._break_up(around)
        self._advance(self._entries[-1].start + 1 if self._entries else 0)

    def _advance(self, index: int) -> None:
        """Go on to the gap that holds ``index``; remaining empty lines belong above its first entry."""
        while self._next < len(self._entries) and self._entries[self._next].start < index:
            self._put(self._entries[self._next].lead)
            self._ended = []
            self._next += 1

    def _put(self, place: list[str], *lines: str) -> None:
        place += [""] * bool(self._blanks)
        place += lines
        self._blanks = 0

    def _before(self, index: int) -> emit.EntryNode | None:
        """The last entry that began, not counting what is inside a bracket that was closed."""
        for entry in self._begun():
            inside = self._inside[entry]
            if not (inside in self._flows and inside.end <= index):
                return entry
        return None

    def _around(self, index: int) -> list[emit.Collection]:
        """The brackets that are open at ``index``, from the inside."""
        nodes = [*(entry.value for entry in self._begun()), self._document.root]
        return [
            each
            for each in nodes
            if isinstance(each, emit.Collection) and each in self._flows and each.start < index < each.end
        ]

    def _begun(self) -> Iterator[emit.EntryNode]:
        """The last entry that began, and those that it is in, from the inside."""
        return self._upwards(self._entries[self._next - 1]) if self._next else iter(())

    def _is_before_value(self, note: CommentNote) -> bool:
        """Does it stand between a key and the key's value, where that is not a block of its own?"""
        entry = self._before(note.index)
        if entry is None or note.index > entry.value.start:
            return False
        return entry.value in self._flows or not isinstance(entry.value, emit.Collection)

    def _place(self, note: CommentNote, around: list[emit.Collection]) -> list[str]:
        previous = self._before(note.index)
        following = self._entries[self._next] if self._next < len(self._entries) else None
        if previous is not None and self._is_before_value(note):
            _move_above(previous)
            return previous.lead
        if around:
            if following is not None and following.start < around[0].end:
                return following.lead
            owner = self._owners.get(around[0])
            return self._document.tail if owner is None else owner.tail
        return self._in_block(note, previous, following)

    def _in_block(
        self, note: CommentNote, previous: emit.EntryNode | None, following: emit.EntryNode | None
    ) -> list[str]:
        outer = [] if following is None else list(self._upwards(following))
        for entry in [] if previous is None else self._upwards(previous):
            if entry in outer or entry in self._ended:
                continue
            if entry.column < note.column and not _is_block_text(entry):
                return entry.tail
            self._ended.append(entry)
        return self._document.tail if following is None else following.lead

    def _upwards(self, entry: emit.EntryNode) -> Iterator[emit.EntryNode]:
        """The entry and those that it is in, from the inside."""
        each: emit.EntryNode | None = entry
        while each is not None:
            yield each
            each = self._owners.get(self._inside[each])

    @staticmethod
    def _break_up(around: list[emit.Collection]) -> None:
        for each in around:
            each.flow = False


def _put_beside(entry: emit.EntryNode, note: CommentNote) -> None:
    _move_above(entry)
    entry.beside = emit.Beside(note.column, note.text)


def _move_above(entry: emit.EntryNode) -> None:
    """There is room for one comment beside an entry: the one before goes above it."""
    if entry.beside is not None:
        entry.lead.append(entry.beside.text)
        entry.beside = None


def _is_block_text(entry: emit.EntryNode) -> bool:
    """A comment below a block of text and as deep as it would become a part of it."""
    return isinstance(entry.value, emit.Scalar) and entry.value.block is not None
