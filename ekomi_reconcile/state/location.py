"""Where a state lives: a file, or later a server."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from ekomi_reconcile.errors import StateError


@dataclass(frozen=True, slots=True)
class FileLocation:
    """A file state, and the files beside it."""

    path: Path

    @property
    def lock(self) -> Path:
        """The file of the writer lock."""
        return self.path.with_name(self.path.name + ".lock")

    @property
    def key(self) -> Path:
        """The file of a key that was made for this state."""
        return self.path.with_name(self.path.name + ".key")

    def backup(self, label: str) -> Path:
        """Where a copy with this label goes."""
        return self.path.with_name(f"{self.path.name}.{label}.backup")


def locate(text: str, *, root: Path) -> FileLocation:
    """Read a path (relative to ``root``) or ``sqlite:///path`` (``sqlite:////path`` is absolute).

    Raises:
        StateError: this version cannot keep a state there.
    """
    if "://" not in text:
        path = text
    else:
        scheme, rest = text.split("://", 1)
        if scheme.startswith("postgres"):
            raise StateError(
                "this version keeps its state in a file; PostgreSQL is not supported yet",
                mend="write a path, for example: state: .ekomi-reconcile/state.db",
            )
        if scheme != "sqlite" or urlsplit(text).netloc:
            raise StateError(
                f"{scheme}:// is no place for a state",
                mend="write a path or sqlite:///path (four slashes for an absolute one)",
            )
        path = unquote(rest.removeprefix("/"))
    if not path or path == ":memory:" or "\0" in path:
        raise StateError("the state has no path", mend="write one, for example: .ekomi-reconcile/state.db")
    return FileLocation(Path(root, path))
