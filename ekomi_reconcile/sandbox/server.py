"""The sandbox as an ASGI application and as a server."""

from __future__ import annotations

import asyncio
import ipaddress
import signal
import socket
import threading
import time
import traceback
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from email.utils import formatdate
from types import FrameType, TracebackType
from typing import Literal

import uvicorn
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from ekomi_reconcile.sandbox.answers import TRANSPORT, answered, review_request_routes
from ekomi_reconcile.sandbox.control import control_routes
from ekomi_reconcile.sandbox.core_api import claimed_shop, core_answer, function_name
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
    app.add_middleware(_DatedAnswers, world=world)
    return app


class _DatedAnswers:
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


Exposure = Literal["loopback", "network"]
RoutesOf = Callable[[World], Iterable[BaseRoute]]

LONGEST_WAIT = 10.0
"""Seconds a start or a stop may take before it counts as failed."""


class _Protocol(H11Protocol):
    """HTTP that lets the application close its connection: the transport is in the scope's state."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        # asyncio leaves Nagle's delay on for a listener it did not open: 40 ms for every answer.
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.app_state = {**self.app_state, TRANSPORT: transport}


class _Server(uvicorn.Server):
    """uvicorn that says when it listens and ends at once, without polling."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening: Future[None] = Future()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ending: asyncio.Event | None = None

    def end(self) -> None:
        """Ask for the end, from any thread."""
        if self._loop is not None and self._ending is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._ending.set)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop, self._ending = asyncio.get_running_loop(), asyncio.Event()
        await super().startup(sockets=sockets)
        self.listening.set_result(None)

    async def main_loop(self) -> None:
        while self._ending is not None and not self._ending.is_set():
            await self.on_tick(0)  # keeps the Date header of answers up to date
            try:
                await asyncio.wait_for(self._ending.wait(), timeout=1)
            except TimeoutError:
                continue

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        for listener in sockets or []:
            listener.close()
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        await asyncio.sleep(0)  # the connections notice before their tasks are cancelled
        tasks = list(self.server_state.tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class SandboxServer:
    """One world on one port, served from a thread. Several may run in one process.

    Use it as a context manager, or call :meth:`start` and :meth:`stop`. ``port`` 0 takes a free one.
    """

    def __init__(
        self,
        world: World | None = None,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        extra_routes: Iterable[BaseRoute] = (),
        exposure: Exposure = "loopback",
    ) -> None:
        """Nothing listens yet.

        Raises:
            ValueError: ``host`` is not loopback and ``exposure`` does not allow it.
        """
        if exposure == "loopback" and not _is_loopback(host):
            msg = f"the sandbox answers with known passwords: it listens on loopback only, not on {host!r}"
            raise ValueError(msg)
        self.world = world or World()
        self._address = (host, port)
        self._app = create_app(self.world, extra_routes)
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """Its address without a slash at the end."""
        host, port = self._address
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    @property
    def api_url(self) -> str:
        """The core API (``ekomi.api_url``)."""
        return f"{self.url}/v3"

    @property
    def srr_url(self) -> str:
        """The review requests (``ekomi.srr_url``)."""
        return f"{self.url}/srr"

    def start(self) -> SandboxServer:
        """Listen, and come back when the first request can be made.

        Raises:
            OSError: the port is taken or not allowed.
        """
        listener = _listener(*self._address)
        self._address = (self._address[0], listener.getsockname()[1])
        server = _Server(
            uvicorn.Config(
                self._app,
                http=_Protocol,
                loop="asyncio",
                ws="none",
                lifespan="off",
                log_config=None,
                log_level="critical",
                access_log=False,
                date_header=False,  # a shop beside it has a clock of its own
                timeout_keep_alive=75,
            )
        )
        self._server = server
        self._thread = threading.Thread(target=_run, args=(server, listener), name="sandbox", daemon=True)
        self._thread.start()
        server.listening.result(LONGEST_WAIT)
        return self

    def stop(self) -> None:
        """Close every connection and the port; a second call does nothing."""
        if self._server is None or self._thread is None:
            return
        self._server.end()
        self._thread.join(LONGEST_WAIT)
        self._server = self._thread = None

    def __enter__(self) -> SandboxServer:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def serve(
    *,
    port: int = 0,
    orders: int = 200,
    seed: int = 1,
    host: str = "127.0.0.1",
    exposure: Exposure = "loopback",
    extra_routes: RoutesOf | None = None,
    on_ready: Callable[[SandboxServer], None] | None = None,
) -> signal.Signals:
    """Serve a fresh world until SIGINT or SIGTERM, and answer which it was. Main thread only.

    ``extra_routes`` builds another system's routes from the world; ``on_ready`` is called when it listens.

    Raises:
        OSError: the port is taken. ValueError: ``host`` is not loopback.
    """
    world = World(seed=seed, order_count=orders)
    routes = extra_routes(world) if extra_routes is not None else ()
    server = SandboxServer(world, host=host, port=port, extra_routes=routes, exposure=exposure)
    with _Interruption() as interruption, server:
        if on_ready is not None:
            on_ready(server)
        return interruption.wait()


class _Interruption:
    """SIGINT and SIGTERM as something to wait for; the handlers of before come back at the end."""

    def __init__(self) -> None:
        self._received: Future[signal.Signals] = Future()

    def wait(self) -> signal.Signals:
        """The first signal."""
        return self._received.result()

    def _receive(self, number: int, _frame: FrameType | None) -> None:
        if not self._received.done():
            self._received.set_result(signal.Signals(number))

    def __enter__(self) -> _Interruption:
        self._before = {name: signal.signal(name, self._receive) for name in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, *_: object) -> None:
        for name, handler in self._before.items():
            signal.signal(name, handler)


def _run(server: _Server, listener: socket.socket) -> None:
    try:
        server.run(sockets=[listener])
    except (OSError, RuntimeError, ValueError) as error:  # handed to the thread that waits in start()
        if server.listening.done():
            raise
        server.listening.set_exception(error)


def _listener(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=256)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
