"""libyaml as a composer of nodes that keep their lines and columns.

Whether a scalar was plain is all that is decided here; what it means is the builder's business.
libyaml composes recursively in C, so what might be deep or large goes through a composer that counts.
"""

from __future__ import annotations

from typing import Any, Final

import yaml
from yaml._yaml import CParser

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


class Composer(CParser):
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
