"""From a request to an answer: permissions, parameters, handlers, and control endpoints.

GET shows, POST changes, DELETE goes back to the start. They need no login and never appear in the log.
"""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Any
from urllib.parse import quote, unquote

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Match, NoMatchFound, Route
from starlette.types import Receive, Scope, Send

from ekomi_reconcile.sandbox.magento import login, render, resources
from ekomi_reconcile.sandbox.magento import render as magento_render
from ekomi_reconcile.sandbox.magento.criteria import parse_query
from ekomi_reconcile.sandbox.magento.document import filtered
from ekomi_reconcile.sandbox.magento.login import ALL, SignedRequest
from ekomi_reconcile.sandbox.magento.settings import HostHeader, Settings
from ekomi_reconcile.sandbox.magento.shop import RecordedExchange, SimulatedShop
from ekomi_reconcile.sandbox.magento.workflow import perform

PREFIX = "/_sandbox/magento"
Body = dict[str, Any]
Control = Callable[[SimulatedShop, Body], Any]


def control_routes(shop: SimulatedShop) -> list[BaseRoute]:
    """One route per method and control, plus one for each order action."""
    made: list[BaseRoute] = [
        Route(f"{PREFIX}{path}", _endpoint(shop, control), methods=[method])
        for (method, path), control in _CONTROLS.items()
    ]
    return made


def _endpoint(shop: SimulatedShop, control: Control) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        raw = await request.body()
        try:
            body = msgspec.json.decode(raw, type=dict[str, Any]) if raw else {}
            with shop.lock:
                return JSONResponse(control(shop, body | request.path_params))
        except magento_render.RequestRejected as refused:
            return JSONResponse(refused.body(), refused.status)
        except (msgspec.DecodeError, msgspec.ValidationError, KeyError, TypeError, ValueError) as error:
            return JSONResponse({"message": f"{type(error).__name__}: {error}"}, 400)

    return endpoint


def _overview(shop: SimulatedShop, _: Body) -> Any:
    return {
        "orders": len(shop.orders),
        "clock": _clock(shop, {}),
        "settings": asdict(shop.settings),
        "faults": _faults(shop, {}),
        "damage": _damage(shop, {}),
        "mutations": _mutations(shop, {}),
        "requests": len(shop.log.entries),
    }


def _reset(shop: SimulatedShop, body: Body) -> Any:
    shop.reset()
    return _overview(shop, body)


def _settings(shop: SimulatedShop, _: Body) -> Any:
    return asdict(shop.settings)


def _set_settings(shop: SimulatedShop, body: Body) -> Any:
    shop.settings = msgspec.convert(asdict(shop.settings) | body, Settings)
    return asdict(shop.settings)


def _reset_settings(shop: SimulatedShop, _: Body) -> Any:
    shop.settings = Settings()
    return asdict(shop.settings)


def _faults(shop: SimulatedShop, _: Body) -> Any:
    return [asdict(fault) for fault in shop.faults.faults]


def _add_fault(shop: SimulatedShop, body: Body) -> Any:
    """A fault as its fields, e.g. `{"kind": "maintenance", "path": "/orders", "times": 2}`."""
    shop.faults.faults.append(
        msgspec.convert({"kind": magento_render.FaultKind.MAINTENANCE} | body, magento_render.ShopFault)
    )
    return _faults(shop, {})


def _clear_faults(shop: SimulatedShop, _: Body) -> Any:
    shop.faults.clear()
    return []


def _damage(shop: SimulatedShop, _: Body) -> Any:
    return {str(number): damage for number, damage in shop.damages.items()}


def _add_damage(shop: SimulatedShop, body: Body) -> Any:
    """`{"order": 5, "damage": "payment_info_unreadable"}`."""
    shop.damage(
        int(body["order"]),
        magento_render.OrderDamage(body.get("damage", magento_render.OrderDamage.PAYMENT_INFO_UNREADABLE)),
    )
    return _damage(shop, {})


def _repair(shop: SimulatedShop, _: Body) -> Any:
    shop.damages.clear()
    return {}


def _mutations(shop: SimulatedShop, _: Body) -> Any:
    return {
        "script": [list(map(dict, steps)) for steps in shop.mutations.script],
        "each": shop.mutations.each,
    }


def _add_mutations(shop: SimulatedShop, body: Body) -> Any:
    """`{"script": [[{"action": "hold", "order": 5}], …]}` or `{"seed": 7, "each": 3}`."""
    shop.mutations.plan(*body.get("script", []))
    if "seed" in body:
        shop.mutations.seed(int(body["seed"]), each=int(body.get("each", 1)))
    return _mutations(shop, {})


