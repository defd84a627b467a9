"""Orders that have a review: not invited, cancelled where they wait, settled where nobody knew."""

from __future__ import annotations

import json
import sqlite3
import sys
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from project_support import order as order_row
from support_loop import DAY, NOW, Loop, account, examples, order, shops

from ekomi_reconcile.model import instant
from ekomi_reconcile.model.invitation import Status
from ekomi_reconcile.model.review import Review
from ekomi_reconcile.sandbox.shops import SandboxReview

sys.path.insert(0, str(Path(__file__).parents[1] / "docs"))
from docs_blocks import DOCS, blocks

NUMBER = "000000001"


def reviewed(loop, number=NUMBER, *, key="9", at=NOW - 2 * DAY, full=False):
    """A review arrives with an import."""
    with loop.state() as state:
        found = [Review(order_id=number, submitted_at=at, rating=2.0)] if number else []
        state.reviews.save_import(key, found, full=full, now=NOW)


def arrived(sandbox):
    """The order numbers of the invitations that eKomi has."""
    return {each.transaction_id for each in sandbox.world.outbox.entries()}


def printed(capsys):
    """The JSON that was printed last."""
    out = capsys.readouterr().out
    return out[out.index("[\n") if "[\n" in out else 0 :]


def ready(loop, **rule):
    """A project whose accounts are applied, without orders."""
    loop.write_accounts([account("9", **rule), account("10", store_views=["at"])])
    loop.apply()
    return loop


def found(loop):
    """Order ids with status and reason of their invitations."""
    return {row.order_id: (row.status.value, row.reason) for row in loop.rows()}


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    ("review", "rule", "reason"),
    [
        ({}, {}, "reviewed"),
        ({"key": "10"}, {}, None),
        ({"number": "000000002"}, {}, None),
        ({"at": NOW - 10 * DAY}, {}, None),
        ({"at": NOW - 10 * DAY + 1}, {}, "reviewed"),
        ({}, {"skip_reviewed": False}, None),
    ],
    ids=[
        "reviewed",
        "other interface",
        "other number",
        "at the order date",
        "a second later",
        "switched off",
    ],
)
def test_only_a_review_of_this_order_counts(loop, review, rule, reason):
    """The same interface and number, submitted after the order date."""
    ready(loop, pending_period=20, **rule)
    reviewed(loop, **review)
    loop.write_orders([order(1, age=10)])
    plan, _ = loop.apply()
    assert plan.invitations.not_invited.get("Account 9", {}) == ({reason: 1} if reason else {})
    assert found(loop) == ({} if reason else {1: ("pending", None)})
    code, said, _ = loop.command("explain", NUMBER, "--format", "json", "--account", "9")
    assert code == 0
    (told,) = json.loads(said)["accounts"]
    (criterion,) = [each for each in told["criteria"] if each["criterion"] == "reviewed"]
    assert criterion["ok"] is (reason is None)
    assert criterion["wanted"] == ("no review" if rule == {} else "reviewed or not")


def test_a_later_review_cancels_what_waits(loop):
    """In the next plan, though the order did not change; once the review is gone the order may come back."""
    ready(loop, pending_period=20)
    loop.write_orders([order(1, age=10)])
    loop.apply()
    reviewed(loop)
    plan = loop.plan()
    assert [(step.number, step.reason) for step in plan.invitations.cancel] == [(NUMBER, "reviewed")]
    loop.apply()
    assert found(loop) == {1: ("cancelled", "reviewed")}
    assert not list(loop.plan().invitations.cancel)
    reviewed(loop, "", full=True)
    loop.write_orders([order(1, age=10, grand_total=101.0)])
    loop.apply()
    assert found(loop) == {1: ("pending", None)}


def test_a_review_of_one_of_two_orders_is_ignored_and_reported(loop):
    """Nobody can tell which of the orders with this number it is about."""
    ready(loop, pending_period=20)
    loop.write_orders([order(1, age=10)])
    loop.apply()
    with sqlite3.connect(loop.root / "state.db") as database:
        database.execute(
            "INSERT INTO invitation SELECT id + 1, account_id, source, '77', number, store_view, order_date, "
            "'skipped', "
            + ", ".join(row[1] for row in database.execute("PRAGMA table_info(invitation)").fetchall()[8:])
            + " FROM invitation"
        )
    reviewed(loop)
    plan = loop.plan()
    assert not list(plan.invitations.cancel)
    (warning,) = [each for each in plan.diagnostics if each.rule == "review-ambiguous"]
    assert f"such as {NUMBER} at interface 9" in warning.message


