"""The writer lock: one holder, who is known, and who cannot leave it behind."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from state_support import kill, process

from ekomi_reconcile.errors import StateError, StateLocked
from ekomi_reconcile.state.identity import job_url
from ekomi_reconcile.state.lock import WriterLock, force_unlock, holder

HOLD = """
from ekomi_reconcile.state.lock import WriterLock
lock = WriterLock(root / "state.db.lock", operation="apply"); lock.acquire(); wait()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "deep/state.db.lock"


def test_lock_tells_its_holder(path: Path) -> None:
    """While it is held, everybody can see who holds it; afterwards nobody does. The file is private."""
    assert holder(path) is None
    with WriterLock(path, operation="apply") as lock:
        info = holder(path)
        assert info == lock.info
        assert info is not None
        assert (info.Operation, info.PID) == ("apply", os.getpid())
        assert "@" in info.Who
        assert info.Created.endswith("Z")
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert holder(path) is None


def test_second_writer_is_refused(path: Path) -> None:
    """A second writer waits as long as it was told, with growing pauses, then names the holder."""
    pauses: list[float] = []
    with WriterLock(path, operation="apply") as first:
        second = WriterLock(path, operation="sync", sleep=pauses.append)
        with pytest.raises(StateLocked) as caught:
            second.acquire(timeout=30)
    assert first.info is None
    assert "apply by" in caught.value.message
    assert caught.value.mend
    assert sum(pauses) == pytest.approx(30)
    assert pauses[:-1] == sorted(pauses[:-1])
    assert max(pauses) <= 5


def test_waiting_writer_gets_the_lock(path: Path) -> None:
    """A lock that is given back while another waits goes to the one who waits."""
    first = WriterLock(path, operation="apply")
    first.acquire()
    second = WriterLock(path, operation="sync", sleep=lambda _: first.release())
    assert second.acquire(timeout=10).Operation == "sync"
    second.release()


def test_looking_does_not_disturb(path: Path) -> None:
    """Asking who holds the lock neither takes nor breaks it."""
    with WriterLock(path, operation="apply") as lock:
        for _ in range(50):
            assert holder(path) == lock.info
        lock.verify()


@pytest.mark.parametrize("end", ["kill", "exit"])
def test_lock_dies_with_its_process(tmp_path: Path, end: str) -> None:
    """Another process cannot leave the lock behind, however it ends."""
    path = tmp_path / "state.db.lock"
    other = process(HOLD, tmp_path)
    info = holder(path)
    assert info is not None
    assert other.pid == info.PID
    with pytest.raises(StateLocked, match=f"process {other.pid}"):
        WriterLock(path, operation="sync", sleep=lambda _: None).acquire()
    if end == "kill":
        kill(other)
    else:
        other.communicate("\n")
    assert holder(path) is None
    with WriterLock(path, operation="sync") as lock:
        assert holder(path) == lock.info


def test_force_unlock_asks_for_the_id(path: Path) -> None:
    """Only the id of the present holder breaks the lock; the holder then notices."""
    with pytest.raises(StateError, match="nobody"):
        force_unlock(path, "x")
    lock = WriterLock(path, operation="apply")
    info = lock.acquire()
    with pytest.raises(StateError, match=info.ID):
        force_unlock(path, "x")
    lock.verify()
    assert force_unlock(path, info.ID) == info
    with pytest.raises(StateLocked, match="force-unlock"):
        lock.verify()
    with WriterLock(path, operation="sync") as other:
        lock.release()
        assert holder(path) == other.info


@pytest.mark.parametrize(
    ("environment", "url"),
    [
        ({}, None),
        ({"CI_JOB_URL": "https://ci.example.com/7"}, "https://ci.example.com/7"),
        (
            {
                "GITHUB_SERVER_URL": "https://git.example.com",
                "GITHUB_REPOSITORY": "a/b",
                "GITHUB_RUN_ID": "7",
            },
            "https://git.example.com/a/b/actions/runs/7",
        ),
        ({"GITHUB_SERVER_URL": "https://git.example.com"}, None),
    ],
)
def test_job_url(environment: dict[str, str], url: str | None) -> None:
    """In a CI job the lock says where to look, and elsewhere nothing."""
    assert job_url(environment) == url


def test_unusable_lock_file(tmp_path: Path) -> None:
    """A lock that cannot be made is an error with what to do."""
    (tmp_path / "file").write_text("x")
    with pytest.raises(StateError) as caught:
        WriterLock(tmp_path / "file/state.db.lock", operation="apply").acquire()
    assert not isinstance(caught.value, StateLocked)
    assert caught.value.mend
