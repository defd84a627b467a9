"""The order sources of a project: opened when they are needed, and passed over for the planner."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from types import TracebackType
from typing import Self

from ekomi_reconcile.apply.events import Listener, Progress, Stage, nobody
from ekomi_reconcile.apply.stop import Stop
from ekomi_reconcile.carried import Carried, absent_fields, nameless
from ekomi_reconcile.clock import RunClock
from ekomi_reconcile.config.configuration import Configuration
from ekomi_reconcile.errors import OrderSourceError
from ekomi_reconcile.model.account import Account
from ekomi_reconcile.model.diagnostic import Diagnostic
from ekomi_reconcile.model.instant import Instant
from ekomi_reconcile.model.order import Order
from ekomi_reconcile.orders.open import open_source
from ekomi_reconcile.orders.source import Annotating, KnowsGone, OrderSource, Wanted
from ekomi_reconcile.plan.needs import Need
from ekomi_reconcile.rules.rulebook import RuleBook
from ekomi_reconcile.shopnames import unknown_names


@dataclass(slots=True)
class Sources:
    """The order sources of a project, opened when they are needed."""

    configuration: Configuration
    listen: Listener = nobody
    stop: Stop | None = None
    clock: RunClock | None = None
    _opened: dict[str, OrderSource] = field(default_factory=dict)

    def get(self, name: str) -> OrderSource:
        """The source of this name.

        Raises:
            OrderSourceError: there is none, or it cannot be opened.
        """
        if name not in self._opened:
            settings = self.configuration.project.orders.get(name)
            if settings is None:
                raise OrderSourceError(f"there is no order source {name}", mend="name it under orders:")
            self._opened[name] = open_source(
                settings, root=self.configuration.root, uses=partial(self._uses, name), stop=self.stop
            )
        return self._opened[name]

    @property
    def annotated(self) -> frozenset[str]:
        """The names of the sources whose orders get a remark once their customer was asked."""
        orders = self.configuration.project.orders.values()
        return frozenset(each.name for each in orders if each.magento is not None and each.magento.annotate)

    def annotate(self, name: str, order_id: int, text: str) -> None:
        """Write a remark into an order's history.

        Raises:
            OrderSourceError: the source does not take it.
        """
        source = self.get(name)
        if isinstance(source, Annotating):
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
        return RuleBook(accounts).attributes | {key for key, matters in chosen.items() if matters}

    def look_up(self, name: str, order_ids: Collection[int]) -> Mapping[int, Order]:
        """The present version of these orders."""
        return self.get(name).by_ids(order_ids)

    def gone(self, name: str, order_ids: Collection[int]) -> frozenset[int]:
        """Those of these orders, just looked up, that the source does not have, unlike unreadable ones."""
        source = self.get(name)
        return source.gone(order_ids) if isinstance(source, KnowsGone) else frozenset()

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
    """One pass over a source for the planner; it tells how many orders were read.

    ``more`` are attributes of orders that are needed beyond those of the rules.
    """

    sources: Sources
    need: Need
    reread_from: Instant | None = None
    pseudonym: Callable[[str], str] | None = None
    more: frozenset[str] = frozenset()
    cursor: str = ""
    problems: Sequence[Diagnostic] = ()

    def batches(self) -> Iterator[Sequence[Order]]:
        """The orders that the need asks for."""
        need = self.need
        wanted = Wanted(
            cursors=need.cursors,
            full=bool(need.fresh),
            created_from=need.created_from,
            attributes=need.attributes | self.more,
            reread_from=self.reread_from,
            pseudonym=self.pseudonym,
            lacking=need.lacking,
        )
        source, accounts = self.sources.get(need.source), self.sources.accounts(need.source)
        reading, read, carried = source.read(wanted), 0, Carried.for_rules(accounts)
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
            *nameless(need.source, carried, accounts),
            *(absent_fields(source, carried, accounts) if wanted.full else ()),
        )

    def by_ids(self, order_ids: Collection[int]) -> Mapping[int, Order]:
        """The present version of these orders."""
        return self.sources.look_up(self.need.source, order_ids)