def _clear_mutations(shop: SimulatedShop, _: Body) -> Any:
    shop.mutations.clear()
    return _mutations(shop, {})


def _log(shop: SimulatedShop, _: Body) -> Any:
    return shop.log.summary()


def _clear_log(shop: SimulatedShop, _: Body) -> Any:
    shop.log.clear()
    return shop.log.summary()


def _clock(shop: SimulatedShop, _: Body) -> Any:
    return {"now": shop.clock.now(), "set": shop.clock.is_set()}


def _set_clock(shop: SimulatedShop, body: Body) -> Any:
    """`{"now": epoch}` sets, `{"advance": seconds}` moves on."""
    if "now" in body:
        shop.clock.set(int(body["now"]))
    shop.clock.advance(int(body.get("advance", 0)))
    return _clock(shop, {})


def _release_clock(shop: SimulatedShop, _: Body) -> Any:
    shop.clock.release()
    return _clock(shop, {})


def _place(shop: SimulatedShop, body: Body) -> Any:
    return {"entity_id": shop.place(**body)}


def _perform(shop: SimulatedShop, body: Body) -> Any:
    result = perform(shop, body)
    order = shop.order(int(body["order"]))
    return {"result": result} | {key: order[key] for key in ("entity_id", "state", "status", "updated_at")}


def _integrate(shop: SimulatedShop, body: Body) -> Any:
    """`{"resources": ["Magento_Sales::actions_view"]}`, or nothing for all; answers the four values."""
    made = shop.integrate(body.get("resources", ALL))
    keys = ("consumer_key", "consumer_secret", "token", "token_secret")
    return {key: getattr(made, key) for key in keys}


def _admin_token(shop: SimulatedShop, _: Body) -> Any:
    return {"token": shop.admin_token()}


_CONTROLS: dict[tuple[str, str], Control] = {
    ("GET", ""): _overview,
    ("DELETE", ""): _reset,
    ("GET", "/settings"): _settings,
    ("POST", "/settings"): _set_settings,
    ("DELETE", "/settings"): _reset_settings,
    ("GET", "/faults"): _faults,
    ("POST", "/faults"): _add_fault,
    ("DELETE", "/faults"): _clear_faults,
    ("GET", "/damage"): _damage,
    ("POST", "/damage"): _add_damage,
    ("DELETE", "/damage"): _repair,
    ("GET", "/mutations"): _mutations,
    ("POST", "/mutations"): _add_mutations,
    ("DELETE", "/mutations"): _clear_mutations,
    ("GET", "/log"): _log,
    ("DELETE", "/log"): _clear_log,
    ("GET", "/clock"): _clock,
    ("POST", "/clock"): _set_clock,
    ("DELETE", "/clock"): _release_clock,
    ("POST", "/orders"): _place,
    ("POST", "/orders/{order:int}/{action}"): _perform,
    ("POST", "/integrations"): _integrate,
    ("POST", "/admin-token"): _admin_token,
}


_REST = re.compile(r"^/+(?:index\.php/+)?rest(?:/|$)")
_KNOWN_METHODS = {"GET", "POST", "PUT", "DELETE"}


def routes(shop: SimulatedShop) -> list[BaseRoute]:
    """The REST interface, the version page and the control endpoints, for any Starlette application."""

    async def version(_: Request) -> Response:
        return Response(shop.settings.version, media_type="text/html; charset=UTF-8")

    return [RestRoute(shop), Route("/magento_version", version), *control_routes(shop)]


def storefront() -> list[BaseRoute]:
    """Every other address: the shop's HTML page for what it does not know. Goes last."""

    async def not_found(_: Request) -> Response:
        return render.storefront_page()

    methods = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
    return [Route("/{path:path}", not_found, methods=methods)]


class RestRoute(BaseRoute):
    """`/rest/…` and `/index.php/rest/…`, any number of leading slashes, case as written."""

    def __init__(self, shop: SimulatedShop) -> None:
        self.shop = shop

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        found = scope["type"] == "http" and _REST.match(_raw_path(scope))
        return (Match.FULL, {}) if found else (Match.NONE, {})

    def url_path_for(self, name: str, /, **path_params: Any) -> Any:
        """Implements ``BaseRoute``: no route of the shop has a name."""
        raise NoMatchFound(name, path_params)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        response = await _Exchange(self.shop, request, await request.body()).response()
        await response(scope, receive, send)


