"""Reviews, errors, the state's records, the lock, and the summary of a fetch."""

import pytest
from render_support import NOW, a_record, a_review, as_read, drawn, golden
from rich.cells import cell_len

from ekomi_reconcile.model.errors import EkomiUnavailable
from ekomi_reconcile.model.run import ApiError, Done, JournalEntry, LockInfo, Result
from ekomi_reconcile.render import results, reviews, state
from ekomi_reconcile.render.results import fetched_text
from ekomi_reconcile.render.tables import Paint, json_text

REVIEWS = [
    reviews.ListedReview("Germany", a_review()),
    reviews.ListedReview(
        "Germany", a_review(2, gone_at=NOW, title="Gut", comment="Danke!", product_id="BK-1", text="x" * 200)
    ),
]
ERRORS = [
    results.ListedError(
        "Germany",
        ApiError(
            at=NOW,
            interface_id="28374",
            operation="send 100000001",
            kind="EkomiUnavailable",
            http_status=503,
            message="add-recipient: HTTP 503: " + "try again later " * 5,
        ),
    ),
    results.ListedError(
        None,
        ApiError(at=NOW, interface_id=None, operation="New: create", kind="X", http_status=None, message="m"),
    ),
]
ENTRIES = [
    JournalEntry(
        at=NOW, who="kim", host="ci-1", action="apply", outcome="done", commit="0123456789abcdef" * 2
    ),
    JournalEntry(
        at=NOW - 60,
        who="kim",
        host="ci-1",
        action="invitations skip",
        outcome="skipped",
        subject="invitation 5 of order 100000005",
        detail="asked on the telephone",
    ),
]
HOLDER = LockInfo(
    ID="5b0c",
    Operation="apply",
    Who="kim@ci-1",
    Created="2026-10-31T12:00:00Z",
    PID=42,
    Job="https://ci.example.com/1",
    Info="commit 0123456789ab",
    Version="0.1.0",
    Path="/srv/state.db",
)


@pytest.mark.parametrize("width", [None, 80])
@pytest.mark.parametrize(
    ("name", "layout", "rows"),
    [
        ("reviews", reviews.LAYOUT, [reviews.review_row(each) for each in REVIEWS]),
        ("errors", results.LAYOUT, [results.error_row(each) for each in ERRORS]),
        ("journal", state.JOURNAL_LAYOUT, [state.entry_row(each) for each in ENTRIES]),
    ],
)
def test_tables(name, layout, rows, width):
    """Each list in a pipe and on a terminal of 80 columns."""
    text = drawn(layout, rows, width)
    golden(f"{name}_{width or 'pipe'}.txt", text)
    if width:
        assert max(map(cell_len, text.splitlines())) <= width


def test_a_review_as_json():
    """Times are ISO 8601, what a review does not have is null, the text keeps its line breaks."""
    assert as_read(reviews.review_json(REVIEWS[0])) == {
        "account": "Germany",
        "interface_id": "28374",
        "order": "100000001",
        "product_id": None,
        "product": None,
        "product_name": None,
        "submitted_at": "2026-10-30T12:00:00Z",
        "rating": 4.5,
        "title": None,
        "text": "Schnell geliefert,\nsehr gut verpackt.",
        "comment": None,
        "first_seen_at": "2026-10-31T12:00:00Z",
        "changed_at": "2026-10-31T12:00:00Z",
        "gone_at": None,
    }


def test_an_error_as_json():
    """A call that belongs to no account has none."""
    assert as_read(results.error_json(ERRORS[1])) == {
        "at": "2026-10-31T12:00:00Z",
        "account": None,
        "interface_id": None,
        "operation": "New: create",
        "kind": "X",
        "http_status": None,
        "message": "m",
    }


def test_a_record_of_the_state():
    """The whole record; of the password only that its digest is known."""
    golden("record.txt", state.record_text(a_record(), Paint()))
    golden("record.json", json_text(state.record_json(a_record())) + "\n")
    assert "d1d1" not in state.record_text(a_record(), Paint()) + json_text(state.record_json(a_record()))


def test_addresses_stand_alone_on_their_lines():
    """A script can read them; quotes in a name are escaped."""
    assert state.address_text(a_record(name='A "B"')) == 'account["A \\"B\\""]\n'


def test_the_journal_as_json():
    """The whole commit, and null for what an entry does not have."""
    assert as_read(results.entry_json(ENTRIES[0])) == {
        "at": "2026-10-31T12:00:00Z",
        "who": "kim",
        "host": "ci-1",
        "action": "apply",
        "subject": None,
        "outcome": "done",
        "detail": None,
        "commit": "0123456789abcdef" * 2,
        "plan_digest": None,
    }


def test_the_holder_of_the_lock():
    """Who, where, since when, for what, in which job; without a holder the same keys."""
    golden("lock.txt", state.lock_text(HOLDER, Paint()))
    assert as_read(state.lock_json(HOLDER)) == {
        "held": True,
        "id": "5b0c",
        "who": "kim",
        "host": "ci-1",
        "since": "2026-10-31T12:00:00Z",
        "operation": "apply",
        "process": 42,
        "job": "https://ci.example.com/1",
        "info": "commit 0123456789ab",
        "version": "0.1.0",
        "path": "/srv/state.db",
    }
    assert as_read(state.lock_json(None)) == dict.fromkeys(as_read(state.lock_json(HOLDER))) | {"held": False}
    assert state.lock_text(None, Paint()) == "Nobody holds the lock.\n"


def test_a_holder_that_has_not_signed():
    """A lock whose file says nothing is still held."""
    found = as_read(state.lock_json(LockInfo(ID="", Operation="unknown", Who="unknown", Created="", PID=0)))
    assert (found["held"], found["who"], found["host"], found["since"]) == (True, "unknown", None, None)


def test_the_summary_of_a_fetch():
    """Figures always come; with a failure it says what failed and that it is incomplete."""
    result = Result()
    result.count(Done.SYNCED, 2)
    assert fetched_text(result, "Sync", [Done.SYNCED], paint=Paint()) == (
        "Sync complete. 2 synced, 0 failed.\n"
    )
    result.fail("France: sync", EkomiUnavailable("HTTP 503", hint="try later"))
    assert fetched_text(result, "Sync", [Done.SYNCED], paint=Paint()) == (
        "failed: France: sync: HTTP 503\n    hint: try later\n"
        "incident ekomi-down: see docs/how-to/incidents.md#ekomi-down\n"
        "Sync incomplete. 2 synced, 1 failed.\n"
    )
