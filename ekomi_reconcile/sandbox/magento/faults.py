"""Faults on demand: what a proxy, a firewall, a busy or a broken shop does to a request."""

from dataclasses import dataclass, field
from enum import StrEnum


class FaultKind(StrEnum):
    """What goes wrong. `slow` delays the right answer; the others replace it.

    With `internal_after` the request takes effect before the shop answers 500.
    """

    MAINTENANCE = "maintenance"
    TOO_MANY_REQUESTS = "too_many_requests"
    INTERNAL = "internal"
    INTERNAL_AFTER = "internal_after"
    FATAL = "fatal"
    DATABASE_DOWN = "database_down"
    HTML = "html"
    EMPTY = "empty"
    TRUNCATED = "truncated"
    REDIRECT = "redirect"
    SLOW = "slow"


@dataclass(slots=True)
class Fault:
    """A fault for requests whose path contains `path`.

    `skip` requests pass first, then `times` are hit (None: all). `delay` is in seconds. `status` is for
    `html` and `empty`, `retry_after` is the header's value, `location` the target of a redirect.
    """

    kind: FaultKind
    path: str = ""
    times: int | None = None
    skip: int = 0
    delay: float = 0.0
    status: int = 200
    retry_after: str | None = None
    location: str = ""


@dataclass(slots=True)
class FaultPlan:
    """The faults in force, first match first."""

    faults: list[Fault] = field(default_factory=list)

    def add(self, kind: FaultKind, **details: object) -> Fault:
        fault = Fault(kind, **details)  # type: ignore[arg-type]
        self.faults.append(fault)
        return fault

    def clear(self) -> None:
        self.faults.clear()

    def take(self, path: str) -> Fault | None:
        """The fault that hits this request, counted down."""
        for fault in self.faults:
            if fault.path not in path or fault.times == 0:
                continue
            if fault.skip:
                fault.skip -= 1
                continue
            if fault.times is not None:
                fault.times -= 1
            return fault
        return None
