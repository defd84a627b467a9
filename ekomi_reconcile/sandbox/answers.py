"""Answers of the sandbox, faults included."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from email.utils import formatdate
from time import gmtime, strftime

import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from ekomi_reconcile.sandbox.faults import Fault
from ekomi_reconcile.sandbox.world import World

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
