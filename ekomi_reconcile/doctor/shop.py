"""What a shop can tell about itself, where an order source is one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, runtime_checkable

from ekomi_reconcile.config.secrets import resolve
from ekomi_reconcile.config.settings import MagentoSettings, OrdersSettings
from ekomi_reconcile.ekomi.values import Stop
from ekomi_reconcile.errors import OrderSourceError
from ekomi_reconcile.orders.magento.client import MagentoClient
from ekomi_reconcile.orders.magento.directory import ADMIN_STORE, Directory
from ekomi_reconcile.orders.magento.login import BearerLogin, Login
from ekomi_reconcile.orders.magento.oauth import IntegrationKeys, OAuthLogin
from ekomi_reconcile.orders.magento.probe import Probe
from ekomi_reconcile.orders.magento.search import Searcher

Names = Callable[[Directory], frozenset[str]]
"""Reads one kind of names from a shop's lists."""


@runtime_checkable
class Shop(Protocol):
    """An order source that is a shop. What it raises is an ``OrderSourceError``."""

    def probe(self) -> Probe:
        """Can it be reached, what may the login see, is its clock right."""

    def statuses(self) -> Mapping[str, str | None]:
        """Status codes to states."""


@contextmanager
def directory(settings: OrdersSettings, *, root: Path, stop: Stop) -> Iterator[Directory]:
    """The lists of this shop, over a connection of their own: an order source hands out orders only.

    Raises:
        OrderSourceError: it is no shop, or its address is none.
        SecretError: its login cannot be resolved.
    """
    if settings.magento is None:
        raise OrderSourceError(f"order source {settings.name} is no shop")
    client = MagentoClient(settings.magento.base_url, _login(settings.magento, root), stop=stop)
    try:
        yield Directory(Searcher(client))
    finally:
        client.close()


def store_views(lists: Directory) -> frozenset[str]:
    """The codes of the store views in which customers can order."""
    return frozenset(each.code for each in lists.store_views() if each.id != ADMIN_STORE)


def active_store_views(lists: Directory) -> frozenset[str]:
    """Those of them that are switched on."""
    views = (each for each in lists.store_views() if each.id != ADMIN_STORE)
    return frozenset(each.code for each in views if each.is_active is None or each.is_active)


def customer_groups(lists: Directory) -> frozenset[str]:
    """The names of the customer groups."""
    return frozenset(each.code for each in lists.customer_groups())


def _login(settings: MagentoSettings, root: Path) -> Login:
    """The second copy of the rule that order sources log in by (``orders.magento.opening``)."""
    if settings.oauth is not None:
        oauth = settings.oauth
        references = (
            oauth.consumer_key,
            oauth.consumer_secret,
            oauth.access_token,
            oauth.access_token_secret,
        )
        return OAuthLogin(IntegrationKeys(*(resolve(each, root=root) for each in references)))
    if settings.token is None:
        raise OrderSourceError("the shop has no login", mend="give token: or oauth:")
    return BearerLogin(resolve(settings.token, root=root))
