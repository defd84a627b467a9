"""Fetch account data and reviews from eKomi: network only, nothing is written."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from functools import partial
from types import TracebackType
from typing import Self

from httpx import HTTPTransport

from ekomi_reconcile.ekomi import Call, Credentials, Endpoints, range_for
from ekomi_reconcile.ekomi.client import EkomiClient
from ekomi_reconcile.ekomi.decode import Reviews
from ekomi_reconcile.ekomi.wire import new_transport
from ekomi_reconcile.http import Revealing, Stop
from ekomi_reconcile.http.rate_limit import RateLimiter, SharedLimiter
from ekomi_reconcile.model.errors import CredentialsRefused, EkomiError, RequestRefused
from ekomi_reconcile.model.instant import DAY, Instant
from ekomi_reconcile.model.review import ShopData
from ekomi_reconcile.model.run import Work

UNLIMITED = float("inf")

Turns = Callable[[str, float], float | None]
"""Takes a rate-limit token of an account, or returns the seconds to wait before the next try."""


@dataclass(slots=True)
class Clients:
    """Hands out clients. ``passwords`` are resolved secrets by interface id; rates are per account.

    Reads wait for their turn inside the call. Sends are paced by whoever sends, before the intent is
    written, so their clients do not wait. ``turns`` takes a turn of an account (interface id, rate) among
    all runners, from any thread, where there are several.
    """

    endpoints: Endpoints
    requests_per_second: float
    stop: Stop
    passwords: Mapping[str, Revealing]
    on_call: Callable[[Call], None] | None = None
    turns: Turns | None = None
    _limiters: dict[str, RateLimiter] = field(default_factory=dict)
    _local: threading.local = field(default_factory=threading.local)
    _opened: list[HTTPTransport] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def limiter(self, interface_id: str) -> RateLimiter:
        """The pace of this account, shared by all threads."""
        with self._lock:
            return self._limiters.setdefault(interface_id, RateLimiter(self.requests_per_second))

    def reader(self, interface_id: str) -> EkomiClient:
        """A client that keeps to the account's pace, for the present thread."""
        if self.turns is None:
            return self._client(interface_id, self.limiter(interface_id))
        turn = partial(self.turns, interface_id, self.requests_per_second)
        return self._client(interface_id, SharedLimiter(turn))

    def sender(self, interface_id: str) -> EkomiClient:
        """A client for calls whose turn was taken already, for the present thread."""
        return self._client(interface_id, RateLimiter(UNLIMITED))

    def _client(self, interface_id: str, limiter: RateLimiter) -> EkomiClient:
        return EkomiClient(
            credentials=Credentials(interface_id, self.passwords[interface_id]),
            endpoints=self.endpoints,
            limiter=limiter,
            transport=self._transport(),
            stop=self.stop,
            on_call=self.on_call,
        )

    def _transport(self) -> HTTPTransport:
        """The connections of the present thread, whichever account it works for."""
        found = getattr(self._local, "transport", None)
        if isinstance(found, HTTPTransport):
            return found
        made = self._local.transport = new_transport()
        with self._lock:
            self._opened.append(made)
        return made

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close every connection."""
        for transport in self._opened:
            transport.close()


PRODUCTS = "import of product reviews"
"""How a failure of that part is called."""

FULL_IMPORT_EVERY = 30 * DAY
"""Seconds. Only a full import notices that a review is gone."""


class Products(Enum):
    """Which reviews of products an import asks for."""

    NONE = auto()
    RECENT = auto()
    ALL = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchTask:
    """What to ask eKomi about one account. ``since`` is the last import (``None``: everything).

    ``change`` is the change of the account that it belongs to, if any. ``refused_before``: eKomi has said
    already that it offers the account no reviews of products.
    """

    interface_id: str
    check: bool = False
    sync: bool = False
    reviews: bool = False
    since: Instant | None = None
    full: bool = False
    products: Products = Products.NONE
    refused_before: bool = False
    change: Work | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """What came back. ``refused``: the account cannot be used as it stands.

    ``products`` are the reviews of products; they are asked for only after the shop's were told, so that a
    no to them is one to this function, not to the credentials.
    """

    task: FetchTask
    refused: EkomiError | None = None
    shop: ShopData | EkomiError | None = None
    reviews: Reviews | EkomiError | None = None
    products: Reviews | EkomiError | None = None

    @property
    def products_refused(self) -> bool:
        """Does eKomi offer this account no reviews of products? Lower tiers have none: no failure."""
        return isinstance(self.products, RequestRefused | CredentialsRefused)


def fetch(client: EkomiClient, task: FetchTask, *, now: Instant) -> Fetched:
    """Run the task; every failure is part of what comes back."""
    try:
        if task.check:
            client.check()
    except EkomiError as error:
        return Fetched(task=task, refused=error)
    reviews = _reviews(client, task, now=now) if task.reviews else None
    return Fetched(
        task=task,
        shop=_shop(client) if task.sync else None,
        reviews=reviews,
        products=_products(client, task, now=now) if isinstance(reviews, Reviews) else None,
    )


def _shop(client: EkomiClient) -> ShopData | EkomiError:
    try:
        return client.shop_data()
    except EkomiError as error:
        return error


def _reviews(client: EkomiClient, task: FetchTask, *, now: Instant) -> Reviews | EkomiError:
    try:
        return client.reviews(range_for(None if task.full else _gap(task, now)))
    except EkomiError as error:
        return error


def _products(client: EkomiClient, task: FetchTask, *, now: Instant) -> Reviews | EkomiError | None:
    if task.products is Products.NONE:
        return None
    try:
        return client.product_reviews(range_for(None if task.products is Products.ALL else _gap(task, now)))
    except EkomiError as error:
        return error


def _gap(task: FetchTask, now: Instant) -> int | None:
    return None if task.since is None else now - task.since
