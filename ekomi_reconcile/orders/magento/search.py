"""Search requests and their answers.

It saves bytes and keeps personal data out of the process; the shop's time stays the same.

Groups are ANDed, the filters within one ORed. Spaces never occur, everything but letters and digits is
percent-encoded, and indexes stay below ten: all three matter to OAuth signatures (measured on 2.4.7). The
page number is always 1: what comes after a page is asked for by its last key.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Generic, TypeVar
from urllib.parse import quote

import msgspec
from msgspec import Raw, Struct

from ekomi_reconcile.model.errors import OrderSourceError
from ekomi_reconcile.model.instant import Instant
from ekomi_reconcile.orders.facts import fields_for
from ekomi_reconcile.orders.lenient import LenientDecoder, Unfit
from ekomi_reconcile.orders.magento.client import DIVISIBLE, MagentoClient
from ekomi_reconcile.orders.magento.wire import FailureKind, ShopFailure
from ekomi_reconcile.orders.reader import grouped
from ekomi_reconcile.rules.order_fields import path_of, shop_path

_NOT_MAGENTOS = frozenset(
    {
        *("store_code", "customer_group", "shipping_address", "invoices", "shipments"),
        *("payment_method", "shipping_method"),
    }
)
"""Fields that only exports have."""

_NOT_OF_ITEMS = frozenset({"items.category_ids", "items.extension_attributes.category_links.category_id"})
_ITEM_KEYS = frozenset({"items.item_id", "items.parent_item_id", "items.product_id"})
"""The keys of rows, products and categories."""


def order_fields(attributes: frozenset[str]) -> str:
    """The fields of one order that these rule attributes need."""
    wanted = {path for path in fields_for(attributes) if path.partition(".")[0] not in _NOT_MAGENTOS}
    named = (path_of(each) for each in attributes)
    wanted |= {shop_path(path) for path in named if path is not None}
    if any(path.startswith("items.") for path in wanted):
        wanted |= _ITEM_KEYS
    return _written(wanted - _NOT_OF_ITEMS)


def _written(paths: Iterable[str]) -> str:
    parts = sorted(grouped(paths).items())
    return ",".join(f"{name}[{_written(below)}]" if below else name for name, below in parts)


MOST_GROUPS = 10


class Is(StrEnum):
    """Condition types. Magento treats an unknown one as ``eq``; these are all."""

    EQ = "eq"
    GT = "gt"
    GTEQ = "gteq"
    LT = "lt"
    LTEQ = "lteq"
    IN = "in"
    NOT_IN = "nin"


class Direction(StrEnum):
    """Sort directions; a missing one would mean descending."""

    ASC = "ASC"
    DESC = "DESC"


@dataclass(frozen=True, slots=True)
class Filter:
    """One condition on a column of the table."""

    field: str
    condition: Is
    value: str


Group = tuple[Filter, ...]
"""Filters of which one must hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What to look for. ``fields`` is Magento's own notation: names, commas, square brackets."""

    groups: tuple[Group, ...] = ()
    sort: tuple[tuple[str, Direction], ...]
    size: int
    page: int = 1
    fields: str

    def text(self) -> str:
        """The query string.

        Raises:
            ValueError: more groups than one-digit indexes.
        """
        if len(self.groups) > MOST_GROUPS:
            raise ValueError("too many groups of filters")
        return encode([*self._parameters(), ("fields", self.fields)])

    def _parameters(self) -> Iterator[tuple[str, str]]:
        for at, group in enumerate(self.groups):
            for nth, each in enumerate(group):
                key = f"searchCriteria[filter_groups][{at}][filters][{nth}]"
                yield f"{key}[field]", each.field
                yield f"{key}[condition_type]", each.condition.value
                yield f"{key}[value]", each.value
        for at, (field, direction) in enumerate(self.sort):
            yield f"searchCriteria[sortOrders][{at}][field]", field
            yield f"searchCriteria[sortOrders][{at}][direction]", direction.value
        yield "searchCriteria[pageSize]", str(self.size)
        yield "searchCriteria[currentPage]", str(self.page)


def encode(parameters: Iterable[tuple[str, str]]) -> str:
    """A query string of these names and values."""
    return "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in parameters)


def one(field: str, condition: Is, value: object) -> Group:
    """A group of one filter."""
    return (Filter(field, condition, str(value)),)


def among(field: str, values: Iterable[int], condition: Is = Is.IN) -> Group:
    """A group that asks for (or, with NOT_IN, excludes) these numbers."""
    return (Filter(field, condition, ",".join(str(value) for value in sorted(values))),)


def sql_time(instant: Instant) -> str:
    """A time as a filter value: UTC without a zone. With a zone, databases disagree what it means."""
    return datetime.fromtimestamp(max(instant, 0), UTC).strftime("%Y-%m-%dT%H:%M:%S")


T = TypeVar("T")

PAGE_SIZE = 100
"""Rows per page. A page of whole orders takes a shop about a second, and its time grows with the rows."""

LARGEST_PAGE = 300
"""2.4.3 always refuses more."""

HOPELESS = 10
"""Unreadable orders, with no readable one, from which the shop itself counts as broken."""

BATCH = 100
"""Ids in one list: a longer address is cut off or refused by some web servers."""


class _Answer(Struct, gc=False):
    items: list[Raw] | None = None
    total_count: int | None = None


_ANSWER = msgspec.json.Decoder(_Answer)


