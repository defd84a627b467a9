"""The order sources of a project, and names that a shop does not have."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from ekomi_reconcile.apply.run_control import Listener, nobody
from ekomi_reconcile.apply.run_control import StopSignal as run_control_Stop
from ekomi_reconcile.config.cache import FOLDER
from ekomi_reconcile.config.configuration import Configuration
from ekomi_reconcile.config.order_sources import BUILT_IN, OrdersSettings, load_kind
from ekomi_reconcile.http import RunClock, Stop
from ekomi_reconcile.model.account import Account
from ekomi_reconcile.model.diagnostic import Diagnostic, Severity
from ekomi_reconcile.model.errors import ConfigurationError, OrderSourceError
from ekomi_reconcile.model.instant import Instant
from ekomi_reconcile.model.keys import build
from ekomi_reconcile.model.order import Order, OrderId
from ekomi_reconcile.model.review import ProductDetails
from ekomi_reconcile.model.run import Progress, Stage
from ekomi_reconcile.orders import source as orders_source
from ekomi_reconcile.orders.kinds import CheckedSource, foreign
from ekomi_reconcile.plan.read_requests import Need
from ekomi_reconcile.reconcile import absent_fields as reconcile_absent_fields
from ekomi_reconcile.rules.order_fields import product_attributes
from ekomi_reconcile.rules.rulebook import RuleBook


def open_source(
    settings: OrdersSettings,
    *,
    root: Path,
    uses: orders_source.Uses = lambda: None,
    stop: Stop | None = None,
) -> orders_source.OrderSource:
    """The source that these settings describe; nothing is read yet.

    ``uses`` tells the attributes of orders that rules look at, with ``store_view`` and ``customer_group``
    among them (``None``: not known); a source that waits does so through ``stop``.

    Raises:
        OrderSourceError: the source cannot be opened.
    """
    try:
        kind: orders_source.SourceType = load_kind(settings.kind)
        opening = orders_source.Opening(
            name=settings.name,
            settings=_settings(kind.settings, settings.settings),
            root=root,
            cache=root / FOLDER,
            stores=settings.stores,
            customer_groups=settings.customer_groups,
            uses=uses,
            stop=stop,
        )
    except ConfigurationError as error:
        raise OrderSourceError(f"order source {settings.name}: {error.message}", hint=error.hint) from None
    if settings.kind in BUILT_IN:
        built_in: orders_source.OrderSource = kind.open(opening)
        return built_in
    with foreign(settings.name):
        return CheckedSource(settings.name, kind.open(opening))


def _settings(record: Any, found: Any) -> Any:
    """The record of a registered kind; the configuration keeps what the file has for it."""
    return build(record, found) if isinstance(record, type) and isinstance(found, Mapping) else found


def _annotates(settings: Any) -> bool:
    """Do these settings ask for comments in orders?"""
    found = (
        settings.get("annotate") if isinstance(settings, Mapping) else getattr(settings, "annotate", False)
    )
    return found is True


def _offering(source: orders_source.OrderSource) -> object:
    """What a source offers beyond the interface is asked of itself."""
    return source.inner if isinstance(source, CheckedSource) else source


_SHOWN = 10

_SLIP = 0.8
"""How alike two words are that differ by a slip of the pen."""


def unknown_names(source: orders_source.OrderSource, accounts: Iterable[Account]) -> Iterator[Diagnostic]:
    """An error for every store view or customer group that a rule names and the shop does not have.

    A status may exist without having been met yet: one that looks like a slip of the pen is a warning.
    Nothing is asked for this: it compares with what the last pass over the source brought.
    """
    offering = _offering(source)
    if not isinstance(offering, orders_source.NamingShop):
        return
    for account in accounts:
        rule = account.invitations
        wanted = (
            ("store view", "store_views", rule.store_views.names, offering.store_view_codes),
            ("customer group", "customer_groups", rule.customer_groups.names, offering.customer_group_codes),
        )
        for what, key, named, known in wanted:
            for name in sorted((named or frozenset()) - known if known is not None else ()):
                yield Diagnostic(
                    severity=Severity.ERROR,
                    rule=f"unknown-{key.rstrip('s').replace('_', '-')}",
                    message=f'{account.name}: the shop has no {what} "{name}"',
                    key=f"invitations.{key}",
                    found=name,
                    hint=nearest(name, known or ()),
                    account=account.name,
                )
        yield from _slips(account, offering.status_codes)


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
                hint=nearest(status, known),
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


def locales_of(source: orders_source.OrderSource) -> Mapping[str, str] | None:
    """The locales of store views by code; ``None`` where the source knows none.

    Raises:
        OrderSourceError: the shop does not tell them.
    """
    offering = _offering(source)
    if not isinstance(offering, reconcile_absent_fields.SpeakingShop):
        return None
    with foreign(source.name):
        return offering.store_view_locales()


def _other_languages(
    source: orders_source.OrderSource, accounts: Sequence[Account], spoken: Mapping[str, str]
) -> Iterator[Diagnostic]:
    """The store views in another language; doctor reports where the shop does not tell them."""
    if not any(each.interface_id in spoken for each in accounts):
        return
    try:
        views = locales_of(source)
    except OrderSourceError:
        return
    yield from reconcile_absent_fields.other_languages(source.name, accounts, views or {}, spoken)


@dataclass(slots=True)
class Sources:
    """The order sources of a project, opened when they are needed."""

    configuration: Configuration
    listen: Listener = nobody
    stop: run_control_Stop | None = None
    clock: RunClock | None = None
    _opened: dict[str, orders_source.OrderSource] = field(default_factory=dict)

    def get(self, name: str) -> orders_source.OrderSource:
        """The source of this name.

        Raises:
            OrderSourceError: there is none, or it cannot be opened.
        """
        if name not in self._opened:
            settings = self.configuration.project.orders.get(name)
            if settings is None:
                raise OrderSourceError(f"unknown order source {name}", hint="add it under orders:")
            self._opened[name] = open_source(
                settings, root=self.configuration.root, uses=partial(self._uses, name), stop=self.stop
            )
        return self._opened[name]

    @property
    def annotated(self) -> frozenset[str]:
        """The names of the sources whose orders get a remark once their customer was asked."""
        orders = self.configuration.project.orders.values()
        return frozenset(each.name for each in orders if _annotates(each.settings))

    def annotate(self, name: str, order_id: OrderId, text: str) -> None:
        """Write a remark into an order's history.

        Raises:
            OrderSourceError: the source does not take it.
        """
        source = _offering(self.get(name))
        if isinstance(source, orders_source.Annotating):
            with foreign(name):
                source.annotate(order_id, text)

    def accounts(self, name: str) -> tuple[Account, ...]:
        """The enabled accounts that read their orders there."""
        return tuple(
            each for each in self.configuration.accounts if each.orders == name and each.invitations.enabled
        )

    def _uses(self, name: str) -> frozenset[str]:
        """What rules look at: attributes of conditions, and whether views and groups matter."""
        accounts = self.accounts(name)
        chosen = {
            "store_view": any(each.invitations.store_views.names is not None for each in accounts),
            "customer_group": any(each.invitations.customer_groups.names is not None for each in accounts),
        }
        products = product_attributes(each.invitations for each in accounts)
        return RuleBook(accounts).attributes | products | {key for key, matters in chosen.items() if matters}

    def look_up(self, name: str, order_ids: Collection[OrderId]) -> Mapping[OrderId, Order]:
        """The present version of these orders."""
        return self.get(name).by_ids(order_ids)

    def describe_products(
        self, name: str, store_view: str | None, product_ids: Collection[int]
    ) -> Mapping[int, ProductDetails]:
        """Products as the shop describes them, by its own ids; empty where the source has none.

        Raises:
            OrderSourceError: the source cannot be read.
        """
        source = _offering(self.get(name))
        if not isinstance(source, orders_source.DescribesProducts):
            return {}
        with foreign(name):
            return source.describe_products(product_ids, store_view)

    def gone(self, name: str, order_ids: Collection[OrderId]) -> frozenset[OrderId]:
        """Those of these orders, just looked up, that the source does not have, unlike unreadable ones."""
        source = _offering(self.get(name))
        with foreign(name):
            return source.gone(order_ids) if isinstance(source, orders_source.KnowsGone) else frozenset()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let go of everything."""
        for source in self._opened.values():
            source.close()


