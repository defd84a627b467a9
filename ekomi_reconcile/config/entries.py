"""What was read, before it becomes a configuration: documents of accounts and of the project."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ekomi_reconcile.config.settings import Project
from ekomi_reconcile.config.source import Document, KeyPath, Part
from ekomi_reconcile.model.account import Account
from ekomi_reconcile.model.diagnostic import Place


@dataclass(frozen=True, slots=True)
class ProjectEntry:
    """The project file: ``settings`` is ``None`` when it is not valid."""

    document: Document
    settings: Project | None

    @property
    def defaults(self) -> Mapping[str, Any]:
        """The partial account document under every account; none while the file is not valid."""
        return self.settings.defaults if self.settings else {}


@dataclass(frozen=True, slots=True)
class AccountEntry:
    """An account as read and as meant; ``project`` is where its defaults stand."""

    document: Document
    account: Account
    project: ProjectEntry

    def place(self, path: KeyPath, part: Part = "value") -> Place:
        """Where the effective value at ``path`` is written; a built-in default: where the name is."""
        if holds(self.document.data, path):
            return self.document.place(path, part)
        if holds(self.project.defaults, path):
            return self.project.document.place(("defaults", *path), part)
        return self.document.place(("name",))

    def origin(self, path: KeyPath) -> str:
        """Where the effective value at ``path`` comes from, in words."""
        if holds(self.document.data, path):
            return _line(self.document.place(path, "key"))
        if holds(self.project.defaults, path):
            return f"{_line(self.project.document.place(('defaults', *path), 'key'))} (defaults)"
        return "default"


def holds(data: Any, path: KeyPath) -> bool:
    """Is there a value at ``path``?"""
    for step in path:
        if not isinstance(data, Mapping) or step not in data:
            return False
        data = data[step]
    return True


def _line(place: Place) -> str:
    return f"{place.path}:{place.line}"
