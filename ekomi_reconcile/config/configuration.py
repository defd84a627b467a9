"""The configuration: documents checked and merged."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import msgspec

from ekomi_reconcile.config.settings import Project
from ekomi_reconcile.config.source import Document, KeyPath, Part
from ekomi_reconcile.model.account import Account
from ekomi_reconcile.model.diagnostic import Diagnostic, Place
from ekomi_reconcile.model.keys import key_paths
from ekomi_reconcile.model.paths import local_path


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
class WrittenAccount:
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
        if isinstance(step, int) and isinstance(data, list):
            if not 0 <= step < len(data):
                return False
        elif not isinstance(data, Mapping) or step not in data:
            return False
        data = data[step]
    return True


def _line(place: Place) -> str:
    return f"{place.path}:{place.line}"


EMPTY_FILE: Final = "empty-account-file"
"""The rule of the warning about an account file without a document."""

KEY_PATHS: Final = tuple(key_paths(Account))
"""The key paths of an account's effective values."""


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """What the files of a project say. ``diagnostics`` are warnings; accounts are in file order.

    ``digest`` is ``sha256:`` of the values: comments, order of keys, files and formatting do not count.
    """

    path: Path
    project: Project
    accounts: tuple[Account, ...]
    digest: str
    diagnostics: tuple[Diagnostic, ...] = ()
    written: Mapping[str, WrittenAccount] = field(default_factory=dict, repr=False, compare=False)
    """By interface id: the accounts as the files have them."""

    @property
    def root(self) -> Path:
        """The folder of the project file, where relative paths start."""
        return self.path.parent

    def resolve(self, path: str) -> Path:
        """A path of the files, as seen from the working directory."""
        return self.root / path

    @property
    def suppression_list(self) -> Path | None:
        """The file of the customers who opted out, if the project has one.

        Raises:
            ConfigurationError: the home folder in its path is not known.
        """
        written = self.project.privacy.suppress
        if written is None:
            return None
        return local_path(written, root=self.root, what="the path of the suppression list (privacy.suppress)")

    @cached_property
    def origins(self) -> Mapping[str, Mapping[str, str]]:
        """Interface id → key path → where the effective value comes from; worked out when looked up.

        ``accounts.d/de.yaml:7``, ``ekomi-reconcile.yaml:9 (defaults)`` or ``default``.
        """
        return _Origins(self.written)

    @property
    def empty_files(self) -> tuple[str, ...]:
        """The account files without a document: their accounts may have been lost by accident."""
        return tuple(each.place.path for each in self.diagnostics if each.rule == EMPTY_FILE and each.place)

    def place(self, interface_id: str) -> Place | None:
        """Where the account with this id is written."""
        entry = self.written.get(interface_id)
        return None if entry is None else entry.place(("name",))


def digest_of(project: Project, accounts: Iterable[Account]) -> str:
    """The digest of a configuration with these settings and accounts."""
    body = {
        "project": project.canonical(),
        "accounts": {each.interface_id: msgspec.Raw(each.derived.text) for each in accounts},
    }
    return f"sha256:{hashlib.sha256(msgspec.json.encode(body, order='sorted')).hexdigest()}"


class _Origins(Mapping[str, Mapping[str, str]]):
    def __init__(self, entries: Mapping[str, WrittenAccount]) -> None:
        self._entries = entries

    def __getitem__(self, interface_id: str) -> Mapping[str, str]:
        entry = self._entries[interface_id]
        return {".".join(path): entry.origin(path) for path in KEY_PATHS}

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)
