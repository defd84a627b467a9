"""Files to a configuration: everything is read, checked and merged, and all mistakes come in one run."""

from __future__ import annotations

import gc
import posixpath
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from ekomi_reconcile.config import convert, lint
from ekomi_reconcile.config.configuration import Configuration, digest_of
from ekomi_reconcile.config.crosscheck import (
    Seen,
    secret_paths,
    secret_problems,
    source_of,
    source_problem,
    status_problems,
    unknown_source,
)
from ekomi_reconcile.config.diagnostics import error, shown, sort_key
from ekomi_reconcile.config.entries import AccountEntry, ProjectEntry
from ekomi_reconcile.config.models import ProjectDocument
from ekomi_reconcile.config.source import Document
from ekomi_reconcile.config.tree import DiskTree, Listing, Tree
from ekomi_reconcile.config.validate import account_problems, project_model
from ekomi_reconcile.config.yaml import read
from ekomi_reconcile.errors import ConfigurationInvalid, ConfigurationNotFound
from ekomi_reconcile.model.diagnostic import Diagnostic, Place

FILE_NAME: Final = "ekomi-reconcile.yaml"
_FOLDER: Final = ProjectDocument.model_fields["accounts"].default
_PASSWORD: Final = (("interface_password",),)


def find(directory: Path, explicit: Path | None = None) -> Path:
    """The project file: ``explicit`` (relative to ``directory``), or ``ekomi-reconcile.yaml`` there.

    Raises:
        ConfigurationNotFound: there is no such file.
    """
    path = directory / (explicit or FILE_NAME)
    if not path.is_file():
        raise _not_found(path.as_posix())
    return path


def load(path: Path) -> Configuration:
    """The configuration whose project file is ``path``.

    Raises:
        ConfigurationNotFound: there is no such file.
        ConfigurationInvalid: the files have errors; it carries those of all files.
    """
    return load_from(DiskTree(), path.as_posix())


def load_from(tree: Tree, path: str) -> Configuration:
    """The same over any tree of files."""
    configuration, diagnostics = check_from(tree, path)
    if configuration is None:
        raise ConfigurationInvalid(diagnostics)
    return configuration


def check(path: Path) -> tuple[Configuration | None, tuple[Diagnostic, ...]]:
    """The configuration, unless there are errors, and everything there is to say about the files.

    Raises:
        ConfigurationNotFound: there is no such file. Nothing in the files raises.
    """
    return check_from(DiskTree(), path.as_posix())


def check_from(tree: Tree, path: str) -> tuple[Configuration | None, tuple[Diagnostic, ...]]:
    """The same over any tree of files."""
    loader = _Loader(tree, posixpath.normpath(path))
    with _collection_paused():
        configuration = loader.run()
    return configuration, tuple(sorted(loader.diagnostics, key=sort_key))


def _not_found(path: str) -> ConfigurationNotFound:
    return ConfigurationNotFound(
        f"there is no project file {path}",
        mend="run in the folder of the project, or name it: -C DIR or --config FILE; `init` makes a new one",
    )


