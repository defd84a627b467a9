"""A wrong clock does no lasting damage: it is noticed before anything is judged or sent, or undone later."""

from __future__ import annotations

import time

import pytest
import time_machine
from support_loop import DAY, account, order, text

from ekomi_reconcile.http import RunClock, ServerDates
from ekomi_reconcile.model.errors import ClockError
from ekomi_reconcile.model.invitation import Status

HOUR = 3_600
YEAR = 365 * DAY


@pytest.fixture
def present() -> int:
    """The time of this test's start."""
    return int(time.time())


@pytest.fixture(autouse=True)
def _server_time(sandbox):
    """The sandbox reports the right time again when the test is over."""
    yield
    sandbox.world.http_ahead = 0


def of_today(present, count=14) -> list[dict]:
    """Orders of the last days, completed long enough ago to be due."""
    dates = {"created_at": text(present - 10 * DAY), "updated_at": text(present - 9 * DAY)}
    return [order(key) | dates for key in range(1, count + 1)]


def apply(loop, *flags) -> tuple[int, str, str]:
    """One ordinary run."""
    return loop.command("apply", "--auto-approve", *flags)


def asked(sandbox) -> int:
    """How many requests eKomi got."""
    return sum(each.requests for each in sandbox.world.outbox.entries())


# ---------------------------------------------------------------- compared with servers


@pytest.mark.sampled(4)
@pytest.mark.parametrize("ahead", [-400 * DAY, -2 * HOUR, 2 * HOUR, YEAR])
def test_with_a_wrong_clock_one_request_at_most_goes_out(loop, sandbox, present, ahead):
    """Orders from a file: the first answer of eKomi shows it, and nothing more is sent; exit 1."""
    loop.write_project(schedule={"sync_every": "365d", "import_reviews_every": "365d"})
    loop.write_accounts([account("9", skip_orders_older_than=0)])
    loop.write_orders(of_today(present))
    assert apply(loop, "--no-send")[0] == 0
    sandbox.world.http_ahead = -ahead
    code, out, _ = apply(loop)
    assert (code, asked(sandbox)) == (1, 1)
    assert "the clock is" in out
    assert "--accept-clock" in out
    assert sorted({row.status for row in loop.rows()}) == ["pending", "sent"]
    code, _, _ = apply(loop, "--accept-clock")
    assert (code, asked(sandbox)) == (0, 14)


