"""A run that is told to stop, or whose time is over, ends what is in flight and loses nothing."""

import asyncio
import re
import signal
import threading

import pytest
from crash_support import (
    PATIENCE,
    check_exactly_once,
    finish,
    gated_settings,
    numbers,
    started,
    statuses,
    two_accounts,
)
from project_support import PASSWORDS, Project
from starlette.responses import JSONResponse
from starlette.routing import Route

from ekomi_reconcile.apply.sending import LOOK
from ekomi_reconcile.sandbox.server import SandboxServer

SOON = 8.0
"""Seconds within which a run that has nothing in flight must have ended."""


def prepared(project, count):
    """Both accounts made and synced, then orders that are due; their numbers."""
    two_accounts(project, 0)
    assert project.cli("apply", "--auto-approve") == 0
    return two_accounts(project, count)


def slow(gate, rate):
    """A project file that allows so many calls a second for each account."""
    return gated_settings(gate).replace("requests_per_second: 100000", f"requests_per_second: {rate}")


def await_notice(process):
    """Come back when the process has said that it is stopping."""
    for line in process.stderr:
        if line.startswith("Finishing requests"):
            return
    raise AssertionError("it ended without a word")


def test_a_stopped_run_looks_at_no_more_orders(gated, gate):
    """Orders beyond those at hand are not even read any more: a signal ends a long run soon."""
    gated.settings(gated_settings(gate, more="safety: {max_sends: 2000}\n"))
    prepared(gated, LOOK + 10)
    gate.hold()
    with started(gated, "apply", "--auto-approve") as process:
        gate.held(process)
        process.send_signal(signal.SIGTERM)
        await_notice(process)
        (gated.folder / "orders.jsonl").unlink()
        gate.release()
        out, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert "failed" not in out
    left = statuses(gated)["pending"]
    assert LOOK <= left < LOOK + 10
    counted = [int(found) for found in re.findall(r"(\d+) due invitations not tried", out)]
    assert sum(counted) == left


@pytest.mark.sampled(3)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_finishes_what_is_in_flight(gated, gate, number):
    """Calls in flight end and are recorded, nothing new begins, exit 130; the next run sends the rest."""
    expected = prepared(gated, 12)
    gate.hold(passing=1)
    with started(gated, "apply", "--auto-approve") as process:
        for _ in range(4):
            gate.held(process)
        process.send_signal(number)
        await_notice(process)
        gate.release()
        out, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert statuses(gated) == {"sent": 5, "pending": 7}
    assert "due invitations not tried: the run was stopped" in out + errors
    finish(gated)
    check_exactly_once(gated, gate.outbox(), expected)
    assert numbers(gated, "unknown") == set()


def test_a_second_ctrl_c_leaves_only_what_was_in_flight_in_doubt(gated, gate):
    """Interrupted at once: exit 130, what was in flight is unknown afterwards, nothing else."""
    expected = prepared(gated, 12)
    gate.hold(passing=1)
    with started(gated, "apply", "--auto-approve") as process:
        for _ in range(4):
            gate.held(process)
        process.send_signal(signal.SIGINT)
        await_notice(process)
        process.send_signal(signal.SIGINT)
        gate.release()
        process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    in_doubt = statuses(gated)["sending"]
    assert in_doubt <= 4
    finish(gated)
    check_exactly_once(gated, gate.outbox(), expected)
    assert len(numbers(gated, "unknown")) == in_doubt


def test_a_signal_ends_a_wait_for_the_next_turn(gated, gate):
    """At a slow pace the run does not wait for its next turn before it stops."""
    expected = prepared(gated, 6)
    gated.settings(slow(gate, 0.02))
    gate.hold(passing=1)
    with started(gated, "apply", "--auto-approve") as process:
        gate.held(process)
        gate.release()
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=SOON)
    assert process.returncode == 130
    assert statuses(gated) == {"sent": 2, "pending": 4}
    gated.settings(gated_settings(gate))
    finish(gated)
    check_exactly_once(gated, gate.outbox(), expected)


def test_a_deadline_ends_a_run_between_sends(gated, gate, capsys):
    """After --deadline nothing new begins; what is left is told, is exit 1, and is sent by the next run."""
    expected = prepared(gated, 20)
    gated.settings(slow(gate, 2))
    capsys.readouterr()
    assert gated.cli("apply", "--auto-approve", "--deadline", "1s") == 1
    left = statuses(gated)["pending"]
    assert 0 < left < 20
    assert "due invitations not tried: the run was stopped" in capsys.readouterr().out
    assert statuses(gated) == {"sent": 20 - left, "pending": left}
    gated.settings(gated_settings(gate))
    assert gated.cli("apply", "--auto-approve", "--deadline", "10m") == 0
    check_exactly_once(gated, gate.outbox(), expected)


def test_a_deadline_before_the_queue_is_no_success(gated, gate, capsys):
    """Over before anything was scheduled: exit 1 says what is left, and no position moved past it."""
    expected = prepared(gated, 6)
    capsys.readouterr()
    assert gated.cli("apply", "--auto-approve", "--deadline", "0s") == 1
    assert "12 steps of invitations" in capsys.readouterr().out
    assert gate.outbox() == {}
    assert gated.cli("apply", "--auto-approve") == 0
    check_exactly_once(gated, gate.outbox(), expected)


def test_a_deadline_during_the_first_sync_is_made_up_for(gated, gate, capsys):
    """A first run without time makes neither a state nor an account; the next one does everything."""
    expected = two_accounts(gated, 6)
    assert gated.cli("apply", "--auto-approve", "--deadline", "0s") == 1
    assert "No state was created: the run was stopped before it began" in " ".join(capsys.readouterr())
    assert gated.cli("apply", "--auto-approve") == 0
    check_exactly_once(gated, gate.outbox(), expected)


@pytest.fixture
def slow_shop():
    """A shop whose answers wait until ``release`` is set; ``asked`` counts the requests."""
    asked, release = threading.Semaphore(0), threading.Event()

    async def answer(request):
        asked.release()
        await asyncio.to_thread(release.wait, PATIENCE)
        return JSONResponse({"items": [], "total_count": 0})

    with SandboxServer(extra_routes=[Route("/shop/{path:path}", answer)]) as server:
        yield server, asked, release
        release.set()


@pytest.mark.sampled(3)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_while_planning_leaves_nothing(tmp_path, monkeypatch, slow_shop, number):
    """Without a state, an apply that is stopped before its plan is there makes none: no key and no lock."""
    server, asked, release = slow_shop
    monkeypatch.setenv("PASSWORD_28374", PASSWORDS["28374"])
    monkeypatch.delenv("CI", raising=False)
    project = Project(tmp_path)
    project.settings(
        f"version: 1\norders: {{magento: {{base_url: {server.url}/shop, token: '${{env:TOKEN}}'}}}}\n"
        f"ekomi: {{api_url: {server.url}/v3, srr_url: {server.url}}}\n"
    )
    project.account("Germany", "28374")
    with started(project, "apply", "--auto-approve", TOKEN="t") as process:
        while not asked.acquire(timeout=0.1):
            assert process.poll() is None, process.communicate()
        process.send_signal(number)
        assert any(line.startswith(("Finishing requests", "Interrupted")) for line in process.stderr)
        release.set()
        process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert [each.name for each in (tmp_path / ".ekomi-reconcile").glob("state.db*")] == []
