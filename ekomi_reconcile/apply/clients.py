"""Clients of eKomi: the connections of each worker thread, and the pace of each account."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from types import TracebackType
from typing import Self

from httpx import HTTPTransport

from ekomi_reconcile.ekomi.client import EkomiClient
from ekomi_reconcile.ekomi.limit import RateLimiter, SharedLimiter
from ekomi_reconcile.ekomi.values import Call, Credentials, Endpoints, Revealing, Stop
from ekomi_reconcile.ekomi.wire import new_transport

UNLIMITED = float("inf")

Turns = Callable[[str, float], float | None]
"""Uses up one of so many turns per second of an account, or says after how many seconds to ask again."""


@dataclass(slots=True)
class Clients:
    """Hands out clients. ``passwords`` are resolved secrets by interface id; rates are per account.

    Reads wait for their turn inside the call. Sends are paced by whoever sends, before the intent is
    written, so their clients do not wait. ``turns`` takes a turn of an account (interface id, rate) among
    all runners, from any thread, where there are several.
    """

    endpoints: Endpoints
    requests_per_second: float
    stop: Stop
    passwords: Mapping[str, Revealing]
    on_call: Callable[[Call], None] | None = None
    turns: Turns | None = None
    _limiters: dict[str, RateLimiter] = field(default_factory=dict)
    _local: threading.local = field(default_factory=threading.local)
    _opened: list[HTTPTransport] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def limiter(self, interface_id: str) -> RateLimiter:
        """The pace of this account, shared by all threads."""
        with self._lock:
            return self._limiters.setdefault(interface_id, RateLimiter(self.requests_per_second))

    def reader(self, interface_id: str) -> EkomiClient:
        """A client that keeps to the account's pace, for the present thread."""
        if self.turns is None:
            return self._client(interface_id, self.limiter(interface_id))
        turn = partial(self.turns, interface_id, self.requests_per_second)
        return self._client(interface_id, SharedLimiter(turn))

    def sender(self, interface_id: str) -> EkomiClient:
        """A client for calls whose turn was taken already, for the present thread."""
        return self._client(interface_id, RateLimiter(UNLIMITED))

    def _client(self, interface_id: str, limiter: RateLimiter) -> EkomiClient:
        return EkomiClient(
            credentials=Credentials(interface_id, self.passwords[interface_id]),
            endpoints=self.endpoints,
            limiter=limiter,
            transport=self._transport(),
            stop=self.stop,
            on_call=self.on_call,
        )

    def _transport(self) -> HTTPTransport:
        """The connections of the present thread, whichever account it works for."""
        found = getattr(self._local, "transport", None)
        if isinstance(found, HTTPTransport):
            return found
        made = self._local.transport = new_transport()
        with self._lock:
            self._opened.append(made)
        return made

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close every connection."""
        for transport in self._opened:
            transport.close()
