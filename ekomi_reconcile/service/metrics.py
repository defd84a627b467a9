"""Figures for Prometheus. Labels are account names, statuses and function names: nothing personal."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from ekomi_reconcile.ekomi.values import Call
from ekomi_reconcile.model.instant import Instant
from ekomi_reconcile.model.invitation import Status
from ekomi_reconcile.service.loop import Cycle, Outcome

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 120)


class Metrics:
    """The figures of one service."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        name = "ekomi_reconcile"
        self._cycles = Counter(
            f"{name}_cycles", "Cycles by how they ended.", ["outcome"], registry=self._registry
        )
        self._duration = Gauge(
            f"{name}_cycle_seconds", "How long the last cycle took.", registry=self._registry
        )
        self._success = Gauge(
            f"{name}_last_success_timestamp_seconds", "When a cycle last went well.", registry=self._registry
        )
        self._queue = Gauge(
            f"{name}_queue",
            "Invitations by account and status.",
            ["account", "status"],
            registry=self._registry,
        )
        self._oldest = Gauge(
            f"{name}_oldest_due_seconds",
            "For how long the oldest invitation that is due has been waiting; 0: nothing is due.",
            registry=self._registry,
        )
        self._calls = Histogram(
            f"{name}_ekomi_call_seconds",
            "Calls to eKomi by function and outcome.",
            ["function", "outcome"],
            buckets=_SECONDS,
            registry=self._registry,
        )
        for outcome in Outcome:
            self._cycles.labels(outcome.value)

    def cycle(self, cycle: Cycle) -> None:
        """A cycle has ended."""
        self._cycles.labels(cycle.outcome.value).inc()
        self._duration.set(cycle.ended_at - cycle.began_at)
        if cycle.outcome is Outcome.OK:
            self._success.set(cycle.ended_at)

    def queue(
        self, counts: Mapping[str, Mapping[Status, int]], *, oldest_due: Instant | None, now: Instant
    ) -> None:
        """The queue as it stands: rows by account name and status, and the oldest time that has passed."""
        self._queue.clear()
        for account, by_status in counts.items():
            for status in Status:
                self._queue.labels(account, status.value).set(by_status.get(status, 0))
        self._oldest.set(0 if oldest_due is None else max(0, now - oldest_due))

    def call(self, call: Call) -> None:
        """A request to eKomi has ended."""
        self._calls.labels(call.function, call.outcome.value).observe(call.seconds)

    def text(self) -> bytes:
        """All figures in the format that Prometheus reads."""
        return generate_latest(self._registry)