class _Exchange:
    """One request on its way to an answer."""

    def __init__(self, shop: SimulatedShop, request: Request, body: bytes) -> None:
        self.shop = shop
        self.request = request
        self.body = body
        self.path = _raw_path(request.scope)
        self.route = ""
        self.orders = 0

    async def response(self) -> Response:
        with self.shop.lock:
            fault = self.shop.faults.take(self.path)
        if fault is not None and fault.delay:
            await asyncio.sleep(fault.delay)
        with self.shop.lock:
            if fault is not None and fault.kind is magento_render.FaultKind.INTERNAL_AFTER:
                self._answer()
            replaced = None if fault is None else render.replacement(fault, self._report())
            response = replaced or self._answer()
            if fault is not None and fault.kind is magento_render.FaultKind.TRUNCATED:
                response = render.truncated(response)
            self._log(response.status_code)
            if self.route == "orders" and response.status_code == 200:
                self.shop.mutations.after_page(self.shop)
            takes = self.shop.workload.add(
                self.orders * self.shop.settings.order_seconds,
                workers=self.shop.settings.workers,
                now=time.monotonic(),
            )
        if takes:
            await asyncio.sleep(takes)
        return response

    def _answer(self) -> Response:
        kind = render.accepted(self.request.headers.get("accept"))
        if kind is magento_render.Format.NONE:
            return render.page("There has been an error processing your request", 500)
        try:
            return render.document(self._content(), 200, kind=kind, clock=self.shop.clock)
        except magento_render.RequestRejected as refused:
            body = None if self.request.method == "HEAD" else refused.body()
            answer = render.document(body, refused.status, kind=kind, clock=self.shop.clock)
            return Response(status_code=refused.status) if body is None else answer
        except magento_render.Broken:
            message = (
                f"Internal Error. Details are available in Magento log file. Report ID: {self._report()}"
            )
            return render.document({"message": message}, 500, kind=kind, clock=self.shop.clock)

    def _content(self) -> Any:
        method = self.request.method
        if method not in _KNOWN_METHODS:
            raise magento_render.RequestRejected(405, f"The {method} HTTP method is not supported.")
        found = resources.find(method, self._segments())
        if found is None:
            raise magento_render.no_route()
        resource, parts = found
        self.route = resource.pattern
        allowed = self._permissions()
        if resource.permission and resource.permission not in allowed:
            raise magento_render.unauthorized(resource.permission)
        query = parse_query(self.request.url.query)
        call = resources.RoutedCall(self.shop, query, parts, self._body())
        content = filtered(resource.handler(call), query.get("fields"))
        self.orders = call.orders
        return content

    def _segments(self) -> list[str]:
        """The decoded parts below `/V1`; a store code before it is checked and dropped.

        Raises:
            RequestRejected: 400 for an unknown store code, 404 for another version.
        """
        parts = [part for part in _REST.sub("", self.path).split("/") if part]
        if parts and parts[0] in self.shop.stores.path_codes():
            parts = parts[1:]
        if not parts or not re.match(r"V\d", parts[0]):
            raise magento_render.cannot_process()
        if parts[0] != "V1":
            raise magento_render.no_route()
        return [unquote(part) for part in parts[1:]]

    def _permissions(self) -> frozenset[str]:
        headers, url = self.request.headers, self.request.url
        host = headers.get("host", "")
        if self.shop.settings.host is HostHeader.WITHOUT_PORT:
            host = re.sub(r":\d+$", "", host)
        scheme = "https" if headers.get("x-forwarded-proto") == "https" else url.scheme
        signed = SignedRequest(self.request.method, scheme, host, self.path, url.query)
        return login.permissions(
            headers.get("authorization"),
            signed,
            credentials=self.shop.credentials,
            bearer=self.shop.settings.bearer,
            now=self.shop.clock.now(),
        )

    def _body(self) -> dict[str, Any]:
        """The JSON object of the body, empty when there is none.

        Raises:
            RequestRejected: 400 for a body without a type, or one that is not a JSON object.
        """
        if self.request.method == "GET" or not self.body:
            return {}
        if not self.request.headers.get("content-type"):
            raise magento_render.RequestRejected(400, "Content-Type header is empty.")
        try:
            content = msgspec.json.decode(self.body)
        except msgspec.DecodeError as error:
            raise magento_render.RequestRejected(400, "Decoding error.") from error
        return content if isinstance(content, dict) else {}

    def _report(self) -> str:
        self.shop.reports += 1
        return f"webapi-{self.shop.reports:013x}"

    def _log(self, status: int) -> None:
        query = self.request.url.query
        entry = RecordedExchange(self.request.method, self.path, query, self.route, status, self.orders)
        self.shop.log.add(entry)


def _raw_path(scope: Scope) -> str:
    raw = scope.get("raw_path")
    return raw.decode("ascii") if raw else quote(scope["path"])
