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
from ekomi_reconcile.state.engine.opening import Mode, open_state


@pytest.fixture
def state(tmp_path):
    """A state with one of everything, all of it from NOW."""
    with Store("state.db", tmp_path).opened() as state:
        fill(state)
        yield state


def test_what_is_younger_stays(state):
    """Not a row is touched at the very instant, and the run is not noted."""
    before = state.digests()
    assert state.prune(NOW, NOW + 1).total == 0
    assert state.digests() == before


def test_what_is_older_goes_or_is_reduced(state):
    """Reviews, logs and histories go; ended rows keep ids, status and times; open ones stay whole."""
    before = {row.order_id: row for row in state.list_invitations()}
    counts = state.prune(NOW + 1, NOW + 730 * DAY)
    assert dataclasses.asdict(counts) == {
        "reviews": 1,
        "errors": 1,
        "journal": 1,
        "changes": 3,
        "observations": 1,
        "reduced": 2,
    }
    assert list(state.list_reviews(include_gone=True)) == []
    assert state.errors() == ()
    (entry,) = state.journal_entries()
    assert (entry.action, entry.at) == ("privacy retention", NOW + 730 * DAY)
    assert "2 reduced" in entry.outcome
    rows = {row.order_id: row for row in state.list_invitations()}
    for key, row in rows.items():
        if row.status is Status.PENDING:
            assert row == before[key]
        else:
            reduced = {"store_view": None, "link": None, "reason": None, "customer": None}
            assert row == dataclasses.replace(before[key], **reduced)
    assert rows[2].sent_at == NOW
    assert state.history_of(rows[2].id)[-1].to_status is Status.SENT
    assert state.check() == []


def test_a_reduced_order_is_never_offered_again(state):
    """It blocks its order as before."""
    state.prune(NOW + 1, NOW + 1)
    state.save_account(an_account("3"), now=NOW)
    assert state.schedule([an_order(2, "3"), an_order(3, "3")], now=NOW).blocked == 2


def test_at_most_once_a_day(state):
    """A second run of the day does nothing; a shorter retention counts at once."""
    assert state.prune(NOW + 1, NOW + 1).total
    state.record_error(None, operation="x", kind="X", message="x", now=NOW)
    assert state.prune(NOW + DAY, NOW + DAY).total == 0
    assert state.prune(NOW + DAY + 1, NOW + DAY + 1).errors == 1
    state.record_error(None, operation="x", kind="X", message="x", now=NOW)
    assert state.prune(NOW + 20 * DAY, NOW + DAY + 2).errors == 1


def test_rows_that_are_being_sent_are_left_alone(state):
    """Neither pending nor sending rows are reduced, however old."""
    row = next(row for row in state.list_invitations() if row.status is Status.PENDING)
    state.claim([row.id], now=NOW)
    state.prune(NOW + DAY, NOW + DAY)
    assert state.invitation(row.id).customer == row.customer
    state.settle([SendOutcome(id=row.id, status=Status.UNKNOWN, at=NOW)])
    state.prune(NOW + 9 * DAY, NOW + 9 * DAY)
    assert state.invitation(row.id).customer is None


@pytest.mark.parametrize(("retention", "left"), [("", 1), ("privacy: {retention: 30d}\n", 0)])
def test_an_apply_prunes(project, sandbox, retention, left, capsys):
    """Only where the settings ask for it, and at the end of every kind of apply."""
    project.account("Germany", "28374", "store_views: [de]\npending_period: 1", more="tags: [digital]")
    project.orders([order(1, age_days=3)])
    assert project.cli("apply", "--auto-approve") == 0
    path = str(project.state)
    old = instant.now() - 40 * DAY
    with open_state(path, root=project.folder, mode=Mode.WRITE) as state:
        state.record_error("28374", operation="sync", kind="X", message="x", now=old)
        lone = Review(order_id="7", submitted_at=old, rating=1.0)
        state.import_reviews("28374", [lone], full=False, now=instant.now())
    project.settings(settings(sandbox.url, retention))
    assert project.cli("apply", "--auto-approve") == 0
    with open_state(path, root=project.folder, mode=Mode.READ) as state:
        assert len(state.errors()) == left
        assert sum(each.review.order_id == "7" for each in state.list_reviews()) == left
