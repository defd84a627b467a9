"""Nodes to data, under the rules of the format; collects every mistake with its place."""

from __future__ import annotations

from typing import Any, Final, NoReturn

from yaml.nodes import MappingNode, ScalarNode, SequenceNode

from ekomi_reconcile.config.compose import MAX_DEPTH, MAX_NODES
from ekomi_reconcile.config.diagnostics import error, is_secret, shown_key
from ekomi_reconcile.config.scalars import NotANumber, plain
from ekomi_reconcile.config.source import KeyPath
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
        f"more than {MAX_NODES:,} values in one document",
        "write fewer values, and no aliases of aliases",
    ),
    "yaml-recursion": ("an alias stands for a value that holds the alias itself", "remove the alias"),
    "yaml-too-deep": (f"more than {MAX_DEPTH} levels of nesting", "nest the values less deeply"),
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
        self._left = MAX_NODES

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
                return plain(node.value)
            except NotANumber:
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
            return plain(node.value)
        except NotANumber as problem:
            self._problem("yaml-number", str(problem), node, mend="put it in quotes if it is text")
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
        if len(self._open) > MAX_DEPTH:
            self._too_deep(node)

    def _too_deep(self, node: Any) -> NoReturn:
        for depth, outer in enumerate(self._open):
            if any(outer is inner for inner in self._open[depth + 1 :]):
                self._path = self._path[:depth]
                self._stop("yaml-recursion", outer)
        self._stop("yaml-too-deep", node)

    def _stop(self, rule: str, node: Any) -> NoReturn:
        message, mend = BOUNDS[rule]
        self._problem(rule, message, node, mend=mend)
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
                mend="write the values out, or put common ones under `defaults:` in the project file",
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
            return type(plain(text)) is str
        except NotANumber:
            return False

    def _not_text(self, node: Any) -> None:
        self._problem("yaml-key", "a key is not text", node, mend="put the key in quotes, or remove it")

    def _duplicate(self, key: str, node: Any) -> None:
        name = "a key" if is_secret(tuple(self._path)) else f"`{shown_key(key)}`"
        self._path.append(key)
        self._problem(
            "duplicate-key", f"{name} occurs twice in this mapping", node, mend="keep one of the two"
        )
        self._path.pop()

    def _bad_tag(self, node: Any) -> None:
        # The tag is not repeated: an unquoted secret may begin with an exclamation mark.
        self._problem(
            "yaml-tag",
            "the tag is not known, or does not fit the value",
            node,
            mend="remove the tag; put text that begins with ! in quotes",
        )

    def _problem(self, rule: str, message: str, node: Any, *, mend: str) -> None:
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
        self.problems.append(error(rule, message, place, path=path, mend=mend))
