"""Answers of the sandbox, and the pages behind the links of its review requests."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from email.utils import formatdate
from time import gmtime, strftime
from typing import Any

import msgspec
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from ekomi_reconcile.sandbox import core_api, shops
from ekomi_reconcile.sandbox.magento.login import Integration
from ekomi_reconcile.sandbox.magento.settings import BearerTokens
from ekomi_reconcile.sandbox.magento.shop import SimulatedShop
from ekomi_reconcile.sandbox.shops import Fault, Product, SandboxShop
from ekomi_reconcile.sandbox.world import OutboxEntry, World

Endpoint = Callable[[Request], Awaitable[Response]]


def control_route(path: str, endpoint: Endpoint, *methods: str) -> Route:
    """A route below ``/_sandbox``; a body of the wrong shape is answered with 400 and the reason."""

    async def guarded(request: Request) -> Response:
        try:
            return await endpoint(request)
        except msgspec.MsgspecError as error:
            return answer({"error": str(error)}, status=400)

    return Route(f"/_sandbox{path}", guarded, methods=list(methods))


async def body_of(request: Request) -> object:
    """The JSON a request carries.

    Raises:
        msgspec.DecodeError: it is none.
    """
    content: object = msgspec.json.decode(await request.body())
    return content


def answer(content: object, *, status: int = 200) -> Response:
    """Data as JSON."""
    return Response(msgspec.json.encode(content), status, media_type="application/json")


def instant_text(instant: int) -> str:
    """UTC epoch seconds as ISO 8601 with Z."""
    return strftime("%Y-%m-%dT%H:%M:%SZ", gmtime(instant))


TRANSPORT = "sandbox_transport"
"""The key in the ASGI scope's ``state`` under which the server puts the connection's transport."""

CHUNK = 64 * 1024
HTML_PAGE = (
    "<!DOCTYPE html><html><head><title>Bad Gateway</title></head><body><h1>Bad Gateway</h1></body></html>"
)


class CutResponse(Response):
    """Not an answer: the TCP connection closes, before a byte or after half of ``partly``."""

    def __init__(self, partly: Response | None = None) -> None:
        super().__init__()
        self._partly = partly

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Close the connection and wait until the server has noticed."""
        transport: asyncio.Transport = scope["state"][TRANSPORT]
        if self._partly is None:
            transport.abort()
        else:
            await self._send_half(self._partly, send)
            transport.close()
        while (await receive())["type"] != "http.disconnect":
            pass

    @staticmethod
    async def _send_half(response: Response, send: Send) -> None:
        body = bytes(response.body)
        await send(
            {"type": "http.response.start", "status": response.status_code, "headers": response.raw_headers}
        )
        await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})


async def answered(world: World, function: str, shop_id: str, effect: Callable[[], Response]) -> Response:
    """The answer of one call: ``effect`` does it and says so, unless a fault of the world intervenes."""
    world.requests.add(function, shop_id)
    fault: Fault | None = None
    for drawn in world.faults.draw(function, shop_id):
        if drawn.kind == "latency":
            await asyncio.sleep(drawn.seconds)
        else:
            fault = drawn
    if fault is None:
        return effect()
    if fault.kind in {"half_json", "slow_body", "cut_body"}:
        return _spoilt(fault, effect())
    if fault.kind == "cut_after" or (fault.kind != "cut_before" and fault.when == "after"):
        effect()
    return _instead(fault)


