"""The configuration: documents merged, and the secrets that they name.

``${env:NAME}``, ``${file:/path}``, ``${keyring:service/user}``, and kinds of plug-ins: an entry point of
the group ``ekomi_reconcile.secrets`` has the kind as its name and is a function that gets what follows the
colon and returns the secret, or raises ``LookupError``, ``OSError`` or ``ValueError``.
"""

from __future__ import annotations

import hashlib
import os
import re
import threading
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, quote_plus

import msgspec

from ekomi_reconcile.config.diagnostics import SENSITIVE
from ekomi_reconcile.config.settings import Project
from ekomi_reconcile.config.source import Document, KeyPath, Part
from ekomi_reconcile.model.account import Account
from ekomi_reconcile.model.diagnostic import Diagnostic, Place
from ekomi_reconcile.model.errors import SecretError, SecretUnusable
from ekomi_reconcile.model.keys import key_paths
from ekomi_reconcile.model.paths import flaw, local_path, read_bounded

ENTRY_POINTS: Final = "ekomi_reconcile.secrets"
_REFERENCE = re.compile(r"\$\{(?P<kind>[a-z][a-z0-9_-]*):(?P<rest>[^{}]+)\}")
BUILT_IN: Final = ("env", "file", "keyring")
"""The kinds of references that need no plug-in."""

_PLAIN = re.compile(r"[A-Za-z0-9_.~-]*")
"""What is written in addresses as it is."""
_SHORTEST: Final = 4
"""Characters from which on a secret is redacted: shorter ones would blacken ordinary text."""
_LARGEST_FILE: Final = 64 * 1024
_MARK: Final = "\ufeff"


class Secret:
    """A secret that shows itself only when asked to."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The secret itself: for the call that needs it, never for a message."""
        return self._value

    def __repr__(self) -> str:
        return SENSITIVE

    __str__ = __repr__

    def __reduce__(self) -> str:
        raise TypeError("a secret is not written anywhere")


