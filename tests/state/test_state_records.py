"""Journal, errors, listing and export."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from state_support import NOW, Store, an_account, opened, schedule

from ekomi_reconcile.model.account import PositionRecord
from ekomi_reconcile.model.errors import StateError
from ekomi_reconcile.model.invitation import InvitationFilter, Observation, Status
from ekomi_reconcile.model.review import Review
from ekomi_reconcile.state.engine.mark import Purpose
from ekomi_reconcile.state.maintenance.push import export
from ekomi_reconcile.state.opening import Mode
from ekomi_reconcile.state.store import State

CANARY = "canary-secret-value"


def test_journal_says_who_and_what(state: State) -> None:
    """Entries come latest first, each with user and machine."""
    state.journal.add("apply", outcome="ok", now=NOW, plan_digest="sha256:p", commit="abc", detail="3 sent")
    state.journal.add("skip", outcome="ok", now=NOW + 1, subject="invitation 3")
    latest, first = state.journal.entries()
    assert (latest.action, latest.subject, latest.plan_digest) == ("skip", "invitation 3", None)
    assert (first.commit, first.plan_digest, first.detail) == ("abc", "sha256:p", "3 sent")
    assert first.who
    assert first.host
    assert state.journal.entries(1) == (latest,)


def test_applied_plans_are_known(state: State) -> None:
    """Only a plan whose execution was written down counts as applied."""
    state.journal.add("plan", outcome="ok", now=NOW, plan_digest="sha256:p")
    assert not state.journal.applied("sha256:p")
    state.journal.add("apply", outcome="failed", now=NOW, plan_digest="sha256:p")
    assert state.journal.applied("sha256:p")
    assert not state.journal.applied("sha256:q")


def test_journal_shares_the_fate_of_its_transaction(state: State) -> None:
    """What was rolled back was not done, so the journal does not say it."""

    def attempt() -> None:
        with state.transaction():
            state.journal.add("apply", outcome="ok", now=NOW)
            raise LookupError

    with pytest.raises(LookupError):
        attempt()
    assert state.journal.entries() == ()


def test_errors_are_listed_by_account_and_time(state: State) -> None:
    """Failed calls are found by account and since when, the latest first."""
    for number, key in enumerate(["1", "2", None]):
        state.journal.record_error(
            key,
            operation="sync",
            kind="unavailable",
            message=f"no {number}",
            now=NOW + number,
            http_status=503,
        )
    assert [each.message for each in state.journal.errors()] == ["no 2", "no 1", "no 0"]
    assert [each.interface_id for each in state.journal.errors(since=NOW + 1)] == [None, "2"]
    (mine,) = state.journal.errors("1")
    assert (mine.operation, mine.kind, mine.http_status, mine.at) == ("sync", "unavailable", 503, NOW)


def test_filters_of_the_list(state: State) -> None:
    """Invitations are found by account, state, number, order id or customer, in order of their ids."""
    ids = schedule(state, 1, 2, 3)
    schedule(state, 4, interface_id="2", customer="anna")
    state.schedule.cancel({ids[2]: "x"}, now=NOW)

    def found(**wanted: object) -> list[int]:
        return [row.order_id for row in state.invitations.search(InvitationFilter(**wanted))]

    assert found() == [1, 2, 3, 4]
    assert found(limit=2) == [1, 2]
    assert found(limit=0) == []
    assert found(interface_ids=frozenset({"2"})) == [4]
    assert found(interface_ids=frozenset()) == []
    assert found(statuses=frozenset({Status.CANCELLED})) == [2]
    assert found(order="100000003") == found(order="3") == found(order="#3") == [3]
    assert found(order="nothing") == found(order="9" * 40) == found(order="²") == []
    assert found(customer="anna") == [4]
    assert found(interface_ids=frozenset({"1"}), statuses=frozenset({Status.PENDING}), limit=1) == [1]


def test_long_lists_are_complete(state: State) -> None:
    """A list longer than a page is complete, whatever its limit."""
    schedule(state, *range(2_345))
    for limit in (None, 1_000, 1_001, 2_000, 2_345, 9_999):
        wanted = list(range(2_345))[:limit]
        assert [row.order_id for row in state.invitations.search(InvitationFilter(limit=limit))] == wanted


def fill(state: State) -> None:
    state.accounts.save(an_account("3"), now=NOW, password_digest=state.key.digest(Purpose.PASSWORD, CANARY))
    customer = state.key.digest(Purpose.CUSTOMER, f"{CANARY}@example.com")
    ids = schedule(state, 1, 2, interface_id="3", customer=customer)
    state.invitations.skip(ids[1], now=NOW, actor="support")
    state.reviews.save_import("3", [Review(order_id="A", submitted_at=NOW, rating=4.0)], full=True, now=NOW)
    state.positions.save({"3": PositionRecord(source="s", rule_digest="r", cursor="c", evaluated_at=NOW)})
    state.positions.observe([Observation(source="s", order_id=9, status="pending", since=NOW)])
    state.journal.add("apply", outcome="ok", now=NOW)
    state.journal.record_error("3", operation="sync", kind="refused", message="no", now=NOW)


def test_export_is_everything_as_json(store: Store) -> None:
    """The export holds every table, is JSON, and is the same whenever nothing changed."""
    with store.opened() as state:
        fill(state)
        data = export(state)
    assert {name for name, rows in data.items() if isinstance(rows, list) and rows} == {
        "accounts",
        "positions",
        "observations",
        "invitations",
        "invitation_history",
        "reviews",
        "journal",
        "api_errors",
    }
    assert data["accounts"][0]["desired"]["name"] == "Account 3"
    assert [row["status"] for row in data["invitations"]] == ["skipped", "pending"]
    with store.opened(Mode.READ) as state:
        assert json.dumps(export(state)) == json.dumps(data)


def test_no_secret_is_kept(tmp_path: Path) -> None:
    """Neither the files of the state nor its export hold a password, an address or the key."""
    with opened(tmp_path) as state:
        fill(state)
        exported = json.dumps(export(state))
        key = state.key.require().hex()
        files = [each.read_bytes() for each in tmp_path.iterdir() if not each.name.endswith(".key")]
    for secret in (CANARY, key):
        assert secret not in exported
        assert not any(secret.encode() in data or bytes.fromhex(key) in data for data in files)


def test_reading_one_missing_invitation(state: State) -> None:
    """An id that does not exist is told."""
    with pytest.raises(StateError, match="no invitation 5"):
        state.invitations.get(5)
