"""What eKomi refuses: accounts are stopped and tried again, invitations do not pay for it."""

from functools import partial

import pytest
from msgspec import structs

from ekomi_reconcile.sandbox.shops import Fault

MINUTE, HOUR, DAY = 60, 3600, 86_400
GERMANY = "28374"
fault = partial(Fault, match="add-recipient", shop=GERMANY)
QUOTA = fault(kind="quota")
UNLISTED = fault(kind="wrong_json", body='{"status": "error", "message": "Try again on Monday, 100000003"}')


def calls(sandbox):
    """How often eKomi was asked to write to somebody of the German shop."""
    return sandbox.world.requests.of("add-recipient", GERMANY)


def query(trial, statement):
    """Rows of the state, read past the program."""
    import sqlite3
    from contextlib import closing

    if trial.server is not None:
        return trial.server.run(statement.format(f"{trial.schema}."))
    with closing(sqlite3.connect(f"file:{trial.state}?mode=ro", uri=True)) as connection:
        return connection.execute(statement.format("")).fetchall()


def stopped(trial):
    """The text of the account that is stopped and its last probe; empty where none is."""
    return query(trial, "SELECT message, probe_id FROM {}account_stop")


def refusals(trial):
    """The counted refusals of all invitations, the most first."""
    return sorted((count for (count,) in query(trial, "SELECT refusals FROM {}invitation")), reverse=True)


def started(trial, **orders):
    """The trial with one call at a time and these orders, all German."""
    trial.settings(parallelism=1)
    return sorted(trial.orders(french=0, **orders)[0])


@pytest.mark.sampled(6)
@pytest.mark.parametrize(
    "refusal", [QUOTA, fault(kind="tariff"), UNLISTED], ids=["quota", "tariff", "unlisted"]
)
def test_five_refusals_stop_the_account(anywhere, sandbox, capsys, refusal):
    """Nothing fails, no attempt is counted, other accounts go on; doctor fails; then one probe per run."""
    trial = anywhere
    trial.settings(parallelism=1)
    german, french = trial.orders(german=9, french=1)
    rule = sandbox.world.fault(refusal)
    assert trial.apply() == 1
    told = capsys.readouterr().out
    assert "failed: Germany: sending stopped: eKomi refused 5 invitation(s) with the same text" in told
    assert "Germany: 4 due invitations not tried: eKomi refuses the account" in told
    assert calls(sandbox) == 5
    rows = trial.rows()
    assert {rows[number].status for number in german} == {"pending"}
    assert {rows[number].attempts for number in german} == {0}
    assert {rows[number].status for number in french} == {"sent"}
    assert trial.project.cli("doctor", "--offline") == 1
    assert "eKomi has refused this account since" in capsys.readouterr().out
    probes = []
    for run in range(1, 4):
        assert trial.apply() == 1
        assert calls(sandbox) == 5 + run
        probes += [probe for _, probe in stopped(trial)]
    assert probes[0] != probes[1] != probes[2]
    assert refusals(trial)[0] == 0
    sandbox.world.faults.remove(rule.id)
    assert trial.apply() == 0
    assert set(trial.statuses().values()) == {"sent"}
    assert stopped(trial) == []
    capsys.readouterr()
    trial.project.cli("doctor", "--offline")
    assert "refused this account" not in capsys.readouterr().out


@pytest.mark.slow
def test_a_long_quota_fails_nothing(trial, sandbox):
    """Two days of runs against a quota: everything is pending, and everything is sent afterwards."""
    started(trial, german=7)
    sandbox.world.fault(QUOTA)
    for run in range(20):
        assert trial.apply_in(run * 2 * HOUR) == 1
    assert set(trial.statuses().values()) == {"pending"}
    assert calls(sandbox) == 5 + 19
    sandbox.world.faults.clear()
    assert trial.apply_in(41 * HOUR) == 0
    assert set(trial.statuses().values()) == {"sent"}


@pytest.mark.sampled(4)
@pytest.mark.parametrize("refusal", [QUOTA, UNLISTED], ids=["account", "unlisted"])
def test_refused_again_after_a_success_is_failed(anywhere, sandbox, refusal):
    """Once the probe succeeds, an order that meets the same text again has failed; others are not hit."""
    trial = anywhere
    started(trial, german=8)
    sandbox.world.fault(refusal)
    assert trial.apply() == 1
    sandbox.world.faults.clear()
    sandbox.world.fault(structs.replace(refusal, skip=1, count=3))
    assert trial.apply() == 1
    rows = query(trial, "SELECT status, refusal FROM {}invitation")
    assert {status for status, text in rows if text is None} <= {"sent"}
    found = [status for status, _ in rows]
    assert found.count("failed") + found.count("pending") == 3
    assert found.count("sent") == 5
    assert stopped(trial) == []


@pytest.mark.sampled(2)
def test_fewer_than_five_are_tried_three_times(anywhere, sandbox, capsys):
    """An unlisted text fails an invitation at the third time, never at an attempt; a listed one never."""
    trial = anywhere
    started(trial, german=3)
    sandbox.world.fault(UNLISTED)
    for run in range(3):
        assert set(trial.statuses().values()) <= {"pending"}
        assert trial.apply() == 1
        assert calls(sandbox) == 3 * (run + 1)
    rows = trial.rows().values()
    assert {(row.status, row.attempts) for row in rows} == {("failed", 0)}
    assert "Try again on Monday" in next(iter(rows)).reason
    assert "3 failed for good" in capsys.readouterr().out
    assert trial.apply() == 0
    assert stopped(trial) == []


