"""YAML nodes with positions, and what plain scalars mean (YAML 1.2 core schema).

``no``, ``on``, ``y``, ``0123``, ``12:30``, ``1_000`` and ``2026-01-01`` are text. Numbers are those of
JSON: whole values become ``int`` however they are written, infinity and not-a-number do not exist.

Whether a scalar was plain is all that is decided here; what it means is the builder's business.
libyaml composes recursively in C, so what might be deep or large goes through a composer that counts.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, Final, TypeAlias

import yaml

Scalar: TypeAlias = str | int | float | bool | None

_WORDS: Final[dict[str, bool | None]] = {
    "": None,
    "~": None,
    **dict.fromkeys(("null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_NUMBER = re.compile(
    r"(?P<int>[-+]?(?:0|[1-9][0-9]*))"
    r"|(?P<oct>0o[0-7]+)"
    r"|(?P<hex>0x[0-9a-fA-F]+)"
    r"|(?P<float>[-+]?(?:\.[0-9]+|(?:0|[1-9][0-9]*)(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?)"
    r"|(?P<never>[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))"
)
_BASES: Final = {"int": 10, "oct": 8, "hex": 16}
_START: Final = frozenset("0123456789+-.")
_LONGEST: Final = 18
"""Digits up to which a number is kept; a longer one is an identifier that lacks its quotes."""


class NotANumber(ValueError):
    """It is written as a number, but no number this format has; the text says why."""


@lru_cache(maxsize=4_096)
def plain(text: str) -> Scalar:
    """The value of a plain (unquoted, untagged) scalar.

    Raises:
        NotANumber: infinity, not-a-number, or more digits than a number may have.
    """
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in _START:
        return text
    match = _NUMBER.fullmatch(text)
    return text if match is None else _number(text, str(match.lastgroup))


def _number(text: str, kind: str) -> int | float:
    if kind == "never":
        raise NotANumber("infinity and not-a-number are not allowed")
    if kind in _BASES:
        if len(text.lstrip("+-")) > _LONGEST:
            raise NotANumber(f"a number has at most {_LONGEST} digits")
        return int(text, _BASES[kind])
    value = float(text)
    if value in {float("inf"), float("-inf")}:
        raise NotANumber("the number is too large")
    return int(value) if value.is_integer() and abs(value) < 10**_LONGEST else value


MAX_DEPTH: Final = 50
MAX_NODES: Final = 100_000
_SMALL: Final = 64 * 1024
_SHALLOW: Final = 400


class OutOfBounds(yaml.YAMLError):
    """The document is too deep or too large; ``parent`` is the collection in which that shows."""

    def __init__(self, parent: Any) -> None:
        super().__init__()
        self.problem_mark = parent.start_mark


class TooDeep(OutOfBounds):
    """More than ``MAX_DEPTH`` levels."""


class TooMany(OutOfBounds):
    """More than ``MAX_NODES`` values in one document."""


class Composer(yaml.CBaseLoader):
    """Composes nodes; only an explicit tag is text, a scalar's implicit one the pair (plain, quoted)."""

    def resolve(self, _kind: object, _value: object, implicit: Any) -> Any:
        """Called for every node without a tag."""
        return implicit

    def descend_resolver(self, parent: Any, index: object) -> None:
        """Called when a node begins."""

    def ascend_resolver(self) -> None:
        """Called when a node ends."""


class CountingComposer(Composer):
    """The same for input that may be deep or large: it stops instead of exhausting stack or memory."""

    depth = 0
    nodes = 0

    def descend_resolver(self, parent: Any, _index: object) -> None:
        """Count the node.

        Raises:
            TooDeep, TooMany: the document leaves the bounds.
        """
        self.depth += 1
        self.nodes = self.nodes + 1 if self.depth > 1 else 1
        if self.depth > MAX_DEPTH:
            raise TooDeep(parent)
        if self.nodes > MAX_NODES:
            raise TooMany(parent)

    def ascend_resolver(self) -> None:
        """A node ended."""
        self.depth -= 1


def composer(text: str) -> Composer:
    """The cheapest composer that is safe for this text."""
    return Composer(text) if _is_harmless(text) else CountingComposer(text)


def _is_harmless(text: str) -> bool:
    """Small, and certainly shallow: a level needs a bracket, or a column of its own in some line.

    A sequence may stand at the column of its key, hence two levels for a column.
    """
    if len(text) > _SMALL:
        return False
    longest = max(map(len, text.split("\n")))
    return text.count("[") + text.count("{") + 2 * longest < _SHALLOW
