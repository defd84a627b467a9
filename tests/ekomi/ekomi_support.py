"""What the tests of the client share: an account, a stop whose waiting costs no time, a raw server."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx

from ekomi_reconcile.ekomi import Channel, Credentials, Endpoints, Recipient
from ekomi_reconcile.ekomi.client import EkomiClient
from ekomi_reconcile.http.rate_limit import RateLimiter

PASSWORD = "c4n&ry p|ss+wörd/"
INTERFACE_ID = "28374"
EMAIL = "erika.canary@example.com"
PHONE = "+491701234567"
BIG = 100_000.0


class Secret:
    """A secret as the configuration hands it in."""

    def __init__(self, value: str = PASSWORD) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value

    def __repr__(self) -> str:
        return "Secret(…)"


class Patience:
    """A stop whose ``wait`` only notes how long it was asked to; it is set after ``ends_after`` waits."""

    def __init__(self, ends_after: int | None = None, on_wait: Callable[[float], object] | None = None):
        self.waits: list[float] = []
        self._ends_after = ends_after
        self._on_wait = on_wait

    def is_set(self) -> bool:
        return self._ends_after is not None and len(self.waits) >= self._ends_after

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout is not None
        self.waits.append(timeout)
        if self._on_wait is not None:
            self._on_wait(timeout)
        return self.is_set()


Handler = Callable[[httpx.Request], httpx.Response]


def client_for(handler: Handler | httpx.BaseTransport, **more) -> EkomiClient:
    """A client whose requests ``handler`` answers."""
    transport = handler if isinstance(handler, httpx.BaseTransport) else httpx.MockTransport(handler)
    settings = {
        "credentials": Credentials(INTERFACE_ID, Secret()),
        "endpoints": Endpoints("https://api.example/v3/", "https://srr.example/", 5.0),
        "limiter": RateLimiter(BIG),
        "stop": Patience(),
        "transport": transport,
    }
    return EkomiClient(**(settings | more))


def always(status: int, body: bytes | str = b"", **headers: str) -> Handler:
    """Every request gets this answer."""
    content = body.encode() if isinstance(body, str) else body
    fields = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return lambda request: httpx.Response(status, content=content, headers=fields)


def by_function(answers: dict[str, object]) -> Handler:
    """Answers by function name: a text as it is, anything else as JSON; others are unknown functions."""

    def answer(request: httpx.Request) -> httpx.Response:
        found = answers.get(request.url.path.rpartition("/")[2], "NonFunction")
        return httpx.Response(200, text=found) if isinstance(found, str) else httpx.Response(200, json=found)

    return answer


def recipient(**more) -> Recipient:
    """A customer who is asked by e-mail."""
    settings = {
        "channel": Channel.EMAIL,
        "transaction_id": "100000123",
        "transaction_time": 1_750_000_000,
        "email": EMAIL,
        "telephone": PHONE,
        "first_name": "Erika",
        "last_name": "Mustermann",
    }
    return Recipient(**(settings | more))


@contextmanager
def raw_server(serve: Callable[[socket.socket, threading.Event], None]) -> Iterator[str]:
    """A server on loopback that hands every connection, after its request was read, to ``serve``."""
    listener = socket.create_server(("127.0.0.1", 0))
    done = threading.Event()
    thread = threading.Thread(target=_accept, args=(listener, serve, done))
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        done.set()
        with socket.create_connection(listener.getsockname()):  # wakes the accepting thread
            pass
        thread.join()
        listener.close()


def _accept(listener: socket.socket, serve, done: threading.Event) -> None:
    while True:
        connection, _ = listener.accept()
        with connection:
            if done.is_set():
                return
            try:
                _read_request(connection)
                serve(connection, done)
            except OSError:
                continue  # the client went away, which is what some tests are about


def _read_request(connection: socket.socket) -> None:
    connection.settimeout(5)
    data = b""
    while b"\r\n\r\n" not in data:
        data += _received(connection)
    head, _, body = data.partition(b"\r\n\r\n")
    lengths = [line[15:] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    while lengths and len(body) < int(lengths[0]):
        body += _received(connection)


def _received(connection: socket.socket) -> bytes:
    data = connection.recv(65536)
    if not data:
        raise ConnectionError
    return data