def test_an_unknown_invitation_becomes_sent(loop, sandbox):
    """With the next import: a review proves that the customer was asked; nobody knows when."""
    ready(loop, pending_period=20)
    loop.write_orders([order(1, age=10), order(2, age=10)])
    loop.apply()
    with sqlite3.connect(loop.root / "state.db") as database:
        database.execute("UPDATE invitation SET status = 'unknown'")
    sandbox.world.shops["9"].reviews.append(
        SandboxReview(order_id=NUMBER, submitted=instant.now() - DAY, rating=5, review="", comment="")
    )
    _, result = loop.apply(NOW + DAY)
    assert found(loop) == {1: ("sent", "reviewed"), 2: ("unknown", None)}
    (row,) = [row for row in loop.rows() if row.order_id == 1]
    assert row.sent_at is None
    assert any("1 unknown invitation(s) were sent" in note for note in result.notes)
    with loop.state() as state:
        last = state.invitations.history(row.id)[-1]
    assert (last.from_status, last.to_status, last.detail) == (Status.UNKNOWN, Status.SENT, "reviewed")
    code, said, _ = loop.command("doctor", "--format", "json")
    checks = {each["check"]: each["status"] for each in json.loads(said)["checks"]}
    assert code in (0, 1)
    assert checks["queue-consistency"] == "pass"


def test_a_review_that_comes_with_this_run_stops_what_is_due(loop, sandbox):
    """The re-check before sending knows what the run has imported."""
    ready(loop, pending_period=20)
    loop.write_orders([order(1, age=10, reached=6)])
    loop.apply()
    sandbox.world.shops["9"].reviews.append(
        SandboxReview(order_id=NUMBER, submitted=instant.now() - DAY, rating=5, review="", comment="")
    )
    loop.apply(NOW + 20 * DAY)
    assert found(loop) == {1: ("cancelled", "reviewed")}
    assert sandbox.world.outbox.entries() == []


def test_the_guide_works_as_written(project, sandbox, capsys):
    """The account file of the page, an order per line of its table, and what arrives at eKomi."""
    (block,) = [each for each in blocks(DOCS / "how-to" / "reviews.md") if each.title]
    (project.folder / block.title).write_text(block.text, encoding="utf-8")
    late, unsure = order_row(3, age_days=5), order_row(4, age_days=20)
    fault = {"kind": "html", "status": 502, "match": "add-recipient", "count": 1}
    project.orders([late])
    assert project.cli("apply", "--auto-approve") == 0
    project.orders([late, unsure])
    httpx.post(f"{sandbox.url}/_sandbox/faults", json=fault).raise_for_status()
    assert project.cli("apply", "--auto-approve") == 1
    for number in (2, 3, 4):
        sandbox.world.shops["28374"].reviews.append(
            SandboxReview(order_id=f"{100_000_000 + number}", submitted=instant.now() - 60, rating=5)
        )
    assert project.cli("reviews", "import", "Germany", "--full") == 0
    project.orders([order_row(1, age_days=20), order_row(2, age_days=20), late, unsure])
    capsys.readouterr()
    assert project.cli("plan") == 0
    assert "not invited: 2 reviewed" in capsys.readouterr().out
    before = arrived(sandbox)
    assert project.cli("apply", "--auto-approve") == 0
    assert arrived(sandbox) - before == {"100000001"}
    project.cli("invitations", "list", "--format", "json")
    rows = {each["order"]: (each["status"], each["reason"]) for each in json.loads(printed(capsys))}
    assert rows == {
        "100000001": ("sent", None),
        "100000003": ("cancelled", "reviewed"),
        "100000004": ("sent", "reviewed"),
    }


@examples(12)
@given(
    reviews=st.lists(
        st.tuples(
            st.sampled_from(["9", "10"]),
            st.sampled_from([NUMBER, "000000002", ""]),
            st.sampled_from([NOW - 11 * DAY, NOW - 10 * DAY, NOW - 10 * DAY + 1, NOW - 1]),
        ),
        max_size=4,
        unique=True,
    ),
    first=st.booleans(),
    skip=st.booleans(),
)
def test_it_is_as_the_documentation_says(tmp_path_factory, sandbox, reviews, first, skip):
    """Whether reviews come before the orders or after them, the same orders wait at the end."""
    shops(sandbox)
    loop = ready(Loop(tmp_path_factory.mktemp("loop"), sandbox), pending_period=20, skip_reviewed=skip)
    steps = [
        lambda: [reviewed(loop, number, key=key, at=at) for key, number, at in reviews],
        lambda: loop.write_orders([order(1, age=10), order(2, age=10)]),
    ]
    for step in steps if first else reversed(steps):
        step()
        loop.apply()
    loop.apply()
    waiting = {row.order_id for row in loop.rows() if row.status is Status.PENDING}
    own = {number for key, number, at in reviews if key == "9" and at > NOW - 10 * DAY}
    assert waiting == {key for key in (1, 2) if not (skip and f"{key:09d}" in own)}
