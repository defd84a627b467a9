"""A file that was read, and the documents in it; positions are worked out only when asked for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from ekomi_reconcile.model.diagnostic import Place

if TYPE_CHECKING:
    from yaml.nodes import Node

KeyPath: TypeAlias = tuple[str | int, ...]
Part: TypeAlias = Literal["key", "value"]

_KEPT: Final = 16
"""Documents whose nodes are kept: diagnostics of one document follow each other."""


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """The text of one file, without byte order mark. ``path`` is how messages name it."""

    path: str
    text: str


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Document:
    """One YAML document: its data, and where its top-level mapping lies in the text.

    ``start`` and ``end`` are character offsets, ``line`` and ``column`` those of ``start`` from 0.
    """

    source: Source
    data: dict[str, Any]
    start: int
    end: int
    line: int
    column: int

    def place(self, path: KeyPath = (), part: Part = "value") -> Place:
        """Where the key or the value at ``path`` stands; what is absent is found at its parent."""
        node, nodes = self._root(), []
        for step in path:
            found = _child(node, step)
            if found is None:
                break
            nodes.append(found)
            node = found[1]
        if not nodes:
            return self._at(node)
        key, value = nodes[-1]
        return self._at(key if part == "key" and len(nodes) == len(path) and key is not None else value)

    def _root(self) -> Any:
        return _compose(self)

    def _at(self, node: Any) -> Place:
        start, end = node.start_mark, node.end_mark
        return Place(
            path=self.source.path,
            line=self.line + start.line + 1,
            column=start.column + 1,
            end_line=self.line + end.line + 1,
            end_column=end.column + 1,
        )


@lru_cache(maxsize=_KEPT)
def _compose(document: Document) -> Any:
    from ekomi_reconcile.config.compose import composer

    # The blanks put the first line back at its column: indentation has a meaning.
    text = " " * document.column + document.source.text[document.start : document.end]
    return composer(text).get_single_node()


def _child(node: Any, step: str | int) -> tuple[Node | None, Node] | None:
    if node.id == "sequence" and isinstance(step, int) and step < len(node.value):
        return None, node.value[step]
    if node.id == "mapping":
        for key, value in node.value:
            if key.value == step:
                return key, value
    return None
