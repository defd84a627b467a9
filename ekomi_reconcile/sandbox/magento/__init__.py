"""A local Magento 2.4.7 REST interface: the order, store, customer group and catalogue calls, as recorded.

`SimulatedShop` holds the data and the switches; `routes(shop)` serves it inside any Starlette application;
`storefront()` adds the HTML page a shop shows for addresses it does not know.
"""

from ekomi_reconcile.sandbox.magento.login import AdminUser, Integration, TwoFactor
from ekomi_reconcile.sandbox.magento.render import FaultKind, OrderDamage, ShopFault
from ekomi_reconcile.sandbox.magento.routes import routes, storefront
from ekomi_reconcile.sandbox.magento.settings import PageLimit, PastTheEnd, Settings
from ekomi_reconcile.sandbox.magento.shop import SimulatedShop

__all__ = [
    "AdminUser",
    "FaultKind",
    "Integration",
    "OrderDamage",
    "PageLimit",
    "PastTheEnd",
    "Settings",
    "ShopFault",
    "SimulatedShop",
    "TwoFactor",
    "routes",
    "storefront",
]