def _spoilt(fault: Fault, truth: Response) -> Response:
    """The true answer, but not as it should come."""
    body = bytes(truth.body)
    media_type = truth.headers["content-type"]
    if fault.kind == "half_json":
        return Response(body[: len(body) // 2], truth.status_code, {"content-type": media_type})
    if fault.kind == "slow_body":
        headers = {"content-type": media_type, "content-length": str(len(body))}
        return StreamingResponse(_slowly(body, fault.seconds), truth.status_code, headers)
    return CutResponse(truth)


def _instead(fault: Fault) -> Response:
    """An answer that has nothing to do with the call."""
    if fault.kind in {"cut_before", "cut_after"}:
        return CutResponse()
    if fault.kind == "big_body":
        return StreamingResponse(
            _endless_json(fault.size), fault.status or 200, media_type="application/json"
        )
    status, media_type, body = {
        "status": (500, "text/plain", "Internal Server Error"),
        "retry_after": (429, "text/plain", "Too Many Requests"),
        "html": (200, "text/html; charset=UTF-8", HTML_PAGE),
        "wrong_json": (200, "application/json", '{"unexpected":[1,2,3]}'),
        "bare_text": (200, "text/plain", "Something in your request was wrong."),
        "quota": (200, "application/json", _error("Monthly quota of invitations exceeded.")),
        "tariff": (200, "application/json", _error("This function is not included in your package.")),
        "unclear": (200, "application/json", '{"status":"vielleicht"}'),
        "redirect": (302, "text/html", ""),
    }[fault.kind]
    content = body if fault.body is None else fault.body
    headers = {"content-type": media_type}
    if fault.kind == "retry_after":
        headers["retry-after"] = _retry_after(fault)
    if fault.kind == "redirect":
        headers["location"] = fault.location
    return Response(content.encode(), fault.status or status, headers)


def _error(message: str) -> str:
    return json.dumps({"status": "error", "message": message})


def _retry_after(fault: Fault) -> str:
    """Seconds, or a date of the real clock: the client compares it with its own."""
    if fault.retry_form == "date":
        return formatdate(time.time() + fault.seconds, usegmt=True)
    return f"{fault.seconds:g}"


async def _slowly(body: bytes, seconds: float) -> AsyncIterator[bytes]:
    pieces = 10
    step = max(1, -(-len(body) // pieces))
    for start in range(0, len(body), step):
        await asyncio.sleep(seconds / pieces)
        yield body[start : start + step]


async def _endless_json(size: int) -> AsyncIterator[bytes]:
    """``size`` bytes that begin like a list and go on like white space; its length is not announced."""
    yield b"["
    for start in range(1, size, CHUNK):
        await asyncio.sleep(0)  # a client that has gone away is noticed here
        yield b" " * min(CHUNK, size - start)


_NOT_MAGENTO = ("store_code", "customer_group")
"""What the seeded orders say beyond Magento; a shop tells only the ids."""

READ_ONLY = ("Magento_Sales::actions_view", "Magento_Backend::store", "Magento_Customer::group")
"""The three permissions that reading orders, store views and customer groups needs."""


def shop_of(world: World) -> SimulatedShop:
    """A shop with the orders of this world; it takes the token of an integration as Bearer."""
    shop = SimulatedShop.from_orders(
        (_as_magento(order) for order in world.orders()),
        stores={view.store_id: view.code for view in shops.STORE_VIEWS},
        groups=shops.CUSTOMER_GROUPS,
        categories={goods.sku: goods.categories for goods in shops.GOODS},
    )
    shop.settings.bearer = BearerTokens.ACCEPTED
    return shop


def read_only(shop: SimulatedShop) -> Integration:
    """An integration that may read what rules without categories need, and nothing else."""
    return shop.integrate(READ_ONLY)


def _as_magento(order: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in order.items() if key not in _NOT_MAGENTO}


ADD_RECIPIENT = "add-recipient"
SEGMENTS = "customer-segments"
SETTING = "shops/setting"
WRONG_CREDENTIALS = "Invalid shop_id or password."
DUPLICATE = "A recipient with this transaction_id already exists."


def recipient_answer(world: World, fields: Mapping[str, str]) -> Response:
    """Store the recipient these fields describe; the same shop and transaction is stored once."""
    try:
        core_api.check_fields(fields, odd_product_ids=world.switches.odd_product_ids)
        _store(world, fields)
    except core_api.RecipientRejected as refused:
        return _refusal(world, refused)
    return JSONResponse({"status": world.switches.success_word, "message": "Recipient has been added."})


def review_request_routes(world: World) -> list[BaseRoute]:
    """The three endpoints, at the top and below ``/srr``."""

    async def add_recipient(request: Request) -> Response:
        try:
            fields = await _fields(request)
        except core_api.RecipientRejected as refused:
            unreadable = _refusal(world, refused)
            return await answered(world, ADD_RECIPIENT, "", lambda: unreadable)
        shop_id = fields.get("shop_id", "")
        return await answered(world, ADD_RECIPIENT, shop_id, lambda: recipient_answer(world, fields))

    async def segments(request: Request) -> Response:
        shop_id = request.headers.get("shop-id", "")
        return await answered(world, SEGMENTS, shop_id, lambda: _list_segments(world, request))

    async def segment(request: Request) -> Response:
        shop_id = request.headers.get("shop-id", "")
        return await answered(world, SEGMENTS, shop_id, lambda: _set_segment(world, request))

    async def setting(request: Request) -> Response:
        shop_id = request.headers.get("shop-id", "")
        body = await request.body()
        return await answered(world, SETTING, shop_id, lambda: _set_setting(world, request, body))

    return [
        route
        for prefix in ("", "/srr")
        for route in (
            Route(f"{prefix}/add-recipient", add_recipient, methods=["POST"]),
            Route(f"{prefix}/api/v1/customer-segments", segments, methods=["GET"]),
            Route(f"{prefix}/api/v1/customer-segments/{{id:int}}", segment, methods=["PUT"]),
            Route(f"{prefix}/api/v1/shops/setting", setting, methods=["PUT"]),
        )
    ]


async def _fields(request: Request) -> dict[str, str]:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "application/json":
        return core_api.fields_from_json(await request.body())
    if kind not in {"application/x-www-form-urlencoded", "multipart/form-data"}:
        raise core_api.RecipientRejected("The request body could not be read.")
    async with request.form() as form:
        return {
            name: value.filename or "" if isinstance(value, UploadFile) else value
            for name, value in form.items()
        }


def _store(world: World, fields: Mapping[str, str]) -> None:
    shop = world.shops.get(fields["shop_id"])
    if shop is None or shop.password != _password(fields):
        raise core_api.RecipientRejected(WRONG_CREDENTIALS)
    _keep_products(world, shop, fields)
    kept = world.outbox.record(_recipient(world, shop, fields))
    if kept.requests > 1 and world.switches.duplicate_answer == "error":
        raise core_api.RecipientRejected(DUPLICATE)


def _keep_products(world: World, shop: SandboxShop, fields: Mapping[str, str]) -> None:
    """Store the products of a request as putProduct does, where the shop's tier has product reviews."""
    if fields.get("has_products") != "1":
        return
    if not shop.has_product_feedback:
        if world.switches.product_tier == "refused":
            raise core_api.RecipientRejected(core_api.NO_PRODUCT_REVIEWS)
        return
    names: dict[str, object] = json.loads(fields["products_info"])
    more: dict[str, object] = json.loads(fields.get("products_other") or "{}")
    for product_id, name in names.items():
        other = more.get(product_id)
        inner = other.get("product_other") if isinstance(other, dict) else None
        shop.products[product_id] = Product(
            product_id=product_id, name=str(name), other="" if inner is None else json.dumps(inner)
        )


def _refusal(world: World, refused: core_api.RecipientRejected) -> Response:
    answer = {"status": "error", "message": str(refused)}
    return JSONResponse(answer, status_code=world.switches.recipient_error_status)


def _password(fields: Mapping[str, str]) -> str:
    return fields.get("password") or fields.get("interface_password", "")


def _recipient(world: World, shop: SandboxShop, fields: Mapping[str, str]) -> OutboxEntry:
    now = world.clock.now()
    return OutboxEntry(
        shop_id=shop.interface_id,
        channel=fields["recipient_type"],
        transaction_id=fields["transaction_id"],
        email=fields.get("email") or None,
        telephone=fields.get("telephone", "").replace(" ", "+", 1) or None,
        requests=1,
        first_at=now,
        last_at=now,
        delivered=shop.sends,
        fields={name: value for name, value in fields.items() if "password" not in name},
    )


def _list_segments(world: World, request: Request) -> Response:
    shop = _shop_of_headers(world, request)
    if shop is None:
        return _unauthorised()
    status = request.query_params.get("status")
    data = [
        {"id": segment.id, "is_default": "true" if segment.is_default else "false"}
        for segment in shop.segments
        if status in {None, segment.status}
    ]
    return JSONResponse({"status_code": 200, "data": data})


def _set_segment(world: World, request: Request) -> Response:
    shop = _shop_of_headers(world, request)
    if shop is None:
        return _unauthorised()
    status = request.query_params.get("status")
    found = [segment for segment in shop.segments if segment.id == request.path_params["id"]]
    if not found or status not in {"active", "inactive"}:
        return JSONResponse({"status_code": 404, "message": "Not found."}, status_code=404)
    found[0].status = status
    return JSONResponse({"status_code": 200, "data": {"id": found[0].id, "status": status}})


def _set_setting(world: World, request: Request, body: bytes) -> Response:
    shop = _shop_of_headers(world, request)
    if shop is None:
        return _unauthorised()
    try:
        switched = core_api.fields_from_json(body).get("smartcheck_on")
    except core_api.RecipientRejected as refused:
        return JSONResponse({"status_code": 400, "message": str(refused)}, status_code=400)
    shop.smartcheck_on = switched in {"True", "1"}
    return JSONResponse({"status_code": 200, "data": {"smartcheck_on": shop.smartcheck_on}})


def _shop_of_headers(world: World, request: Request) -> SandboxShop | None:
    shop = world.shops.get(request.headers.get("shop-id", ""))
    if shop is None or shop.password != request.headers.get("interface-password"):
        return None
    return shop


def _unauthorised() -> Response:
    return JSONResponse({"status_code": 401, "message": "Unauthorized."}, status_code=401)
