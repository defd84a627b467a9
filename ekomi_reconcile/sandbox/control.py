"""``/_sandbox/…``: what a test or a person changes and looks at. No fault ever concerns these."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute

from ekomi_reconcile.sandbox.account_control import account_routes
from ekomi_reconcile.sandbox.control_answers import answer, body_of, control_route, instant_text
from ekomi_reconcile.sandbox.faults import Fault, Rule
from ekomi_reconcile.sandbox.world import World

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


def _rule(rule: Rule) -> dict[str, object]:
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
