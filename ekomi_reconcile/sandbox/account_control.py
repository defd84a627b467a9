"""``/_sandbox/accounts``: the shops of a world and their reviews."""

from __future__ import annotations

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from ekomi_reconcile.sandbox.control_answers import answer, body_of, control_route
from ekomi_reconcile.sandbox.seed import new_shop
from ekomi_reconcile.sandbox.shops import Review, Shop
from ekomi_reconcile.sandbox.world import World


class NewAccount(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A shop to add. ``reviews``: the reviews, or how many to invent."""

    interface_id: str
    password: str
    name: str = "Example Shop"
    locale: str = "de_DE"
    reviews: int | list[Review] = 0


class AccountChange(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What may change of a shop; absent stays. ``details: null`` takes its data away."""

    password: str | msgspec.UnsetType = msgspec.UNSET
    name: str | msgspec.UnsetType = msgspec.UNSET
    locale: str | msgspec.UnsetType = msgspec.UNSET
    active: bool | msgspec.UnsetType = msgspec.UNSET
    afnor: bool | msgspec.UnsetType = msgspec.UNSET
    has_product_feedback: bool | msgspec.UnsetType = msgspec.UNSET
    details: dict[str, str] | msgspec.UnsetType | None = msgspec.UNSET


def account_routes(world: World) -> list[BaseRoute]:
    """List and add; see, change, remove one; its reviews."""
    accounts = _Accounts(world)
    return [
        control_route("/accounts", accounts.listed, "GET"),
        control_route("/accounts", accounts.added, "POST"),
        control_route("/accounts/{id}", accounts.shown, "GET"),
        control_route("/accounts/{id}", accounts.changed, "PATCH"),
        control_route("/accounts/{id}", accounts.removed, "DELETE"),
        control_route("/accounts/{id}/reviews", accounts.reviews, "GET"),
        control_route("/accounts/{id}/reviews", accounts.set_reviews, "POST", "PUT"),
    ]


class _Accounts:
    """The endpoints; all but the first two answer 404 for an interface id that is not there."""

    def __init__(self, world: World) -> None:
        self._world = world

    def _shop(self, request: Request) -> Shop:
        shop = self._world.shops.get(request.path_params["id"])
        if shop is None:
            raise HTTPException(404, "no account with this interface id")
        return shop

    async def listed(self, _request: Request) -> Response:
        return answer([_summary(shop) for shop in self._world.shops.values()])

    async def added(self, request: Request) -> Response:
        wanted = msgspec.convert(await body_of(request), NewAccount)
        if wanted.interface_id in self._world.shops:
            raise HTTPException(409, "this interface id exists")
        shop = self._world.shops[wanted.interface_id] = _shop(self._world, wanted)
        return answer(_summary(shop), status=201)

    async def shown(self, request: Request) -> Response:
        return answer(_summary(self._shop(request)))

    async def changed(self, request: Request) -> Response:
        shop = self._shop(request)
        change = msgspec.convert(await body_of(request), AccountChange)
        for name, value in msgspec.structs.asdict(change).items():
            if value is not msgspec.UNSET:
                setattr(shop, name, value)
        return answer(_summary(shop))

    async def removed(self, request: Request) -> Response:
        del self._world.shops[self._shop(request).interface_id]
        return Response(status_code=204)

    async def reviews(self, request: Request) -> Response:
        shop = self._shop(request)
        return answer([*shop.reviews, *shop.product_reviews])

    async def set_reviews(self, request: Request) -> Response:
        """POST adds, PUT replaces."""
        shop = self._shop(request)
        given = msgspec.convert(await body_of(request), list[Review])
        kept = [*shop.reviews, *shop.product_reviews] if request.method == "POST" else []
        _set_reviews(shop, [*kept, *given])
        return answer(_summary(shop))


def _shop(world: World, wanted: NewAccount) -> Shop:
    given = wanted.reviews
    shop = new_shop(
        wanted.interface_id,
        wanted.password,
        name=wanted.name,
        locale=wanted.locale,
        seed=world.seed,
        now=world.clock.now(),
        review_count=given if isinstance(given, int) else 0,
    )
    if not isinstance(given, int):
        _set_reviews(shop, given)
    return shop


def _set_reviews(shop: Shop, reviews: list[Review]) -> None:
    """Those with a product id are reviews of products."""
    shop.reviews = [review for review in reviews if review.product_id is None]
    shop.product_reviews = [review for review in reviews if review.product_id is not None]


def _summary(shop: Shop) -> dict[str, object]:
    return {
        "interface_id": shop.interface_id,
        "password": shop.password,
        "name": shop.name,
        "locale": shop.locale,
        "active": shop.active,
        "afnor": shop.afnor,
        "has_product_feedback": shop.has_product_feedback,
        "smartcheck_on": shop.smartcheck_on,
        "details": shop.details,
        "public_page": shop.public_page,
        "reviews": len(shop.reviews),
        "product_reviews": len(shop.product_reviews),
        "products": sorted(shop.products),
        "orders": len(shop.orders),
    }
