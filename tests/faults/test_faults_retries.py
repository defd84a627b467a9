"""What certainly had no effect is tried again by later runs, not too soon and not for ever."""

import json

import pytest

from ekomi_reconcile.sandbox.shops import Fault

MINUTE, HOUR, DAY = 60, 3600, 86_400
DOWN = Fault(match="add-recipient", kind="retry_after", seconds=61)


def calls(sandbox):
    """How often eKomi was asked to write to somebody, with or without effect."""
    return sandbox.world.requests.of("add-recipient")


@pytest.mark.sampled(2)
def test_the_next_attempt_is_not_made_before_its_time(anywhere, sandbox):
    """A run before next_attempt_at leaves the row alone and succeeds; one after it tries again."""
    trial = anywhere
    (number,), _ = trial.orders(german=1, french=0)
    rule = sandbox.world.fault(DOWN)
    assert trial.apply() == 1
    assert trial.apply_in(4 * MINUTE) == 0
    assert calls(sandbox) == 1
    assert trial.apply_in(7 * MINUTE) == 1
    assert calls(sandbox) == 2
    assert trial.rows()[number].attempts == 0
    sandbox.world.faults.remove(rule.id)
    assert trial.apply_in(30 * MINUTE) == 0
    assert trial.statuses() == {number: "sent"}
    assert trial.requests() == {number: 1}


def test_what_failed_together_does_not_come_back_together(trial, sandbox):
    """The next attempts of one outage are spread over time, none sooner than after five minutes."""
    trial.orders(german=10, french=0)
    sandbox.world.fault(DOWN)
    assert trial.apply() == 1
    times = [row.next_attempt_at for row in trial.rows().values()]
    assert len(set(times)) > 1
    assert max(times) - min(times) <= 70


def test_a_person_may_shorten_the_wait(trial, sandbox):
    """`invitations retry` on a row that waits for its next attempt: the next run tries it."""
    (number,), _ = trial.orders(german=1, french=0)
    sandbox.world.fault(DOWN)
    assert trial.apply() == 1
    sandbox.world.faults.clear()
    assert trial.project.cli("invitations", "retry", number) == 0
    assert trial.apply() == 0
    assert trial.requests() == {number: 1}


def check_refused(trial, capsys, jump, *, refused):
    """A clock over an hour behind the last run ends a run with the override to type; nothing is changed."""
    if not refused:
        return
    before = trial.rows(), trial.requests()
    capsys.readouterr()
    assert trial.apply_in(jump) == 1
    told = capsys.readouterr()
    assert "behind the last run" in told.err
    assert "--accept-clock" in told.err
    assert (trial.rows(), trial.requests()) == before


@pytest.mark.sampled(8)
@pytest.mark.parametrize("jump", [-400 * DAY, -2 * DAY, -HOUR, -1])
def test_a_clock_set_back_forgets_and_repeats_nothing(anywhere, sandbox, capsys, jump):
    """Over an hour behind it is refused; accepted it does no harm: what was pending is sent, once."""
    trial = anywhere
    german, french = trial.orders()
    sandbox.world.fault(Fault(match="add-recipient", kind="retry_after", seconds=61, count=1))
    assert trial.apply() == 1
    check_refused(trial, capsys, jump, refused=jump < -HOUR)
    assert trial.apply_in(jump, "--accept-clock") == 0
    put_off = "sent" if -3 * DAY < jump < -HOUR else "pending"  # due then, put off by a clock known as wrong
    assert sorted(trial.statuses()[number] for number in german) == [put_off, "sent"]
    assert trial.apply_in(HOUR) == 0
    assert trial.statuses() == dict.fromkeys(german | french, "sent")
    assert trial.requests() == dict.fromkeys(german, 1)


@pytest.mark.sampled(6)
@pytest.mark.parametrize("jump", [HOUR, 3 * DAY, 20 * DAY])
def test_a_clock_that_jumped_ahead_forgets_and_repeats_nothing(anywhere, sandbox, capsys, jump):
    """A run in the future sends what is due then; back in the present, accepted, new orders are found."""
    trial = anywhere
    german, french = trial.orders()
    assert trial.apply_in(jump) == 0
    assert trial.statuses() == dict.fromkeys(german | french, "sent")
    more, french = trial.orders(german=4)
    check_refused(trial, capsys, 0, refused=jump > HOUR)
    assert trial.apply("--accept-clock") == 0
    assert trial.statuses() == dict.fromkeys(more | french, "sent")
    assert trial.requests() == dict.fromkeys(more, 1)


@pytest.mark.sampled(2)
def test_a_doubtful_row_is_settled_by_a_person(anywhere, sandbox, capsys):
    """unknown is never sent on its own; `resolve --resend` sends it, `--sent` closes it."""
    trial = anywhere
    german, _ = trial.orders(german=2, french=0)
    rule = sandbox.world.fault(Fault(match="add-recipient", kind="cut_before"))
    assert trial.apply() == 1
    sandbox.world.faults.remove(rule.id)
    assert trial.apply_in(30 * DAY) == 0
    assert trial.requests() == {}
    first, second = sorted(german)
    assert trial.project.cli("invitations", "resolve", first, "--resend") == 0
    assert trial.project.cli("invitations", "resolve", second, "--sent") == 0
    assert trial.apply_in(30 * DAY) == 0
    assert trial.statuses() == dict.fromkeys(german, "sent")
    assert trial.requests() == {first: 1}
    capsys.readouterr()
    assert trial.project.cli("plan", "--format", "json", "--accept-clock") == 0
    assert json.loads(capsys.readouterr().out)["diagnostics"] == []
