"""A webhook to tell things to: a real server on loopback."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

CANARY = "T0CANARY/B0CANARY/xoxcanary1234567890"
"""The secret part of the address."""


@dataclass
class Hook:
    """What was posted to a server, and what it answers: statuses in their order, the last for good."""

    statuses: list[int] = field(default_factory=lambda: [200])
    body: bytes = b"ok"
    headers: dict[str, str] = field(default_factory=dict)
    posted: list[dict[str, Any]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    port: int = 0

    @property
    def url(self) -> str:
        """The address, with its secret."""
        return f"http://127.0.0.1:{self.port}/services/{CANARY}"


class _Handler(BaseHTTPRequestHandler):
    hook: Hook

    def do_POST(self) -> None:
        hook = self.hook
        content = self.rfile.read(int(self.headers["Content-Length"]))
        assert self.headers["Content-Type"] == "application/json"
        hook.posted.append(json.loads(content))
        hook.paths.append(self.path)
        self.send_response(hook.statuses[min(len(hook.posted), len(hook.statuses)) - 1])
        for name, value in hook.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(hook.body)

    def do_GET(self) -> None:
        self.hook.paths.append(f"GET {self.path}")
        self.send_response(200)
        self.end_headers()

    def log_message(self, *arguments: Any) -> None:
        """Say nothing."""


class Served:
    """The server; leaving the block ends it."""

    def __init__(self) -> None:
        self.hook = Hook()
        handler = type("Handler", (_Handler,), {"hook": self.hook})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.hook.port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})

    def __enter__(self) -> Hook:
        self._thread.start()
        return self.hook

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
