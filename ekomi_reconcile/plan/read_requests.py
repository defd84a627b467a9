"""What must be read from the order sources, and for which accounts."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from ekomi_reconcile.model.account import Account, PositionRecord
from ekomi_reconcile.model.errors import PlanError
from ekomi_reconcile.model.instant import DAY, Instant
from ekomi_reconcile.model.rule import InvitationRule
from ekomi_reconcile.plan.view import Queue
from ekomi_reconcile.rules.order_fields import product_attributes
from ekomi_reconcile.rules.rulebook import RuleBook

CLOCK_TOLERANCE = 300
"""Seconds by which clocks of several runners may differ."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """What must be read from one order source, and what for.

    ``fresh`` accounts have new or changed rules and start from their age limit, whatever their cursors were
    (``left``); ``current`` ones go on from their cursors; rows of ``leaving`` ones (deleted) and of ``moved``
    ones (which read another source now) are offered to others. ``shops`` are all order sources in use.
    """

    source: str
    book: RuleBook
    selected: frozenset[str]
    fresh: frozenset[str]
    leaving: frozenset[str]
    moved: frozenset[str]
    cursors: frozenset[str]
    created_from: Instant | None
    shops: frozenset[str] = frozenset()
    lacking: frozenset[str] = frozenset()
    left: frozenset[str] = frozenset()

    def without(self, attribute: str) -> Need | None:
        """The same for the accounts whose rules do not look at this attribute of orders, if there are any.

        The others stay in the book as if their rules did not look at it either: an order that they may win is
        not given to an account that they outrank.
        """
        accounts = [rule.account for rule in self.book.rules]
        stopped = frozenset(each.interface_id for each in accounts if looks_at(each, attribute))
        left = [each for each in accounts if each.invitations.enabled and each.interface_id not in stopped]
        if attribute in self.lacking or not any(each.interface_id in self.selected for each in left):
            return None
        blind = [_blind(each, attribute) if each.interface_id in stopped else each for each in accounts]
        return replace(
            self,
            book=RuleBook(blind),
            selected=self.selected - stopped,
            fresh=self.fresh - stopped,
            lacking=self.lacking | {attribute},
        )

    @property
    def attributes(self) -> frozenset[str]:
        """The attributes of orders that the rules look at, and those that tell the products to ask about."""
        products = product_attributes(rule.account.invitations for rule in self.book.rules)
        return self.book.attributes | products


def looks_at(account: Account, attribute: str) -> bool:
    """Does the rule of this account look at this attribute of orders?"""
    rule = account.invitations
    if attribute == "store_view":
        return rule.store_views.names is not None
    if attribute == "customer_group":
        return rule.customer_groups.names is not None
    return attribute in RuleBook([account]).attributes | product_attributes([rule])


def _blind(account: Account, attribute: str) -> Account:
    """The account, as if its rule did not look at this attribute."""
    default = InvitationRule()
    rule = account.invitations
    match attribute:
        case "store_view":
            rule = replace(rule, store_views=default.store_views)
        case "customer_group":
            rule = replace(rule, customer_groups=default.customer_groups)
        case _:
            rule = replace(rule, conditions=None, products=default.products)
    return replace(account, invitations=rule)


def needs(
    accounts: Sequence[Account],
    positions: Mapping[str, PositionRecord],
    *,
    selected: frozenset[str],
    leaving: frozenset[str],
    now: Instant,
    present: Instant | None = None,
) -> tuple[Need, ...]:
    """One need per order source that has to be read for the selected accounts.

    ``present`` is what the clock shows, where the plan is made for another instant ``now``. Accounts that
    were evaluated later than that start again: the clock was ahead, and orders were left out as too old.
    """
    latest = (now if present is None else present) + CLOCK_TOLERANCE
    believed = {key: each for key, each in positions.items() if each.evaluated_at <= latest}
    by_source: dict[str, list[Account]] = {}
    for account in accounts:
        by_source.setdefault(account.orders, []).append(account)
    found = (
        _need(
            source,
            members,
            believed,
            selected=selected,
            leaving=leaving,
            moved=moved_from(source, accounts, positions) & selected,
            now=now,
        )
        for source, members in sorted(by_source.items())
    )
    shops = frozenset(by_source)
    return tuple(replace(need, shops=shops) for need in found if need is not None)


def moved_from(
    source: str, accounts: Sequence[Account], positions: Mapping[str, PositionRecord]
) -> frozenset[str]:
    """The accounts that were evaluated with this source and read another one now."""
    return frozenset(
        each.interface_id
        for each in accounts
        if each.orders != source
        and (position := positions.get(each.interface_id)) is not None
        and position.source == source
    )


def _need(
    source: str,
    members: Sequence[Account],
    positions: Mapping[str, PositionRecord],
    *,
    selected: frozenset[str],
    leaving: frozenset[str],
    moved: frozenset[str],
    now: Instant,
) -> Need | None:
    reading = [each for each in members if each.invitations.enabled and each.interface_id in selected]
    if not reading:
        return None
    fresh = [each for each in reading if _is_fresh(each, positions.get(each.interface_id))]
    keys = frozenset(each.interface_id for each in fresh)
    return Need(
        source=source,
        book=RuleBook(members),
        selected=selected,
        fresh=keys,
        leaving=leaving,
        moved=moved,
        cursors=frozenset(
            positions[each.interface_id].cursor for each in reading if each.interface_id not in keys
        ),
        created_from=_created_from(fresh, now),
        left=frozenset(
            position.cursor
            for key in keys
            if (position := positions.get(key)) is not None and position.source == source
        ),
    )


def _is_fresh(account: Account, position: PositionRecord | None) -> bool:
    if position is None:
        return True
    return position.rule_digest != account.derived.rule_digest or position.source != account.orders


def _created_from(fresh: Sequence[Account], now: Instant) -> Instant | None:
    limits = [each.invitations.skip_orders_older_than for each in fresh]
    if not limits or 0 in limits:
        return None
    return now - max(limits) * DAY


def gone_sources(
    defined: Collection[str],
    accounts: Sequence[Account],
    positions: Mapping[str, PositionRecord],
    queue: Queue,
) -> tuple[str, ...]:
    """The order sources that were renamed or removed while accounts of the files still belong to them.

    An account that was evaluated with another source since does not: its old invitations are history.
    """
    present = {each.interface_id for each in accounts}
    return tuple(
        source
        for source in queue.sources()
        if source not in defined
        and any(_belongs(key, positions, defined) for key in queue.accounts_at(source) if key in present)
    )


def _belongs(key: str, positions: Mapping[str, PositionRecord], defined: Collection[str]) -> bool:
    position = positions.get(key)
    return position is None or position.source not in defined


def sources_gone(gone: Sequence[str], defined: Collection[str], known: Collection[str]) -> PlanError:
    """The error about sources that are not in the files any more, with the command for a renamed one."""
    fresh = sorted(set(defined) - set(known))
    new = fresh[0] if len(fresh) == 1 else "NEW"
    return PlanError(
        f"invitations are recorded for the order source{'s' if len(gone) > 1 else ''} {', '.join(gone)}, "
        "which the project file does not define any more",
        hint=f"if it has another name now: ekomi-reconcile state mv-source {gone[0]} {new}; "
        f"if {gone[0]} is another shop: keep it under orders:",
    )
