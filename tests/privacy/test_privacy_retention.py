"""``privacy.retention``: what is too old is forgotten, and nobody is asked twice because of it."""

import dataclasses

import pytest
from care_support import fill
from project_support import order, settings
from state_support import NOW, Store, an_account, an_order

from ekomi_reconcile.model import instant
from ekomi_reconcile.model.instant import DAY
from ekomi_reconcile.model.invitation import SendOutcome, Status
from ekomi_reconcile.model.review import Review
from ekomi_reconcile.state.maintenance.check import check_database
from ekomi_reconcile.state.maintenance.move import prune
from ekomi_reconcile.state.maintenance.table_dump import StoredContent
from ekomi_reconcile.state.opening import Mode, open_state


@pytest.fixture
def state(tmp_path):
    """A state with one of everything, all of it from NOW."""
    with Store("state.db", tmp_path).opened() as state:
        fill(state)
        yield state


def test_what_is_younger_stays(state):
    """Not a row is touched at the very instant, and the run is not noted."""
    before = StoredContent(state).digests()
    assert prune(state, NOW, NOW + 1).total == 0
    assert StoredContent(state).digests() == before


def test_what_is_older_goes_or_is_reduced(state):
    """Reviews, logs and histories go; ended rows keep ids, status and times; open ones stay whole."""
    before = {row.order_id: row for row in state.invitations.search()}
    counts = prune(state, NOW + 1, NOW + 730 * DAY)
    assert dataclasses.asdict(counts) == {
        "reviews": 1,
        "errors": 1,
        "journal": 1,
        "changes": 3,
        "observations": 1,
        "passed": 1,
        "reduced": 2,
    }
    assert list(state.reviews.search(include_gone=True)) == []
    assert state.journal.errors() == ()
    (entry,) = state.journal.entries()
    assert (entry.action, entry.at) == ("privacy retention", NOW + 730 * DAY)
    assert "2 reduced" in entry.outcome
    rows = {row.order_id: row for row in state.invitations.search()}
    for key, row in rows.items():
        if row.status is Status.PENDING:
            assert row == before[key]
        else:
            reduced = {"store_view": None, "link": None, "reason": None, "customer": None}
            assert row == dataclasses.replace(before[key], **reduced)
    assert rows[2].sent_at == NOW
    assert state.invitations.history(rows[2].id)[-1].to_status is Status.SENT
    assert check_database(state) == []


def test_a_reduced_order_is_never_offered_again(state):
    """It blocks its order as before."""
    prune(state, NOW + 1, NOW + 1)
    state.accounts.save(an_account("3"), now=NOW)
    assert state.schedule.add([an_order(2, "3"), an_order(3, "3")], now=NOW).blocked == 2


def test_at_most_once_a_day(state):
    """A second run of the day does nothing; a shorter retention counts at once."""
    assert prune(state, NOW + 1, NOW + 1).total
    state.journal.record_error(None, operation="x", kind="X", message="x", now=NOW)
    assert prune(state, NOW + DAY, NOW + DAY).total == 0
    assert prune(state, NOW + DAY + 1, NOW + DAY + 1).errors == 1
    state.journal.record_error(None, operation="x", kind="X", message="x", now=NOW)
    assert prune(state, NOW + 20 * DAY, NOW + DAY + 2).errors == 1


def test_rows_that_are_being_sent_are_left_alone(state):
    """Neither pending nor sending rows are reduced, however old."""
    row = next(row for row in state.invitations.search() if row.status is Status.PENDING)
    state.sending.claim([row.id], now=NOW)
    prune(state, NOW + DAY, NOW + DAY)
    assert state.invitations.get(row.id).customer == row.customer
    state.sending.settle([SendOutcome(id=row.id, status=Status.UNKNOWN, at=NOW)])
    prune(state, NOW + 9 * DAY, NOW + 9 * DAY)
    assert state.invitations.get(row.id).customer is None


@pytest.mark.parametrize(("retention", "left"), [("", 1), ("privacy: {retention: 30d}\n", 0)])
def test_an_apply_prunes(project, sandbox, retention, left, capsys):
    """Only where the settings ask for it, and at the end of every kind of apply."""
    project.account("Germany", "28374", "store_views: [de]\npending_period: 1", more="tags: [digital]")
    project.orders([order(1, age_days=3)])
    assert project.cli("apply", "--auto-approve") == 0
    path = str(project.state)
    old = instant.now() - 40 * DAY
    with open_state(path, root=project.folder, mode=Mode.WRITE) as state:
        state.journal.record_error("28374", operation="sync", kind="X", message="x", now=old)
        lone = Review(order_id="7", submitted_at=old, rating=1.0)
        state.reviews.save_import("28374", [lone], full=False, now=instant.now())
    project.settings(settings(sandbox.url, retention))
    assert project.cli("apply", "--auto-approve") == 0
    with open_state(path, root=project.folder, mode=Mode.READ) as state:
        assert len(state.journal.errors()) == left
        assert sum(each.review.order_id == "7" for each in state.reviews.search()) == left
