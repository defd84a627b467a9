"""Commands that look after the state are killed right before a commit: they did everything or nothing."""

import json
from itertools import count

import pytest
from crash_support import killed, two_accounts

from ekomi_reconcile.state import FORMAT_VERSION
from ekomi_reconcile.state.opening import Mode, open_state

COMMANDS = {
    "mv": ("state", "mv", "Germany", "Deutschland"),
    "rm": ("state", "rm", "France"),
    "push": ("state", "push", "edited.json"),
    "restore": ("state", "restore", "copy.db"),
    "migrate": ("state", "migrate", "other.db"),
}
SLOW = {"push", "restore", "migrate"}
"""Tests of their own kill these within their transactions."""


def arrange(project, capsys):
    """A state with a queue, a copy of it, an edited export, and then one account less."""
    project.settings(
        (project.folder / "ekomi-reconcile.yaml").read_text() + "safety: {max_delete_percent: 100}\n"
    )
    two_accounts(project, 6)
    assert project.cli("apply", "--auto-approve", "--no-send") == 0
    assert project.cli("state", "backup", "--out", str(project.folder / "copy.db")) == 0
    exported = pulled(project, capsys)
    exported["reviews"] = []
    exported["serial"] += 1
    (project.folder / "edited.json").write_text(json.dumps(exported))


def pulled(project, capsys):
    """Everything that is recorded."""
    capsys.readouterr()
    assert project.cli("state", "pull") == 0
    return json.loads(capsys.readouterr().out)


@pytest.mark.sampled(8)
@pytest.mark.parametrize(
    "command", [pytest.param(each, marks=pytest.mark.slow if each in SLOW else ()) for each in COMMANDS]
)
def test_a_command_killed_before_a_commit_did_nothing(anywhere, capsys, command):
    """Killed before each of its commits it has changed no record; when it is run again it does its work."""
    arrange(anywhere, capsys)
    before = pulled(anywhere, capsys)
    for at in count(1):
        if not killed(anywhere, *COMMANDS[command], at=at, steps="commits"):
            break
        after = pulled(anywhere, capsys)
        for each in (before, after):
            each["journal"] = [row for row in each["journal"] if row["action"] != "state migrate"]
        assert command == "migrate" or after == before
        assert {**after, "serial": 0} == {**before, "serial": 0}
        assert anywhere.cli("state", "check") == 0
    assert at > 1
    done = pulled(anywhere, capsys)
    assert done["serial"] > before["serial"]
    if command == "migrate":
        with open_state("other.db", root=anywhere.folder, mode=Mode.READ, key=b"k" * 32) as other:
            assert other.meta.identity.lineage == before["lineage"]
            assert other.meta.identity.serial == done["serial"]


@pytest.mark.slow
def test_a_source_is_renamed_wholly_or_not_at_all(anywhere, capsys):
    """Killed before each commit of ``state mv-source`` everything still has the old name, and apply stops."""
    two_accounts(anywhere, 6)
    assert anywhere.cli("apply", "--auto-approve", "--no-send") == 0
    path = anywhere.folder / "ekomi-reconcile.yaml"
    assert "orders: {file: orders.jsonl}" in path.read_text()
    path.write_text(path.read_text().replace("{file: orders.jsonl}", "{eu: {file: orders.jsonl}}"))
    for each in (anywhere.folder / "accounts.d").iterdir():
        each.write_text(f"orders: eu\n{each.read_text()}")
    before = pulled(anywhere, capsys)
    for at in count(1):
        if not killed(anywhere, "state", "mv-source", "default", "eu", at=at, steps="commits"):
            break
        assert pulled(anywhere, capsys) == before
        assert anywhere.cli("apply", "--auto-approve") == 1
        assert "mv-source default eu" in capsys.readouterr().err
    assert at > 1
    after = pulled(anywhere, capsys)
    assert {row["source"] for row in after["invitations"]} == {"eu"}
    assert len(after["invitations"]) == len(before["invitations"])
    assert anywhere.cli("apply", "--auto-approve", "--no-send") == 0
    again = pulled(anywhere, capsys)["invitations"]
    assert [row["number"] for row in again] == [row["number"] for row in after["invitations"]]


@pytest.mark.sampled(2)
def test_a_state_of_the_present_format_needs_no_migration(anywhere, capsys):
    """`state migrate` without a place says which format it is, makes no copy, and gives the lock back."""
    two_accounts(anywhere, 0)
    assert anywhere.cli("apply", "--auto-approve") == 0
    for _ in range(2):
        capsys.readouterr()
        assert anywhere.cli("state", "migrate", "--format", "json") == 0
        assert json.loads(capsys.readouterr().out)["state_format"] == str(FORMAT_VERSION)
    assert not list(anywhere.folder.rglob("*.backup"))
