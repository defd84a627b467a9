"""The writer lock: one holder, who is known, and who cannot leave it behind."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from state_support import Store, kill, process

from ekomi_reconcile import __version__
from ekomi_reconcile.model.errors import StateError, StateLocked
from ekomi_reconcile.state.engine.lock import WriterLock, job_url
from ekomi_reconcile.state.engine.runner import lock_holder, release_lock

HOLD = "lock = store.lock('apply'); lock.acquire(); wait()"


def test_lock_tells_its_holder(store: Store) -> None:
    """While it is held, everybody can see who holds it; afterwards nobody does."""
    assert lock_holder(store.place) is None
    with store.lock("apply") as lock:
        info = lock_holder(store.place)
        assert info == lock.info
        assert info is not None
        assert (info.Operation, info.PID) == ("apply", os.getpid())
        assert (info.Version, info.Path) == (__version__, str(store.place))
        assert "@" in info.Who
        assert info.Created.endswith("Z")
    assert lock.info is None
    assert lock_holder(store.place) is None


def test_lock_file_is_private(tmp_path: Path) -> None:
    """The file of the lock, and the folders made for it, are their owner's only."""
    path = tmp_path / "deep/state.db.lock"
    with WriterLock(path, operation="apply"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_second_writer_is_refused(store: Store) -> None:
    """A second writer waits as long as it was told, with growing pauses, then names the holder."""
    pauses: list[float] = []
    with store.lock("apply") as first:
        second = store.lock("sync", sleep=pauses.append)
        with pytest.raises(StateLocked) as caught:
            second.acquire(timeout=30)
    assert first.info is None
    assert "apply by" in caught.value.message
    assert caught.value.hint
    assert sum(pauses) == pytest.approx(30)
    assert pauses[:-1] == sorted(pauses[:-1])
    assert max(pauses) <= 5


def test_waiting_writer_gets_the_lock(store: Store) -> None:
    """A lock that is given back while another waits goes to the one who waits."""
    first = store.lock("apply")
    first.acquire()
    second = store.lock("sync", sleep=lambda _: first.release())
    assert second.acquire(timeout=10).Operation == "sync"
    second.release()


def test_looking_does_not_disturb(store: Store) -> None:
    """Asking who holds the lock neither takes nor breaks it, and its holder still tells after looking."""
    with store.lock("apply") as lock:
        for _ in range(20):
            assert lock_holder(store.place) == lock.info
        lock.verify()
        assert lock_holder(store.place) == lock.info


@pytest.mark.sampled(2)
@pytest.mark.parametrize("end", ["kill", "exit"])
def test_lock_dies_with_its_process(store: Store, end: str) -> None:
    """Another process cannot leave the lock behind, however it ends."""
    other = process(HOLD, store)
    info = lock_holder(store.place)
    assert info is not None
    assert other.pid == info.PID
    with pytest.raises(StateLocked, match=f"process {other.pid}"):
        store.lock("sync", sleep=lambda _: None).acquire()
    if end == "kill":
        kill(other)
    else:
        other.communicate("\n")
    mine = store.lock("sync")
    mine.acquire(timeout=10)
    assert lock_holder(store.place) == mine.info
    mine.release()


def test_force_unlock_asks_for_the_id(store: Store) -> None:
    """Only the id of the present holder breaks the lock; the holder then notices."""
    with pytest.raises(StateError, match="nobody"):
        release_lock(store.place, "x")
    lock = store.lock("apply")
    info = lock.acquire()
    with pytest.raises(StateError, match=info.ID):
        release_lock(store.place, "x")
    lock.verify()
    assert release_lock(store.place, info.ID) == info
    with pytest.raises(StateLocked, match="force-unlock"):
        lock.verify()
    with store.lock("sync") as other:
        lock.release()
        assert lock_holder(store.place) == other.info


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
    assert caught.value.hint