@contextmanager
def _collection_paused() -> Iterator[None]:
    """Loading makes no cycles but many objects that stay: looking for cycles costs a third of the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


class _Loader:
    """One run over the files; collects diagnostics."""

    def __init__(self, tree: Tree, path: str) -> None:
        self.diagnostics: list[Diagnostic] = []
        self._tree = tree
        self._path = path
        self._seen = Seen()

    def run(self) -> Configuration | None:
        project = self._project()
        documents = list(self._accounts(project))
        if project is None:
            return None
        entries = [entry for each in documents if (entry := self._entry(each, project)) is not None]
        has_errors = any(each.is_error for each in self.diagnostics)
        if project.settings is not None:
            self.diagnostics += lint.warnings(project, entries, complete=not has_errors)
        if project.settings is None or has_errors:
            return None
        accounts = tuple(each.account for each in entries)
        return Configuration(
            path=Path(self._path),
            project=project.settings,
            accounts=accounts,
            digest=digest_of(project.settings, accounts),
            diagnostics=tuple(sorted(self.diagnostics, key=sort_key)),
            entries=tuple(entries),
        )

    def _project(self) -> ProjectEntry | None:
        try:
            content = self._tree.read(self._path)
        except FileNotFoundError:
            raise _not_found(self._path) from None
        except OSError as problem:
            self._unreadable(self._path, problem.strerror)
            return None
        documents, problems = read(self._path, content)
        self.diagnostics += problems
        if not documents and not problems:
            self.diagnostics.append(
                error(
                    "empty-project",
                    "the project file is empty",
                    Place(path=self._path),
                    mend="write `version: 1`",
                )
            )
        for each in documents[1:]:
            self.diagnostics.append(
                error(
                    "several-documents",
                    "the project file holds more than one document",
                    each.place(),
                    mend="remove `---` and what follows; accounts go into files of their own",
                )
            )
        return self._checked_project(documents[0]) if documents else None

    def _checked_project(self, document: Document) -> ProjectEntry:
        model, problems = project_model(document)
        self.diagnostics += problems
        if model is None:
            return ProjectEntry(document, None)
        settings = convert.project(model, document.data)
        self.diagnostics += status_problems(document, ("defaults",))
        self.diagnostics += secret_problems(document, list(secret_paths(document.data)))
        default = settings.defaults.get("orders")
        if default is not None and default not in settings.orders:
            self.diagnostics.append(
                unknown_source(document, ("defaults", "orders"), default, list(settings.orders))
            )
        return ProjectEntry(document, settings)

    def _accounts(self, project: ProjectEntry | None) -> Iterator[Document]:
        for file in self._listing(project).files:
            try:
                content = self._tree.read(file)
            except OSError as problem:
                self._unreadable(file, problem.strerror)
                continue
            documents, problems = read(file, content)
            self.diagnostics += problems
            yield from documents

    def _listing(self, project: ProjectEntry | None) -> Listing:
        folder = project.document.data.get("accounts", _FOLDER) if project else _FOLDER
        if not isinstance(folder, str) or not folder:
            return Listing(())
        try:
            listing = self._tree.walk(self._below_root(folder))
        except (OSError, ValueError) as problem:
            self.diagnostics.append(self._no_folder(project, folder, problem))
            return Listing(())
        for path, reason in listing.unreadable:
            self._unreadable(path, reason)
        return Listing(tuple(each for each in listing.files if each != self._path))

    def _below_root(self, folder: str) -> str:
        return posixpath.normpath(posixpath.join(posixpath.dirname(self._path), folder))

    def _no_folder(
        self, project: ProjectEntry | None, folder: str, problem: OSError | ValueError
    ) -> Diagnostic:
        missing = isinstance(problem, FileNotFoundError)
        return error(
            "accounts-folder",
            "the folder of the accounts does not exist"
            if missing
            else "the folder of the accounts cannot be read",
            project.document.place(("accounts",)) if project else Place(path=self._path),
            path=("accounts",),
            found=shown(folder),
            allowed="a folder, relative to the project file; it may be empty",
            mend=f"create the folder {folder}, or correct `accounts:`",
        )

    def _entry(self, document: Document, project: ProjectEntry) -> AccountEntry | None:
        self.diagnostics += self._seen.problems(document)
        problems = account_problems(document)
        if problems:
            self.diagnostics += problems
            return None
        self.diagnostics += status_problems(document)
        self.diagnostics += secret_problems(document, _PASSWORD)
        if project.settings is None:
            return None
        sources = tuple(project.settings.orders)
        source = source_of(document.data, project.defaults, sources)
        if source is None:
            if "orders" in document.data or "orders" not in project.defaults:
                self.diagnostics.append(source_problem(document, sources))
            return None
        return AccountEntry(document, convert.account(document.data, project.defaults, source), project)

    def _unreadable(self, path: str, reason: str | None) -> None:
        self.diagnostics.append(
            error(
                "unreadable-file",
                f"it cannot be read: {reason or 'unknown reason'}",
                Place(path=path),
                mend="check that it is a regular file that may be read; remove links that lead nowhere",
            )
        )
