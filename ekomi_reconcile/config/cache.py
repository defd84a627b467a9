"""Documents and whole configurations read before, recognised by the digest of their bytes.

A file begins with the digest of the rest: a damaged file counts as missing. There is none
where the folder cannot be written, nor before the project has a folder ``.ekomi-reconcile``: looking at files
leaves no traces beside them. References to secrets may be in it, secrets never are.

Only files without any mistake are kept: errors are always found again, with their place.
"""

from __future__ import annotations

import os
import re
import secrets
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cache, cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import msgspec

from ekomi_reconcile import __version__
from ekomi_reconcile.config import configuration as configuration_module
from ekomi_reconcile.config.configuration import Configuration, ProjectEntry, WrittenAccount
from ekomi_reconcile.config.settings import Project
from ekomi_reconcile.config.source import Document, KeepingTree, Source, account_files
from ekomi_reconcile.model.account import Account, Derived
from ekomi_reconcile.model.diagnostic import Diagnostic

FOLDER: Final = Path(".ekomi-reconcile", "cache")
"""Relative to the folder of the project file."""

_DIGEST: Final = sha256().digest_size


class Cache:
    """The cache of the project in the folder ``root``."""

    def __init__(self, root: Path) -> None:
        self._folder = root / FOLDER

    def read(self, name: str) -> memoryview | None:
        """What was written under this name; ``None`` if there is nothing, or something else by now."""
        try:
            content = memoryview((self._folder / name).read_bytes())
        except OSError:
            return None
        sound = sha256(content[_DIGEST:]).digest() == content[:_DIGEST]
        return content[_DIGEST:] if sound else None

    def write(self, name: str, content: bytes) -> None:
        """Keep this under a name, at once or not at all; only its owner may read it."""
        draft = self._folder / f"{name}.{secrets.token_hex(4)}.part"
        with suppress(OSError):
            self._folder.mkdir(mode=0o700, exist_ok=True)
            try:
                _write(draft, sha256(content).digest(), content)
                draft.replace(self._folder / name)
            finally:
                draft.unlink(missing_ok=True)


_FIRST_KEY: Final = "plan.key"
_FIRST_KEY_BYTES: Final = 32


def first_key(root: Path) -> bytes:
    """The random key of digests that are made before there is a state, kept in the cache of a project.

    The state that is created later takes it over, so that orders read by then need not be read again. Where
    it cannot be kept, the next one is another.
    """
    path = root / FOLDER / _FIRST_KEY
    known = _private(path, _FIRST_KEY_BYTES)
    if known is not None:
        return known
    made = secrets.token_bytes(_FIRST_KEY_BYTES)
    with suppress(OSError):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        _write(path, made)
    return made


def _private(path: Path, size: int) -> bytes | None:
    """The content of this size that nobody but this user could read or write, if it is that."""
    with suppress(OSError), os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), "rb") as file:
        found = os.fstat(file.fileno())
        private = stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o077
        content = file.read(size + 1) if private else b""
        return content if len(content) == size else None
    return None


def hand_over_first_key(root: Path) -> None:
    """Remove the key from the cache, which may be shared: there is a state now, which has it."""
    with suppress(OSError):
        (root / FOLDER / _FIRST_KEY).unlink()


@cache
def reader() -> bytes:
    """The digest of the code that reads files: for other code they may mean something else."""
    digest = sha256(__version__.encode())
    package = Path(__file__).parent.parent
    for folder in ("config", "model"):
        for path in sorted((package / folder).glob("*.py")):
            digest.update(path.read_bytes())
    return digest.digest()


def _write(path: Path, *parts: bytes) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.writelines(parts)


_NAME: Final = "documents"
_SPARE: Final = 1_000
"""Files kept beyond twice those of the last run: other branches have other versions of them."""


class _CachedDocument(msgspec.Struct, array_like=True, gc=False):
    start: int
    end: int
    line: int
    column: int
    data: dict[str, Any]


class _CachedFile(msgspec.Struct, array_like=True, gc=False):
    digest: bytes
    documents: msgspec.Raw


class _Files(msgspec.Struct, array_like=True, gc=False):
    reader: bytes
    files: list[_CachedFile]


_DECODER: Final = msgspec.msgpack.Decoder(_Files)
_DOCUMENTS: Final = msgspec.msgpack.Decoder(list[_CachedDocument])


class KnownFiles:
    """What is known of files; without a cache nothing is, and nothing is kept."""

    def __init__(self, cache: Cache | None) -> None:
        self._cache = cache
        self._known: dict[bytes, msgspec.Raw] = {} if cache is None else _load(cache)
        self._present: dict[bytes, msgspec.Raw] = {}

    def find(self, path: str, content: bytes) -> list[Document] | None:
        """The documents of a file with this content, if it was kept; ``path`` is how messages name it."""
        if not self._known:
            return None
        digest = sha256(content).digest()
        packed = self._known.get(digest)
        if packed is None:
            return None
        self._present[digest] = packed
        source = Source(path, content.decode("utf-8-sig"))
        return [
            Document(
                source=source,
                data=each.data,
                start=each.start,
                end=each.end,
                line=each.line,
                column=each.column,
            )
            for each in _DOCUMENTS.decode(packed)
        ]

    def keep(self, content: bytes, documents: Sequence[Document]) -> None:
        """These are the documents of a file with this content, and they are valid."""
        if self._cache is not None:
            parts = [
                _CachedDocument(each.start, each.end, each.line, each.column, each.data) for each in documents
            ]
            self._present[sha256(content).digest()] = msgspec.Raw(msgspec.msgpack.encode(parts))

    def save(self) -> None:
        """Write down what was kept and found, and as much again of what was known before."""
        if self._cache is None or self._present.keys() <= self._known.keys():
            return
        files = self._present | {
            digest: packed for digest, packed in self._known.items() if digest not in self._present
        }
        most = 2 * len(self._present) + _SPARE
        packed = [_CachedFile(*each) for each in list(files.items())[:most]]
        self._cache.write(_NAME, msgspec.msgpack.encode(_Files(reader(), packed)))


