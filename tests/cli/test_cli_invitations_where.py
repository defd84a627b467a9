"""Bulk work on the queue: what is selected, that the number is checked, and that it is all or nothing."""

import json
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from project_support import order
from recorded_support import ROWS, opened

from ekomi_reconcile.cli.invitation_changes import ColumnTest, WhereType
from ekomi_reconcile.model.invitation import Status


def listed(project, capsys):
    """All invitations, as the list shows them."""
    capsys.readouterr()
    assert project.cli("invitations", "list", "--format", "json") == 0
    return json.loads(capsys.readouterr().out)


def statuses(project, capsys):
    """The status of each invitation by id."""
    return {each["id"]: each["status"] for each in listed(project, capsys)}


def entries(project):
    """How many entries the journal has."""
    with opened(project.folder) as state:
        return len(state.journal.entries())


PENDING = [number for number, each in enumerate(ROWS, 1) if each is Status.PENDING]


@pytest.mark.sampled(4)
@pytest.mark.parametrize(
    ("command", "status", "after"),
    [
        (("skip", "--reason", "not now"), "pending", "skipped"),
        (("skip",), "failed", "skipped"),
        (("unskip",), "skipped", "pending"),
        (("push",), "pending", "pending"),
        (("retry",), "failed", "pending"),
        (("resolve", "--sent"), "unknown", "sent"),
        (("resolve", "--resend"), "unknown", "pending"),
    ],
)
def test_every_command_changes_what_is_selected(recorded, capsys, command, status, after):
    """The selected ones change, no others do, and each change is journaled."""
    before = statuses(recorded, capsys)
    selected = [key for key, each in before.items() if each == status]
    assert selected
    journaled = entries(recorded)
    where = ("--where", f"status={status}", "--where", "id<8", "--expect", str(len(selected)))
    assert recorded.cli("invitations", *command, *where, "--format", "json") == 0
    shown = json.loads(capsys.readouterr().out)
    assert [(each["id"], each["status"]) for each in shown] == [(key, after) for key in selected]
    assert statuses(recorded, capsys) == before | dict.fromkeys(selected, after)
    assert entries(recorded) == journaled + len(selected)


def test_a_wrong_number_changes_nothing(recorded, capsys):
    """Too many and too few are refused with the number that matches."""
    before = listed(recorded, capsys)
    count = sum(each["status"] == "pending" for each in before)
    for wrong in (count - 1, count + 1, count + 1000):
        assert recorded.cli("invitations", "skip", "--where", "status=pending", "--expect", str(wrong)) == 1
        assert f"--expect {count}" in capsys.readouterr().err
    assert recorded.cli("invitations", "skip", "--where", "status=pending") == 1
    error = capsys.readouterr().err
    assert "no terminal to confirm on" in error
    assert f"--expect {count}" in error
    assert listed(recorded, capsys) == before


def test_one_that_does_not_allow_it_stops_all(recorded, capsys):
    """All are changed, or none is, and the one that stopped it is named."""
    before, journaled = listed(recorded, capsys), entries(recorded)
    assert recorded.cli("invitations", "skip", "--where", "id>0", "--expect", str(len(before))) == 1
    assert "none was changed" in capsys.readouterr().err
    assert (listed(recorded, capsys), entries(recorded)) == (before, journaled)


def test_nothing_that_matches_is_no_error(recorded, capsys):
    """With --expect 0 there is nothing to do."""
    assert recorded.cli("invitations", "skip", "--where", "account~nowhere", "--expect", "0") == 0
    assert "0 invitations changed" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("3", "--where", "id=3", "--expect", "1"),
        ("3", "--expect", "1"),
        ("--where", "staus=unknown", "--expect", "1"),
        ("--where", "status=unkown", "--expect", "1"),
        ("--where", "status", "--expect", "1"),
        ("--where", "id==3", "--expect", "1"),
        ("--where", "id>=3", "--expect", "1"),
        ("--where", "id=three", "--expect", "1"),
        ("--where", "attempts>-1", "--expect", "1"),
        ("--where", "account>A", "--expect", "1"),
        ("--where", "scheduled_at<soon", "--expect", "1"),
        ("--where", "=3", "--expect", "1"),
        ("--where", "status=", "--expect", "0"),
        ("--where", "status!=", "--expect", "0"),
        ("--where", "reached_source= ", "--expect", "0"),
        ("--where", "id=", "--expect", "0"),
        ("--where", "order_date=", "--expect", "0"),
        ("--where", "id=3", "--expect", "-1"),
    ],
)
def test_what_selects_nothing_sensible_is_a_wrong_command_line(recorded, capsys, arguments):
    """Exit 64, before anything is opened; a selection that could never match is one of them."""
    for command in (("skip",), ("resolve", "--sent")):
        assert recorded.cli("invitations", *command, *arguments) == 64
    capsys.readouterr()


