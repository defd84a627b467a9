"""invitations history: who was invited when, by which run, and whose change of the rule was in force."""

import json
import sqlite3
import subprocess

import pytest
from project_support import order
from required_programs import program

from ekomi_reconcile.model.invitation import Status, StatusChange
from ekomi_reconcile.state.engine.session import CurrentRun
from ekomi_reconcile.state.opening import Mode, open_state
from ekomi_reconcile.state.repositories.journal import APPLY, STARTED


@pytest.fixture
def shop(project, monkeypatch):
    """An account and an order that is due in eleven days, all of it committed."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    project.account("Germany", "28374", "pending_period: 14")
    project.orders([order(1)])
    (project.folder / ".gitignore").write_text(".ekomi-reconcile\n*.json\n*.jsonl\n")
    git(project, "init", "-q")
    return project


def git(project, *arguments):
    """Run git in the project."""
    identity = ("-c", "user.name=Kim", "-c", "user.email=kim@example.com")
    command = [program("git"), "-C", str(project.folder), *identity, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def commit(project):
    """Commit everything; the id."""
    git(project, "add", "-A")
    git(project, "commit", "-qm", "Change")
    return git(project, "rev-parse", "HEAD")


def history(project, capsys, which):
    """The changes of an invitation, as JSON."""
    capsys.readouterr()
    assert project.cli("invitations", "history", which, "--format", "json") == 0
    return json.loads(capsys.readouterr().out)


def test_each_change_names_run_and_rule(shop, capsys):
    """The commit and the saved plan of each run, and the commit of the last change of the rule before it."""
    first = commit(shop)
    assert shop.cli("apply", "--auto-approve") == 0
    shop.account("Germany", "28374", "pending_period: 2")
    second = commit(shop)
    assert shop.cli("plan", "--out", "saved.json") == 0
    assert shop.cli("apply", "saved.json") == 0
    digest = json.loads((shop.folder / "saved.json").read_text())["digest"]
    shop.account("Germany", "28374", "pending_period: 2", "tags: [dach]")
    shop.orders([order(1), order(2, age_days=1)])
    third = commit(shop)
    assert shop.cli("apply", "--auto-approve") == 0
    assert shop.cli("invitations", "skip", "100000002", "--reason", "asked for it") == 0

    found = history(shop, capsys, "100000001")
    assert [each["to"] for each in found] == ["pending", "sending", "sent"]
    assert [each["run"]["commit"] for each in found] == [first, second, second]
    assert [each["run"]["plan_digest"] for each in found] == [None, digest, digest]
    assert [each["rule"]["commit"] for each in found] == [first, second, second]
    assert [each["rule"]["action"] for each in found] == ["create", "update", "update"]
    assert found[1]["rule"]["detail"] == "28374: invitations.pending_period"

    scheduled, skipped = history(shop, capsys, "100000002")
    assert scheduled["run"]["commit"] == third
    assert scheduled["rule"]["commit"] == second
    assert (skipped["run"], skipped["rule"], skipped["detail"]) == (None, None, "asked for it")
    assert shop.cli("invitations", "history", "100000001") == 0
    assert second[:12] in capsys.readouterr().out


@pytest.mark.parametrize(
    "change",
    [
        "DELETE FROM journal",
        "UPDATE journal SET id = id + 1000",
        "UPDATE journal SET action = 'state backup'",
        "UPDATE invitation SET run_id = NULL",
    ],
)
def test_what_is_not_recorded_is_not_guessed(shop, capsys, change):
    """Where the journal lacks the run, has another entry in its place, or the state is older: null."""
    commit(shop)
    assert shop.cli("apply", "--auto-approve") == 0
    with sqlite3.connect(shop.state) as raw:
        raw.execute(change)
    raw.close()
    (found,) = history(shop, capsys, "100000001")
    assert (found["to"], found["run"], found["rule"]) == ("pending", None, None)


def test_runs_side_by_side_have_rules_of_their_own(tmp_path):
    """A run that still sends when another one has changed the rule sends by the rule that it began with."""
    with open_state("state.db", root=tmp_path, mode=Mode.CREATE) as state:
        numbers = []
        for at, name in ((100, "first"), (200, "second")):
            number = state.journal.add(APPLY, outcome=STARTED, now=at, commit=name)
            state.session.run = CurrentRun(number=number, commit=name, plan_digest=None)
            keys = ["invitations.pending_period"]
            state.journal.record_account("update", name="Germany", interface_id="28374", changed=keys, now=at)
            for other in ("2837", "28375"):
                state.journal.record_account("update", name="Other", interface_id=other, changed=keys, now=at)
            numbers.append(number)
        changes = [
            StatusChange(at=300, from_status=None, to_status=Status.PENDING, actor="loop", run_id=number)
            for number in (*numbers, numbers[0] + 1, 99)
        ]
        found = state.journal.origins("28374", changes)
    assert [each.run and each.run.commit for each in found] == ["first", "second", None, None]
    assert [each.rule and (each.rule.commit, each.rule.subject) for each in found] == [
        ("first", "Germany"),
        ("second", "Germany"),
        None,
        None,
    ]
