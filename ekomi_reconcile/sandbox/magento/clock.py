"""The shop's clock: real time until it is set, and Magento's way to write an instant (UTC, no zone)."""

import calendar
import time

_FORMAT = "%Y-%m-%d %H:%M:%S"


class Clock:
    """Seconds since the epoch (UTC); stands still once set, until released."""

    def __init__(self, instant: int | None = None) -> None:
        self._fixed = instant

    def now(self) -> int:
        return int(time.time()) if self._fixed is None else self._fixed

    def is_set(self) -> bool:
        return self._fixed is not None

    def set(self, instant: int) -> None:
        self._fixed = instant

    def advance(self, seconds: int) -> None:
        """Move on by that many seconds; a running clock stops at the new time."""
        self._fixed = self.now() + seconds

    def release(self) -> None:
        """Follow real time again."""
        self._fixed = None

    def sql(self) -> str:
        return sql_time(self.now())


def sql_time(instant: int) -> str:
    """`YYYY-MM-DD HH:MM:SS` in UTC, as every time in a Magento answer."""
    return time.strftime(_FORMAT, time.gmtime(instant))


def from_sql(text: str) -> int:
    """The instant of a time written by `sql_time`.

    Raises ValueError when the text has another form.
    """
    return calendar.timegm(time.strptime(text, _FORMAT))
