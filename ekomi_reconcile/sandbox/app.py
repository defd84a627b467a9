"""The sandbox as a web application."""

from __future__ import annotations

import traceback
from collections.abc import Iterable

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

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
    return Starlette(routes=routes, exception_handlers={Exception: _defect})


async def _defect(_request: Request, error: Exception) -> Response:
    """A bug of the sandbox itself must not pass for an answer of eKomi."""
    trace = "".join(traceback.format_exception(error))
    return PlainTextResponse(f"defect of the sandbox:\n{trace}", status_code=500)
