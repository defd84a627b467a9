"""``run``: the loop as a service, its health and metrics over HTTP."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from ekomi_reconcile.ekomi import Call
from ekomi_reconcile.http import Stop
from ekomi_reconcile.model import instant
from ekomi_reconcile.model.diagnostic import Incident
from ekomi_reconcile.model.errors import ReconcileError
from ekomi_reconcile.model.instant import Instant
from ekomi_reconcile.model.invitation import Status
from ekomi_reconcile.model.run import Done, Result

JITTER = 0.1
"""The share by which a pause may be shorter or longer, so that many services do not ask at the same time."""


class CycleOutcome(StrEnum):
    """How a cycle ended."""

    OK = "ok"
    INCOMPLETE = "incomplete"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishedCycle:
    """A finished cycle. ``message`` says in words what went wrong, ``incidents`` which known ones that were.

    At ``wake_at`` the next one has to begin at the latest: a sending window opens.
    """

    outcome: CycleOutcome
    began_at: Instant
    ended_at: Instant
    message: str | None = None
    wake_at: Instant | None = None
    incidents: frozenset[Incident] = frozenset()


@dataclass(slots=True)
class Loop:
    """Runs ``cycle`` every ``every`` seconds, counted from the beginning of one to that of the next.

    A cycle that takes longer is followed at once by the next one. ``report`` hears of every end.
    """

    cycle: Callable[[], FinishedCycle]
    every: float
    stop: Stop
    report: Callable[[FinishedCycle], None]
    clock: Callable[[], float]
    chance: random.Random = field(default_factory=random.Random)

    def run(self) -> None:
        """Go on until the stop is set."""
        while not self.stop.is_set():
            began = self.clock()
            ended = self.cycle()
            self.report(ended)
            factor = 1 + self.chance.uniform(-JITTER, JITTER)
            pause = self.every * factor - (self.clock() - began)
            if ended.wake_at is not None:
                pause = min(pause, ended.wake_at - ended.ended_at)
            if pause > 0:
                self.stop.wait(pause)


CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
PREFIX = "ekomi_reconcile"
"""With this every name begins."""

_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 120)
_SUCCESS = f"{PREFIX}_last_success_timestamp_seconds"


class ServiceRun:
    """What there is to tell after one run: how it ended, what it did, and the queue as it stands.

    All are gauges: a process that ends has nothing to count on from.
    """

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._duration = self._gauge("cycle_seconds", "How long the last cycle took.")
        self._ended = self._gauge("last_cycle_timestamp_seconds", "When the last cycle ended.")
        self._success = self._gauge("last_success_timestamp_seconds", "When a cycle last went well.")
        self._outcome = self._gauge("cycle_outcome", "How the last cycle ended: 1 for that.", "outcome")
        self._steps = self._gauge("cycle_steps", "What the last cycle did, by kind.", "what")
        self._failures = self._gauge("cycle_failures", "How many things failed in the last cycle.")
        self._queue = self._gauge("queue", "Invitations by account and status.", "account", "status")
        self._incident = self._gauge(
            "incident", "1: the last cycle showed this incident; see docs/how-to/incidents.md.", "id"
        )
        self._oldest = self._gauge(
            "oldest_due_seconds",
            "For how long the oldest invitation that is due has been waiting; 0: nothing is due.",
        )

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"{PREFIX}_{name}", text, labels, registry=self._registry)

    def cycle(self, cycle: FinishedCycle) -> None:
        """A cycle has ended."""
        self._duration.set(cycle.ended_at - cycle.began_at)
        self._ended.set(cycle.ended_at)
        for each in CycleOutcome:
            self._outcome.labels(each.value).set(int(each is cycle.outcome))
        if cycle.outcome is CycleOutcome.OK:
            self._success.set(cycle.ended_at)
        for incident in Incident:
            self._incident.labels(incident.value).set(int(incident in cycle.incidents))

    def did(self, result: Result) -> None:
        """The plan of a cycle was carried out."""
        for what in Done:
            self._steps.labels(what.value).set(result.counts.get(what, 0))
        self._failures.set(len(result.failures))

    def queue(
        self, counts: Mapping[str, Mapping[Status, int]], *, oldest_due: Instant | None, now: Instant
    ) -> None:
        """The queue as it stands: rows by account name and status, and the oldest time that has passed."""
        self._queue.clear()
        for account, by_status in counts.items():
            for status in Status:
                self._queue.labels(account, status.value).set(by_status.get(status, 0))
        self._oldest.set(0 if oldest_due is None else max(0, now - oldest_due))

    def go_on_from(self, text: str) -> None:
        """Take over from an earlier ``text()`` when a cycle last went well.

        Raises:
            ValueError: it is none.
        """
        for family in text_string_to_metric_families(text):
            if not family.name.startswith(PREFIX):
                raise ValueError(f"{family.name} is not ours")
            if family.name == _SUCCESS:
                self._success.set(family.samples[0].value)

    def text(self) -> bytes:
        """All figures in the format that Prometheus reads."""
        return generate_latest(self._registry)


class Metrics(ServiceRun):
    """The figures of one service, which also counts from its start."""

    def __init__(self) -> None:
        super().__init__()
        self._cycles = Counter(
            f"{PREFIX}_cycles", "Cycles by how they ended.", ["outcome"], registry=self._registry
        )
        self._calls = Histogram(
            f"{PREFIX}_ekomi_call_seconds",
            "Calls to eKomi by function and outcome.",
            ["function", "outcome"],
            buckets=_SECONDS,
            registry=self._registry,
        )
        for outcome in CycleOutcome:
            self._cycles.labels(outcome.value)

    def cycle(self, cycle: FinishedCycle) -> None:
        """A cycle has ended."""
        super().cycle(cycle)
        self._cycles.labels(cycle.outcome.value).inc()

    def call(self, call: Call) -> None:
        """A request to eKomi has ended."""
        self._calls.labels(call.function, call.outcome.value).observe(call.seconds)


PATIENCE = 4
"""Intervals without the end of a cycle, after which the service counts as stuck."""


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
        """Does the loop still turn? A long cycle is healthy until it lasts several intervals."""
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
        ReconcileError: the text is not an address.
    """
    host, _, port = text.rpartition(":")
    if not port.isascii() or not port.isdigit() or int(port) > 65_535:
        raise ReconcileError(f"{text!r} is not an address to listen on", hint="write :9108 or 0.0.0.0:9108")
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
                f"cannot listen at {at[0]}:{at[1]}: {error.strerror}", hint="choose another port"
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
