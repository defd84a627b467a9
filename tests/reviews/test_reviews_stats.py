"""``reviews stats``: what is shown of the figures."""

import io
import json
import sys
from pathlib import Path

import msgspec
import pytest
from golden import check_golden
from hypothesis import given
from hypothesis import strategies as st
from project_support import Project

from ekomi_reconcile.model.account import Account
from ekomi_reconcile.model.instant import DAY, parse
from ekomi_reconcile.model.review import Period, Review, ReviewStatistics, Tally
from ekomi_reconcile.render.reviews import (
    ASCII,
    BLOCKS,
    ListedStatistics,
    signs_for,
    statistics_json,
    statistics_text,
)
from ekomi_reconcile.render.tables import Paint
from ekomi_reconcile.state.opening import Mode, open_state

GOLDEN = Path(__file__).parent / "golden"
NOVEMBER = Period.MONTH.number(parse("2026-11-15T00:00:00Z"))
GERMANY = ListedStatistics(
    account="Germany\x1b[2J",
    by=Period.MONTH,
    found=ReviewStatistics(
        interface_id="28374",
        total=Tally(1234, 5500.0),
        stars={5: 900, 4: 250, 3: 50, 2: 4, 1: 30},
        answered=300,
        trend={
            NOVEMBER - 40: Tally(34, 100.0),
            NOVEMBER - 3: Tally(100, 400.0),
            NOVEMBER - 1: Tally(600, 2700.0),
            NOVEMBER: Tally(500, 2300.0),
        },
        products=Tally(7, 30.0),
    ),
)
EMPTY = ListedStatistics(account="Norway", by=Period.MONTH, found=ReviewStatistics(interface_id="28376"))


@pytest.mark.parametrize("signs", [BLOCKS, ASCII], ids=["blocks", "ascii"])
def test_what_the_terminal_gets(signs):
    """Bars, lines and figures; control characters of names are visible."""
    name = "ascii" if signs is ASCII else "blocks"
    text = "".join(statistics_text([GERMANY, EMPTY], signs=signs, paint=Paint()))
    check_golden(GOLDEN / f"stats-{name}.txt", text)
    assert signs is BLOCKS or text.isascii()


def test_json_has_every_period():
    """From the first to the last, empty ones too, with the names that the documentation gives."""
    told = msgspec.to_builtins(statistics_json(GERMANY))
    assert len(told["trend"]) == 41
    assert told["trend"][-2:] == [
        {"period": "2026-10", "reviews": 600, "average": 4.5},
        {"period": "2026-11", "reviews": 500, "average": 4.6},
    ]
    assert told["trend"][-3]["average"] is None
    assert told["distribution"] == {"1": 30, "2": 4, "3": 50, "4": 250, "5": 900}
    assert (told["answered"], told["answered_share"]) == (300, 0.2431)
    assert told["product_reviews"] == {"reviews": 7, "average": 4.2857}
    assert statistics_json(EMPTY).average is None


@pytest.mark.parametrize(
    ("encoding", "signs"),
    [("utf-8", BLOCKS), ("ascii", ASCII), ("latin-1", ASCII), (None, ASCII), ("no-such", ASCII)],
)
def test_blocks_only_where_the_terminal_has_them(encoding, signs):
    """Otherwise ASCII."""
    assert signs_for(encoding) is signs


@given(st.floats(0, 1))
def test_a_bar_is_as_long_as_its_share(share):
    """Nothing is no bar, everything is the longest, anything can be seen."""
    for signs in (BLOCKS, ASCII):
        bar = signs.bar(share)
        assert len(bar) <= len(signs.bar(1.0))
        assert bool(bar) == (share > 0)


@given(st.integers(0, 4_000_000_000), st.sampled_from(Period))
def test_periods_follow_each_other(at, by):
    """A later instant is never in an earlier period, and labels sort as periods do."""
    later = at + 31 * DAY
    assert by.number(at) < by.number(later)
    assert by.label(by.number(at)) < by.label(by.number(later))


@pytest.fixture
def recorded(tmp_path):
    """A project whose state has reviews of two accounts; no secret is set, nothing is served."""
    project = Project(tmp_path)
    project.settings("version: 1\n")
    (tmp_path / "accounts.d").mkdir()
    with open_state(".ekomi-reconcile/state.db", root=tmp_path, mode=Mode.CREATE) as state:
        for number, name in (("28374", "Germany"), ("28375", "Greece"), ("999", "Old")):
            account = Account(name=name, interface_id=number, interface_password="${env:X}")
            state.accounts.save(account, now=1)
        at = parse("2026-11-20T12:00:00Z")
        found = [
            Review(order_id="1", submitted_at=at, rating=5.0, comment="Thanks"),
            Review(order_id="2", submitted_at=at - 60 * DAY, rating=3.0),
            Review(order_id="2", submitted_at=at - 60 * DAY, rating=1.0, product_id="P1"),
        ]
        state.reviews.save_import("28374", found, full=True, now=at)
        state.accounts.delete("999", now=at)
    return project


def figures(project, capsys, *arguments):
    """The averages that ``reviews stats`` tells, by account."""
    assert project.cli("reviews", "stats", "--format", "json", *arguments) == 0
    return {each["account"]: each["average"] for each in json.loads(capsys.readouterr().out)}


def test_accounts_products_and_times_are_chosen(recorded, capsys):
    """All live accounts, or those that fit; a deleted one if it is named."""
    assert figures(recorded, capsys) == {"Germany": 4.0, "Greece": None}
    assert figures(recorded, capsys, "--account", "ger*") == {"Germany": 4.0}
    assert figures(recorded, capsys, "--account", "28375", "--account", "old") == {
        "Greece": None,
        "Old": None,
    }
    assert figures(recorded, capsys, "--since", "2026-11-01", "--account", "g*") == {
        "Germany": 5.0,
        "Greece": None,
    }
    assert figures(recorded, capsys, "--product", "P1", "--account", "Germany") == {"Germany": 1.0}
    assert recorded.cli("reviews", "stats", "--account", "x*") == 1
    assert 'no account fits "x*"' in capsys.readouterr().err


def test_weeks(recorded, capsys):
    """Weeks are those of ISO 8601."""
    assert recorded.cli("reviews", "stats", "--by", "week", "--format", "json", "--account", "Germany") == 0
    (told,) = json.loads(capsys.readouterr().out)
    assert [each["period"] for each in (told["trend"][0], told["trend"][-1])] == ["2026-W39", "2026-W47"]


def test_a_terminal_without_blocks_gets_ascii(recorded, monkeypatch):
    """What is written fits the encoding of stdout."""
    screen = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", screen)
    assert recorded.cli("reviews", "stats") == 0
    screen.flush()
    assert b"5 stars  1   50%  ########################\n" in screen.buffer.getvalue()


def test_reviews_of_a_product_are_listed(recorded, capsys):
    """--product chooses them; each names its product."""
    assert recorded.cli("reviews", "list", "--product", "P1", "--format", "json") == 0
    (told,) = json.loads(capsys.readouterr().out)
    assert (told["product_id"], told["rating"], told["account"]) == ("P1", 1.0, "Germany")
