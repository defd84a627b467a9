"""What was asked of the shop: one entry per request, for tests that count."""

from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Entry:
    """A request, the route pattern that served it (empty when none did), and how many orders it carried."""

    method: str
    path: str
    query: str
    route: str
    status: int
    orders: int


@dataclass(slots=True)
class RequestLog:
    """All requests since the last clearing, oldest first."""

    entries: list[Entry] = field(default_factory=list)

    def add(self, entry: Entry) -> None:
        self.entries.append(entry)

    def clear(self) -> None:
        self.entries.clear()

    def by_route(self) -> dict[str, int]:
        """Requests per `METHOD pattern`."""
        return dict(Counter(f"{e.method} {e.route or e.path}" for e in self.entries))

    def orders_served(self) -> int:
        return sum(entry.orders for entry in self.entries)

    def summary(self) -> dict[str, Any]:
        return {
            "requests": len(self.entries),
            "orders_served": self.orders_served(),
            "by_route": self.by_route(),
            "entries": [asdict(entry) for entry in self.entries],
        }