@dataclass(slots=True)
class SourcePass:
    """One pass over a source for the planner; it reports how many orders were read.

    ``more`` are attributes of orders that are needed beyond those of the rules, ``spoken`` the locales of
    accounts at eKomi by interface id.
    """

    sources: Sources
    need: Need
    reread_from: Instant | None = None
    pseudonym: Callable[[str], str] | None = None
    more: frozenset[str] = frozenset()
    spoken: Mapping[str, str] = field(default_factory=dict)
    cursor: str = ""
    problems: Sequence[Diagnostic] = ()

    def batches(self) -> Iterator[Sequence[Order]]:
        """The orders that the need asks for."""
        need = self.need
        wanted = orders_source.Wanted(
            cursors=need.cursors,
            full=bool(need.fresh),
            created_from=need.created_from,
            attributes=need.attributes | self.more,
            reread_from=self.reread_from,
            pseudonym=self.pseudonym,
            lacking=need.lacking,
            left=need.left,
        )
        source, accounts = self.sources.get(need.source), self.sources.accounts(need.source)
        reading, read, carried = source.read(wanted), 0, reconcile_absent_fields.Carried.for_rules(accounts)
        for batch in reading.batches():
            if self.sources.clock is not None:
                self.sources.clock.check()
            read += len(batch)
            carried.see(batch)
            self.sources.listen(Progress(stage=Stage.ORDERS, done=read, subject=need.source))
            yield batch
        self.cursor = reading.cursor
        self.problems = (
            *(() if self.sources.clock is None else self.sources.clock.warnings()),
            *reading.problems,
            *unknown_names(source, accounts),
            *reconcile_absent_fields.nameless(need.source, carried, accounts),
            *reconcile_absent_fields.unknown_states(need.source, carried),
            *(reconcile_absent_fields.absent_fields(source, carried, accounts) if wanted.full else ()),
            *_other_languages(source, accounts, self.spoken),
        )

    def by_ids(self, order_ids: Collection[OrderId]) -> Mapping[OrderId, Order]:
        """The present version of these orders."""
        return self.sources.look_up(self.need.source, order_ids)