def _load(cache: Cache) -> dict[bytes, msgspec.Raw]:
    content = cache.read(_NAME)
    if content is None:
        return {}
    try:
        found = _DECODER.decode(content)
    except msgspec.DecodeError:
        return {}
    return {each.digest: each.documents for each in found.files} if found.reader == reader() else {}


_WHOLE_NAME: Final = "configuration"
_KIND = re.compile(r"\$\{([a-z][a-z0-9_-]*):")


class _Body(msgspec.Struct, array_like=True, gc=False):
    """``files`` has for every account the file of the listing that defines it."""

    project: Project
    accounts: tuple[Account, ...]
    derived: list[Derived]
    files: list[int]
    digest: str
    diagnostics: tuple[Diagnostic, ...]


class _Whole(msgspec.Struct, array_like=True, gc=False):
    """``folder`` is that of the accounts, ``kinds`` are of secret references that plug-ins resolve."""

    reader: bytes
    folder: str
    files: bytes
    kinds: list[str]
    body: msgspec.Raw


_WHOLE_DECODER: Final = msgspec.msgpack.Decoder(_Whole)
_BODY: Final = msgspec.msgpack.Decoder(_Body)


def recall(cache: Cache, tree: KeepingTree, path: str) -> Configuration | None:
    """The configuration whose project file is ``path``, if its files are as they were; else ``None``.

    Every file is read; what was read stays in ``tree``.
    """
    content = cache.read(_WHOLE_NAME)
    if content is None:
        return None
    try:
        known = _WHOLE_DECODER.decode(content)
        if known.reader != reader() or known.files != _digest(tree, path, known.folder):
            return None
        body = _BODY.decode(known.body)
    except (msgspec.DecodeError, OSError, ValueError):
        return None
    if known.kinds and not set(known.kinds) <= set(configuration_module.kinds()):
        return None
    return _configuration(tree, path, known.folder, body)


def remember(cache: Cache, tree: KeepingTree, path: str, configuration: Configuration) -> None:
    """Keep a configuration made of what ``tree`` has read, unless a file name is not valid text."""
    with suppress(UnicodeEncodeError):
        cache.write(_WHOLE_NAME, _packed(tree, path, configuration))


def _packed(tree: KeepingTree, path: str, configuration: Configuration) -> bytes:
    folder, accounts = configuration.project.accounts, configuration.accounts
    places = {name: at for at, name in enumerate(account_files(tree, path, folder).files)}
    body = _Body(
        project=configuration.project,
        accounts=accounts,
        derived=[each.derived for each in accounts],
        files=[places[configuration.written[each.interface_id].document.source.path] for each in accounts],
        digest=configuration.digest,
        diagnostics=configuration.diagnostics,
    )
    whole = _Whole(
        reader=reader(),
        folder=folder,
        files=_digest(tree, path, folder),
        kinds=sorted(_kinds(configuration) - set(configuration_module.BUILT_IN)),
        body=msgspec.Raw(msgspec.msgpack.encode(body)),
    )
    return msgspec.msgpack.encode(whole)


def _digest(tree: KeepingTree, path: str, folder: str) -> bytes:
    """The digest of the names and contents of all files, and of what there is that cannot be read.

    Raises:
        OSError, ValueError: one of the files cannot be read.
    """
    listing = account_files(tree, path, folder)
    digest = sha256(repr((listing.unreadable, listing.misnamed)).encode(errors="surrogateescape"))
    for each in (path, *listing.files):
        content = tree.read(each)
        digest.update(f"{each}\0{len(content)}\0".encode(errors="surrogateescape"))
        digest.update(content)
    return digest.digest()


def _kinds(configuration: Configuration) -> set[str]:
    """The kinds of all secret references."""
    settings = msgspec.json.encode(configuration.project.canonical()).decode()
    accounts = {configuration_module.kind_of(each.interface_password) for each in configuration.accounts}
    return accounts.union(_KIND.findall(settings))


def _configuration(tree: KeepingTree, path: str, folder: str, body: _Body) -> Configuration:
    for account, derived in zip(body.accounts, body.derived, strict=True):
        account.keep(derived)
    return Configuration(
        path=Path(path),
        project=body.project,
        accounts=body.accounts,
        digest=body.digest,
        diagnostics=body.diagnostics,
        written=_Written(tree, path, folder, body),
    )


class _Written(Mapping[str, WrittenAccount]):
    """Where accounts are written, by interface id; a file is parsed when somebody asks for its account."""

    def __init__(self, tree: KeepingTree, path: str, folder: str, body: _Body) -> None:
        self._tree = tree
        self._path = path
        self._folder = folder
        self._body = body

    def __getitem__(self, interface_id: str) -> WrittenAccount:
        at = self._places[interface_id]
        files = account_files(self._tree, self._path, self._folder).files
        documents = self._documents(files[self._body.files[at]])
        document = next(each for each in documents if each.data.get("interface_id") == interface_id)
        return WrittenAccount(document, self._body.accounts[at], self._project)

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._body.accounts)

    @cached_property
    def _places(self) -> dict[str, int]:
        return {each.interface_id: at for at, each in enumerate(self._body.accounts)}

    @cached_property
    def _project(self) -> ProjectEntry:
        return ProjectEntry(self._documents(self._path)[0], self._body.project)

    def _documents(self, path: str) -> list[Document]:
        from ekomi_reconcile.config.yaml import read

        return read(path, self._tree.read(path))[0]
