"""``/healthz``, ``/readyz`` and ``/metrics`` for probes and Prometheus; there is nothing to write."""

from __future__ import annotations

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from ekomi_reconcile.errors import ReconcileError
from ekomi_reconcile.model import instant
from ekomi_reconcile.service.health import Answer, Health
from ekomi_reconcile.service.metrics import CONTENT_TYPE, Metrics


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


def _page(answer: Answer) -> tuple[int, str, bytes]:
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
