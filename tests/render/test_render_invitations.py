"""The invitations grid, one invitation and its history, against golden files."""

from dataclasses import replace

import pytest
from render_support import DAY, NOW, an_invitation, as_read, drawn, golden
from rich.cells import cell_len

from ekomi_reconcile.model.invitation import Status, StatusChange
from ekomi_reconcile.model.run import ChangeOrigin, JournalEntry
from ekomi_reconcile.render.invitations import (
    LAYOUT,
    Listed,
    change_json,
    invitation_json,
    invitation_text,
    listed_json,
    listed_row,
)
from ekomi_reconcile.render.results import entry_json
from ekomi_reconcile.render.state import HISTORY_LAYOUT, origin_json, origin_row
from ekomi_reconcile.render.tables import Paint, json_text

LINK = "https://reviews.example.com/r/0751686CED61CA0?token=abcdefghijklmnopqrstuvwxyz"


def grid():
    """One row per kind."""
    return [
        Listed("Germany", an_invitation()),
        Listed("Germany", an_invitation(2, status=Status.SENT, sent_at=NOW, link=LINK)),
        Listed("A long name of an account", an_invitation(3, status=Status.CANCELLED, reason="order_status")),
        Listed(
            "Germany", an_invitation(4, status=Status.FAILED, attempts=8, reason="HTTP 400: no such shop")
        ),
        Listed("Germany", an_invitation(1234567, store_view=None, status=Status.SKIPPED, reason="a \x1b[2J")),
    ]


@pytest.mark.parametrize("width", [None, 80])
def test_the_grid(width):
    """The grid in a pipe and on a terminal of 80 columns, where the whole link is still there."""
    text = drawn(LAYOUT, map(listed_row, grid()), width)
    golden(f"invitations_{width or 'pipe'}.txt", text)
    if width:
        assert max(map(cell_len, text.splitlines())) <= width


def test_the_grid_as_json():
    """Exactly the promised keys in their order."""
    assert as_read(listed_json(grid()[1])) == {
        "id": 2,
        "account": "Germany",
        "interface_id": "28374",
        "order": "100000002",
        "order_id": 2,
        "store_view": "de",
        "order_date": "2026-10-22T12:00:00Z",
        "reached_at": "2026-10-23T12:00:00Z",
        "reached_source": "shipment",
        "pending_days": None,
        "scheduled_at": "2026-11-06T12:00:00Z",
        "leaves_at": None,
        "channel": None,
        "sent_at": "2026-10-31T12:00:00Z",
        "link": LINK,
        "status": "sent",
        "reason": None,
        "attempts": 0,
    }


def test_one_invitation_in_full():
    """All that is known of it, for people and as JSON."""
    each = Listed(
        "Germany", an_invitation(attempts=2, next_attempt_at=NOW + 300, pushed=True, reason="HTTP 503")
    )
    golden("invitation.txt", invitation_text(each, Paint()))
    golden("invitation.json", json_text(invitation_json(each)) + "\n")


def test_nothing_that_stands_for_the_customer_is_shown():
    """Not even the digest of the address."""
    each = grid()[0]
    shown = [invitation_text(each, Paint()), json_text(invitation_json(each)), json_text(listed_json(each))]
    assert not [text for text in shown if "c0ffee" in text]


def test_the_history():
    """Each change with when, from, to, by whom and why; the first has no state before."""
    run = JournalEntry(
        at=NOW - DAY,
        who="ci",
        host="runner-1",
        action="apply",
        outcome="started",
        commit="4f2a" * 10,
        plan_digest="sha256:" + "9b" * 32,
    )
    rule = replace(
        run, at=NOW - 9 * DAY, action="update", outcome="done", subject="Germany", plan_digest=None
    )
    rule = replace(rule, detail="28374: invitations.pending_period", commit="c001" * 10)
    changes = [
        ChangeOrigin(
            change=StatusChange(at=NOW - DAY, from_status=None, to_status=Status.PENDING, actor="loop"),
            run=run,
            rule=rule,
        ),
        ChangeOrigin(
            change=StatusChange(
                at=NOW,
                from_status=Status.PENDING,
                to_status=Status.SKIPPED,
                actor="kim",
                detail="asked on the telephone",
            )
        ),
    ]
    golden("history.txt", drawn(HISTORY_LAYOUT, map(origin_row, changes)))
    alone = {
        "at": "2026-10-30T12:00:00Z",
        "from": None,
        "to": "pending",
        "actor": "loop",
        "detail": None,
    }
    assert as_read(change_json(changes[0].change)) == alone
    assert as_read(origin_json(changes[0])) == {
        **alone,
        "run": as_read(entry_json(run)),
        "rule": as_read(entry_json(rule)),
    }
    assert as_read(origin_json(changes[1]))["run"] is None
