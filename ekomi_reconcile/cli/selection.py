"""Naming accounts on the command line: exactly, else in any letter case, else by interface id."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from ekomi_reconcile.config.configuration import Configuration
from ekomi_reconcile.errors import ReconcileError
from ekomi_reconcile.state.store import State

_WILD = frozenset("*?[")


@dataclass(frozen=True, slots=True)
class Named:
    """What an account can be named by."""

    name: str
    interface_id: str


def known_to(state: State) -> tuple[Named, ...]:
    """The accounts of the state; deleted ones come last, so that a live one of the same name wins."""
    records = sorted(state.accounts(include_deleted=True), key=lambda each: each.deleted_at is not None)
    return tuple(Named(each.name, each.interface_id) for each in records)


def live_in(state: State) -> tuple[Named, ...]:
    """The accounts of the state without those that were deleted."""
    return tuple(Named(each.name, each.interface_id) for each in state.accounts())


def written_in(configuration: Configuration) -> tuple[Named, ...]:
    """The accounts of the files."""
    return tuple(Named(each.name, each.interface_id) for each in configuration.accounts)


def choose(names: Iterable[str], known: Sequence[Named]) -> tuple[str, ...]:
    """The interface ids of the accounts with these names, each once.

    Raises:
        ReconcileError: there is no such account; it offers the nearest name.
    """
    return tuple(dict.fromkeys(choose_one(name, known) for name in names))


def choose_matching(patterns: Iterable[str], known: Sequence[Named]) -> tuple[str, ...]:
    """Like ``choose``; a pattern with ``*``, ``?`` or ``[…]`` chooses every name or interface id that fits.

    Raises:
        ReconcileError: there is no such account, or none that fits.
    """
    found = (key for each in patterns for key in _matching(each, known))
    return tuple(dict.fromkeys(found))


def _matching(pattern: str, known: Sequence[Named]) -> list[str]:
    if not _WILD.intersection(pattern) or any(each.name == pattern for each in known):
        return [choose_one(pattern, known)]
    folded = pattern.casefold()
    fitting = [
        each.interface_id
        for each in known
        if fnmatchcase(each.name.casefold(), folded) or fnmatchcase(each.interface_id, folded)
    ]
    if not fitting:
        raise ReconcileError(f'no account fits "{pattern}"', mend="see: ekomi-reconcile accounts list")
    return fitting


def choose_one(name: str, known: Sequence[Named]) -> str:
    """The interface id of the account with this name; raises like ``choose``."""
    folded = name.casefold()
    tests = (
        lambda each: each.name == name,
        lambda each: each.name.casefold() == folded,
        lambda each: each.interface_id == name,
    )
    for fits in tests:
        if found := next(filter(fits, known), None):
            return found.interface_id
    raise _unknown(name, known)


def _unknown(name: str, known: Sequence[Named]) -> ReconcileError:
    by_fold = {text.casefold(): text for each in known for text in (each.interface_id, each.name)}
    near = difflib.get_close_matches(name.casefold(), by_fold, n=1)
    mend = f'did you mean "{by_fold[near[0]]}"?' if near else "see: ekomi-reconcile accounts list"
    return ReconcileError(f'there is no account "{name}"', mend=mend)
