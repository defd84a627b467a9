"""Accounts whose rules can match the same order, found without comparing every pair.

Two enabled accounts of one order source overlap when their store views, customer groups and trigger
statuses intersect, unless their priorities differ or their conditions differ: then somebody has thought
about who wins. One other account is named for each; two exclusions always intersect, since what else a
shop has is not known here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import islice, product
from typing import Final, TypeAlias

import msgspec

from ekomi_reconcile.config.entries import AccountEntry
from ekomi_reconcile.model.account import InvitationRule, Selection

_BROAD: Final = object()
"""Stands for "all" and for exclusions."""
_ANY: Final = object()
"""Stands for every account, whatever it selects."""
_TRIED: Final = 32
"""Candidates looked at for one key: bounds the work where many exclude each other."""

_Key: TypeAlias = tuple[object, object, str]


def overlaps(entries: Sequence[AccountEntry]) -> Iterator[tuple[AccountEntry, AccountEntry]]:
    """Pairs (account, an earlier account that it overlaps with); every account at most once."""
    groups: dict[tuple[str, int, bytes], list[AccountEntry]] = defaultdict(list)
    for each in entries:
        account = each.account
        conditions = account.invitations.conditions
        alike = msgspec.json.encode(conditions, order="sorted") if conditions is not None else b""
        groups[account.orders, account.priority, alike].append(each)
    for group in groups.values():
        if len(group) > 1:
            yield from _in_group(group)


class _Index:
    """The accounts of one group by what they select; only as fine as the group needs it."""

    def __init__(self, group: Sequence[AccountEntry]) -> None:
        rules = [each.account.invitations for each in group]
        self._broad_views = any(_is_broad(each.store_views) for each in rules)
        self._broad_groups = any(_is_broad(each.customer_groups) for each in rules)
        self._entries: dict[_Key, list[AccountEntry]] = defaultdict(list)

    def add(self, entry: AccountEntry) -> None:
        """Make the account findable."""
        rule = entry.account.invitations
        views = _tokens(rule.store_views, _ANY if self._broad_views else None)
        groups = _tokens(rule.customer_groups, _ANY if self._broad_groups else None)
        for key in product(views, groups, set(rule.order_statuses)):
            self._entries[key].append(entry)

    def first_overlap(self, rule: InvitationRule) -> AccountEntry | None:
        """An account added earlier that this rule overlaps with."""
        views = _partners(rule.store_views, _BROAD if self._broad_views else None)
        groups = _partners(rule.customer_groups, _BROAD if self._broad_groups else None)
        for key in product(views, groups, set(rule.order_statuses)):
            for other in islice(self._entries.get(key, ()), _TRIED):
                theirs = other.account.invitations
                if _intersect(rule.store_views, theirs.store_views) and _intersect(
                    rule.customer_groups, theirs.customer_groups
                ):
                    return other
        return None


def _in_group(group: Sequence[AccountEntry]) -> Iterator[tuple[AccountEntry, AccountEntry]]:
    index = _Index(group)
    for each in group:
        other = index.first_overlap(each.account.invitations)
        if other is not None:
            yield each, other
        index.add(each)


def _tokens(selection: Selection, also: object | None) -> list[object]:
    """Under what an account is found."""
    tokens: list[object] = [_BROAD] if _is_broad(selection) else [*sorted(selection.names or ())]
    return tokens if also is None else [*tokens, also]


def _partners(selection: Selection, also: object | None) -> list[object]:
    """Under what those are found that may select the same."""
    if _is_broad(selection):
        return [_ANY]
    names: list[object] = [*sorted(selection.names or ())]
    return names if also is None else [*names, also]


def _is_broad(selection: Selection) -> bool:
    return selection.names is None or selection.exclude


def _intersect(one: Selection, other: Selection) -> bool:
    if one.names is None or other.names is None or (one.exclude and other.exclude):
        return True
    if one.exclude or other.exclude:
        listed, excluded = (other.names, one.names) if one.exclude else (one.names, other.names)
        return not listed <= excluded
    return not one.names.isdisjoint(other.names)