@dataclass(frozen=True, slots=True)
class SearchPage:
    """Rows as JSON texts; ``total`` is how many match in all, ``None`` if the shop does not tell."""

    rows: Sequence[Raw]
    total: int | None

    def is_last(self, size: int) -> bool:
        """Are there no more rows than these?"""
        if not self.rows:
            return True
        return len(self.rows) < size if self.total is None else len(self.rows) >= self.total


class Searcher:
    """Searches in one shop. The page size follows what the shop allows and what it can bear.

    ``size`` is shared by all searches and never grows again. ``store`` is the store view as whose customers
    see what is searched.
    """

    def __init__(self, client: MagentoClient, *, size: int = PAGE_SIZE, store: str | None = None) -> None:
        self.client = client
        self._store = store
        self.size = max(1, min(size, LARGEST_PAGE))
        self.readable = 0
        self._broken = 0

    def note_broken(self, failure: ShopFailure) -> None:
        """One more order that the shop cannot give.

        Raises:
            ShopFailure: it can give none at all: the fault is not in the orders.
        """
        self._broken += 1
        if self._broken >= HOPELESS and not self.readable:
            raise failure

    def shrink(self, size: int) -> bool:
        """A page of ``size`` was too much; false if none is smaller."""
        self.size = min(self.size, max(size // 2, 1))
        return size > 1

    def page(self, resource: str, search: Search) -> SearchPage:
        """One page, of at most the present size.

        Raises:
            ShopFailure: the shop did not give it.
        """
        while True:
            asked = replace(search, size=min(search.size, self.size))
            try:
                return _page(
                    self.client.get(resource, asked.text(), attempts=DIVISIBLE, store=self._store), resource
                )
            except ShopFailure as failure:
                if (
                    failure.kind is not FailureKind.PAGE_SIZE
                    or not failure.limit
                    or failure.limit >= asked.size
                ):
                    raise
                self.size = failure.limit

    def all(
        self, resource: str, groups: tuple[Group, ...], *, fields: str, key: str, kind: type[T]
    ) -> list[T]:
        """Every row that matches, by ascending ``key``; for lists that are small beside the orders.

        Raises:
            ShopFailure: the shop did not give them.
            OrderSourceError: a row is not of this kind.
        """
        found: list[T] = []
        keys, decoder, last = LenientDecoder(_Key), LenientDecoder(kind), -1
        while True:
            search = Search(
                groups=(*groups, one(key, Is.GT, last)),
                sort=((key, Direction.ASC),),
                size=LARGEST_PAGE,
                fields=fields,
            )
            page, size = self.page(resource, search), self.size
            found += [_decoded(decoder, row, resource) for row in page.rows]
            reached = max((_decoded(keys, row, resource).value for row in page.rows), default=last)
            if reached <= last or page.is_last(size):
                return found
            last = reached


class _Key(Struct, gc=False):
    entity_id: int | None = None
    id: int | None = None

    @property
    def value(self) -> int:
        """Products are filtered by ``entity_id`` and show it as ``id``."""
        found = self.id if self.entity_id is None else self.entity_id
        return -1 if found is None else found


def _page(body: bytes, resource: str) -> SearchPage:
    try:
        answer = _ANSWER.decode(body)
    except msgspec.DecodeError:
        answer = None
    if answer is None:
        raise OrderSourceError(f"{resource}: the shop's answer is not a search result")
    if answer.items is None and answer.total_count != 0:
        raise OrderSourceError(f"{resource}: the shop's answer has no list of rows")
    return SearchPage(answer.items or (), answer.total_count)


def _decoded(decoder: LenientDecoder[T], row: Raw, resource: str) -> T:
    problem = ""
    try:
        return decoder.decode(row)
    except Unfit as unfit:
        problem = str(unfit)
    raise OrderSourceError(f"{resource}: a row of the shop's answer cannot be read: {problem}")


@dataclass(frozen=True, slots=True)
class Halving(Generic[T]):
    """Asks for many ids at once, and for less at a time where the shop fails.

    ``ask`` gets ids and gives what was found; ``failed`` hears of an id that cannot be had, with the reason.
    ``singly``: where they fail together most are expected to fail, so each is asked for alone.
    """

    searcher: Searcher
    ask: Callable[[Sequence[int]], list[T]]
    failed: Callable[[int, ShopFailure], None]
    singly: bool = False

    def run(self, ids: Sequence[int]) -> list[T]:
        """What there is for these ids, in no order.

        Raises:
            ShopFailure: the shop cannot be asked.
        """
        ordered, found = sorted(ids), list[T]()
        todo = [ordered[at : at + BATCH] for at in range(0, len(ordered), BATCH)]
        while todo:
            part = todo.pop()
            failure = self._ask(part, found)
            if failure is None:
                continue
            if len(part) > 1:
                step = 1 if self.singly else (len(part) + 1) // 2
                todo += [part[at : at + step] for at in range(0, len(part), step)]
            elif failure.kind is FailureKind.BROKEN:
                self.failed(part[0], failure)
            else:
                raise failure
        return found

    def _ask(self, part: Sequence[int], found: list[T]) -> ShopFailure | None:
        try:
            found += self.ask(part)
        except ShopFailure as failure:
            if failure.kind in {FailureKind.BROKEN, FailureKind.SLOW, FailureKind.GATEWAY}:
                return failure
            raise
        return None
