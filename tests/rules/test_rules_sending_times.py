"""Sending windows and pauses, held to a reading of the design that looks at every minute."""

import zlib
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tiers import examples

from ekomi_reconcile.model.account import Account
from ekomi_reconcile.model.instant import DAY, HOUR, parse
from ekomi_reconcile.model.rule import InvitationRule, Pause, SendBetween, Weekday
from ekomi_reconcile.model.sending_times import SendingSchedule, SendingTimes

ZONES = sorted(available_timezones())
NAMES = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
BERLIN = "Europe/Berlin"


def may_leave(zone, hours, days, pauses, at):
    """The design, read at one instant: by the wall clock, half-open, a pause is whole days."""
    local = datetime.fromtimestamp(at, UTC).astimezone(ZoneInfo(zone))
    today, clock = local.date(), local.strftime("%H:%M")
    if any(first <= str(today) <= last for first, last in pauses):
        return False
    opens, closes = hours.split("-")
    by_name = {name: number for number, name in enumerate(NAMES)}
    opened_today = today.weekday() in {by_name[each] for each in days}
    opened_yesterday = (today - timedelta(days=1)).weekday() in {by_name[each] for each in days}
    if opens < closes:
        return opened_today and opens <= clock < closes
    return (opened_today and clock >= opens) or (opened_yesterday and clock < closes)


def times_of(zone, hours, days, pauses=()):
    window = SendBetween(hours=hours, days=tuple(map(Weekday, days)))
    rule = InvitationRule(send_between=window, pauses=tuple(Pause(first=a, last=b) for a, b in pauses))
    found = SendingTimes.of(rule, zone)
    assert found is not None
    return found


def changes_of(zone, year=2026):
    """The instants of a year at which the clock of a zone changes, to the minute."""
    start = int(datetime(year, 1, 1, tzinfo=UTC).timestamp())
    found, offset = [], None
    for at in range(start, start + 366 * DAY, 6 * HOUR):
        now = datetime.fromtimestamp(at, ZoneInfo(zone)).utcoffset()
        if offset is not None and now != offset:
            span = range(at - 6 * HOUR, at + 60, 60)
            found.append(
                next(each for each in span if datetime.fromtimestamp(each, ZoneInfo(zone)).utcoffset() == now)
            )
        offset = now
    return found


def hold(times, instants, wanted):
    """Every answer about these instants, which are a minute apart, agrees with the reading."""
    verdicts = [wanted(at) for at in instants]
    assert [times.is_open(at) for at in instants] == verdicts
    opening = None
    for at, verdict in reversed(list(zip(instants, verdicts, strict=True))):
        opening = at if verdict else opening
        if opening is not None:
            assert times.next_opening(at) == opening
    first, last = instants[0], instants[-1]
    assert times.open_seconds(first, last) == 60 * sum(verdicts[:-1])


clocks = st.integers(0, 24 * 60 - 1).map(lambda minute: f"{minute // 60:02}:{minute % 60:02}")
windows = st.tuples(clocks, clocks | st.just("24:00")).filter(lambda pair: pair[0] != pair[1])
weekdays = st.lists(st.sampled_from(NAMES), min_size=1, unique=True)


