"""One state file that two projects reach by different names has one lock and one writer."""

import os
import shutil

import pytest
from crash_support import PATIENCE, Gated, check_exactly_once, started, statuses, two_accounts


def linked_file(here, there):
    """The state file is a symbolic link."""
    there.parent.mkdir()
    there.symlink_to(here)


def linked_folder(here, there):
    """The folder of the state is a symbolic link."""
    there.parent.symlink_to(here.parent)


def linked_twice(here, there):
    """A link to a link, relative."""
    there.parent.mkdir()
    (there.parent / "between.db").symlink_to(here)
    there.symlink_to("between.db")


@pytest.mark.slow
@pytest.mark.parametrize("link", [linked_file, linked_folder, linked_twice], ids=lambda each: each.__name__)
def test_a_second_apply_by_another_name_is_refused(gated, gate, capsys, link):
    """While one apply sends, the other project's lock show names it and its apply ends with 1."""
    expected = two_accounts(gated, 6)
    other = Gated(gated.folder.parent / f"{gated.folder.name}-other")
    shutil.copytree(gated.folder, other.folder)
    link(gated.state, other.state)
    gate.hold()
    with started(gated, "apply", "--auto-approve") as first:
        gate.held(first)
        capsys.readouterr()
        assert other.cli("lock", "show") == 0
        assert str(first.pid) in capsys.readouterr().out
        assert other.cli("apply", "--auto-approve") == 1
        assert f"process {first.pid}" in capsys.readouterr().err
        gate.release()
        first.communicate(timeout=PATIENCE)
    assert first.returncode == 0
    assert other.cli("apply", "--auto-approve") == 0
    assert statuses(other) == statuses(gated) == {"sent": 6}
    check_exactly_once(gated, gate.outbox(), expected)


def test_a_second_hard_link_is_refused(gated, gate, capsys):
    """By either name nothing is read or sent: SQLite keeps a journal for each name."""
    two_accounts(gated, 2)
    other = Gated(gated.folder.parent / f"{gated.folder.name}-other")
    shutil.copytree(gated.folder, other.folder)
    assert gated.cli("apply", "--auto-approve", "--no-send") == 0
    other.state.parent.mkdir()
    os.link(gated.state, other.state)
    for each in (gated, other):
        for command in (("plan",), ("apply", "--auto-approve"), ("invitations", "list"), ("lock", "show")):
            capsys.readouterr()
            assert each.cli(*command) == 1
            assert "hard links" in capsys.readouterr().err
    assert gate.outbox() == {}
