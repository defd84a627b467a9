"""The self-test of the queue."""

import pytest

from ekomi_reconcile.model import instant
from ekomi_reconcile.model.instant import HOUR
from ekomi_reconcile.model.invitation import SendOutcome, Status
from ekomi_reconcile.state.engine.lock import WriterLock


@pytest.mark.sampled(4)
@pytest.mark.parametrize(
    ("due_in", "looked_at", "status"),
    [(1, 9, "pass"), (-1 / 24, 9, "pass"), (-0.2, 0, "warn"), (-0.2, 9, "fail")],
    ids=["not due", "just due", "runs go on", "no run since"],
)
def test_stuck(clinic, due_in, looked_at, status):
    """Two hours overdue is stuck: worse where no run has looked at the account since then."""
    with clinic.state() as state:
        clinic.queue(state, 1, due_in=due_in)
        clinic.evaluated(state, "28374", instant.now() - looked_at * HOUR)
    assert clinic.told("queue-stuck", "--offline") == [(status, None if status == "pass" else "Germany")]


def test_rows_left_half_way(clinic):
    """Rows in sending are fine while somebody holds the writer lock, and a failure when nobody does."""
    with clinic.state() as state:
        state.sending.claim([clinic.queue(state, 1, due_in=-1)], now=instant.now())
    assert clinic.told("queue-sending", "--offline") == [("fail", None)]
    with WriterLock(clinic.project.state.with_name("state.db.lock"), operation="apply"):
        assert clinic.told("queue-sending", "--offline") == [("pass", None)]


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    ("end", "check"), [(Status.UNKNOWN, "queue-unknown"), (Status.FAILED, "queue-failed")]
)
def test_rows_that_wait_for_a_person(clinic, end, check):
    """Unknown and failed rows are told with the command that deals with them."""
    with clinic.state() as state:
        row = clinic.queue(state, 1, due_in=-1)
        assert clinic.told(check, "--offline") == [("pass", None)]
        state.sending.claim([row], now=instant.now())
        state.sending.settle([SendOutcome(id=row, status=end, at=instant.now(), reason="HTTP 400")])
    (told,) = clinic.examine("--offline")[check]
    assert (told["status"], told["account"]) == ("warn", "Germany")
    assert f"--status {end.value}" in told["hint"]


def test_orphans(clinic):
    """Pending rows of an account that left the files are told; of a deleted one they are a fault."""
    clinic.project.account("France", "28375", "pending_period: 7\nstore_views: [fr]")
    with clinic.state() as state:
        clinic.queue(state, 1, due_in=1, interface_id="28375")
    assert clinic.told("queue-orphans", "--offline") == [("pass", None)]
    (clinic.project.folder / "accounts.d" / "28375.yaml").unlink()
    assert clinic.told("queue-orphans", "--offline") == [("warn", "France")]
    clinic.sql("UPDATE account SET deleted_at = 1 WHERE interface_id = '28375'")
    assert clinic.told("queue-orphans", "--offline") == [("fail", "France")]


def test_rows_of_a_disabled_account_are_held(clinic):
    """Rows that wait because their account is disabled are told, and are not stuck."""
    with clinic.state() as state:
        clinic.queue(state, 1, due_in=-5)
    path = clinic.project.folder / "accounts.d" / "28374.yaml"
    assert clinic.told("queue-held", "--offline") == [("pass", None)]
    path.write_text(path.read_text().replace("enabled: true", "enabled: false"))
    assert clinic.told("queue-held", "--offline") == [("warn", "Germany")]
    assert clinic.told("queue-stuck", "--offline") == [("pass", None)]


@pytest.mark.parametrize(
    "damage",
    [
        "status = 'sent', sent_at = NULL",
        "status = 'pending', sent_at = 1800000000",
    ],
)
def test_rows_that_contradict_themselves(clinic, damage):
    """Sent without a time, pending with one: each is found."""
    with clinic.state() as state:
        clinic.queue(state, 1, due_in=1)
    assert clinic.told("queue-consistency", "--offline") == [("pass", None)]
    clinic.sql(f"UPDATE invitation SET {damage}")
    assert clinic.told("queue-consistency", "--offline") == [("fail", None)]


@pytest.mark.parametrize("ahead", [1, 86_400, 400 * 86_400])
def test_an_order_dated_in_the_future_is_no_damage(clinic, ahead):
    """The shop's dates are wrong then, not the state: no backup is recommended."""
    with clinic.state() as state:
        clinic.queue(state, 1, due_in=1)
    clinic.sql(f"UPDATE invitation SET status = 'sent', sent_at = order_date - {ahead}")
    (found,) = clinic.examine("--offline")["queue-consistency"]
    assert found["status"] == "warn"
    assert "backup" not in found["hint"]


def test_damaged_rows_stop_only_their_check(clinic):
    """A status that there is not is told as a check that could not run; the others go on."""
    with clinic.state() as state:
        clinic.queue(state, 1, due_in=1)
    clinic.sql("UPDATE invitation SET status = 'sometimes'")
    found = clinic.examine("--offline")
    assert found["queue-unknown"][0]["status"] == "warn"
    assert found["queue-unknown"][0]["message"].startswith("could not be checked")
    assert found["state"][0]["status"] == "pass"
