"""Choosing reviews on the command line."""

from __future__ import annotations

from collections.abc import Sequence

from ekomi_reconcile.cli.completion import account_completions
from ekomi_reconcile.cli.globals import Command, option
from ekomi_reconcile.cli.selection import choose_matching, known_to
from ekomi_reconcile.state.store import State


def patterns_option(command: Command) -> Command:
    """``--account GLOB``, repeatable."""
    return option(
        "--account",
        "patterns",
        multiple=True,
        metavar="GLOB",
        shell_complete=account_completions,
        help="Only accounts whose name or interface id fits; may be repeated.",
    )(command)


def product_option(command: Command) -> Command:
    """``--product ID``."""
    return option(
        "--product", metavar="ID", help="Only reviews of the product with this id, as eKomi knows it."
    )(command)


def chosen_accounts(state: State, patterns: Sequence[str]) -> tuple[str, ...] | None:
    """The interface ids that these patterns choose; ``None``, which is all, without any.

    Raises:
        ReconcileError: no account fits one of them.
    """
    return choose_matching(patterns, known_to(state)) if patterns else None


def account_names(state: State) -> dict[str, str]:
    """Names by interface id, of deleted accounts too."""
    return {each.interface_id: each.name for each in state.accounts(include_deleted=True)}
