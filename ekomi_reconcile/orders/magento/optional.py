"""What a shop may withhold: asked for once, told once, done without afterwards."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from ekomi_reconcile.model.diagnostic import Diagnostic, Severity
from ekomi_reconcile.orders.magento.failure import ShopFailure


class Warnings:
    """Warnings of one run, each once; for any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._found: dict[tuple[str, str], Diagnostic] = {}

    def add(self, rule: str, message: str, *, mend: str | None = None, key: str = "") -> None:
        """Warn, unless it was said."""
        found = Diagnostic(severity=Severity.WARNING, rule=rule, message=message, mend=mend)
        with self._lock:
            self._found.setdefault((rule, key), found)

    @property
    def all(self) -> Sequence[Diagnostic]:
        """What was said."""
        with self._lock:
            return tuple(self._found.values())


class Withheld:
    """The resources that the login may not see."""

    def __init__(self, warnings: Warnings) -> None:
        self._warnings = warnings
        self._names: set[str] = set()

    def __contains__(self, name: str) -> bool:
        return name in self._names

    def add(self, name: str, failure: ShopFailure, *, instead: str) -> None:
        """From now on do without; ``instead`` says what is taken in its place."""
        self._names.add(name)
        resource = failure.resource or name
        self._warnings.add(
            f"{name}-withheld",
            f"the login may not read {name} ({resource}): {instead}",
            mend=f"give the integration the permission {resource}",
        )