@pytest.mark.sampled(2)
@pytest.mark.parametrize("ahead", [-HOUR // 2, 0, 299, HOUR - 60])
def test_a_clock_that_is_less_than_an_hour_off_sends(loop, sandbox, present, ahead):
    """It is reported from five minutes on."""
    loop.write_accounts([account("9")])
    loop.write_orders(of_today(present))
    sandbox.world.http_ahead = -ahead
    code, _, _ = apply(loop)
    assert (code, asked(sandbox)) == (0, 14)


def test_a_sync_of_the_run_is_enough_to_notice(loop, sandbox, present):
    """What the new account's first sync brought is compared before the first request."""
    loop.write_accounts([account("9")])
    loop.write_orders(of_today(present))
    sandbox.world.http_ahead = -YEAR
    code, _, _ = apply(loop)
    assert (code, asked(sandbox)) == (1, 0)


# ---------------------------------------------------------------- compared with the last run


def test_a_run_a_year_ahead_without_any_server_time_is_undone(loop, sandbox, present):
    """Orders that it left out as too old are invited once the clock is right, and syncs go on."""
    loop.write_accounts([account("9", skip_orders_older_than=30)])
    loop.write_orders(of_today(present))
    sandbox.world.http_ahead = None
    with time_machine.travel(present + YEAR):
        code, out, _ = apply(loop)
        assert (code, loop.rows()) == (0, [])
        assert "the clock was not checked" in out
    with time_machine.travel(present + HOUR):
        code, _, err = apply(loop)
        assert (code, loop.rows()) == (1, [])
        assert "behind the last run" in err
        assert loop.command("plan")[0] == 1
        code, _, _ = apply(loop, "--accept-clock")
        assert (code, len(loop.rows())) == (0, 14)
        with loop.state() as state:
            assert all(abs(each.last_fetched_at - present) < 2 * HOUR for each in state.accounts.read())
        assert apply(loop)[0] == 0


@pytest.mark.sampled(3)
@pytest.mark.parametrize("days", [1, 90, 900])
def test_a_gap_between_runs_is_no_error(loop, sandbox, present, days):
    """However long nothing ran."""
    loop.write_accounts([account("9")])
    loop.write_orders(of_today(present))
    assert apply(loop)[0] == 0
    with time_machine.travel(present + days * DAY):
        assert apply(loop)[0] == 0


@pytest.mark.sampled(2)
@pytest.mark.parametrize(("behind", "code"), [(0, 0), (HOUR - 60, 0), (HOUR + 60, 1), (YEAR, 1)])
def test_a_clock_behind_the_last_run_is_an_error(loop, sandbox, present, behind, code):
    """From more than an hour on; nothing is sent or recorded then."""
    sandbox.world.http_ahead = None
    loop.write_accounts([account("9")])
    loop.write_orders(of_today(present))
    assert apply(loop)[0] == 0
    with time_machine.travel(present - behind):
        assert apply(loop)[0] == code


def test_what_a_wrong_clock_put_off_is_tried_again(loop, sandbox, present):
    """An invitation whose next attempt was set a year ahead is due as soon as the clock is right."""
    loop.write_accounts([account("9")])
    loop.write_orders(of_today(present, 1))
    assert apply(loop, "--no-send")[0] == 0
    with loop.state() as state:
        (row,) = state.invitations.search()
        with state.transaction():
            state.session.connection.exec_driver_sql(
                "UPDATE invitation SET attempts = 1, changed_at = ?, next_attempt_at = ?",
                (present + YEAR, present + YEAR + HOUR),
            )
        assert row.status is Status.PENDING
    assert apply(loop)[0] == 0
    assert [row.status for row in loop.rows()] == [Status.SENT]


# ---------------------------------------------------------------- the comparison itself


@pytest.mark.parametrize(
    ("dates", "ahead"),
    [
        ([], None),
        ([(0, "")], 0),
        ([(-600, "600")], 0),
        ([(-600, "")], 600),
        ([(-YEAR, ""), (3, "")], -3),
        ([(-600, "no number")], 600),
        ([(-600, "9" * 30)], 600),
    ],
)
def test_the_server_that_agrees_best_counts(dates, ahead):
    """One server with a wrong clock proves nothing; what a cache kept is as old as it says."""
    seen = ServerDates()
    clock = RunClock(now=lambda: 1_000_000_000, dates=seen)
    for offset, age in dates:
        seen.note(1_000_000_000 + offset, age=age)
    assert clock.ahead == ahead


def test_answers_to_earlier_runs_do_not_count():
    """A service compares anew in every cycle."""
    seen = ServerDates()
    seen.note(0)
    assert RunClock(now=lambda: 1_000_000_000, dates=seen).ahead is None


@pytest.mark.parametrize(
    ("off", "refused", "warned"), [(300, 0, 0), (301, 0, 1), (3_600, 0, 1), (3_601, 1, 1)]
)
@pytest.mark.parametrize("sign", [1, -1])
def test_the_limits_are_five_minutes_and_one_hour(off, refused, warned, sign):
    """Exactly at the limit nothing happens yet, in either direction."""
    seen = ServerDates()
    seen.monotonic = lambda: 0.0
    clock = RunClock(now=lambda: 1_000_000_000, dates=seen)
    seen.note(1_000_000_000 - sign * off)
    assert len(list(clock.warnings())) == warned
    if refused:
        with pytest.raises(ClockError):
            clock.check()
    clock.accepted = True
    clock.check()
