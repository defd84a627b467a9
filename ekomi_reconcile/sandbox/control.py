"""The control interface of the sandbox."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute

from ekomi_reconcile.sandbox.answers import answer, body_of, control_route, instant_text
from ekomi_reconcile.sandbox.seed import new_shop
from ekomi_reconcile.sandbox.shops import Fault, FaultRule, SandboxReview, SandboxShop
from ekomi_reconcile.sandbox.world import World


class NewAccount(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A shop to add. ``reviews``: the reviews, or how many to invent."""

    interface_id: str
    password: str
    name: str = "Example Shop"
    locale: str = "de_DE"
    reviews: int | list[SandboxReview] = 0


class ShopChange(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
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

    def _shop(self, request: Request) -> SandboxShop:
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
        change = msgspec.convert(await body_of(request), ShopChange)
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
        given = msgspec.convert(await body_of(request), list[SandboxReview])
        kept = [*shop.reviews, *shop.product_reviews] if request.method == "POST" else []
        _set_reviews(shop, [*kept, *given])
        return answer(_summary(shop))


def _shop(world: World, wanted: NewAccount) -> SandboxShop:
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


def _set_reviews(shop: SandboxShop, reviews: list[SandboxReview]) -> None:
    """Those with a product id are reviews of products."""
    shop.reviews = [review for review in reviews if review.product_id is None]
    shop.product_reviews = [review for review in reviews if review.product_id is not None]


def _summary(shop: SandboxShop) -> dict[str, object]:
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


LINES_PER_CHUNK = 500


def control_routes(world: World) -> list[BaseRoute]:
    """All control endpoints of ``world``."""
    return [
        *_switch_routes(world),
        *_outbox_routes(world),
        *_fault_routes(world),
        *_clock_routes(world),
        *account_routes(world),
        *_order_routes(world),
    ]


def _switch_routes(world: World) -> list[BaseRoute]:
    async def switches(request: Request) -> Response:
        if request.method == "DELETE":
            world.reset_switches()
        if request.method == "PUT":
            world.change_switches(await body_of(request))
        return answer(world.switches)

    return [control_route("/switches", switches, "GET", "PUT", "DELETE")]


def _outbox_routes(world: World) -> list[BaseRoute]:
    async def outbox(request: Request) -> Response:
        if request.method == "DELETE":
            world.outbox.clear()
            return Response(status_code=204)
        query = request.query_params
        return answer(world.outbox.entries(shop_id=query.get("shop"), channel=query.get("channel")))

    async def requests(request: Request) -> Response:
        if request.method == "DELETE":
            world.requests.clear()
            return Response(status_code=204)
        return answer(world.requests.summary())

    return [
        control_route("/outbox", outbox, "GET", "DELETE"),
        control_route("/requests", requests, "GET", "DELETE"),
    ]


def _fault_routes(world: World) -> list[BaseRoute]:
    async def faults(request: Request) -> Response:
        if request.method == "DELETE":
            world.faults.clear()
            return Response(status_code=204)
        if request.method == "GET":
            return answer([_rule(rule) for rule in world.faults.rules()])
        rule = world.fault(msgspec.convert(await body_of(request), Fault))
        return answer(_rule(rule), status=201)

    async def fault(request: Request) -> Response:
        found = world.faults.remove(request.path_params["id"])
        return Response(status_code=204 if found else 404)

    return [
        control_route("/faults", faults, "GET", "POST", "DELETE"),
        control_route("/faults/{id:int}", fault, "DELETE"),
    ]


def _rule(rule: FaultRule) -> dict[str, object]:
    counts = {"id": rule.id, "matched": rule.matched, "struck": rule.struck}
    return counts | msgspec.structs.asdict(rule.fault)


class _NewTime(msgspec.Struct, forbid_unknown_fields=True):
    """``now``: stand still there, ``null``: follow the real time; ``advance``: then move by seconds."""

    now: int | msgspec.UnsetType | None = msgspec.UNSET
    advance: int = 0


def _clock_routes(world: World) -> list[BaseRoute]:
    async def clock(request: Request) -> Response:
        if request.method == "PUT":
            wanted = msgspec.convert(await body_of(request), _NewTime)
            if wanted.now is not msgspec.UNSET:
                world.clock.set(wanted.now)
            world.clock.advance(wanted.advance)
        now = world.clock.now()
        return answer({"now": now, "iso": instant_text(now), "fixed": world.clock.is_fixed})

    return [control_route("/clock", clock, "GET", "PUT")]


class _Wanted(msgspec.Struct):
    """How many orders out of which seed; as the world says by default."""

    count: int | None = None
    seed: int | None = None


def _order_routes(world: World) -> list[BaseRoute]:
    async def orders(request: Request) -> Response:
        wanted = msgspec.convert(dict(request.query_params), _Wanted, strict=False)
        lines = _lines(world.orders(count=wanted.count, seed=wanted.seed))
        return StreamingResponse(lines, media_type="application/x-ndjson")

    return [control_route("/orders", orders, "GET")]


def _lines(orders: Iterator[dict[str, Any]]) -> Iterator[bytes]:
    """JSON Lines, many to a chunk: each chunk costs a switch of threads."""
    encoder = msgspec.json.Encoder()
    while chunk := list(islice(orders, LINES_PER_CHUNK)):
        yield encoder.encode_lines(chunk)
