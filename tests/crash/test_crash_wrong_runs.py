"""Runs that start from something wrong are killed at every step: put right, all goes on.

The clock is wrong, the source leads to another shop, or it has another name than the state knows.
``SLOW_TESTS=1 python -m pytest tests/crash/test_crash_wrong_runs.py`` kills on SQLite and PostgreSQL, and
prints the number of kills; with a wrong clock at a part of the steps each night (``tiers.phases``).
"""

import json
from itertools import count

import pytest
import time_machine
from crash_support import (
    check_exactly_once,
    finish,
    gated_settings,
    killed,
    numbers,
    two_accounts,
)
from project_support import order
from tiers import phases

from ekomi_reconcile.model import instant
from ekomi_reconcile.model.instant import DAY, HOUR

APPLY = ("apply", "--auto-approve")
YEAR = 365 * DAY
STRIDE = 16
CLOCKS = {
    "two hours ahead of the servers": (2 * HOUR, True),
    "a year ahead of the servers": (YEAR, True),
    "a year ahead of servers without a Date": (YEAR, False),
    "two hours behind the last run": (-2 * HOUR, False),
}
"""How far the clock of the killed run is ahead, and whether servers report the time."""

EVERY_CLOCK = pytest.mark.parametrize("clock", CLOCKS)


def anew(project, gate, folder):
    """The project in a new folder, with nothing left of the one before."""
    gate.restart()
    gate.world.http_ahead = 0
    gate.world.outbox.clear()
    if project.server is not None:
        project.server.run(f"DROP SCHEMA IF EXISTS {project.schema} CASCADE")
    made = type(project)(folder, project.server, project.schema)
    (folder / "accounts.d").mkdir(parents=True)
    made.settings(gated_settings(gate, parallelism=1))
    return made


def pulled(project, capsys):
    """Everything that is recorded."""
    capsys.readouterr()
    assert project.cli("state", "pull") == 0
    return json.loads(capsys.readouterr().out)


# ---------------------------------------------------------------- the clock


def kill_with_a_wrong_clock(project, gate, capsys, *, clock, at):
    """Kill a run that has invitations to send and new orders to judge, then run on with the right clock."""
    ahead, reported = CLOCKS[clock]
    expected = two_accounts(project, 6)
    lines = (project.folder / "orders.jsonl").read_text().splitlines(keepends=True)
    (project.folder / "orders.jsonl").write_text("".join(lines[:4]))
    assert project.cli(*APPLY, "--no-send") == 0
    (project.folder / "orders.jsonl").write_text("".join(lines))
    gate.world.http_ahead = 0 if reported else None
    code = 1 if reported or ahead < 0 else 0
    was_killed = killed(project, *APPLY, at=at, steps="all", code=code, clock_ahead=ahead)
    gate.world.http_ahead = 0
    assert len(gate.outbox()) <= (1 if code else 6)
    in_flight = len(numbers(project, "sending"))
    project.let_leases_end()
    put_the_clock_right(project, capsys)
    finish(project)
    check_exactly_once(project, gate.outbox(), expected)
    assert len(numbers(project, "unknown")) == in_flight
    check_syncs_go_on(project, capsys)
    return was_killed


def put_the_clock_right(project, capsys):
    """Run with the right clock; where the run before got far enough to be recorded, it is vouched for."""
    capsys.readouterr()
    if project.cli(*APPLY) != 0:
        assert "behind the last run" in capsys.readouterr().err
        assert project.cli(*APPLY, "--accept-clock") == 0


def check_syncs_go_on(project, capsys):
    """Statistics are fetched again after two days, and no time in the records is of another year."""
    with time_machine.travel(instant.now() + 3 * DAY, tick=True):
        assert project.cli(*APPLY) == 0
        fetched = [each["last_fetched_at"] for each in pulled(project, capsys)["accounts"]]
        assert all(abs(instant.now() - each) < HOUR for each in fetched), fetched


@pytest.mark.slow
@pytest.mark.parametrize(("clock", "at"), [*zip(CLOCKS, (125, 150, 200, 30), strict=True)])
def test_a_run_with_a_wrong_clock_killed_anywhere_does_no_lasting_damage(gated, gate, capsys, clock, at):
    """Nobody is invited twice, no order is lost or too old for good, and syncs go on."""
    gated.settings(gated_settings(gate, parallelism=1))
    assert kill_with_a_wrong_clock(gated, gate, capsys, clock=clock, at=at)