class _Redaction:
    """All secrets of this process, in every form in which they may turn up in a text.

    There may be thousands, so they are looked up, not tried one by one: a place in a text is checked
    if a form begins like it, and then in the lengths of those that do.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._forms: set[str] = set()
        self._lengths: dict[str, tuple[int, ...]] = {}

    def learn(self, value: str) -> None:
        """Redact this value in all later output."""
        if len(value) < _SHORTEST or value in self._forms:
            return
        with self._lock:
            for form in _written(value):
                self._forms.add(form)
                lengths = self._lengths.get(form[:_SHORTEST], ())
                if len(form) not in lengths:
                    longest_first = sorted((*lengths, len(form)), reverse=True)
                    self._lengths[form[:_SHORTEST]] = tuple(longest_first)

    def apply(self, text: str) -> str:
        """The text without secrets: the leftmost first, of several there the longest."""
        parts, start, at = [], 0, 0
        last = len(text) - _SHORTEST if self._forms else -1
        while at <= last:
            lengths = self._lengths.get(text[at : at + _SHORTEST], ())
            found = next((each for each in lengths if text[at : at + each] in self._forms), 0)
            if found:
                parts += [text[start:at], SENSITIVE]
                start = at + found
            at += found or 1
        return "".join([*parts, text[start:]])


def _written(value: str) -> set[str]:
    """The value, and how it is written in addresses."""
    if _PLAIN.fullmatch(value):
        return {value}
    return {value, quote(value), quote(value, safe=""), quote_plus(value)}


_REDACTION: Final = _Redaction()


def redact(text: str) -> str:
    """The text with every secret that this process has resolved replaced by ``(sensitive)``."""
    return _REDACTION.apply(text)


def kind_of(reference: str) -> str:
    """The kind of a well-formed reference: ``env`` of ``${env:NAME}``."""
    return reference[2:].partition(":")[0]


def kinds() -> tuple[str, ...]:
    """Every kind of reference that can be resolved here."""
    return (*BUILT_IN, *_plug_ins())


def resolve(reference: str, *, root: Path | None = None) -> Secret:
    """The secret that ``reference`` names. Relative paths start at ``root`` (default: here).

    Raises:
        SecretError: it cannot be resolved; the message names the reference, never a value.
    """
    match = _REFERENCE.fullmatch(reference)
    if match is None:
        raise SecretError(
            "this is not a secret reference",
            hint="write ${env:NAME}, ${file:/path} or ${keyring:service/user}",
        )
    value = _read(reference, match["kind"], match["rest"], root or Path())
    _REDACTION.learn(value.strip())
    _check(reference, value)
    return Secret(value)


def _read(reference: str, kind: str, rest: str, root: Path) -> str:
    match kind:
        case "env":
            return _from_environment(reference, rest)
        case "file":
            path = local_path(rest, root=root, what=f"{reference}: the path", error=SecretError)
            return _from_file(reference, path)
        case "keyring":
            return _from_keyring(reference, rest)
        case _:
            return _from_plug_in(reference, kind, rest)


def _check(reference: str, value: str) -> None:
    if not value:
        raise SecretUnusable(f"{reference} is empty", hint="write the secret into it")
    if value != value.strip() or value.startswith(_MARK):
        raise SecretUnusable(
            f"{reference} {flaw(value) or 'has whitespace at its beginning or end'}",
            hint="remove it: eKomi and shops reject such a secret without a reason",
        )


def _from_environment(reference: str, name: str) -> str:
    value = os.environ.get(name)
    if value is None:
        raise SecretError(
            f"{reference}: the variable {name} is not set",
            hint=f"set {name} in the environment of this command",
        )
    return value


def _from_file(reference: str, path: Path) -> str:
    try:
        content = read_bounded(path, _LARGEST_FILE + 1)
        text = content.decode("utf-8-sig")
    except (OSError, ValueError) as problem:
        why = problem.strerror if isinstance(problem, OSError) else _not_text(content)
        raise SecretError(
            f"{reference} cannot be read: {why}", hint="check the path and who may read the file"
        ) from None
    if len(content) > _LARGEST_FILE:
        raise SecretError(f"{reference} is too large for a secret", hint="check the path")
    return text.removesuffix("\n").removesuffix("\r")


def _not_text(content: bytes) -> str:
    if content.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
        return "it begins with a byte order mark of UTF-16; save it as UTF-8"
    return "it is not UTF-8 text"


def _from_keyring(reference: str, rest: str) -> str:
    service, _, user = rest.rpartition("/")
    if not service or not user:
        raise SecretError(
            f"{reference}: a keyring needs service and user", hint="write ${keyring:service/user}"
        )
    try:
        import keyring
        from keyring.errors import KeyringError
    except ImportError:
        raise SecretError(
            f"{reference}: the keyring library is not installed",
            hint="pip install 'ekomi-reconcile[keyring]'",
        ) from None
    try:
        value = keyring.get_password(service, user)
    except KeyringError as problem:
        raise SecretError(
            f"{reference}: the keyring cannot be used ({type(problem).__name__})",
            hint="unlock or set up the keyring",
        ) from None
    if value is None:
        raise SecretError(f"{reference}: the keyring has no such entry", hint=f"keyring set {service} {user}")
    return str(value)


def _from_plug_in(reference: str, kind: str, rest: str) -> str:
    function = _plug_ins().get(kind)
    if function is None:
        raise SecretError(
            f"{reference}: this kind of reference is not known", hint=f"known kinds: {', '.join(kinds())}"
        )
    try:
        return function(rest)
    except (LookupError, OSError, ValueError) as problem:
        raise SecretError(
            f"{reference}: the plug-in cannot resolve it ({type(problem).__name__})",
            hint="see the documentation of the plug-in",
        ) from None


@cache
def _plug_ins() -> dict[str, Callable[[str], str]]:
    from importlib.metadata import entry_points

    found = entry_points(group=ENTRY_POINTS)
    return {each.name: each.load() for each in found if each.name not in BUILT_IN}


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
