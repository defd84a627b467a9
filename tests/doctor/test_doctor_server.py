"""The self-test of a state on PostgreSQL: may it be written, who writes it, what is left half-way."""

import pytest
from project_support import order, settings
from state_server import GUARDED
from state_support import KEY, Store

from ekomi_reconcile.model import instant
from ekomi_reconcile.state.opening import Mode


@pytest.fixture
def clinic(clinic, server, sandbox, monkeypatch):
    """A project on PostgreSQL with three orders scheduled and none sent."""
    monkeypatch.setenv("STATE_URL", server.url(schema="ward"))
    monkeypatch.setenv("STATE_KEY", KEY.decode())
    server.run("DROP SCHEMA IF EXISTS ward CASCADE")
    place = "state: ${env:STATE_URL}\nprivacy: {key: '${env:STATE_KEY}'}\n"
    clinic.project.settings(settings(sandbox.url, place))
    clinic.project.account("Germany", "28374", "pending_period: 0")
    clinic.project.orders(order(number) for number in (1, 2, 3))
    assert clinic.project.cli("apply", "--auto-approve", "--no-send") == 0
    return clinic


@pytest.fixture
def store(clinic, server):
    """Where its state is."""
    return Store(server.url(schema="ward"), clinic.project.folder, KEY)


def test_a_healthy_state(clinic):
    """Every check of the state and the queue runs there, and passes."""
    told = clinic.examine("--offline")
    for check in ("state", "state-writable", "state-integrity", "state-key", "lock", "queue-sending"):
        assert [each["status"] for each in told[check]] == ["pass"], check


def test_the_lock_tells_its_holder(clinic, store):
    """Who writes is named, with the id that force-unlock asks for."""
    with store.lock("apply") as lock:
        (told,) = clinic.examine("--offline")["lock"]
        assert told["status"] == "pass"
        assert lock.info.ID in told["message"]


def test_rows_of_the_living_and_of_the_dead(clinic, store, server):
    """A row with a lease is being sent, one whose lease has run out is a failure: both are told."""
    with store.opened(Mode.WRITE) as one, store.opened(Mode.WRITE) as two:
        ids = [row.id for row in one.invitations.search()]
        one.sending.claim(ids[:2], now=instant.now())
        assert clinic.told("queue-sending", "--offline") == [("pass", None)]
        server.run("UPDATE ward.invitation SET lease_until = lease_until - 31 WHERE status = 'sending'")
        two.sending.claim(ids[2:], now=instant.now())
        told = clinic.examine("--offline")["queue-sending"]
    assert [(each["status"], each["message"][0]) for each in told] == [("pass", "1"), ("fail", "2")]


def test_missing_rights_are_told(clinic, server, monkeypatch):
    """A user who may read but not change the tables is told which right is missing, and on what."""
    monkeypatch.setenv("STATE_URL", server.url(schema="ward", options=f"-c role={GUARDED}"))
    server.run(f"GRANT USAGE ON SCHEMA ward TO {GUARDED}")
    server.run(f"GRANT SELECT ON ALL TABLES IN SCHEMA ward TO {GUARDED}")
    told = clinic.examine("--offline")
    assert {each["status"] for each in told["state-writable"]} == {"fail"}
    assert any("the table invitation" in each["message"] for each in told["state-writable"])
    assert "INSERT" in told["state-writable"][0]["hint"]
    assert [each["status"] for each in told["state"]] == ["pass"]


def test_a_server_that_takes_no_changes(clinic, server, monkeypatch):
    """A standby or a read-only user: nothing can be written, and it is said what to do."""
    monkeypatch.setenv("STATE_URL", server.url(schema="ward", options="-c default_transaction_read_only=on"))
    (told,) = clinic.examine("--offline")["state-writable"]
    assert told["status"] == "fail"
    assert "primary" in told["hint"]


def test_no_state_on_the_server(clinic, server, monkeypatch):
    """Where there is none yet, nothing fails and nothing is made."""
    monkeypatch.setenv("STATE_URL", server.url(schema="nowhere"))
    told = clinic.examine("--offline")
    assert [each["status"] for each in told["state"]] == ["warn"]
    assert [each["status"] for each in told["state-writable"]] == ["warn"]
    assert [each["status"] for each in told["lock"]] == ["pass"]
    assert server.run("SELECT 1 FROM pg_namespace WHERE nspname = 'nowhere'") == []


def test_a_shared_state_that_is_not_pinned_is_told(clinic, store, sandbox):
    """Without its lineage in the project file an empty database would be taken for the state."""
    (told,) = clinic.examine("--offline")["state-pinned"]
    assert told["status"] == "warn"
    with store.opened(Mode.READ) as state:
        lineage = state.meta.read().lineage
    assert lineage in told["message"]
    place = f"state: {{location: '${{env:STATE_URL}}', lineage: {lineage}}}\n"
    clinic.project.settings(settings(sandbox.url, place + "privacy: {key: '${env:STATE_KEY}'}\n"))
    assert clinic.told("state-pinned", "--offline") == [("pass", None)]
