"""Killing real processes in the middle of their work, and counting what became of every order."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import time_machine
from project_support import Project, order
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ekomi_reconcile.model import instant
from ekomi_reconcile.model.instant import HOUR
from ekomi_reconcile.sandbox.fault_answers import CutResponse, answered
from ekomi_reconcile.sandbox.review_requests import ADD_RECIPIENT, recipient_answer
from ekomi_reconcile.sandbox.server import SandboxServer
from ekomi_reconcile.sandbox.world import World

ROOT = Path(__file__).parents[2]
STEPPER = Path(__file__).with_name("crash_stepper.py")
PATIENCE = 60.0
"""Seconds after which a run that should have ended counts as hanging."""

NOW_DUE = "pending_period: 0"


class Gate:
    """A sandbox; every add-recipient passes here. ``before`` and ``after`` hear of the n-th, from 1.

    They are called before and after the recipient is recorded, on the server's thread; where ``before``
    answers true, the request is lost. Once ``hold`` is called requests wait before they are recorded, and
    ``waiting`` counts them.
    """

    def __init__(self) -> None:
        self.world = World()
        self.server = SandboxServer(
            self.world, extra_routes=[Route("/gate/add-recipient", self._add_recipient, methods=["POST"])]
        )
        self.before: Callable[[int], bool] = _nothing
        self.after: Callable[[int], bool] = _nothing
        self.waiting = threading.Semaphore(0)
        self._open = threading.Event()
        self._open.set()
        self._count = 0

    def __enter__(self) -> Gate:
        self.server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.release()
        self.server.stop()

    def restart(self) -> None:
        """Count from 1 again and do nothing at any request."""
        self._count, self.before, self.after = 0, _nothing, _nothing

    def hold(self) -> None:
        """From now on let requests wait."""
        self._open.clear()

    def release(self) -> None:
        """Let the waiting requests go on, and all later ones."""
        self._open.set()

    def held(self, process: subprocess.Popen[str]) -> None:
        """Come back when a request of this process waits; it must not end before."""
        while not self.waiting.acquire(timeout=0.1):
            assert process.poll() is None, process.communicate()

    def outbox(self) -> dict[str, int]:
        """How often eKomi was asked about each order."""
        return {each.transaction_id: each.requests for each in self.world.outbox.entries()}

    async def _add_recipient(self, request: Request) -> Response:
        async with request.form() as form:
            fields = {name: str(value) for name, value in form.items()}
        self._count += 1
        number = self._count
        if self.before(number):
            return CutResponse()
        if not self._open.is_set():
            self.waiting.release()
            await asyncio.to_thread(self._open.wait, PATIENCE)
        response = await answered(
            self.world, ADD_RECIPIENT, fields["shop_id"], lambda: recipient_answer(self.world, fields)
        )
        self.after(number)
        return response


def _nothing(number: int) -> bool:
    del number
    return False


def gated_settings(gate: Gate, *, parallelism: int = 4, more: str = "") -> str:
    """A project file that sends through the gate."""
    url = gate.server.url
    return (
        "version: 1\norders: {file: orders.jsonl}\n"
        f"ekomi: {{api_url: {url}/v3, srr_url: {url}/gate, requests_per_second: 100000, timeout: 5s, "
        f"parallelism: {parallelism}}}\n{more}"
    )


def two_accounts(project: Project, count: int) -> set[str]:
    """Two accounts that write to customers at once, and ``count`` orders that match; their numbers."""
    project.account("Germany", "28374", f"{NOW_DUE}\nstore_views: [de]")
    project.account("France", "28375", f"{NOW_DUE}\nstore_views: [fr]")
    project.orders(order(number, store_code=("de", "fr")[number % 2]) for number in range(1, count + 1))
    return {f"{100_000_000 + number}" for number in range(1, count + 1)}


def start(
    project: Project, *arguments: str, script: Path | None = None, **environment: str
) -> subprocess.Popen[str]:
    """Run the command line on the project in a process of its own."""
    run = [str(script)] if script else ["-m", "ekomi_reconcile"]
    return subprocess.Popen(
        [sys.executable, *run, "-C", str(project.folder), *arguments],
        cwd=ROOT,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@contextmanager
def started(
    project: Project, *arguments: str, script: Path | None = None, **environment: str
) -> Iterator[subprocess.Popen[str]]:
    """The same as a context: nothing is left running."""
    process = start(project, *arguments, script=script, **environment)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def statuses(state: Path) -> Counter[str]:
    """How many invitations are in which state, read past the program; none without a state."""
    if not state.exists():
        return Counter()
    with closing(sqlite3.connect(f"file:{state}?mode=ro", uri=True)) as connection:
        return Counter(dict(connection.execute("SELECT status, count(*) FROM invitation GROUP BY status")))


def numbers(state: Path, status: str) -> set[str]:
    """The orders whose invitation is in this state."""
    with closing(sqlite3.connect(f"file:{state}?mode=ro", uri=True)) as connection:
        found = connection.execute("SELECT number FROM invitation WHERE status = ?", (status,))
        return {number for (number,) in found}


def finish(project: Project) -> None:
    """Run on, an hour later each time, until nothing waits any more."""
    for hours in range(1, 30):
        with time_machine.travel(instant.now() + hours * HOUR, tick=True):
            assert project.cli("apply", "--auto-approve") == 0
        if statuses(project.state).keys() <= {"sent", "unknown", "failed", "cancelled"}:
            return
    raise AssertionError(f"after a day of runs there still is work: {statuses(project.state)}")


def check_exactly_once(state: Path, outbox: dict[str, int], expected: set[str]) -> None:
    """Nobody was asked twice, nobody is forgotten, nothing is recorded as sent that was not."""
    assert {number: count for number, count in outbox.items() if count != 1} == {}
    sent, unknown = numbers(state, "sent"), numbers(state, "unknown")
    assert sent | unknown == expected
    assert sent <= outbox.keys()
    assert outbox.keys() - unknown == sent
