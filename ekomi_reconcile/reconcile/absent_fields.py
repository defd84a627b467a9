"""What rules ask for and no order carries; store views in another language.

A condition on a field that no order has holds for nobody, or, negated, for everybody; an exclusion by name
passes whatever has no name. Both look like rules that work.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from ekomi_reconcile.config.order_sources import DEFAULT_SOURCE
from ekomi_reconcile.model.account import Account
from ekomi_reconcile.model.diagnostic import Diagnostic, Severity
from ekomi_reconcile.model.order import Agreement, Order, OrderState, order_state_of
from ekomi_reconcile.model.rule import Selection
from ekomi_reconcile.orders.facts import ITEM_FACTS, own_fields
from ekomi_reconcile.orders.source import Columns, OrderSource
from ekomi_reconcile.rules.conditions import attributes, value_of
from ekomi_reconcile.rules.order_fields import consent_attribute, consent_key, is_consent, path_of
from ekomi_reconcile.rules.rulebook import state_of

RULE = "other-language"

_SAME = {"nb": "no", "nn": "no"}
"""Languages that eKomi knows by the name of another one."""

_SHOWN = 5


@runtime_checkable
class SpeakingShop(Protocol):
    """An order source that knows the languages of its store views."""

    def store_view_locales(self) -> Mapping[str, str]:
        """The locale of each store view that is switched on, by code; those without one are left out.

        Raises:
            OrderSourceError: the shop does not tell them.
        """


def other_languages(
    source: str, accounts: Iterable[Account], views: Mapping[str, str], spoken: Mapping[str, str]
) -> Iterator[Diagnostic]:
    """A warning for each account that serves store views in another language than its own at eKomi.

    ``views`` are the locales of store views by code, ``spoken`` those of accounts by interface id.
    """
    for account in accounts:
        own = spoken.get(account.interface_id)
        if own is None:
            continue
        admits = account.invitations.store_views.admits
        others = sorted(
            f"{code} ({locale})"
            for code, locale in views.items()
            if admits(code) and language(locale) != language(own)
        )
        if others:
            more = ", …" if len(others) > _SHOWN else ""
            yield Diagnostic(
                severity=Severity.WARNING,
                rule=RULE,
                message=f"{account.name}: eKomi sends invitations in {own}, but store "
                f"views of order source {source} "
                f"have another language: {', '.join(others[:_SHOWN])}{more}",
                key="invitations.store_views",
                hint="add an account in the language of these store views, exclude them from this one, or "
                "have eKomi change the language of the account",
                account=account.name,
            )


def language(locale: str) -> str:
    """The language of a locale such as ``de_DE`` or ``de-AT``."""
    found = locale.replace("-", "_").partition("_")[0].casefold()
    return _SAME.get(found, found)


ENOUGH = 200
"""Orders of a shop from which on a field that none of them has is reported."""

OMITTED_WHEN_EMPTY = frozenset(
    {
        *("coupon_code", "total_paid", "total_refunded", "has_company", "has_vat_id", "weight"),
        *("shipping_method", "shipping_country", "shipping_region", "shipping_postcode", "shipping_city"),
        *("category_id", "state"),
    }
)
"""Attributes whose fields Magento leaves out where they are empty: that no order has them proves nothing.

