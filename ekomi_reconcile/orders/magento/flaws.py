"""Orders that the shop cannot give, or that cannot be made sense of: reported, kept, and tried again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ekomi_reconcile.model.diagnostic import Diagnostic, Severity
from ekomi_reconcile.model.instant import Instant
from ekomi_reconcile.orders.flaws import MAX_FLAWS, UNREADABLE
from ekomi_reconcile.orders.magento.table import Unreadable

RETRIED = 20
"""Orders that one pass tries again, each at the cost of a request or two; of more they take turns."""


class Flaws:
    """The orders of one pass that cannot be read."""

    def __init__(self) -> None:
        self._found: dict[int, Unreadable] = {}

    @property
    def order_ids(self) -> Sequence[int]:
        """Which ones, ascending."""
        return sorted(self._found)

    def add(self, flaw: Unreadable) -> None:
        """One more."""
        self._found[flaw.order_id] = flaw

    def extend(self, flaws: Iterable[Unreadable]) -> None:
        """Some more."""
        for flaw in flaws:
            self.add(flaw)

    def expect(self, order_ids: Iterable[int], *, turn: Instant) -> Sequence[int]:
        """Those of an earlier pass that are tried again now; the others still count as unreadable."""
        known = sorted(order_ids)
        start = turn % len(known) if len(known) > RETRIED else 0
        due = [*known[start:], *known[:start]][:RETRIED]
        self.extend(Unreadable(each, "it could not be read earlier") for each in known if each not in due)
        return due

    def diagnostics(self) -> list[Diagnostic]:
        """What to tell about them."""
        flaws = [self._found[order_id] for order_id in self.order_ids]
        found = [_diagnostic(f"order {each.order_id}: {each.reason}", each) for each in flaws[:MAX_FLAWS]]
        if len(flaws) > MAX_FLAWS:
            found.append(_diagnostic(f"{len(flaws) - MAX_FLAWS} more orders cannot be read"))
        return found


def _diagnostic(message: str, flaw: Unreadable | None = None) -> Diagnostic:
    report = flaw.report if flaw else None
    mend = f"look for report {report} in the shop's log (var/log, var/report)" if report else None
    return Diagnostic(severity=Severity.ERROR, rule=UNREADABLE, message=message, mend=mend)
