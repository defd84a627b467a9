"""Writing a tree: two blanks of indentation, brackets where they were and are short, the rest as blocks."""

from __future__ import annotations

from typing import Final

from ekomi_reconcile.formatting import scalars
from ekomi_reconcile.formatting.scalars import STEP
from ekomi_reconcile.formatting.tree import Alias, Beside, Collection, Document, Entry, Node, Scalar

WIDTH: Final = 100
"""Columns that a collection in brackets may reach."""

_GAP: Final = 2
"""Blanks at least between what stands on a line and the comment beside it."""

_ALWAYS_QUOTED: Final = frozenset({"interface_id"})


def emitted(documents: list[Document]) -> str:
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

    def document(self, document: Document) -> None:
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

    def _entry(self, entry: Entry, indent: int, opening: str) -> None:
        line = opening + ("-" if entry.key is None else _key(entry.key, in_flow=False) + ":")
        value = entry.value
        if isinstance(value, Collection) and not _fits(entry, len(line)):
            self._below(entry, value, indent + STEP, line + _anchor(value))
        elif isinstance(value, Scalar) and value.block is not None and value.value.strip():
            header, *body = scalars.block(value, indent + STEP)
            self._line(f"{line}{_anchor(value)} {header}", entry.beside)
            self.lines += body
        else:
            self._line(f"{line} {_value(entry, in_flow=False)}".rstrip(), entry.beside)
        self._comments(entry.tail, indent + STEP)

    def _below(self, entry: Entry, value: Collection, indent: int, line: str) -> None:
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


def _fits(entry: Entry, column: int) -> bool:
    value = entry.value
    if not isinstance(value, Collection) or not value.entries:
        return True
    return value.flow and column + 1 + len(_value(entry, in_flow=False)) <= WIDTH


def _value(entry: Entry, *, in_flow: bool) -> str:
    name = entry.key.value if isinstance(entry.key, Scalar) else ""
    value = entry.value
    if name in _ALWAYS_QUOTED and isinstance(value, Scalar) and value.is_text:
        return f"{_anchor(value)} {scalars.quoted(value.value)}".lstrip()
    return _inline(value, in_flow=in_flow)


def _inline(node: Node, *, in_flow: bool) -> str:
    if isinstance(node, Alias):
        return f"*{node.name}"
    if isinstance(node, Scalar):
        return f"{_anchor(node)} {scalars.written(node, in_flow=in_flow)}".strip()
    entries = ", ".join(map(_pair, node.entries))
    brackets = f"{{{entries}}}" if node.is_mapping else f"[{entries}]"
    return f"{_anchor(node)} {brackets}".lstrip()


def _pair(entry: Entry) -> str:
    key = "" if entry.key is None else f"{_key(entry.key, in_flow=True)}: "
    return key + _value(entry, in_flow=True)


def _key(key: Alias | Scalar, *, in_flow: bool) -> str:
    if isinstance(key, Alias):
        return f"*{key.name} "
    return f"{_anchor(key)} {scalars.key(key, in_flow=in_flow)}".lstrip()


def _anchor(node: Scalar | Collection) -> str:
    return f" &{node.anchor}" if node.anchor else ""


def _without_blanks(lead: list[str]) -> list[str]:
    """Without the blank lines at the beginning: nothing stands above them."""
    first = next((number for number, line in enumerate(lead) if line), len(lead))
    return lead[first:]
