"""Kinds of order sources: the built-in ones, and those that installed packages register.

An entry point of the group ``ekomi_reconcile.order_sources`` has the kind as its name (the key under
``orders:``) and leads to an ``orders.source.SourceType``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from ekomi_reconcile.model.errors import ConfigurationError
from ekomi_reconcile.model.keys import Declared, Key

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

ENTRY_POINTS: Final = "ekomi_reconcile.order_sources"

FOREIGN_ERRORS: Final = (
    *(ArithmeticError, AssertionError, AttributeError, BufferError, EOFError, ImportError, LookupError),
    *(NameError, OSError, ReferenceError, RuntimeError, SyntaxError, TypeError, ValueError),
)
"""What code of another package may raise: every kind of exception of Python itself."""

BUILT_IN: Final[Mapping[str, str]] = {
    "magento": "ekomi_reconcile.orders.kinds:MAGENTO",
    "file": "ekomi_reconcile.orders.kinds:FILE",
}
"""What the package itself registers: known also where it is imported without being installed."""


@cache
def source_kinds() -> Mapping[str, EntryPoint]:
    """Every kind with its entry point; nothing is imported. Built-in kinds cannot be replaced.

    Raises:
        ConfigurationError: two packages register the same kind.
    """
    from importlib.metadata import EntryPoint, entry_points

    found = {name: EntryPoint(name, value, ENTRY_POINTS) for name, value in BUILT_IN.items()}
    for each in entry_points(group=ENTRY_POINTS):
        known = found.setdefault(each.name, each)
        if each.name not in BUILT_IN and known.value != each.value:
            raise ConfigurationError(
                f"two packages register the order source kind `{each.name}`: {known.value} and {each.value}",
                mend="uninstall one of them",
            )
    return found


def load_kind(kind: str) -> Any:
    """The ``SourceType`` of this kind.

    Raises:
        ConfigurationError: no package registers it, or it cannot be imported.
    """
    if kind in BUILT_IN:  # without the metadata of installed packages: reading that is slow
        module, _, name = BUILT_IN[kind].partition(":")
        return getattr(import_module(module), name)
    entry = source_kinds().get(kind)
    if entry is None:
        raise ConfigurationError(
            f"unknown order source kind `{kind}`; known kinds: {', '.join(source_kinds())}",
            mend=f"install the package that registers `{kind}`",
        )
    try:
        return entry.load()
    except FOREIGN_ERRORS as error:
        raise ConfigurationError(
            f"the order source kind `{kind}` cannot be imported from {entry.value}: "
            f"{type(error).__name__}: {error}",
            mend="repair or upgrade the package that registers it",
        ) from None


def registered_keys() -> Iterator[Declared]:
    """The keys under ``orders:`` that other packages register.

    Of a kind that cannot be imported every value is taken: opening the source raises the error.
    """
    for kind in source_kinds():
        if kind not in BUILT_IN:
            yield _declared(kind)


def _declared(kind: str) -> Declared:
    settings: Any = dict
    try:
        settings = load_kind(kind).settings
    except ConfigurationError:
        description = "A kind of another package, which cannot be imported."
    else:
        description = (settings.__doc__ or f"Settings of {kind}.").partition("\n\n")[0]
    key = Key(description=description, absent="another kind is given")
    return Declared(name=kind, attribute=kind, key=key, type=settings, kind=None, default=None)
