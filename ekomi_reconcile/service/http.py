"""Health, readiness and metrics over HTTP."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from ekomi_reconcile.model import instant
from ekomi_reconcile.model.errors import ReconcileError
from ekomi_reconcile.model.instant import Instant
from ekomi_reconcile.service.loop import CONTENT_TYPE, CycleOutcome, FinishedCycle, Metrics

PATIENCE = 4
"""So many intervals without the end of a cycle, and the service counts as stuck."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeAnswer:
    """Yes or no, with a line that says why."""

    good: bool
    text: str


class Health:
    """What the last cycles say of the service; told to by the loop, asked by HTTP threads."""

    def __init__(self, *, every: float, started_at: Instant) -> None:
        self._lock = threading.Lock()
        self._every = every
        self._last_end = started_at
        self._last: FinishedCycle | None = None

    def record(self, cycle: FinishedCycle) -> None:
        """A cycle has ended."""
        with self._lock:
            self._last, self._last_end = cycle, cycle.ended_at

    def alive(self, now: Instant) -> ProbeAnswer:
        """Does the loop still turn? A long cycle is no fault until it lasts several intervals."""
        with self._lock:
            age = now - self._last_end
        if age > max(PATIENCE * self._every, 600):
            return ProbeAnswer(good=False, text=f"no cycle has ended for {age} seconds")
        return ProbeAnswer(good=True, text="alive")

    def ready(self) -> ProbeAnswer:
        """Did the last cycle do what it should?"""
        with self._lock:
            last = self._last
        if last is None:
            return ProbeAnswer(good=False, text="the first cycle has not ended yet")
        if last.outcome is CycleOutcome.FAILED:
            return ProbeAnswer(good=False, text=last.message or "the last cycle failed")
        return ProbeAnswer(good=True, text=f"last cycle: {last.outcome.value}")


def address(text: str) -> tuple[str, int]:
    """``:9108`` is loopback only; another interface has to be named: ``0.0.0.0:9108``.

    Raises:
        ReconcileError: the text is no address.
    """
    host, _, port = text.rpartition(":")
    if not port.isascii() or not port.isdigit() or int(port) > 65_535:
        raise ReconcileError(f"{text!r} is no address to listen at", mend="write :9108 or 0.0.0.0:9108")
    return host.strip("[]") or "127.0.0.1", int(port)


class Listener:
    """Serves health and metrics in a thread of its own."""

    def __init__(self, at: tuple[str, int], *, health: Health, metrics: Metrics) -> None:
        pages: dict[str, Callable[[], tuple[int, str, bytes]]] = {
            "/healthz": lambda: _page(health.alive(instant.now())),
            "/readyz": lambda: _page(health.ready()),
            "/metrics": lambda: (200, CONTENT_TYPE, metrics.text()),
        }
        try:
            self._server = ThreadingHTTPServer(at, _handler(pages))
        except OSError as error:
            raise ReconcileError(
                f"cannot listen at {at[0]}:{at[1]}: {error.strerror}", mend="choose another port"
            ) from None
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, name="listen", daemon=True)

    @property
    def port(self) -> int:
        """The port it listens at; useful where it was 0."""
        return int(self._server.server_address[1])

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _page(answer: ProbeAnswer) -> tuple[int, str, bytes]:
    return (200 if answer.good else 503), "text/plain; charset=utf-8", f"{answer.text}\n".encode()


def _handler(pages: dict[str, Callable[[], tuple[int, str, bytes]]]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = 10

        def do_GET(self) -> None:
            page = pages.get(self.path.partition("?")[0])
            status, kind, body = page() if page else (404, "text/plain; charset=utf-8", b"not found\n")
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            """Probes are not worth a line each."""

    return Handler
