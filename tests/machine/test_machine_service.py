"""run --json-events: a file that grows, cycle by cycle, and may be taken away for rotation."""

import os
import signal
import subprocess
import sys
import threading

import pytest
from machine_support import events_of
from project_support import PASSWORDS, order


@pytest.fixture
def service(project):
    """A function that runs the service for some cycles, and gives its exit code and stderr."""

    def run(after_each, until):
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "ekomi_reconcile",
                "run",
                "--every",
                "1s",
                "-v",
                "--json-events",
                "e.jsonl",
            ],
            cwd=project.folder,
            env={**os.environ, **{f"PASSWORD_{key}": each for key, each in PASSWORDS.items()}},
            stderr=subprocess.PIPE,
            text=True,
        )
        killer = threading.Timer(60, process.kill)
        killer.start()
        lines, cycles = [], 0
        for line in process.stderr:
            lines.append(line)
            if any(each in line for each in ("unknown", "Cycle ended", "cycle failed")):
                cycles += 1
                after_each(cycles)
                if cycles == until:
                    process.send_signal(signal.SIGTERM)
        killer.cancel()
        process.stderr.close()
        return process.wait(), "".join(lines)

    return run


@pytest.mark.slow
def test_each_cycle_adds_to_the_file(project, service):
    """Every cycle begins with a version and ends with its outcome; a file moved away is made anew."""
    project.account("Germany", "28374", "pending_period: 0")
    project.orders([order(1)])
    path = project.folder / "e.jsonl"
    old = project.folder / "e.jsonl.1"

    def rotate(cycle):
        if cycle == 1:
            path.rename(old)
            project.orders([order(1), order(2)])

    code, _ = service(rotate, 3)
    assert code == 0
    events = [*events_of(old), *events_of(path)]
    cycles = [each["outcome"] for each in events if each["type"] == "cycle_complete"]
    assert cycles[:2] == ["ok", "ok"]
    assert sum(each["type"] == "version" for each in events) == len(cycles) + 1
    sent = [each["hook"]["invitation"]["order"] for each in events if each["type"] == "invitation_complete"]
    assert sorted(sent) == ["100000001", "100000002"]


def test_missing_events_stop_no_cycle(project, sandbox, service):
    """Where the file cannot be written any more, everybody is asked all the same, and the end is an error."""
    project.account("Germany", "28374", "pending_period: 0")
    project.orders([order(1)])
    path = project.folder / "e.jsonl"

    def block(cycle):
        if cycle == 1:
            path.unlink()
            path.mkdir()
            project.orders([order(1), order(2)])

    code, log = service(block, 3)
    assert code == 1
    assert "events cannot be written to e.jsonl" in log
    assert len(sandbox.world.outbox.entries()) == 2
