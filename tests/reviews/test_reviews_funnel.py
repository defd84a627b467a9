"""``reviews funnel``: from invitation to review."""

import json
import shlex
import sqlite3
import sys
from contextlib import closing
from math import sqrt
from pathlib import Path

import pytest
import time_machine
from golden import check_golden
from hypothesis import given, settings
from hypothesis import strategies as st
from project_support import Project
from state_support import KEY, schedule
from tiers import examples

from ekomi_reconcile.model.account import Account
from ekomi_reconcile.model.instant import DAY, parse
from ekomi_reconcile.model.review import Review, wilson
from ekomi_reconcile.state.opening import Mode, open_state

sys.path.append(str(Path(__file__).parent.parent / "docs"))

from docs_blocks import DOCS, blocks

GOLDEN = Path(__file__).parent / "golden"
LOCATION = ".ekomi-reconcile/state.db"
SENT = parse("2026-11-02T12:00:00Z")


@pytest.fixture
def recorded(tmp_path):
    """Five sent invitations of two accounts, one pending one, and reviews before and after sending."""
    return in_file(tmp_path)


@pytest.fixture(params=["file", "postgres"])
def anywhere(request, tmp_path, monkeypatch):
    """The same on each kind of store."""
    if request.param == "file":
        return in_file(tmp_path)
    server = request.getfixturevalue("server")
    url = server.url(schema="funnel")
    monkeypatch.setenv("STATE_URL", url)
    monkeypatch.setenv("STATE_KEY", KEY.decode())
    more = "state: ${env:STATE_URL}\nprivacy: {key: '${env:STATE_KEY}'}\n"
    return made(tmp_path, url, lambda text: server.run(f"SET search_path = funnel; {text}"), more, key=KEY)


def in_file(folder):
    """A project with its state in a file."""

    def change(text):
        with closing(sqlite3.connect(folder / LOCATION)) as database, database:
            database.execute(text)

    return made(folder, LOCATION, change)


def made(folder, location, change, more="", key=None):
    """The project, its state at this place; ``change`` runs a statement on it."""
    project = Project(folder)
    project.settings(f"version: 1\n{more}")
    (folder / "accounts.d").mkdir()
    with open_state(location, root=folder, mode=Mode.CREATE, key=key) as state:
        for number, name in (("1", "Germany"), ("2", "Greece")):
            state.accounts.save(Account(name=name, interface_id=number, interface_password="${env:X}"), now=1)
        schedule(state, 1, 2, 3, 4)
        schedule(state, 5, 6, interface_id="2")
        numbers = {each.order_id: each.number for each in state.invitations.search()}
        reviews = [
            Review(order_id=numbers[1], submitted_at=SENT + 2 * DAY, rating=5.0),
            Review(order_id=numbers[1], submitted_at=SENT + 9 * DAY, rating=5.0),
            Review(order_id=numbers[2], submitted_at=SENT + 5 * DAY, rating=4.0),
            Review(order_id=numbers[3], submitted_at=SENT - DAY, rating=4.0),
            Review(order_id=numbers[3], submitted_at=SENT + DAY, rating=4.0, product_id="P1"),
            Review(order_id=numbers[5], submitted_at=SENT + DAY, rating=4.0),
        ]
        state.reviews.save_import("1", reviews, full=True, now=SENT + 20 * DAY)
    change("update invitation set channel = 'ekomi-email', pending_days = 14")
    change(f"update invitation set status = 'sent', sent_at = {SENT} where order_id <> '6'")
    change(f"update invitation set sent_at = {SENT + 7 * DAY}, channel = null where order_id = '4'")
    return project


def funnel(project, capsys, *arguments):
    """The JSON of the command."""
    assert project.cli("reviews", "funnel", "--format", "json", *arguments) == 0
    return json.loads(capsys.readouterr().out)


def test_reviews_after_sending_count_once(recorded, capsys):
    """Not those before it, of products, of another account, or of an order whose invitation was not sent."""
    first, second = funnel(recorded, capsys)
    assert (first["account"], first["invited"], first["reviewed"], first["rate"]) == ("Germany", 4, 2, 0.5)
    assert first["median_days"] == 3.5
    assert (second["account"], second["invited"], second["reviewed"]) == ("Greece", 1, 0)
    assert second["median_days"] is None
    assert first["week"] is first["channel"] is first["pending_days"] is None


@pytest.mark.parametrize("form", ["text", "json"])
def test_golden_outputs(anywhere, capsys, form):
    """By account and channel, as a table and as JSON, the same from each kind of store."""
    assert anywhere.cli("reviews", "funnel", "--by", "account,channel", "--format", form) == 0
    check_golden(GOLDEN / f"funnel.{'txt' if form == 'text' else form}", capsys.readouterr().out)


def test_the_guide_runs(recorded, capsys):
    """The command of the guide gives what the guide says of it."""
    (block,) = [each for each in blocks(DOCS / "how-to" / "reviews.md") if "reviews funnel" in each.text]
    (command,) = block.text.splitlines()
    with time_machine.travel(SENT + 20 * DAY, tick=False):
        assert recorded.cli(*shlex.split(command)[1:], "--format", "json") == 0
    found = json.loads(capsys.readouterr().out)
    assert {each["week"] for each in found} == {"2026-11-02", "2026-11-09"}


def test_groups_and_selections(recorded, capsys):
    """By every key alone and together; what was not recorded is a group of its own."""
    by_week = funnel(recorded, capsys, "--by", "week")
    assert [(each["week"], each["invited"]) for each in by_week] == [("2026-11-02", 4), ("2026-11-09", 1)]
    by_channel = funnel(recorded, capsys, "--by", "channel,account")
    assert [(each["account"], each["channel"]) for each in by_channel] == [
        ("Germany", None),
        ("Germany", "ekomi-email"),
        ("Greece", "ekomi-email"),
    ]
    (days,) = funnel(recorded, capsys, "--by", "pending_days")
    assert (days["pending_days"], days["invited"]) == (14, 5)
    assert len(funnel(recorded, capsys, "--account", "gre*")) == 1
    assert [each["invited"] for each in funnel(recorded, capsys, "--since", "2026-11-05")] == [1]


def test_the_table_and_a_wrong_key(recorded, capsys):
    """The table has the interval; an unknown key is refused with those that there are."""
    assert recorded.cli("reviews", "funnel") == 0
    assert "50.0%" in (text := capsys.readouterr().out)
    assert "15.0% to 85.0%" in text
    assert recorded.cli("reviews", "funnel", "--by", "account,wek") == 64
    assert "account, week, channel, pending_days" in capsys.readouterr().err


@settings(max_examples=examples(100))
@given(st.integers(1, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_interval_solves_wilsons_equation(counts):
    """Its ends are the shares from which what was found lies just z standard deviations away."""
    found, trials = counts
    low, high = wilson(found, trials, z=2.0)
    share = found / trials
    assert 0 <= low <= share <= high <= 1
    for end in (low, high):
        distance, deviation = abs(share - end), sqrt(end * (1 - end) / trials)
        assert distance == pytest.approx(2.0 * deviation, abs=1e-6)
