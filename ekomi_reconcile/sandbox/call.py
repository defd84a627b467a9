"""One call of a core API function, and its refusal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ekomi_reconcile.sandbox.shops import Shop
from ekomi_reconcile.sandbox.world import World

SOMETHING_WRONG = "Something in your request was wrong."


class Refusal(Exception):
    """The function answers this line of text instead of data."""


@dataclass(frozen=True, slots=True)
class Call:
    """Who calls with what: the query's parameters, the last of a repeated one."""

    world: World
    shop: Shop
    params: Mapping[str, str]

    @property
    def now(self) -> int:
        """UTC epoch seconds."""
        return self.world.clock.now()

    def text(self, name: str, default: str = "") -> str:
        """A parameter; an empty one counts as not given."""
        return self.params.get(name) or default

    def number(self, value: int) -> int | str:
        """``value`` in the form numbers have here."""
        return str(value) if self.world.switches.numbers == "strings" else value

    def decimal(self, value: float, places: int) -> float | str:
        """The same for fractions, with ``places`` decimals."""
        text = f"{value:.{places}f}"
        return text if self.world.switches.numbers == "strings" else float(text)

    def done(self, **fields: object) -> dict[str, object]:
        """``fields`` in the envelope of settings and write functions."""
        return {"done": 1, "done_at": self.now, **fields}