Documented in docs/conditions.md.
"""

CONSENT_KEY = "invitations.consent"

_IDS_SHOWN = 10
_WORDS_SHOWN = 5
_LONGEST_WORD = 40


@dataclass(slots=True)
class Carried:
    """What the orders of a pass carry; ``missing`` are attributes of rules that none has had so far."""

    missing: set[str]
    orders: int = 0
    store_ids: set[int] = field(default_factory=set)
    group_ids: set[int] = field(default_factory=set)
    unknown_states: Counter[str] = field(default_factory=Counter)

    @classmethod
    def for_rules(cls, accounts: Iterable[Account]) -> Carried:
        """Nothing seen yet; what the conditions of these accounts look at is missing."""
        return cls(set(_asked_by(accounts)))

    def see(self, orders: Sequence[Order]) -> None:
        """These orders were read."""
        self.orders += len(orders)
        for order in orders:
            if order.store_id is not None:
                self.store_ids.add(order.store_id)
            if order.customer_group_id is not None:
                self.group_ids.add(order.customer_group_id)
            if state_of(order) is OrderState.UNKNOWN:
                self.unknown_states[_word(order)] += 1
            if self.missing:
                self.missing -= {name for name in self.missing if _has(order, name)}


def absent_fields(source: OrderSource, carried: Carried, accounts: Iterable[Account]) -> Iterator[Diagnostic]:
    """A warning for every field that rules ask for and no order of this source has.

    For a file the field must not exist at all; for a shop at least ``ENOUGH`` orders were read.

    Raises:
        OrderSourceError: the file cannot be read.
    """
    if not carried.missing or not carried.orders:
        return
    if isinstance(source, Columns):
        absent, said = (
            frozenset(source.lacking(carried.missing)),
            "no order has {} (no such field in the file)",
        )
    elif carried.orders >= ENOUGH:
        absent = frozenset(carried.missing) - OMITTED_WHEN_EMPTY
        said = f"none of the {carried.orders} orders read has {{}}"
    else:
        return
    asking = list(accounts)
    for name in sorted(absent):
        names = [each.name for each in asking if name in _asked_by([each])]
        if names:
            yield _absent(source.name, said, name, names)


def _absent(source: str, said: str, name: str, names: Sequence[str]) -> Diagnostic:
    asking, remove, key = "the conditions", "the condition", "invitations.conditions"
    if is_consent(name):
        asking, remove, key = "the consent", "the consent: without the field no order is invited", CONSENT_KEY
    return Diagnostic(
        severity=Severity.WARNING,
        rule="absent-field",
        message=f"order source {source}: {said.format(path_of(name) or name)}, "
        f"which {asking} of {', '.join(names)} ask{'s' if is_consent(name) else ''} for",
        key=key,
        hint=f"add {' or '.join(sorted(own_fields(name)))} to the orders, or remove {remove}",
        account=_only(names),
    )


def nameless(source: str, carried: Carried, accounts: Iterable[Account]) -> Iterator[Diagnostic]:
    """A warning for groups and one for store views that rules name, while orders carry ids without a name."""
    kinds: tuple[tuple[str, str, set[int], Callable[[Account], Selection]], ...] = (
        ("store", "stores", carried.store_ids, lambda each: each.invitations.store_views),
        (
            "customer group",
            "customer_groups",
            carried.group_ids,
            lambda each: each.invitations.customer_groups,
        ),
    )
    naming = list(accounts)
    for what, key, ids, chosen in kinds:
        names = [each.name for each in naming if chosen(each).names is not None]
        if ids and names:
            yield _nameless(source, names, what, key, sorted(ids))


def unknown_states(source: str, carried: Carried) -> Iterator[Diagnostic]:
    """A warning with the number of orders in states that the source does not know."""
    found = carried.unknown_states
    if not found:
        return
    words = ", ".join(f"{word}: {count}" for word, count in found.most_common(_WORDS_SHOWN))
    more = f", {len(found) - _WORDS_SHOWN} more words" if len(found) > _WORDS_SHOWN else ""
    yield Diagnostic(
        severity=Severity.WARNING,
        rule="unknown-order-state",
        message=f"order source {source}: {found.total()} orders have an unknown order state "
        f"({words}{more}); they get no invitation",
        found=next(iter(found)),
        allowed=", ".join(each.value for each in OrderState if each is not OrderState.UNKNOWN),
        hint="map these values to known states in the order source; then re-read the orders: "
        "ekomi-reconcile apply --reconcile-window 30d",
    )


def _word(order: Order) -> str:
    """What the shop calls the state of this order: the status, where the state says that it is unknown."""
    named = order.state if order.state and order_state_of(order.state) is None else order.status
    return (named or OrderState.UNKNOWN.value)[:_LONGEST_WORD]


def _nameless(source: str, names: Sequence[str], what: str, key: str, ids: Sequence[int]) -> Diagnostic:
    shown = ", ".join(map(str, ids[:_IDS_SHOWN])) + (", …" if len(ids) > _IDS_SHOWN else "")
    where = key_in_project(source, key)
    return Diagnostic(
        severity=Severity.WARNING,
        rule=f"nameless-{what.replace(' ', '-')}",
        message=f"order source {source}: orders carry {what} ids without a name in {where} ({shown}), and "
        f"the rules of {', '.join(names)} choose by {what}: these orders pass every exclusion and are in no "
        "list",
        hint=f"add their names to {where}: {{{ids[0]}: NAME}}",
        account=_only(names),
    )


def _only(names: Sequence[str]) -> str | None:
    """The account that a warning is about, if it is about one."""
    return names[0] if len(names) == 1 else None


def key_in_project(source: str, key: str) -> str:
    """Where the project file maps ids of this source to names: ``orders.stores``, ``orders.eu.stores``."""
    return f"orders.{key}" if source == DEFAULT_SOURCE else f"orders.{source}.{key}"


def _asked_by(accounts: Iterable[Account]) -> frozenset[str]:
    rules = [each.invitations for each in accounts]
    consents = {consent_attribute(each.consent) for each in rules if each.consent is not None}
    return attributes(condition for each in rules for condition in each.all_conditions) | consents


def _has(order: Order, name: str) -> bool:
    if is_consent(name):
        return (order.consents or {}).get(consent_key(name), Agreement.ABSENT) is not Agreement.ABSENT
    if name in ITEM_FACTS:
        get = value_of(name)
        return any(_told(get(item)) for item in order.items)
    value: Any = value_of(name)(order)
    return value is True if name.startswith("has_") else _told(value)


def _told(value: Any) -> bool:
    return value is not None and value != ()
