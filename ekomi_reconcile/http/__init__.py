"""What HTTP clients share: transports, rate limits, retries, the clock."""

from typing import Protocol


class Revealing(Protocol):
    """A secret: only ``reveal`` returns it; its repr is safe."""

    def reveal(self) -> str:
        """The secret itself."""


class Stop(Protocol):
    """Whether work must end: a ``threading.Event``, or a deadline.

    All waiting goes through ``wait``, so whoever hands it in also decides how time passes.
    """

    def is_set(self) -> bool:
        """Must the work end now?"""

    def wait(self, timeout: float | None = None) -> bool:
        """Wait up to ``timeout`` seconds; true as soon as the work must end."""
