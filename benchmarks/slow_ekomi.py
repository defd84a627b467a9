"""A server that takes every review request after a fixed latency: ``slow_ekomi.py SECONDS``.

A program of its own, on a free port of loopback, which it prints. It is as cheap as Python allows, so that
what is measured is the client. ``GET /span`` tells what came since it was last asked.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.request import urlopen


@dataclass(frozen=True, slots=True)
class Span:
    """``count`` requests, answered within ``seconds``: from the first one's arrival to the last answer."""

    count: int
    seconds: float

    @property
    def rate(self) -> float:
        """Requests per second."""
        return self.count / self.seconds


@dataclass(frozen=True, slots=True)
class SlowEkomi:
    """The running server, seen from outside."""

    url: str

    def span(self) -> Span:
        """What came since this was last asked."""
        with urlopen(f"{self.url}/span") as answer:
            return Span(**json.load(answer))


@contextmanager
def slow_ekomi(latency: float) -> Iterator[SlowEkomi]:
    """The server, answering after so many seconds."""
    with subprocess.Popen(
        [sys.executable, __file__, str(latency)], stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            yield SlowEkomi(f"http://127.0.0.1:{process.stdout.readline().strip()}")
        finally:
            process.terminate()


@dataclass(slots=True)
class _Seen:
    latency: float
    count: int = 0
    first: float = 0.0
    last: float = 0.0

    def take(self) -> bytes:
        """The span so far, and begin anew."""
        told = json.dumps({"count": self.count, "seconds": self.last - self.first})
        self.count = 0
        return told.encode()


@dataclass(slots=True)
class _Connection(asyncio.Protocol):
    """One connection: one request at a time, as HTTP clients without pipelining send them."""

    seen: _Seen
    buffer: bytes = b""
    transport: asyncio.Transport = field(init=False)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head, end, rest = self.buffer.partition(b"\r\n\r\n")
        if not end or len(rest) < _length(head):
            return
        self.buffer = rest[_length(head) :]
        if head.startswith(b"GET /span "):
            self._write(self.seen.take())
            return
        if not self.seen.count:
            self.seen.first = time.perf_counter()
        self.seen.count += 1
        asyncio.get_running_loop().call_later(self.seen.latency, self._answer)

    def _answer(self) -> None:
        self._write(b'{"status": "success", "message": "Recipient has been added."}')
        self.seen.last = time.perf_counter()

    def _write(self, body: bytes) -> None:
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
        self.transport.write(head + body)


def _length(head: bytes) -> int:
    _, found, rest = head.lower().partition(b"\r\ncontent-length:")
    return int(rest.partition(b"\r\n")[0]) if found else 0


async def _serve(latency: float) -> None:
    seen = _Seen(latency)
    server = await asyncio.get_running_loop().create_server(lambda: _Connection(seen), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(float(sys.argv[1])))
