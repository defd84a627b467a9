"""run: a real process that applies again and again."""

import os
import re
import signal
import subprocess
import sys
import threading

import httpx
import pytest
from project_support import PASSWORDS, order


class Served:
    """A running service; ``log`` collects what it says."""

    def __init__(self, project, *arguments):
        self.process = subprocess.Popen(
            [sys.executable, "-m", "ekomi_reconcile", "run", "--every", "1s", *arguments],
            cwd=project.folder,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **{f"PASSWORD_{key}": each for key, each in PASSWORDS.items()}},
        )
        self.log, self._changed = [], threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self.process.stderr:
            with self._changed:
                self.log.append(line)
                self._changed.notify_all()

    def says(self, pattern):
        """Wait until a line of the log fits."""
        with self._changed:
            assert self._changed.wait_for(lambda: any(re.search(pattern, line) for line in self.log), 20), (
                self.log
            )

    def stop(self):
        """End it with SIGTERM and give its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(20)


@pytest.fixture
def served(project):
    """A function that starts the service; it is killed at the end."""
    running = []

    def start(*arguments):
        running.append(Served(project, *arguments))
        return running[-1]

    yield start
    for each in running:
        each.process.kill()
        each.process.wait()
        each._reader.join()
        each.process.stderr.close()


def outbox(sandbox):
    """Who was asked, and how often."""
    return {entry.transaction_id: entry.requests for entry in sandbox.world.outbox.entries()}


def test_it_applies_again_and_again_and_ends_with_sigterm(project, sandbox, served):
    """New orders are asked by later cycles, each once; SIGTERM is a clean end."""
    project.account("Germany", "28374", "pending_period: 0")
    project.orders([order(1)])
    service = served()
    service.says("1 sent")
    project.orders([order(1), order(2), order(3)])
    service.says("2 sent")
    service.says(r"^\d{4}-\d\d-\d\dT\S+Z Cycle ended: nothing to do$")
    assert service.stop() == 0
    assert outbox(sandbox) == {f"10000000{number}": 1 for number in (1, 2, 3)}


@pytest.mark.slow
def test_a_broken_edit_does_not_stop_what_is_due(project, sandbox, served):
    """While the files have errors the last good ones stay in force, and it is told."""
    path = project.account("Germany", "28374", "pending_period: 0")
    project.orders([order(1)])
    service = served()
    service.says("1 sent")
    path.write_text("name: [")
    project.orders([order(1), order(2)])
    service.says("the last good files stay in force")
    service.stop()
    assert outbox(sandbox) == {"100000001": 1, "100000002": 1}


@pytest.mark.slow
def test_a_refused_change_does_not_stop_what_is_due(project, sandbox, served):
    """When a guard refuses what the files ask for, the rest goes on with the last good files."""
    path = project.account("Germany", "28374", "pending_period: 0")
    project.orders([order(1)])
    service = served()
    service.says("1 sent")
    path.unlink()
    project.orders([order(1), order(2)])
    service.says("would be deleted.*the last good files stay in force")
    service.stop()
    assert outbox(sandbox) == {"100000001": 1, "100000002": 1}


@pytest.mark.slow
def test_it_tells_how_it_is(project, served):
    """/healthz, /readyz and /metrics answer beside the loop."""
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    project.account("Germany", "28374", "pending_period: 0")
    project.orders([order(1)])
    service = served("--listen", f":{port}")
    service.says("0 sent")
    base = f"http://127.0.0.1:{port}"
    assert httpx.get(f"{base}/readyz", trust_env=False).status_code == 200
    text = httpx.get(f"{base}/metrics", trust_env=False).text
    assert 'ekomi_reconcile_queue{account="Germany",status="sent"} 1.0' in text
    assert 'function="add-recipient"' in text
    assert service.stop() == 0


def test_an_interval_of_nothing_is_a_usage_error(project):
    """A loop without a pause is a mistake."""
    assert project.cli("run", "--every", "0s") == 64
