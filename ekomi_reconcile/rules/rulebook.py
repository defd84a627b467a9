"""The rules of all accounts: compiled when first needed, found by store view.

An order of one store view meets only the rules that admit it, so its cost does not grow with the
accounts that serve other store views.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property, lru_cache
from typing import TypeAlias

from ekomi_reconcile.model.account import Account, Deliver
from ekomi_reconcile.model.instant import DAY, Instant
from ekomi_reconcile.model.invitation import Criterion, Reached
from ekomi_reconcile.model.order import Order
from ekomi_reconcile.rules.conditions import Predicate, attributes, compile_condition
from ekomi_reconcile.rules.contact import TELEPHONE
from ekomi_reconcile.rules.operators import fold

REFUNDED = "refunded"
"""The attribute that an order source is asked for where refunded orders are not invited."""

Check: TypeAlias = Callable[[Order, Instant, Reached | None], bool]
"""Does a criterion hold for this order, its age judged at that instant, with that evidence?"""

Checks: TypeAlias = tuple[tuple[Criterion, Check], ...]


class Rule:
    """The invitation rule of one account, ready to be asked.

    ``pending`` and ``spread`` are in seconds, ``triggers`` the trigger statuses: as they compare, and as the
    files write them. ``checks`` is what it asks for, ``candidate_checks`` what is left of that for an order
    whose store view led here; both are there once they were needed. Everything is near at hand: with very
    many rules, each is far from the processor whenever its turn comes.
    """

    __slots__ = ("account", "candidate_checks", "checks", "interface_id", "pending", "spread", "triggers")

    def __init__(self, account: Account) -> None:
        self.account = account
        self.interface_id = account.interface_id
        self.pending = account.invitations.pending_period * DAY
        self.spread = account.invitations.spread
        self.triggers = _triggers(account.invitations.order_statuses)
        self.checks: Checks | None = None
        self.candidate_checks: Checks | None = None

    def __repr__(self) -> str:
        return f"Rule({self.account.interface_id})"

    @property
    def digest(self) -> str:
        """Changes exactly when the rule asks for something else: ``sha256:`` and 64 digits."""
        return self.account.derived.rule_digest

    @property
    def conditions(self) -> Predicate:
        """The test that its custom conditions ask for."""
        return compile_condition(self.account.invitations.conditions)


@lru_cache(maxsize=4096)
def _triggers(statuses: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    return tuple({key_of(status): status for status in statuses}.items())


@lru_cache(maxsize=4096)
def key_of(status: str) -> str:
    """The form in which statuses and states compare."""
    return fold(status.strip())


class RuleBook:
    """The rules of these accounts, disabled ones too."""

    def __init__(self, accounts: Iterable[Account]) -> None:
        self.rules: Sequence[Rule] = [Rule(each) for each in sorted(accounts, key=lambda each: each.rank)]
        """All rules, the account that wins an order first."""
        self._by_id = {each.account.interface_id: each for each in self.rules}
        self._open: list[int] = []
        self._named: defaultdict[str, list[int]] = defaultdict(list)
        self._found: dict[str | None, Sequence[Rule]] = {}
        for at, rule in enumerate(self.rules):
            self._enter(at, rule)

    def rule(self, interface_id: str) -> Rule | None:
        """The rule of this account, if it is among them."""
        return self._by_id.get(interface_id)

    def candidates(self, store_view: str | None) -> Sequence[Rule]:
        """The enabled rules that admit this store view, in winning order."""
        found = self._found.get(store_view)
        return self._find(store_view) if found is None else found

    @cached_property
    def attributes(self) -> frozenset[str]:
        """What enabled rules look at in orders: attributes of conditions, refunds, telephones for an SMS."""
        rules = [each.account.invitations for each in self.rules if each.account.invitations.enabled]
        reached = {TELEPHONE} if any(each.deliver is Deliver.EKOMI_SMS for each in rules) else set[str]()
        refunded = {REFUNDED} if any(each.skip_refunded for each in rules) else set[str]()
        return (
            attributes(each.conditions for each in rules if each.conditions is not None) | reached | refunded
        )

    def _enter(self, at: int, rule: Rule) -> None:
        """Note where this rule may be met: in the store views it names, or in any."""
        wanted = rule.account.invitations
        if not wanted.enabled:
            return
        if wanted.store_views.names is None or wanted.store_views.exclude:
            self._open.append(at)
            return
        for name in wanted.store_views.names:
            self._named[name].append(at)

    def _find(self, store_view: str | None) -> Sequence[Rule]:
        named = [] if store_view is None else self._named.get(store_view, [])
        places = sorted([*named, *self._open])
        rules = [self.rules[at] for at in places]
        found = tuple(each for each in rules if each.account.invitations.store_views.admits(store_view))
        self._found[store_view] = found
        return found
