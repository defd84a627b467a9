"""The names of the accounts, read quickly, whatever else is wrong with the files."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

from ekomi_reconcile.config.settings import ACCOUNTS
from ekomi_reconcile.config.source import Document, Tree
from ekomi_reconcile.config.yaml import read


def account_names(tree: Tree, path: str) -> Iterator[str]:
    """The names in the accounts of the project file at ``path``, in the order of the files.

    Raises:
        OSError: the project file or the folder of accounts cannot be read; single files are left out.
    """
    found = _documents(tree, path)
    folder = found[0].data.get("accounts", ACCOUNTS) if found else ACCOUNTS
    below = posixpath.normpath(posixpath.join(posixpath.dirname(path), str(folder)))
    for file in tree.walk(below).files:
        try:
            documents = _documents(tree, file)
        except OSError:
            continue
        names = (each.data.get("name") for each in documents)
        yield from (name for name in names if isinstance(name, str))


def _documents(tree: Tree, path: str) -> list[Document]:
    return read(path, tree.read(path))[0]
