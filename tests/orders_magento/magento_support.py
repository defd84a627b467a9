"""What these tests share: a sandbox shop on a socket, a source that reads it, waiting that costs no time."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from ekomi_reconcile.orders.magento.auth import BearerLogin, IntegrationKeys, OAuthLogin
from ekomi_reconcile.orders.magento.client import MagentoClient
from ekomi_reconcile.orders.magento.shop import Naming
from ekomi_reconcile.orders.magento.source import MagentoSource
from ekomi_reconcile.orders.source import Wanted
from ekomi_reconcile.sandbox.magento.settings import ShopClock, sql_time
from ekomi_reconcile.sandbox.magento.shop import SimulatedShop
from tests.sandbox.magento_served import served

NOW = 4_000_000_000
RECORDED = Path(__file__).parents[1] / "data" / "magento"
TOKEN = "canarytoken0000000000000000000001"
EMAIL = "canary.kolb@example.com"
FULL = Wanted(full=True)


class Key:
    """A secret as the configuration hands it in."""

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value

    def __repr__(self) -> str:
        return "(sensitive)"


class Patience:
    """A stop whose ``wait`` only notes how long it was asked to, and calls ``on_wait``."""

    def __init__(self, on_wait: Callable[[float], object] = lambda _: None) -> None:
        self.waits: list[float] = []
        self.ended = False
        self._on_wait = on_wait

    def is_set(self) -> bool:
        return self.ended

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout is not None
        self.waits.append(timeout)
        self._on_wait(timeout)
        return self.ended


@dataclass
class Case:
    """A served shop with an administrator's token, and sources that read it."""

    shop: SimulatedShop
    base: str
    stop: Patience = field(default_factory=Patience)
    cache: Path | None = None
    _opened: list[MagentoSource] = field(default_factory=list)

    def source(self, *, resources: Any = None, uses: frozenset[str] | None = frozenset(), **more: Any) -> Any:
        """A source; with ``resources`` it logs in as an integration that may see only these."""
        login: Any = BearerLogin(Key(self.shop.admin_token()))
        if resources is not None:
            login = signed(self.shop.integrate(resources))
        return self.opened(login, Naming(uses=uses, **more.pop("naming", {})), **more)

    def opened(
        self, login: Any, naming: Naming | None = None, *, base: str | None = None, **more: Any
    ) -> Any:
        """A source with this login."""
        client = MagentoClient(base or self.base, login, stop=self.stop, timeout=more.pop("timeout", 5.0))
        source = MagentoSource("default", client, naming, cache=self.cache, **more)
        self._opened.append(source)
        return source

    def asked(self, route: str = "orders") -> list[Any]:
        """The requests for a route since the log was cleared."""
        return [entry for entry in self.shop.log.entries if entry.route == route]

    def close(self) -> None:
        for each in self._opened:
            each.close()


def signed(owner: Any) -> OAuthLogin:
    """The login of an integration."""
    values = (owner.consumer_key, owner.consumer_secret, owner.token, owner.token_secret)
    return OAuthLogin(IntegrationKeys(*map(Key, values)))


def orders(count: int, *, start: int = 1, **more: Any) -> list[dict[str, Any]]:
    """So many plain orders, a minute apart, the last one a day before NOW."""
    return [
        {
            "entity_id": number,
            "created_at": sql_time(NOW - 86_400 - 60 * (start + count - number)),
            "items": [{"sku": "A", "product_id": 7, "price": 5, "qty_ordered": 2}],
            "customer_email": EMAIL,
            "customer_firstname": "Mira",
            **more,
        }
        for number in range(start, start + count)
    ]


@contextmanager
def opened(
    documents: list[dict[str, Any]] | None = None, *, cache: Path | None = None, **more: Any
) -> Iterator[Case]:
    """A served shop with these orders; its clock stands at NOW."""
    shop = SimulatedShop.from_orders(
        orders(5) if documents is None else documents, clock=ShopClock(NOW), **more
    )
    with served(shop) as base:
        case = Case(shop, base, cache=cache)
        try:
            yield case
        finally:
            case.close()


def read(source: Any, wanted: Wanted = FULL) -> tuple[list[Any], str, list[Any]]:
    """All orders of a pass in order, its cursor and its problems."""
    reading = source.read(wanted)
    found = [order for batch in reading.batches() for order in batch]
    return found, reading.cursor, list(reading.problems)


def ids(found: Any) -> list[int]:
    """The ids of these orders, as they come."""
    return [order.order_id for order in found]


def client_for(
    handler: Any, *, base: str = "https://shop.example.com", stop: Any = None, login: Any = None
) -> Any:
    """A client whose requests ``handler`` answers."""
    transport = handler if isinstance(handler, httpx.BaseTransport) else httpx.MockTransport(handler)
    return MagentoClient(base, login or BearerLogin(Key(TOKEN)), stop=stop or Patience(), transport=transport)


def source_for(handler: Any, **more: Any) -> MagentoSource:
    """A source whose requests ``handler`` answers; names are not asked for."""
    return MagentoSource("default", client_for(handler, **more), Naming(uses=frozenset()))


def chain(error: BaseException) -> list[BaseException]:
    """The error and everything it was raised from or during."""
    found: list[BaseException] = []
    todo: list[BaseException | None] = [error]
    while todo:
        each = todo.pop()
        if each is not None and each not in found:
            found.append(each)
            todo += [each.__cause__, each.__context__]
    return found


def said_by(error: BaseException) -> str:
    """All that a log or a report could show of it."""
    parts = ["".join(traceback.format_exception(error))]
    for each in chain(error):
        parts += [str(each), repr(each), repr(each.args), repr(vars(each))]
    return "\n".join(parts)
