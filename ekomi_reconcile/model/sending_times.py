"""When a due invitation may leave: sending windows and pauses, in the local time of a zone.

Windows are open by the wall clock, on days when the clocks change too: an hour that a clock skips is not
there, one that it repeats is there twice. All instants are seconds since 1970 (UTC).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from ekomi_reconcile.model.account import Account
from ekomi_reconcile.model.instant import DAY, HOUR, Instant
from ekomi_reconcile.model.invitation import Invitation, Status
from ekomi_reconcile.model.rule import InvitationRule, Pause, SendBetween, Weekday

FURTHEST = 3_660
"""Days after which a window that has not opened never will."""

_FAR = 6 * DAY
_EPOCH = date(1970, 1, 1).toordinal()
_WEEKDAYS = tuple(Weekday)
_FIRST_WEEKDAY = 3  # 1970-01-01 was a Thursday


@dataclass(frozen=True, slots=True)
class SendingTimes:
    """The sending window and the pauses of a rule in a zone (an IANA name)."""

    zone: str
    window: SendBetween | None
    pauses: tuple[Pause, ...]

    @classmethod
    def of(cls, rule: InvitationRule, timezone: str | None) -> SendingTimes | None:
        """Those of this rule; ``None`` where it has neither: then everything leaves when it is due."""
        if timezone is None or (rule.send_between is None and not rule.pauses):
            return None
        return cls(timezone, rule.send_between, rule.pauses)

    def is_open(self, at: Instant) -> bool:
        """May an invitation leave at this instant?"""
        return any(start <= at < end for start, end in _open_on(self, at // DAY))

    def next_opening(self, at: Instant) -> Instant | None:
        """The first instant from ``at`` on at which an invitation may leave, ``None`` if there is none."""
        for day in range(at // DAY, at // DAY + FURTHEST):
            for start, end in _open_on(self, day):
                if at < end:
                    return max(start, at)
        return None

    def open_seconds(self, start: Instant, end: Instant) -> int:
        """For how many seconds between two instants an invitation could leave."""
        days = range(start // DAY, end // DAY + 1)
        parts = ((max(a, start), min(b, end)) for day in days for a, b in _open_on(self, day))
        return sum(b - a for a, b in parts if a < b)


def local_time(at: Instant, zone: str, *, now: Instant) -> str:
    """An instant as people in the zone read it: ``Mon 09:00 Europe/Berlin``; far off with the date."""
    local = datetime.fromtimestamp(at, ZoneInfo(zone))
    day = f"{local:%a}" if now <= at < now + _FAR else f"{local:%a %Y-%m-%d}"
    return f"{day} {local:%H:%M} {zone}"


class SendingSchedule:
    """The sending times of accounts, by interface id."""

    def __init__(self, accounts: Iterable[Account] = (), timezone: str | None = None) -> None:
        found = ((each.interface_id, SendingTimes.of(each.invitations, timezone)) for each in accounts)
        self.times: Mapping[str, SendingTimes] = {key: each for key, each in found if each is not None}

    def is_open(self, interface_id: str, at: Instant, *, at_once: bool = False) -> bool:
        """May an invitation of this account leave now? One that is pushed ``at_once`` may always."""
        times = None if at_once else self.times.get(interface_id)
        return times is None or times.is_open(at)

    def leaves_at(
        self, interface_id: str, scheduled_at: Instant, *, now: Instant, at_once: bool = False
    ) -> Instant | None:
        """When an invitation can leave: when it is due, or at the next opening after that and after now."""
        times = None if at_once else self.times.get(interface_id)
        if times is None or times.is_open(max(scheduled_at, now)):
            return scheduled_at
        return times.next_opening(max(scheduled_at, now))

    def next_opening(self, now: Instant) -> Instant | None:
        """When the first of the windows that are closed now opens; ``None`` where none is closed."""
        closed = (each for each in self.times.values() if not each.is_open(now))
        return min((at for each in closed if (at := each.next_opening(now)) is not None), default=None)

    def of_pending(self, row: Invitation, *, now: Instant) -> Instant | None:
        """When a pending invitation can leave; ``None`` for any other."""
        if row.status is not Status.PENDING:
            return None
        return self.leaves_at(row.interface_id, row.scheduled_at, now=now, at_once=row.at_once)

    def open_seconds(self, interface_id: str, start: Instant, end: Instant, *, at_once: bool = False) -> int:
        """For how many seconds between two instants an invitation of this account could leave."""
        times = None if at_once else self.times.get(interface_id)
        return max(0, end - start) if times is None else times.open_seconds(start, end)


@lru_cache(maxsize=16_384)
def _open_on(times: SendingTimes, day: int) -> tuple[tuple[Instant, Instant], ...]:
    """The stretches of a UTC day (counted from 1970) in which invitations may leave, in order."""
    found: list[tuple[Instant, Instant]] = []
    for start, end, offset in _offsets(ZoneInfo(times.zone), day * DAY, (day + 1) * DAY):
        for local_day in range((start + offset) // DAY, (end - 1 + offset) // DAY + 1):
            midnight = local_day * DAY - offset
            for opens, closes in _local_hours(times, local_day):
                a, b = max(midnight + opens, start), min(midnight + closes, end)
                if a < b:
                    found.append((a, b))
    return tuple(found)


def _local_hours(times: SendingTimes, day: int) -> Iterator[tuple[int, int]]:
    """The open stretches of a local day, in seconds of the wall clock after its midnight."""
    text = date.fromordinal(_EPOCH + day).isoformat()
    if any(each.first <= text <= each.last for each in times.pauses):
        return
    if times.window is None:
        yield 0, DAY
        return
    opens, closes = times.window.seconds
    if opens < closes:
        if _on(times.window, day):
            yield opens, closes
        return
    if opens > closes and _on(times.window, day - 1):
        yield 0, closes
    if opens > closes and _on(times.window, day):
        yield opens, DAY


def _on(window: SendBetween, day: int) -> bool:
    return _WEEKDAYS[(day + _FIRST_WEEKDAY) % 7] in window.days


def _offsets(zone: ZoneInfo, start: Instant, end: Instant) -> Iterator[tuple[Instant, Instant, int]]:
    """The stretches between two instants in which the clock stays as it is, with its distance to UTC."""
    offset = _offset(zone, start)
    for probe in range(start + HOUR, end, HOUR):
        if _offset(zone, probe) != offset:
            change = _change(zone, probe - HOUR, probe, offset)
            yield start, change, offset
            start, offset = change, _offset(zone, probe)
    last = _offset(zone, end - 1)
    if last != offset:
        change = _change(zone, end - HOUR, end - 1, offset)
        yield start, change, offset
        start, offset = change, last
    yield start, end, offset


def _change(zone: ZoneInfo, low: Instant, high: Instant, before: int) -> Instant:
    """The instant after ``low``, and not after ``high``, at which the clock stops being ``before``."""
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if _offset(zone, middle) == before else (low, middle)
    return high


def _offset(zone: ZoneInfo, at: Instant) -> int:
    distance = datetime.fromtimestamp(at, zone).utcoffset()
    return 0 if distance is None else int(distance.total_seconds())
