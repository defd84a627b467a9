"""``lock``: who writes right now."""

import json
import os

import pytest

from ekomi_reconcile.state.lock import WriterLock


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
    """Who, where, since when, for what, in which CI job."""
    monkeypatch.setenv("CI_JOB_URL", "https://ci.example.com/jobs/7")
    with WriterLock(path, operation="apply"):
        assert recorded.cli("lock", "show", "--format", "json") == 0
        found = json.loads(capsys.readouterr().out)
        assert recorded.cli("lock", "show") == 0
        text = capsys.readouterr().out
    assert found["held"] is True
    assert (found["operation"], found["process"]) == ("apply", os.getpid())
    assert found["job"] == "https://ci.example.com/jobs/7"
    for key in ("who", "host", "since", "id", "job", "operation"):
        assert found[key] in text


def test_looking_needs_no_secret_and_leaves_the_lock_alone(recorded, path, capsys):
    """The lock can be taken right afterwards, and is still held by who had it."""
    with WriterLock(path, operation="apply") as lock:
        recorded.cli("lock", "show")
        lock.verify()
    with WriterLock(path, operation="sync"):
        pass