@pytest.mark.sampled(8)
@pytest.mark.parametrize("zone", ZONES)
def test_every_zone_on_the_days_when_its_clocks_change(zone):
    """Minute by minute around each change of 2026; a window in the hour that is skipped or repeated."""
    drawn = zlib.crc32(zone.encode())
    for number, change in enumerate(changes_of(zone)[:2] or [parse("2026-06-01")]):
        local = datetime.fromtimestamp(change - 60, ZoneInfo(zone))
        begins = (local - timedelta(minutes=(drawn + number) % 90)).strftime("%H:%M")
        ends = (local + timedelta(minutes=1 + drawn // 90 % 120)).strftime("%H:%M")
        hours = f"{begins}-{ends}" if begins != ends else "01:00-03:00"
        days = NAMES[drawn % 3 :: 1 + drawn % 2]
        instants = range(change - 3 * HOUR, change + 3 * HOUR, 60)
        hold(times_of(zone, hours, days), instants, lambda at: may_leave(zone, hours, days, (), at))  # noqa: B023


@given(st.sampled_from(ZONES), windows, weekdays, st.integers(0, 364), st.data())
@settings(max_examples=examples(40), deadline=None)
def test_any_window_with_pauses(zone, clock, days, day, data):
    """Also across midnight, and with pauses in the middle."""
    hours = "-".join(clock)
    start = parse("2026-01-01") + day * DAY
    pauses = data.draw(st.lists(st.tuples(st.integers(-1, 3), st.integers(0, 1)), max_size=2))
    named = [
        tuple(str(datetime.fromtimestamp(start + n * DAY, UTC).date()) for n in (a, a + b)) for a, b in pauses
    ]
    assume(len(hours) == 11)
    instants = range(start, start + 2 * DAY, 60)
    hold(times_of(zone, hours, days, named), instants, lambda at: may_leave(zone, hours, days, named, at))


@pytest.mark.parametrize(
    ("hours", "at", "opening"),
    [
        ("09:00-19:00", "2026-11-30T08:00:00Z", "2026-11-30T08:00:00Z"),
        ("09:00-19:00", "2026-11-30T17:59:59Z", "2026-11-30T17:59:59Z"),
        ("09:00-19:00", "2026-11-30T18:00:00Z", "2026-12-01T08:00:00Z"),
        ("09:00-19:00", "2026-12-05T10:00:00Z", "2026-12-07T08:00:00Z"),
        ("09:00-19:00", "2026-12-23T18:30:00Z", "2026-12-28T08:00:00Z"),
        ("22:00-02:00", "2026-12-04T22:00:00Z", "2026-12-04T22:00:00Z"),
        ("22:00-02:00", "2026-12-05T02:00:00Z", "2026-12-07T21:00:00Z"),
        ("02:15-02:45", "2026-03-29T00:00:00Z", "2026-03-30T00:15:00Z"),
    ],
)
def test_the_next_opening_in_berlin(hours, at, opening):
    """Half-open; weekends and a pause of Christmas; an hour that the clock skips on a Sunday."""
    days = NAMES if hours.startswith("02:15") else NAMES[:5]
    times = times_of(BERLIN, hours, days, [("2026-12-24", "2026-12-26")])
    assert times.next_opening(parse(at)) == parse(opening)


def test_a_repeated_hour_opens_twice():
    """On the Sunday on which Berlin's clock goes from 03:00 back to 02:00."""
    times = times_of(BERLIN, "02:00-02:30", NAMES)
    midnight = parse("2026-10-25T00:00:00Z")
    assert [times.is_open(midnight + n * 30 * 60) for n in range(5)] == [True, False, True, False, False]
    assert times.open_seconds(midnight - HOUR, midnight + 5 * HOUR) == HOUR


def test_without_window_and_pause_everything_leaves_when_it_is_due():
    """An account may have only pauses; what is pushed at once waits for nothing."""
    paused = InvitationRule(pauses=(Pause(first="2026-12-24", last="2026-12-26"),))
    accounts = [
        Account(name="A", interface_id="1", interface_password="${env:A}"),
        Account(name="B", interface_id="2", interface_password="${env:B}", invitations=paused),
    ]
    schedule, due = SendingSchedule(accounts, BERLIN), parse("2026-12-24T10:00:00Z")
    assert schedule.leaves_at("1", due, now=due) == due
    assert schedule.leaves_at("2", due, now=due) == parse("2026-12-26T23:00:00Z")
    assert schedule.leaves_at("2", due, now=parse("2027-01-01")) == due
    assert schedule.leaves_at("2", due, now=due, at_once=True) == due
    assert not schedule.is_open("2", due)
    assert schedule.is_open("2", due, at_once=True)
    assert schedule.open_seconds("2", due, due + 3 * DAY) == 3 * DAY - (parse("2026-12-26T23:00:00Z") - due)
    assert SendingSchedule(accounts).leaves_at("2", due, now=due) == due


def test_the_service_wakes_up_at_the_first_opening():
    """Of the windows that are closed; one that is open now is nothing to wait for."""
    night = InvitationRule(send_between=SendBetween(hours="22:00-06:00"))
    day = InvitationRule(send_between=SendBetween(hours="09:00-19:00"))
    accounts = [
        Account(name=key, interface_id=key, interface_password="${env:A}", invitations=rule)
        for key, rule in (("1", night), ("2", day))
    ]
    schedule = SendingSchedule(accounts, "UTC")
    assert schedule.next_opening(parse("2026-11-30T07:00:00Z")) == parse("2026-11-30T09:00:00Z")
    assert schedule.next_opening(parse("2026-11-30T12:00:00Z")) == parse("2026-11-30T22:00:00Z")
    assert SendingSchedule(accounts[:1], "UTC").next_opening(parse("2026-11-30T23:00:00Z")) is None


def test_a_window_that_never_opens_has_no_next_opening():
    """Whatever closes it for good."""
    assert times_of(BERLIN, "09:00-09:00", NAMES).next_opening(0) is None
    endless = times_of(BERLIN, "09:00-10:00", NAMES, [("2000-01-01", "2999-12-31")])
    assert endless.next_opening(parse("2026-11-30")) is None
