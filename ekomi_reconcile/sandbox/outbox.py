"""Who was asked for a review, and how often the sandbox was called: what a test looks at afterwards."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from threading import Lock

import msgspec


class OutboxEntry(msgspec.Struct, kw_only=True):
    """One recipient per shop and transaction; ``requests`` counts how often it was handed in.

    ``channel`` is ``email``, ``sms`` or ``link`` (putOrder: the merchant sends the link). Times are UTC
    epoch seconds of the sandbox's clock. ``delivered`` is false while the shop has no active default
    segment. ``fields`` are those of the first request, without the password.
    """

    shop_id: str
    channel: str
    transaction_id: str
    email: str | None
    telephone: str | None
    requests: int
    first_at: int
    last_at: int
    delivered: bool
    fields: dict[str, str]


class Outbox:
    """The recipients in the order of their first request. Safe to use from several threads."""

    def __init__(self) -> None:
        self._entries: dict[tuple[str, str, str], OutboxEntry] = {}
        self._lock = Lock()

    def record(self, recipient: OutboxEntry) -> OutboxEntry:
        """Keep ``recipient``, or count it as a repeat; answers what is kept."""
        kind = "link" if recipient.channel == "link" else "request"
        key = (recipient.shop_id, kind, recipient.transaction_id)
        with self._lock:
            kept = self._entries.setdefault(key, recipient)
            if kept is not recipient:
                kept.requests += recipient.requests
                kept.last_at = recipient.last_at
            return kept

    def entries(self, *, shop_id: str | None = None, channel: str | None = None) -> list[OutboxEntry]:
        """Copies of what is kept, all or of one shop or channel."""
        with self._lock:
            return [
                msgspec.structs.replace(entry)
                for entry in self._entries.values()
                if shop_id in {None, entry.shop_id} and channel in {None, entry.channel}
            ]

    def clear(self) -> None:
        """Forget everything: the next request of a known transaction is a first one again."""
        with self._lock:
            self._entries.clear()


class RequestCounts:
    """How often each function was called, by shop (empty text: no shop named). Safe in threads."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str]] = Counter()
        self._lock = Lock()

    def add(self, function: str, shop_id: str) -> None:
        """One more call."""
        with self._lock:
            self._counts[function, shop_id] += 1

    def of(self, function: str, shop_id: str | None = None) -> int:
        """Calls of a function, of one shop or of all."""
        with self._lock:
            return sum(
                count
                for (name, shop), count in self._counts.items()
                if name == function and shop_id in {None, shop}
            )

    def summary(self) -> Mapping[str, object]:
        """Totals: all, by function, by shop and function."""
        with self._lock:
            counts = dict(self._counts)
        functions: Counter[str] = Counter()
        shops: dict[str, dict[str, int]] = {}
        for (function, shop), count in counts.items():
            functions[function] += count
            shops.setdefault(shop, {})[function] = count
        return {"total": functions.total(), "functions": dict(functions), "shops": shops}

    def clear(self) -> None:
        """Start from zero."""
        with self._lock:
            self._counts.clear()