def test_an_account_refusal_below_five_stays_pending(trial, sandbox):
    """A few orders that meet a quota are tried in each run."""
    started(trial, german=2)
    sandbox.world.fault(QUOTA)
    for _ in range(5):
        assert trial.apply() == 1
    assert set(trial.statuses().values()) == {"pending"}
    assert calls(sandbox) == 10


@pytest.mark.sampled(2)
@pytest.mark.parametrize("other", ["success", "text"])
def test_only_the_same_text_without_a_success_between_counts(trial, sandbox, other):
    """Four refusals, something else, four refusals: the account goes on."""
    started(trial, german=9)
    sandbox.world.fault(fault(kind="quota", count=4))
    if other == "text":
        sandbox.world.fault(fault(kind="tariff", count=1))
    sandbox.world.fault(fault(kind="quota", skip=0 if other == "text" else 1, count=4))
    assert trial.apply() == 1
    assert calls(sandbox) == 9
    assert stopped(trial) == []


def test_texts_that_differ_by_order_are_the_same(trial, sandbox):
    """Numbers and names in a text do not make it another one."""
    from ekomi_reconcile.apply.delivery import text_of
    from ekomi_reconcile.model.errors import RequestRefused
    from tests.apply.test_apply_delivery import ROW

    texts = {
        text_of(RequestRefused("x", said=f"No. {number}: [e-mail] at {time}"), ROW)
        for number, time in ((ROW.number, "10:00"), (1, "23:59"))
    }
    assert texts == {"no. #: # at #:#"}


def test_a_recipient_that_is_refused_does_not_end_a_probe(trial, sandbox):
    """The next invitation tries the account instead."""
    started(trial, german=8)
    sandbox.world.fault(QUOTA)
    assert trial.apply() == 1
    sandbox.world.faults.clear()
    sandbox.world.fault(fault(kind="bare_text", body="ERROR: Invalid email", count=1))
    assert trial.apply() == 1
    assert sorted(trial.statuses().values()) == ["failed", *["sent"] * 7]
    assert stopped(trial) == []


@pytest.mark.sampled(3)
@pytest.mark.parametrize(
    "broken", [fault(kind="unclear"), fault(kind="cut_after"), fault(kind="retry_after", seconds=61)]
)
def test_a_probe_without_a_clear_answer_ends_the_trial(trial, sandbox, broken):
    """One call only, and the account stays stopped."""
    started(trial, german=8)
    sandbox.world.fault(QUOTA)
    assert trial.apply() == 1
    sandbox.world.faults.clear()
    sandbox.world.fault(broken)
    assert trial.apply() == 1
    assert calls(sandbox) == 6
    assert len(stopped(trial)) == 1


@pytest.mark.sampled(2)
def test_unreachable_for_two_weeks_is_cancelled(anywhere, sandbox, capsys):
    """No attempt is counted, nothing fails; after 14 days it is cancelled, and only a person revives it."""
    trial = anywhere
    (number,) = started(trial, german=1)
    sandbox.world.fault(fault(kind="retry_after", seconds=61))
    for half_day in range(0, 18, 3):
        assert trial.apply_in(half_day * 14 * HOUR) == 1
        row = trial.rows()[number]
        assert (row.status, row.attempts) == ("pending", 0)
    assert trial.apply_in(17 * DAY) == 1
    assert trial.rows()[number].status == "cancelled"
    assert trial.rows()[number].reason == "unreachable"
    sandbox.world.faults.clear()
    assert trial.apply_in(18 * DAY) == 0
    assert trial.statuses() == {number: "cancelled"}
    assert trial.project.cli("explain", number) == 0
    assert trial.project.cli("invitations", "retry", number) == 0
    assert trial.apply_in(18 * DAY) == 0
    assert trial.statuses() == {number: "sent"}
    assert trial.requests() == {number: 1}


@pytest.mark.slow
def test_two_days_without_ekomi_fail_nothing(trial, sandbox):
    """However often runs try it: everything is pending afterwards, with pauses of up to half a day."""
    started(trial, german=4)
    sandbox.world.fault(fault(kind="retry_after", seconds=61))
    for run in range(24):
        assert trial.apply_in(run * 2 * HOUR) in {0, 1}
    assert set(trial.statuses().values()) == {"pending"}
    assert calls(sandbox) < 4 * 14


@pytest.mark.sampled(2)
@pytest.mark.parametrize("answer", ["unclear", "redirect", "html"])
def test_a_distinct_unclear_answer_is_shown_once(trial, sandbox, capsys, answer):
    """With its text, the first order and how many there were."""
    german = started(trial, german=4)
    sandbox.world.fault(fault(kind=answer))
    assert trial.apply() == 1
    lines = [each for each in capsys.readouterr().out.splitlines() if "unknown: Germany: send" in each]
    assert len(lines) == 1
    assert f"send {german[0]} and 3 more: add-recipient: " in lines[0]
    assert {"unclear": "vielleicht", "redirect": "redirects to", "html": "Bad Gateway"}[answer] in lines[0]


def test_a_changed_address_is_shown_by_plan(anywhere, sandbox, capsys):
    """Old and new address once, until a run has used the new one; the exit code stays 0."""
    trial = anywhere
    trial.settings(srr="http://localhost:1")
    capsys.readouterr()
    assert trial.project.cli("plan", "--detailed-exitcode") == 0
    told = capsys.readouterr()
    assert f"ekomi.srr_url changes from {sandbox.url} to http://localhost:1" in told.out + told.err
    assert trial.apply() == 0
    capsys.readouterr()
    assert trial.project.cli("plan") == 0
    told = capsys.readouterr()
    assert "changes from" not in told.out + told.err