@pytest.mark.slow
@pytest.mark.parametrize("offset", phases(STRIDE))
@pytest.mark.parametrize("clock", CLOCKS)
def test_a_run_with_a_wrong_clock_killed_at_every_step_does_no_lasting_damage(
    anywhere, gate, capsys, tmp_path, clock, offset
):
    """The same, one kill at each step, over as many nights as the stride has."""
    for kills, at in enumerate(count(offset, STRIDE)):
        project = anew(anywhere, gate, tmp_path / f"at-{at}")
        if not kill_with_a_wrong_clock(project, gate, capsys, clock=clock, at=at):
            print(f"\n{kills} kills with a clock {clock}")
            return


# ---------------------------------------------------------------- the source


def kept(project, capsys):
    """Everything that is recorded about invitations, accounts and how far orders were read."""
    found = pulled(project, capsys)
    return {key: value for key, value in found.items() if key not in {"serial", "journal", "errors"}}


def kill_on_another_shop(project, gate, capsys, steps):
    """Kill a run on another shop's orders at each of these steps; the shop is there again after each."""
    expected = two_accounts(project, 6)
    path = project.folder / "orders.jsonl"
    own = path.read_text()
    assert project.cli(*APPLY, "--no-send") == 0
    before = kept(project, capsys)
    kills = 0
    for at in steps:
        project.orders(order(number, increment_id=f"7{number:08}", age_days=4) for number in range(1, 10))
        was_killed = killed(project, *APPLY, at=at, steps="all", code=1)
        path.write_text(own)
        assert (kept(project, capsys), gate.outbox()) == (before, {})
        assert project.cli(*APPLY, "--no-send") == 0
        after = kept(project, capsys)
        assert after["invitations"] == before["invitations"]
        before = after
        if not was_killed:
            break
        kills += 1
    put_right(project, gate, expected)
    return kills


def put_right(project, gate, expected):
    """One run sends what waited, to everybody once, and leaves nothing to do."""
    project.let_leases_end()
    assert project.cli(*APPLY) == 0
    check_exactly_once(project, gate.outbox(), expected)
    assert numbers(project, "sent") == expected
    assert project.cli("plan", "--detailed-exitcode") == 0


@pytest.mark.slow
def test_a_run_on_another_shop_killed_anywhere_leaves_no_trace(gated, gate, capsys):
    """A source that leads to another shop is refused; pointed back, all goes on as if nothing had been."""
    assert kill_on_another_shop(gated, gate, capsys, (25, 60)) == 2


@pytest.mark.slow
def test_a_run_on_another_shop_killed_at_every_step_leaves_no_trace(anywhere, gate, capsys):
    """The same, one kill at each step."""
    kills = kill_on_another_shop(anywhere, gate, capsys, count(1))
    print(f"\n{kills} kills on another shop")


def rename_the_source(project):
    """Give the source that had no name one, in the project file and in the accounts."""
    path = project.folder / "ekomi-reconcile.yaml"
    path.write_text(path.read_text().replace("{file: orders.jsonl}", "{eu: {file: orders.jsonl}}"))
    for each in (project.folder / "accounts.d").iterdir():
        each.write_text(f"orders: eu\n{each.read_text()}")


def kill_around_a_renaming(project, gate, capsys, steps):
    """Kill the refused run and then ``state mv-source`` at each of these steps; one run does the rest."""
    expected = two_accounts(project, 6)
    assert project.cli(*APPLY, "--no-send") == 0
    rename_the_source(project)
    before = kept(project, capsys)
    kills = 0
    for command, code in ((APPLY, 1), (("state", "mv-source", "default", "eu"), 0)):
        for at in steps():
            was_killed = killed(project, *command, at=at, steps="all", code=code)
            sources = {each["source"] for each in kept(project, capsys)["invitations"]}
            assert gate.outbox() == {}
            if sources == {"eu"}:
                break
            assert kept(project, capsys) == before
            if not was_killed:
                break
            kills += 1
    if sources != {"eu"}:
        assert project.cli("state", "mv-source", "default", "eu") == 0
    put_right(project, gate, expected)
    return kills


@pytest.mark.slow
def test_a_renamed_source_killed_anywhere_invites_nobody_again(gated, gate, capsys):
    """Neither the run that is refused nor ``state mv-source`` leaves half of the work."""
    assert kill_around_a_renaming(gated, gate, capsys, lambda: (40,)) == 2


@pytest.mark.slow
def test_a_renamed_source_killed_at_every_step_invites_nobody_again(anywhere, gate, capsys):
    """The same, one kill at each step until everything has the new name."""
    kills = kill_around_a_renaming(anywhere, gate, capsys, lambda: count(1))
    print(f"\n{kills} kills around a renamed source")
