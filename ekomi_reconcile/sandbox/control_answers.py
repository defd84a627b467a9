"""Bodies of the control endpoints."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from time import gmtime, strftime

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

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
