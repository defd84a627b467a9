"""The sandbox's own Magento shop: the seeded orders behind its REST interface."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ekomi_reconcile.sandbox import catalogue
from ekomi_reconcile.sandbox.magento import Integration, Shop
from ekomi_reconcile.sandbox.magento.settings import BearerTokens
from ekomi_reconcile.sandbox.world import World

_NOT_MAGENTO = ("store_code", "customer_group")
"""What the seeded orders say beyond Magento; a shop tells only the ids."""

READ_ONLY = ("Magento_Sales::actions_view", "Magento_Backend::store", "Magento_Customer::group")
"""The three permissions that reading orders, store views and customer groups needs."""


def shop_of(world: World) -> Shop:
    """A shop with the orders of this world; it takes the token of an integration as Bearer."""
    shop = Shop.from_orders(
        (_as_magento(order) for order in world.orders()),
        stores={view.store_id: view.code for view in catalogue.STORE_VIEWS},
        groups=catalogue.CUSTOMER_GROUPS,
        categories={goods.sku: goods.categories for goods in catalogue.GOODS},
    )
    shop.settings.bearer = BearerTokens.ACCEPTED
    return shop


def read_only(shop: Shop) -> Integration:
    """An integration that may read what rules without categories need, and nothing else."""
    return shop.integrate(READ_ONLY)


def _as_magento(order: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in order.items() if key not in _NOT_MAGENTO}
