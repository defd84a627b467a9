"""A local Magento 2.4.7 REST interface: the order, store, customer group and catalogue calls, as recorded.

``shop.SimulatedShop`` holds the data and the switches; ``routes.routes(shop)`` serves it inside any Starlette
application; ``routes.storefront()`` adds the HTML page that a shop shows for addresses it does not know.
"""
