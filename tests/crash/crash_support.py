"""Killing real processes in the middle of their work, and counting what became of every order."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sqlite3
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import time_machine
from project_support import Project, order
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from state_server import Server

from ekomi_reconcile.model import instant
from ekomi_reconcile.model.instant import HOUR
from ekomi_reconcile.sandbox.answers import ADD_RECIPIENT, CutResponse, answered, recipient_answer
from ekomi_reconcile.sandbox.server import SandboxServer
from ekomi_reconcile.sandbox.world import World

ROOT = Path(__file__).parents[2]
STEPPER = Path(__file__).with_name("crash_stepper.py")
PATIENCE = 60.0
"""Seconds after which a run that should have ended counts as hanging."""

NOW_DUE = "pending_period: 0"

KILLS: Counter[str] = Counter()
"""How many processes got SIGKILL in this test process; the end of a run prints it (``conftest``)."""


@dataclass(frozen=True)
class Gated(Project):
    """A project whose invitations go through the gate, on a file or in a ``schema`` of a ``server``."""

    server: Server | None = None
    schema: str = ""

    def settings(self, text: str) -> None:
        """Write the project file, with the place of the state where that is no file."""
        place = "state: ${env:STATE_URL}\nprivacy: {key: '${env:STATE_KEY}'}\n" if self.server else ""
        super().settings(text if place in text else text + place)

    def twin(self, runner: int) -> Gated:
        """The same project as another runner has it, who goes through a door of its own."""
        folder = self.folder.parent / f"{self.folder.name}-{runner}"
        folder.mkdir()
        for name in ("accounts.d", "orders.jsonl"):
            (folder / name).symlink_to(self.folder / name)
        made = Gated(folder, self.server, self.schema)
        text = (self.folder / "ekomi-reconcile.yaml").read_text()
        made.settings(text.replace("/gate,", f"/gate/{runner},"))
        return made

    def on(self, server: Server) -> Gated:
        """The same project with its state on another server."""
        return replace(self, server=server)

    def rows(self) -> list[tuple[str, str]]:
        """The number and status of every invitation, read past the program; none without a state."""
        if self.server is not None:
            table = f"{self.schema}.invitation"
            if self.server.run(f"SELECT to_regclass('{table}')") == [(None,)]:
                return []
            return self.server.run(f"SELECT number, status FROM {table}")
        if not self.state.exists():
            return []
        with closing(sqlite3.connect(f"file:{self.state}?mode=ro", uri=True)) as connection:
            return connection.execute("SELECT number, status FROM invitation").fetchall()

    def let_leases_end(self) -> None:
        """Let half a minute pass in which no runner lived. On a file nobody has a lease."""
        if self.server is not None and self.rows():
            self.server.run(f"UPDATE {self.schema}.invitation SET lease_until = lease_until - 31")


class Gate:
    """A sandbox; every add-recipient passes here. ``before`` and ``after`` hear of the n-th, from 1.

    They are called before and after the recipient is recorded, on the server's thread; where ``before``
    answers true, the request is lost. ``runner`` is whose it is, if each has a door of its own; each takes
    ``pace`` seconds. Once ``hold`` is called requests wait before they are recorded, and
    ``waiting`` counts them.
    """

    def __init__(self) -> None:
        self.world = World()
        doors = ("/gate/add-recipient", "/gate/{runner}/add-recipient")
        self.server = SandboxServer(
            self.world, extra_routes=[Route(door, self._add_recipient, methods=["POST"]) for door in doors]
        )
        self.runner = ""
        self.pace = 0.0
        self._inside = 0
        self._passing = 0
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
        """Let the requests of the dead end, count from 1 again, and do nothing at any request."""
        while self._inside:
            threading.Event().wait(0.005)
        self._count, self.before, self.after = 0, _nothing, _nothing

    def hold(self, *, passing: int = 0) -> None:
        """From now on let requests wait, but for the first ``passing``.

        A run that knows nothing of the clock yet has one call in flight until that is answered.
        """
        self._passing = passing
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
        self._inside += 1
        try:
            return await self._answer(request)
        finally:
            self._inside -= 1

    async def _answer(self, request: Request) -> Response:
        async with request.form() as form:
            fields = {name: str(value) for name, value in form.items()}
        await asyncio.sleep(self.pace)
        self._count += 1
        number, self.runner = self._count, request.path_params.get("runner", "")
        if self.before(number):
            return CutResponse()
        if self._passing > 0:
            self._passing -= 1
        elif not self._open.is_set():
            self.waiting.release()
            await asyncio.to_thread(self._open.wait, PATIENCE)
        response = await answered(
            self.world, ADD_RECIPIENT, fields["shop_id"], lambda: recipient_answer(self.world, fields)
        )
        self.runner = request.path_params.get("runner", "")
        self.after(number)
        return response


def _nothing(number: int) -> bool:
    del number
    return False


def gated_settings(gate: Gate, *, parallelism: int = 4, more: str = "", timeout: str = "60s") -> str:
    """A project file that sends through the gate, with all the time that a held request may need."""
    url = gate.server.url
    return (
        "version: 1\norders: {file: orders.jsonl}\n"
        f"ekomi: {{api_url: {url}/v3, srr_url: {url}/gate, requests_per_second: 100000, timeout: {timeout}, "
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
        KILLS["kills"] += process.returncode == -signal.SIGKILL


def killed(
    project: Project, *arguments: str, at: int, steps: str, code: int = 0, clock_ahead: int = 0
) -> bool:
    """Run a command that is killed right before step ``at``; false if it has fewer steps.

    It ends with ``code`` then. Its clock is ``clock_ahead`` seconds ahead of the one of the test.
    """
    settings = {"KILL_AT": str(at), "KILL_STEPS": steps, "CLOCK_AHEAD": str(clock_ahead)}
    with started(project, *arguments, script=STEPPER, **settings) as process:
        _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode in {-9, code}, errors
    return process.returncode == -9


def statuses(project: Gated) -> Counter[str]:
    """How many invitations are in which state."""
    return Counter(status for _, status in project.rows())


def numbers(project: Gated, wanted: str) -> set[str]:
    """The orders whose invitation is in this state."""
    return {number for number, status in project.rows() if status == wanted}


def finish(project: Gated) -> None:
    """Run on, an hour later each time, until nothing waits any more."""
    project.let_leases_end()
    for hours in range(1, 30):
        with time_machine.travel(instant.now() + hours * HOUR, tick=True):
            assert project.cli("apply", "--auto-approve") == 0
        if statuses(project).keys() <= {"sent", "unknown", "failed", "cancelled"}:
            return
    raise AssertionError(f"after a day of runs there still is work: {statuses(project)}")


def check_exactly_once(project: Gated, outbox: dict[str, int], expected: set[str]) -> None:
    """Nobody was asked twice, nobody is forgotten, nothing is recorded as sent that was not."""
    assert {number: count for number, count in outbox.items() if count != 1} == {}
    sent, unknown = numbers(project, "sent"), numbers(project, "unknown")
    assert sent | unknown == expected
    assert sent <= outbox.keys()
    assert outbox.keys() - unknown == sent


class Service:
    """A running ``run --every 1s``, and the lines that it has logged."""

    def __init__(self, project: Project) -> None:
        command = [sys.executable, "-m", "ekomi_reconcile", "-v", "-C", str(project.folder), "run"]
        self.process = subprocess.Popen(
            [*command, "--every", "1s"], cwd=ROOT, env=dict(os.environ), stderr=subprocess.PIPE, text=True
        )
        self.log, self._changed = [], threading.Condition()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        for line in self.process.stderr:
            with self._changed:
                self.log.append(line)
                self._changed.notify_all()

    def says(self, pattern: str) -> None:
        """Come back when it has logged this, since the last time that it was asked."""

        def said() -> int | None:
            return next((at for at, line in enumerate(self.log) if re.search(pattern, line)), None)

        with self._changed:
            assert self._changed.wait_for(lambda: said() is not None, PATIENCE), self.log
            del self.log[: said() + 1]

    def end(self) -> int:
        """Stop it with SIGTERM; its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)


@contextmanager
def serving(project: Project) -> Iterator[Service]:
    """The service as a context: nothing is left running."""
    service = Service(project)
    try:
        yield service
    finally:
        service.process.kill()
        KILLS["kills"] += service.process.wait() == -signal.SIGKILL
        service._reader.join()
        service.process.stderr.close()