def test_an_unknown_column_is_answered_with_the_nearest(recorded, capsys):
    """A typo must not select other invitations."""
    assert recorded.cli("invitations", "skip", "--where", "staus=unknown", "--expect", "1") == 64
    assert "did you mean 'status'" in capsys.readouterr().err


COLUMNS = {
    "id": 12,
    "account": "Köln Shop",
    "interface_id": "28374",
    "order": "100000012",
    "order_id": 112,
    "store_view": None,
    "order_date": "2026-11-01T10:00:00Z",
    "scheduled_at": "2026-11-15T10:00:00Z",
    "sent_at": None,
    "reason": None,
    "status": "pending",
    "attempts": 0,
}


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("id=12", True),
        ("id = 012", True),
        ("id!=12", False),
        ("id<13", True),
        ("id<12", False),
        ("id>11", True),
        ("id~2", True),
        ("account=Köln Shop", True),
        ("account=köln shop", False),
        ("account~KÖLN", True),
        ("account~de", False),
        ("account!=", True),
        ("order~0000", True),
        ("status!=sent", True),
        ("store_view=", True),
        ("store_view!=", False),
        ("store_view!=de", True),
        ("store_view~", False),
        ("sent_at<2030-01-01", False),
        ("sent_at>2000-01-01", False),
        ("sent_at=", True),
        ("scheduled_at=2026-11-15T10:00:00Z", True),
        ("scheduled_at=2026-11-15 11:00:00+01:00", True),
        ("scheduled_at<2026-11-15", False),
        ("scheduled_at>2026-11-15", True),
        ("scheduled_at~2026-11-15", True),
        ("attempts=0", True),
        ("attempts>0", False),
    ],
)
def test_operators(text, holds):
    """Each operator on numbers, times, texts and what is absent."""
    assert WhereType().convert(text, None, None).holds(SimpleNamespace(**COLUMNS)) is holds


@given(
    key=st.sampled_from(["account", "order", "reason"]), value=st.text(max_size=5), wanted=st.text(max_size=5)
)
def test_equal_and_unequal_are_opposites(key, value, wanted):
    """Every invitation is selected by exactly one of the two."""
    columns = SimpleNamespace(**{**COLUMNS, key: value or None})
    both = [ColumnTest(key, operator, wanted).holds(columns) for operator in ("=", "!=")]
    assert sorted(both) == [False, True]


@pytest.fixture
def shared(project, server, request, monkeypatch):
    """A project whose state is in PostgreSQL, with three pending invitations."""
    schema = f"where_{abs(hash(request.node.name)) % 10**8}"
    text = (project.folder / "ekomi-reconcile.yaml").read_text()
    project.settings(f"{text}privacy: {{key: '${{env:DIGEST_KEY}}'}}\n")
    monkeypatch.setenv("DIGEST_KEY", "k" * 40)
    monkeypatch.setenv("EKOMI_RECONCILE_STATE", server.url(schema=schema))
    project.account("Germany", "28374")
    project.orders(order(number) for number in (1, 2, 3))
    assert project.cli("apply", "--auto-approve") == 0
    return project


def test_a_shared_state_is_changed_in_the_same_way(shared, capsys):
    """In PostgreSQL the selection, the number and all-or-nothing are the same."""
    where = ("--where", "account=Germany", "--where", "status!=sent")
    assert shared.cli("invitations", "skip", *where, "--expect", "2") == 1
    assert set(statuses(shared, capsys).values()) == {"pending"}
    assert shared.cli("invitations", "skip", *where, "--expect", "3", "--reason", "holidays") == 0
    assert set(statuses(shared, capsys).values()) == {"skipped"}
    assert shared.cli("invitations", "retry", *where, "--expect", "3") == 1
    assert set(statuses(shared, capsys).values()) == {"skipped"}
    assert shared.cli("invitations", "unskip", "--where", "reason~HOLI", "--expect", "3") == 0
    assert set(statuses(shared, capsys).values()) == {"pending"}
