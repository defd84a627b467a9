"""Customers' addresses on the command line: never shown, kept or repeated in a message."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import click

from ekomi_reconcile.cli.session import state_key
from ekomi_reconcile.config.configuration import Configuration
from ekomi_reconcile.errors import ConfigurationError, ReconcileError
from ekomi_reconcile.optouts import checked, is_address
from ekomi_reconcile.state.key import KeyedDigest, Purpose
from ekomi_reconcile.state.store import State
from ekomi_reconcile.suppression import DIGEST_PREFIX, NUMBER_DIGEST_PREFIX, NUMBER_PREFIX

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
    key = state.require_key() if state is not None else state_key(configuration)
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
