"""``reviews``: importing and listing."""

import json

import pytest
from recorded_support import THEN

from ekomi_reconcile.model.instant import iso


def texts(project, capsys, *arguments):
    """The texts of the listed reviews."""
    assert project.cli("reviews", "list", "--format", "json", *arguments) == 0
    return [each["text"] for each in json.loads(capsys.readouterr().out)]


def test_the_latest_come_first(recorded, capsys):
    """Over all accounts, without those that are gone."""
    assert texts(recorded, capsys) == ["Bra", "Review 1", "Review 2"]
    assert texts(recorded, capsys, "--limit", "2") == ["Bra", "Review 1"]


def test_reviews_are_chosen_by_account_and_time(recorded, capsys):
    """--account, --since as a time or as how long ago, --gone."""
    assert texts(recorded, capsys, "--account", "norway") == ["Bra"]
    assert texts(recorded, capsys, "--account", "norway", "--account", "28374", "--limit", "9")[0] == "Bra"
    assert texts(recorded, capsys, "--since", iso(THEN - 86_400)) == ["Bra", "Review 1"]
    assert texts(recorded, capsys, "--since", "1h") == []
    assert texts(recorded, capsys, "--gone", "--account", "Germany") == ["Review 1", "Review 2", "Review 3"]


@pytest.mark.parametrize("wrong", ["yesterday", "5x", ""])
def test_a_wrong_time_is_a_usage_error(wrong, recorded, capsys):
    """The message shows how to write it."""
    assert recorded.cli("reviews", "list", "--since", wrong) == 64
    assert "2026-11-30T12:00:00Z" in capsys.readouterr().err


def test_importing_brings_what_is_new(project, sandbox, capsys):
    """An import that is not due finds a new review; only a full one notices that one is gone."""
    project.account("Germany", "28374")
    assert project.cli("apply", "--auto-approve") == 0
    capsys.readouterr()
    known = len(texts(project, capsys))
    shop = sandbox.world.shops["28374"]
    assert known > 10
    sandbox.world.feedback_cache.clear()
    oldest = min(shop.reviews, key=lambda each: each.submitted)
    shop.reviews.remove(oldest)
    assert project.cli("reviews", "import") == 0
    nothing = "reviews: 0 new, 0 changed, 0 gone\n"
    assert capsys.readouterr().out == f"{nothing}Import complete. 1 imported, 0 failed.\n"
    assert project.cli("reviews", "import", "Germany", "--full") == 0
    told = "reviews: 0 new, 0 changed, 1 gone\nImport complete. 1 imported, 0 failed.\n"
    assert capsys.readouterr().out == told
    assert len(texts(project, capsys)) == known - 1
