"""The time as the sandbox sees it."""

from __future__ import annotations

import time


class Clock:
    """UTC epoch seconds: the real time, until it is set; then it stands still and moves by hand."""

    def __init__(self, now: int | None = None) -> None:
        self._fixed = now
        self._offset = 0

    def now(self) -> int:
        """The present instant."""
        if self._fixed is not None:
            return self._fixed
        return int(time.time()) + self._offset

    @property
    def is_fixed(self) -> bool:
        """Whether it stands still."""
        return self._fixed is not None

    def set(self, now: int | None) -> None:
        """Stand still at ``now``; ``None`` follows the real time again."""
        self._fixed = now
        self._offset = 0

    def advance(self, seconds: int) -> None:
        """Move by ``seconds`` (negative: back), whether it stands or runs."""
        if self._fixed is None:
            self._offset += seconds
        else:
            self._fixed += seconds
