"""``state``: addresses, records, the export, the journal."""

import json

import pytest
from recorded_support import ROWS, opened

from ekomi_reconcile.model.invitation import Observation
from ekomi_reconcile.state.maintenance.push import export
from ekomi_reconcile.state.opening import Mode


def test_addresses_one_per_line(recorded, capsys):
    """They can be given to `state show` as they are."""
    assert recorded.cli("state", "list") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines == ['account["Germany"]', 'account["Norway"]']
    assert recorded.cli("state", "show", lines[0], "--format", "json") == 0
    assert json.loads(capsys.readouterr().out)["interface_id"] == "28374"


def test_a_record_in_full(recorded, capsys):
    """As it was applied; of the password only whether its digest is known; deleted accounts too."""
    assert recorded.cli("state", "show", "germany", "--format", "json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["desired"]["invitations"]["pending_period"] == 7
    assert found["password_recorded"] is True
    assert found["deleted_at"] is None
    assert recorded.cli("state", "show", "Old", "--format", "json") == 0
    assert json.loads(capsys.readouterr().out)["deleted_at"] == "2025-10-09T08:53:20Z"


def test_an_unknown_address(recorded, capsys):
    """An error with the nearest one."""
    assert recorded.cli("state", "show", 'account["Germani"]') == 1
    assert 'did you mean "account["Germany"]"?' in capsys.readouterr().err


def test_the_export_holds_everything(recorded, capsys):
    """One JSON object: identity, and every table with every row; tables without rows are empty arrays."""
    with opened(recorded.folder, Mode.WRITE) as state:
        state.positions.observe([Observation(source="default", order_id=5, status="processing", since=1)])
        expected = export(state)
    assert recorded.cli("state", "pull") == 0
    found = json.loads(capsys.readouterr().out)
    assert found == expected
    assert len(found["invitations"]) == len(ROWS) + 1
    assert found["positions"] == []


def test_the_export_comes_as_it_is_read(recorded, capsys):
    """One row per line, so that a large state can be looked through."""
    recorded.cli("state", "pull")
    lines = capsys.readouterr().out.splitlines()
    rows = [
        line for line in lines if line.startswith('{"id":') and '"order_id"' in line and '"number"' in line
    ]
    assert len(rows) == len(ROWS) + 1


@pytest.mark.parametrize("form", ["text", "json"])
def test_the_journal_tells_what_people_did(form, recorded, capsys):
    """The latest first, with who, what and why."""
    assert recorded.cli("invitations", "skip", "1", "--reason", "asked by telephone") == 0
    capsys.readouterr()
    assert recorded.cli("state", "history", "--format", form) == 0
    output = capsys.readouterr().out
    if form == "json":
        latest, first = json.loads(output)
        assert (latest["action"], latest["outcome"]) == ("invitations skip", "skipped")
        assert (latest["subject"], latest["detail"]) == (
            "invitation 1 of order 100000001",
            "asked by telephone",
        )
        assert (first["action"], first["commit"]) == ("apply", "0123456789abcdef0123")
    else:
        assert "invitations skip" in output.splitlines()[1]
        assert "0123456789ab" in output.splitlines()[2]
