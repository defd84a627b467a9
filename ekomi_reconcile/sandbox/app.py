"""The sandbox as a web application."""

from __future__ import annotations

import time
import traceback
from collections.abc import Iterable
from email.utils import formatdate

from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ekomi_reconcile.sandbox.control import control_routes
from ekomi_reconcile.sandbox.core_api import claimed_shop, core_answer, function_name
from ekomi_reconcile.sandbox.fault_answers import answered
from ekomi_reconcile.sandbox.review_requests import review_request_routes
from ekomi_reconcile.sandbox.world import World


def create_app(world: World, extra_routes: Iterable[BaseRoute] = ()) -> Starlette:
    """Everything of ``world`` under one address; ``extra_routes`` (another system's) come last.

    Faults that close connections need :class:`~.server.SandboxServer`; the rest runs in any ASGI server.
    """

    async def core(request: Request) -> Response:
        name = function_name(request.path_params.get("function", ""))
        params = dict(request.query_params)
        return await answered(world, name, claimed_shop(params), lambda: core_answer(world, name, params))

    routes: list[BaseRoute] = [
        Route("/v3", core, methods=["GET"]),
        Route("/v3/", core, methods=["GET"]),
        Route("/v3/{function}", core, methods=["GET"]),
        *review_request_routes(world),
        *control_routes(world),
        *extra_routes,
    ]
    app = Starlette(routes=routes, exception_handlers={Exception: _defect})
    app.add_middleware(_Dated, world=world)
    return app


class _Dated:
    """Gives every answer a ``Date``, as web servers do; one that another system set stays."""

    def __init__(self, app: ASGIApp, *, world: World) -> None:
        self._app, self._world = app, world

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def dated(message: Message) -> None:
            if message["type"] == "http.response.start" and self._world.http_ahead is not None:
                headers = MutableHeaders(scope=message)
                headers.setdefault("Date", formatdate(time.time() + self._world.http_ahead, usegmt=True))
            await send(message)

        await self._app(scope, receive, dated)


async def _defect(_request: Request, error: Exception) -> Response:
    """A bug of the sandbox itself must not pass for an answer of eKomi."""
    trace = "".join(traceback.format_exception(error))
    return PlainTextResponse(f"defect of the sandbox:\n{trace}", status_code=500)
