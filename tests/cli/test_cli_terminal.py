"""On a terminal: progress, questions, Ctrl-C."""

import json
import os
import pty
import signal
import subprocess
import sys
import threading

import pytest
from project_support import PASSWORDS, order

from ekomi_reconcile.sandbox.shops import Fault


class Terminal:
    """A process that believes a person sits before it: stdin and stderr are a terminal, stdout is a pipe."""

    def __init__(self, project, *arguments):
        self.side, child = pty.openpty()
        environment = {**os.environ, **{f"PASSWORD_{key}": each for key, each in PASSWORDS.items()}}
        environment["TERM"] = "xterm"
        self.process = subprocess.Popen(
            [sys.executable, "-m", "ekomi_reconcile", *arguments],
            cwd=project.folder,
            stdin=child,
            stderr=child,
            stdout=subprocess.PIPE,
            env=environment,
            start_new_session=True,
        )
        os.close(child)
        self.shown = b""

    def until(self, text):
        """Read what is shown until this text stands there."""
        while text not in self.shown:
            piece = self._read()
            assert piece, self.shown
            self.shown += piece

    def _read(self):
        try:
            return os.read(self.side, 65_536)
        except OSError:
            return b""

    def drain(self):
        """Read what is shown to its end: a terminal that is not read stops the process."""
        while piece := self._read():
            self.shown += piece

    def end(self):
        """Read to the end and give the exit code and what went to stdout."""
        shown = threading.Thread(target=self.drain)
        shown.start()  # beside stdout: a terminal that nobody reads fills up, and the process waits for ever
        out = self.process.stdout.read()
        shown.join()
        return self.process.wait(30), out.decode()


@pytest.fixture
def terminal(project):
    """A function that starts a command on a terminal."""
    started = []

    def start(*arguments):
        started.append(Terminal(project, *arguments))
        return started[-1]

    yield start
    for each in started:
        each.process.kill()
        each.process.wait()
        each.process.stdout.close()
        os.close(each.side)


def test_a_long_plan_shows_progress_beside_its_result(project, terminal):
    """Reading many orders is seen on the terminal; the plan itself goes to stdout untouched."""
    project.account("Germany", "28374")
    project.orders(order(number) for number in range(1, 20_001))
    running = terminal("plan")
    code, out = running.end()
    assert code == 0
    assert b"Reading orders" in running.shown
    assert "20000 to schedule" in out
    assert "Reading" not in out


def test_quiet_shows_no_progress(project, terminal):
    """-q keeps the terminal empty."""
    project.account("Germany", "28374")
    project.orders(order(number) for number in range(1, 3_000))
    running = terminal("plan", "-q")
    assert running.end()[0] == 0
    assert running.shown == b""


@pytest.mark.sampled(4)
@pytest.mark.parametrize(
    ("answer", "code", "done"),
    [(b"yes\n", 0, True), (b"y\n", 1, False), (b"no\n", 1, False), (b"\x04", 1, False)],
)
def test_apply_asks_and_takes_only_yes(project, sandbox, terminal, answer, code, done):
    """The plan is shown, the question is asked, and anything but 'yes' is a no: exit 1, nothing done."""
    project.account("Germany", "28374", "pending_period: 0")
    project.orders([order(1)])
    running = terminal("apply")
    running.until(b"Only 'yes' will be accepted")
    os.write(running.side, answer)
    found, out = running.end()
    assert found == code
    assert "Plan: 1 to add" in out
    assert bool(sandbox.world.outbox.entries()) is done
    assert any(project.folder.glob(".ekomi-reconcile/state.db*")) is done


@pytest.mark.sampled(2)
@pytest.mark.parametrize(("answer", "code", "left"), [(b"yes\n", 0, 0), (b"y\n", 1, 2)])
def test_bulk_work_asks_with_the_number(project, terminal, capsys, answer, code, left):
    """Without --expect the number is shown on a terminal, and only 'yes' goes on."""
    project.account("Germany", "28374")
    project.orders([order(1), order(2)])
    assert project.cli("apply", "--auto-approve") == 0
    running = terminal("invitations", "skip", "--where", "status=pending")
    running.until(b"skip 2 invitations? Only 'yes' will be accepted: ")
    os.write(running.side, answer)
    assert running.end()[0] == code
    capsys.readouterr()
    project.cli("invitations", "list", "--status", "pending", "--format", "json")
    assert len(json.loads(capsys.readouterr().out)) == left


def test_ctrl_c_at_the_question_is_a_no_at_once(project, sandbox, terminal):
    """One Ctrl-C is enough where somebody is asked: 130, nothing done, no traceback."""
    project.account("Germany", "28374", "pending_period: 0")
    project.orders([order(1)])
    running = terminal("apply")
    running.until(b"Only 'yes' will be accepted")
    running.process.send_signal(signal.SIGINT)
    assert running.end()[0] == 130
    assert b"Traceback" not in running.shown
    assert sandbox.world.outbox.entries() == []
    assert not any(project.folder.glob(".ekomi-reconcile/state.db*"))


def test_ctrl_c_during_apply_is_answered_above_the_bar(project, sandbox, terminal):
    """The answer has a line of its own and stays, while the bar below it goes on and is wiped at the end."""
    project.account("Germany", "28374", "pending_period: 0")
    project.orders(order(number) for number in range(1, 41))
    sandbox.world.faults.add(Fault(match="add-recipient", kind="latency", seconds=0.3))
    running = terminal("apply", "--auto-approve")
    running.until(b"Sending")
    running.process.send_signal(signal.SIGINT)
    running.drain()
    assert running.end()[0] == 130
    wiped, _, after = running.shown.partition(b"Finishing requests in progress; press Ctrl-C again to abort.")
    assert wiped.endswith((b"\x1b[2K", b"\r\n"))
    assert after.startswith(b"\r\n")
