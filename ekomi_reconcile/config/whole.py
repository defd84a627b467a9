"""A whole configuration that was read before, recognised by the names and the bytes of all its files."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Final

import msgspec

from ekomi_reconcile.config import secrets
from ekomi_reconcile.config.cache import Cache, reader
from ekomi_reconcile.config.configuration import Configuration
from ekomi_reconcile.config.entries import AccountEntry, ProjectEntry
from ekomi_reconcile.config.settings import Project
from ekomi_reconcile.config.source import Document
from ekomi_reconcile.config.tree import KeepingTree, account_files
from ekomi_reconcile.model.account import Account, Derived
from ekomi_reconcile.model.diagnostic import Diagnostic

_NAME: Final = "configuration"
_KIND = re.compile(r"\$\{([a-z][a-z0-9_-]*):")


class _Body(msgspec.Struct, array_like=True, gc=False):
    """``files`` says for every account which file of the listing it stands in."""

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


_DECODER: Final = msgspec.msgpack.Decoder(_Whole)
_BODY: Final = msgspec.msgpack.Decoder(_Body)


def recall(cache: Cache, tree: KeepingTree, path: str) -> Configuration | None:
    """The configuration whose project file is ``path``, if its files are as they were; else ``None``.

    Every file is read; what was read stays in ``tree``.
    """
    content = cache.read(_NAME)
    if content is None:
        return None
    try:
        known = _DECODER.decode(content)
        if known.reader != reader() or known.files != _digest(tree, path, known.folder):
            return None
        body = _BODY.decode(known.body)
    except (msgspec.DecodeError, OSError, ValueError):
        return None
    if known.kinds and not set(known.kinds) <= set(secrets.kinds()):
        return None
    return _configuration(tree, path, known.folder, body)


def remember(cache: Cache, tree: KeepingTree, path: str, configuration: Configuration) -> None:
    """Keep a configuration made of what ``tree`` has read, unless a name of a file is no text."""
    with suppress(UnicodeEncodeError):
        cache.write(_NAME, _packed(tree, path, configuration))


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
        kinds=sorted(_kinds(configuration) - set(secrets.BUILT_IN)),
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
    accounts = {secrets.kind_of(each.interface_password) for each in configuration.accounts}
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


class _Written(Mapping[str, AccountEntry]):
    """Where accounts are written, by interface id; a file is parsed when somebody asks for its account."""

    def __init__(self, tree: KeepingTree, path: str, folder: str, body: _Body) -> None:
        self._tree = tree
        self._path = path
        self._folder = folder
        self._body = body

    def __getitem__(self, interface_id: str) -> AccountEntry:
        at = self._places[interface_id]
        files = account_files(self._tree, self._path, self._folder).files
        documents = self._documents(files[self._body.files[at]])
        document = next(each for each in documents if each.data.get("interface_id") == interface_id)
        return AccountEntry(document, self._body.accounts[at], self._project)

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
