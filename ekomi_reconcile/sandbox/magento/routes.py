"""From a request to an answer: address, faults, login, permission, parameters, handler, `fields`."""

import asyncio
import re
from typing import Any
from urllib.parse import quote, unquote

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match, NoMatchFound, Route
from starlette.types import Receive, Scope, Send

from ekomi_reconcile.sandbox.magento import login, render, resources
from ekomi_reconcile.sandbox.magento.control import control_routes
from ekomi_reconcile.sandbox.magento.criteria import parse_query
from ekomi_reconcile.sandbox.magento.document import filtered
from ekomi_reconcile.sandbox.magento.login import SignedRequest
from ekomi_reconcile.sandbox.magento.recorded import RecordedExchange
from ekomi_reconcile.sandbox.magento.render import (
    Broken,
    FaultKind,
    Format,
    RequestRejected,
    cannot_process,
    no_route,
    unauthorized,
)
from ekomi_reconcile.sandbox.magento.settings import HostHeader
from ekomi_reconcile.sandbox.magento.shop import SimulatedShop

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
            if fault is not None and fault.kind is FaultKind.INTERNAL_AFTER:
                self._answer()
            replaced = None if fault is None else render.replacement(fault, self._report())
            response = replaced or self._answer()
            if fault is not None and fault.kind is FaultKind.TRUNCATED:
                response = render.truncated(response)
            self._log(response.status_code)
            if self.route == "orders" and response.status_code == 200:
                self.shop.mutations.after_page(self.shop)
        return response

    def _answer(self) -> Response:
        kind = render.accepted(self.request.headers.get("accept"))
        if kind is Format.NONE:
            return render.page("There has been an error processing your request", 500)
        try:
            return render.document(self._content(), 200, kind=kind, clock=self.shop.clock)
        except RequestRejected as refused:
            body = None if self.request.method == "HEAD" else refused.body()
            answer = render.document(body, refused.status, kind=kind, clock=self.shop.clock)
            return Response(status_code=refused.status) if body is None else answer
        except Broken:
            message = (
                f"Internal Error. Details are available in Magento log file. Report ID: {self._report()}"
            )
            return render.document({"message": message}, 500, kind=kind, clock=self.shop.clock)

    def _content(self) -> Any:
        method = self.request.method
        if method not in _KNOWN_METHODS:
            raise RequestRejected(405, f"The {method} HTTP method is not supported.")
        found = resources.find(method, self._segments())
        if found is None:
            raise no_route()
        resource, parts = found
        self.route = resource.pattern
        allowed = self._permissions()
        if resource.permission and resource.permission not in allowed:
            raise unauthorized(resource.permission)
        query = parse_query(self.request.url.query)
        call = resources.RoutedCall(self.shop, query, parts, self._body())
        content = filtered(resource.handler(call), query.get("fields"))
        self.orders = call.orders
        return content

    def _segments(self) -> list[str]:
        """The decoded parts below `/V1`; a store code before it is checked and dropped.

        Raises Refused 400 for an unknown store code, 404 for another version.
        """
        parts = [part for part in _REST.sub("", self.path).split("/") if part]
        if parts and parts[0] in self.shop.stores.path_codes():
            parts = parts[1:]
        if not parts or not re.match(r"V\d", parts[0]):
            raise cannot_process()
        if parts[0] != "V1":
            raise no_route()
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

        Raises Refused 400 for a body without a type, or one that is no JSON object.
        """
        if self.request.method == "GET" or not self.body:
            return {}
        if not self.request.headers.get("content-type"):
            raise RequestRejected(400, "Content-Type header is empty.")
        try:
            content = msgspec.json.decode(self.body)
        except msgspec.DecodeError as error:
            raise RequestRejected(400, "Decoding error.") from error
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
