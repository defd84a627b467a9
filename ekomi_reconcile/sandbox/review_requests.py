"""Review requests and the pages behind their links."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from ekomi_reconcile.sandbox import core_api, shops
from ekomi_reconcile.sandbox.answers import answered
from ekomi_reconcile.sandbox.magento.login import Integration
from ekomi_reconcile.sandbox.magento.settings import BearerTokens
from ekomi_reconcile.sandbox.magento.shop import SimulatedShop
from ekomi_reconcile.sandbox.outbox import OutboxEntry
from ekomi_reconcile.sandbox.shops import Product
from ekomi_reconcile.sandbox.shops import SandboxShop as shops_Shop
from ekomi_reconcile.sandbox.world import World

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


def _keep_products(world: World, shop: shops_Shop, fields: Mapping[str, str]) -> None:
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


def _recipient(world: World, shop: shops_Shop, fields: Mapping[str, str]) -> OutboxEntry:
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


def _shop_of_headers(world: World, request: Request) -> shops_Shop | None:
    shop = world.shops.get(request.headers.get("shop-id", ""))
    if shop is None or shop.password != request.headers.get("interface-password"):
        return None
    return shop


def _unauthorised() -> Response:
    return JSONResponse({"status_code": 401, "message": "Unauthorized."}, status_code=401)
