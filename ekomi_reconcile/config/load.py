"""Files to a configuration: known ones come from the cache, all others are read and checked."""

from __future__ import annotations

import gc
import posixpath
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from ekomi_reconcile.config import configuration as config_configuration
from ekomi_reconcile.config import source as config_source
from ekomi_reconcile.config.cache import Cache, KnownFiles, recall, remember
from ekomi_reconcile.model.diagnostic import Diagnostic
from ekomi_reconcile.model.errors import ConfigurationInvalid

FILE_NAME: Final = "ekomi-reconcile.yaml"


def find(directory: Path, explicit: Path | None = None) -> Path:
    """The project file: ``explicit`` (relative to ``directory``), or ``ekomi-reconcile.yaml`` there.

    Raises:
        ConfigurationNotFound: there is no such file.
    """
    path = directory / (explicit or FILE_NAME)
    if not path.is_file():
        raise config_source.no_project(path.as_posix())
    return path


def load(path: Path) -> config_configuration.Configuration:
    """The configuration whose project file is ``path``.

    Raises:
        ConfigurationNotFound: there is no such file.
        ConfigurationInvalid: the files have errors; it carries those of all files.
    """
    return _valid(*check(path))


def load_from(tree: config_source.Tree, path: str) -> config_configuration.Configuration:
    """The same over any tree of files, without a cache."""
    return _valid(*check_from(tree, path))


def check(path: Path) -> tuple[config_configuration.Configuration | None, tuple[Diagnostic, ...]]:
    """The configuration, unless there are errors, and everything there is to say about the files.

    Raises:
        ConfigurationNotFound: there is no such file. Nothing in the files raises.
    """
    name, cache = posixpath.normpath(path.as_posix()), Cache(path.parent)
    tree = config_source.KeepingTree(config_source.DiskTree())
    with _collection_paused():
        known = recall(cache, tree, name)
        if known is not None:
            return known, known.diagnostics
        files = KnownFiles(cache)
        configuration, diagnostics = _read(tree, name, files)
        files.save()
        if configuration is not None:
            remember(cache, tree, name, configuration)
    return configuration, diagnostics


def check_from(
    tree: config_source.Tree, path: str
) -> tuple[config_configuration.Configuration | None, tuple[Diagnostic, ...]]:
    """The same over any tree of files, without a cache."""
    with _collection_paused():
        bounded = tree if isinstance(tree, config_source.KeepingTree) else config_source.KeepingTree(tree)
        return _read(bounded, posixpath.normpath(path), KnownFiles(None))


def _valid(
    configuration: config_configuration.Configuration | None, diagnostics: tuple[Diagnostic, ...]
) -> config_configuration.Configuration:
    if configuration is None:
        raise ConfigurationInvalid(diagnostics)
    return configuration


def _read(
    tree: config_source.Tree, path: str, known: KnownFiles
) -> tuple[config_configuration.Configuration | None, tuple[Diagnostic, ...]]:
    from ekomi_reconcile.config.loading import Loader

    return Loader(tree, path, known).run()


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
