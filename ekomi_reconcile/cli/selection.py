"""Choose accounts and name customers on the command line."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import click

from ekomi_reconcile.cli.session import state_key
from ekomi_reconcile.config.configuration import Configuration
from ekomi_reconcile.model.errors import ConfigurationError, ReconcileError
from ekomi_reconcile.privacy.limits import checked, is_address
from ekomi_reconcile.privacy.suppression import DIGEST_PREFIX, NUMBER_DIGEST_PREFIX
from ekomi_reconcile.rules.contact import NUMBER_PREFIX
from ekomi_reconcile.state.engine.key import KeyedDigest, Purpose
from ekomi_reconcile.state.store import State

_WILD = frozenset("*?[")


@dataclass(frozen=True, slots=True)
class Named:
    """What an account can be named by."""

    name: str
    interface_id: str


def known_to(state: State) -> tuple[Named, ...]:
    """The accounts of the state; deleted ones come last, so that a live one of the same name wins."""
    records = sorted(state.accounts.read(include_deleted=True), key=lambda each: each.deleted_at is not None)
    return tuple(Named(each.name, each.interface_id) for each in records)


def live_in(state: State) -> tuple[Named, ...]:
    """The accounts of the state without those that were deleted."""
    return tuple(Named(each.name, each.interface_id) for each in state.accounts.read())


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


Digest = Callable[[str], str]
"""Turns a canonical address into the keyed digest of a customer."""

STDIN = "-"


def given(texts: Sequence[str]) -> list[str]:
    """These addresses, @domains and tel: numbers, or with ``-`` those on stdin, one per line.

    Raises:
        click.UsageError: one is neither.
    """
    if list(texts) == [STDIN]:
        texts = [each for each in sys.stdin.read().splitlines() if each.strip()]
    if not texts:
        raise click.UsageError("there is no address.")
    try:
        return checked(texts)
    except ValueError as error:
        raise click.UsageError(f"{error}.") from None


def one(text: str) -> str:
    """The one address that is meant; raises like ``given``."""
    found = given([text])
    if len(found) != 1 or not is_address(found[0]):
        raise click.UsageError("this command takes one address.")
    return found[0]


def customer_digest(configuration: Configuration, state: State | None) -> Digest:
    """How customers are known to this project.

    Raises:
        ReconcileError: there is neither a state nor a configured key.
    """
    key = state.key.require() if state is not None else state_key(configuration)
    if key is None:
        raise ReconcileError(
            "customers cannot be told apart yet: there is no state, and no privacy.key",
            mend="make a state with `ekomi-reconcile apply`, or set privacy.key",
        )
    return KeyedDigest(key, Purpose.CUSTOMER)


def entries_for(text: str, of_customer: Digest) -> str:
    """What is written into the suppression list for this address, domain or number."""
    if is_address(text):
        return DIGEST_PREFIX + of_customer(text)
    return NUMBER_DIGEST_PREFIX + of_customer(text) if text.startswith(NUMBER_PREFIX) else text


def suppression_path(configuration: Configuration) -> Path:
    """The suppression list of the project.

    Raises:
        ConfigurationError: the project has none.
    """
    path = configuration.suppression_list
    if path is None:
        raise ConfigurationError(
            "the project has no suppression list",
            mend="name one in the project file: privacy: {suppress: suppressed.txt}",
        )
    return path
