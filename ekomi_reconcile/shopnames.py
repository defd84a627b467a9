"""Names in the files that the shop does not have: a rule that names one waits for orders that never come."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Iterator
from typing import Protocol, runtime_checkable

from ekomi_reconcile.model.account import Account
from ekomi_reconcile.model.diagnostic import Diagnostic, Severity
from ekomi_reconcile.orders.source import OrderSource

_SHOWN = 10

_SLIP = 0.8
"""How alike two words are that differ by a slip of the pen."""


@runtime_checkable
class NamingShop(Protocol):
    """An order source that knows which names there are; ``None``: it was not asked, or does not tell."""

    @property
    def store_view_codes(self) -> frozenset[str] | None:
        """The store views in which customers can order."""

    @property
    def customer_group_codes(self) -> frozenset[str] | None:
        """The customer groups."""

    @property
    def status_codes(self) -> frozenset[str]:
        """The statuses that are known to occur; most shops cannot list theirs, so there may be others."""


def unknown_names(source: OrderSource, accounts: Iterable[Account]) -> Iterator[Diagnostic]:
    """An error for every store view or customer group that a rule names and the shop does not have.

    A status may exist without having been met yet: one that looks like a slip of the pen is a warning.
    Nothing is asked for this: it compares with what the last pass over the source brought.
    """
    if not isinstance(source, NamingShop):
        return
    for account in accounts:
        rule = account.invitations
        wanted = (
            ("store view", "store_views", rule.store_views.names, source.store_view_codes),
            ("customer group", "customer_groups", rule.customer_groups.names, source.customer_group_codes),
        )
        for what, key, named, known in wanted:
            for name in sorted((named or frozenset()) - known if known is not None else ()):
                yield Diagnostic(
                    severity=Severity.ERROR,
                    rule=f"unknown-{key.rstrip('s').replace('_', '-')}",
                    message=f'{account.name}: the shop has no {what} "{name}"',
                    key=f"invitations.{key}",
                    found=name,
                    mend=nearest(name, known or ()),
                    account=account.name,
                )
        yield from _slips(account, source.status_codes)


def _slips(account: Account, known: frozenset[str]) -> Iterator[Diagnostic]:
    met = {each.casefold() for each in known}
    for status in account.invitations.order_statuses:
        if status.casefold() not in met and difflib.get_close_matches(
            status.casefold(), met, n=1, cutoff=_SLIP
        ):
            yield Diagnostic(
                severity=Severity.WARNING,
                rule="unknown-order-status",
                message=f'{account.name}: no order was seen in status "{status}"',
                key="invitations.order_statuses",
                found=status,
                mend=nearest(status, known),
                account=account.name,
            )


def nearest(name: str, known: Collection[str]) -> str:
    """What to write instead of a name that does not exist."""
    by_fold = {each.casefold(): each for each in known}
    near = difflib.get_close_matches(name.casefold(), by_fold, n=1)
    if near:
        return f'did you mean "{by_fold[near[0]]}"?'
    ordered = sorted(known)
    more = ", …" if len(ordered) > _SHOWN else ""
    return f"there are: {', '.join(ordered[:_SHOWN])}{more}"
