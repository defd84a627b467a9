"""From settings to a shop that can be asked: secrets are resolved here, when orders are first needed."""

from __future__ import annotations

from pathlib import Path

from ekomi_reconcile.config.secrets import Secret, resolve
from ekomi_reconcile.config.settings import MagentoSettings, OrdersSettings
from ekomi_reconcile.ekomi.values import Stop
from ekomi_reconcile.errors import OrderSourceError, SecretError
from ekomi_reconcile.orders.magento.client import MagentoClient
from ekomi_reconcile.orders.magento.login import BearerLogin, Login
from ekomi_reconcile.orders.magento.oauth import IntegrationKeys, OAuthLogin
from ekomi_reconcile.orders.magento.shop import Naming
from ekomi_reconcile.orders.magento.source import MagentoSource


def open_magento(
    settings: OrdersSettings,
    shop: MagentoSettings,
    *,
    root: Path,
    cache: Path,
    uses: frozenset[str] | None = None,
    stop: Stop | None = None,
) -> MagentoSource:
    """The source that these settings describe; no request is made yet.

    ``uses`` are the attributes of orders that rules look at, with ``store_view`` and ``customer_group``
    among them (``None``: not known); all waiting goes through ``stop``.

    Raises:
        OrderSourceError: the login cannot be resolved, or the address is none.
    """
    client = MagentoClient(shop.base_url, _login(settings.name, shop, root), stop=stop)
    naming = Naming(stores=settings.stores, customer_groups=settings.customer_groups, uses=uses)
    return MagentoSource(settings.name, client, naming, cache=cache)


def _login(source: str, shop: MagentoSettings, root: Path) -> Login:
    if shop.oauth is not None:
        oauth = shop.oauth
        references = (
            oauth.consumer_key,
            oauth.consumer_secret,
            oauth.access_token,
            oauth.access_token_secret,
        )
        return OAuthLogin(IntegrationKeys(*(_resolved(source, each, root) for each in references)))
    if shop.token is not None:
        return BearerLogin(_resolved(source, shop.token, root))
    raise OrderSourceError(f"order source {source}: no login is given", mend="give token: or oauth:")


def _resolved(source: str, reference: str, root: Path) -> Secret:
    """Without its secret a source cannot be read, and the rest of a run goes on."""
    try:
        return resolve(reference, root=root)
    except SecretError as error:
        message, mend = error.message, error.mend
    raise OrderSourceError(f"order source {source}: {message}", mend=mend)
