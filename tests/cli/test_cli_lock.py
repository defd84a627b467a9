"""``lock``: who writes right now."""

import json
import os
import subprocess

import pytest

from ekomi_reconcile import __version__
from ekomi_reconcile.cli.files import about_run
from ekomi_reconcile.config.load import load
from ekomi_reconcile.state.engine.lock import WriterLock, parse_info


@pytest.fixture
def path(recorded):
    """The lock file of the state."""
    return recorded.state.with_name("state.db.lock")


def test_nobody_holds_the_lock(recorded, capsys):
    """That is an answer, not an error; also where there never was a state."""
    for _ in range(2):
        assert recorded.cli("lock", "show") == 0
        assert capsys.readouterr().out == "Nobody holds the lock.\n"
        assert recorded.cli("lock", "show", "--format", "json") == 0
        assert json.loads(capsys.readouterr().out)["held"] is False
        recorded.state.unlink(missing_ok=True)
    assert not recorded.state.exists()


def test_the_holder_is_named(recorded, path, capsys, monkeypatch):
    """Who, where, since when, for what, in which CI job, with which version, and which state."""
    monkeypatch.setenv("CI_JOB_URL", "https://ci.example.com/jobs/7")
    with WriterLock(path, operation="apply", about="commit 0123456789ab"):
        assert recorded.cli("lock", "show", "--format", "json") == 0
        found = json.loads(capsys.readouterr().out)
        assert recorded.cli("lock", "show") == 0
        text = capsys.readouterr().out
    assert found["held"] is True
    assert (found["operation"], found["process"]) == ("apply", os.getpid())
    assert found["job"] == "https://ci.example.com/jobs/7"
    assert found["info"] == "commit 0123456789ab"
    assert (found["version"], found["path"]) == (__version__, str(recorded.state))
    for key in ("who", "host", "since", "id", "job", "operation", "info", "version", "path"):
        assert found[key] in text


def test_looking_needs_no_secret_and_leaves_the_lock_alone(recorded, path, capsys):
    """The lock can be taken right afterwards, and is still held by who had it."""
    with WriterLock(path, operation="apply") as lock:
        recorded.cli("lock", "show")
        lock.verify()
    with WriterLock(path, operation="sync"):
        pass


def test_a_run_says_what_it_carries_out(recorded, tmp_path):
    """The digest of a saved plan, else the commit of the files; outside of a repository neither."""
    configuration = load(recorded.folder / "ekomi-reconcile.yaml")
    assert about_run(configuration, "sha256:0123456789abcdef") == "plan sha256:0123456789ab"
    assert about_run(configuration) is None
    git = ("git", "-C", str(recorded.folder), "-c", "user.name=Kim", "-c", "user.email=kim@example.com")
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "first"], check=True)
    commit = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout
    assert about_run(configuration) == f"commit {commit[:12]}"


def test_a_holder_of_another_version_is_understood():
    """One that does not tell everything, and one that tells more."""
    told = {
        "ID": "5b0c",
        "Operation": "apply",
        "Who": "kim@ci-1",
        "Created": "2026-10-31T12:00:00Z",
        "PID": 4,
    }
    assert parse_info(json.dumps(told)).Version is None
    assert parse_info(json.dumps({**told, "Mood": "good"})).ID == "5b0c"
