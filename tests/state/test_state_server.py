"""The server that the tests use."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

TESTS = Path(__file__).parents[1]
HOLDER = """
import sys
sys.path.insert(0, sys.argv[1])
from state_server import running_server
with running_server() as server:
    print(server.folder, (server.folder / "data/postmaster.pid").read_text().split()[0], flush=True)
    sys.stdin.read()
"""
PATIENCE = 30


def is_there(process: int) -> bool:
    """Does a process with this id live? One that has ended and was not collected does not."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_server_ends_with_a_killed_test_run() -> None:
    """SIGKILL of the process that started it leaves neither a server nor its folder behind."""
    command = [sys.executable, "-c", HOLDER, str(TESTS)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        folder, number = process.stdout.readline().split()
        assert is_there(int(number))
        process.kill()
    end = time.monotonic() + PATIENCE
    while is_there(int(number)) or Path(folder).exists():
        assert time.monotonic() < end
        os.sched_yield()
