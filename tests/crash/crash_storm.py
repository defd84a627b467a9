"""Runners are killed again and again at random instants, while orders come in and eKomi has its bad days."""

from __future__ import annotations

import random
import subprocess
from collections.abc import Mapping
from contextlib import ExitStack

from crash_support import (
    PATIENCE,
    Gate,
    Gated,
    check_exactly_once,
    finish,
    numbers,
    started,
    statuses,
    two_accounts,
)

from ekomi_reconcile.sandbox.shops import Fault

PARALLELISM = 4
"""Calls that one runner has in flight at most."""

PACE = 0.1
"""Seconds that a call takes, so that no runner is done before it is killed."""

Processes = Mapping[str, "subprocess.Popen[str]"]


def storm(runners: Mapping[str, Gated], gate: Gate, *, kills: int, count: int, seed: int) -> int:
    """Kill runners until there were so many kills, then finish and check; how many were killed.

    eKomi cuts 1 % of the connections after recording and fails 2 %. The runners, by the door each goes
    through, have one state; ``count`` orders come in, some for every kill.
    """
    dice, project = random.Random(seed), next(iter(runners.values()))
    for kind, status, share in (("cut_after", None, 0.01), ("status", 500, 0.01), ("status", 503, 0.01)):
        gate.world.fault(Fault(match="add-recipient", kind=kind, status=status, probability=share))
    gate.pace = PACE
    expected = two_accounts(project, count)
    path = project.folder / "orders.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    in_doubt = done = 0
    while done < kills:
        come = lines[: count * (done + len(runners)) // kills]
        path.write_text("".join(come))
        done += _round(runners, gate, dice, left=len(come) - len(gate.outbox()))
        left = statuses(project)["sending"]
        assert left <= PARALLELISM * len(runners)
        in_doubt += left
        project.let_leases_end()
    gate.restart()
    failed = sum(rule.struck for rule in gate.world.faults.rules())
    gate.world.faults.clear()
    finish(project)
    check_exactly_once(project, gate.outbox(), expected)
    assert len(numbers(project, "unknown")) <= in_doubt + failed
    return done


def _round(runners: Mapping[str, Gated], gate: Gate, dice: random.Random, *, left: int) -> int:
    """Start every runner, kill one after the other at requests or by the clock; how many were killed.

    ``left`` is how many orders are there to send.
    """
    gate.restart()
    with ExitStack() as stack:
        processes = {
            door: stack.enter_context(started(each, "apply", "--auto-approve", "--lock-timeout", "60s"))
            for door, each in runners.items()
        }
        per_kill = left // (2 * len(runners))
        if per_kill > 1 and dice.random() < 0.6:
            _Killer(dice, gate, processes, per_kill)
        else:
            _kill_by_the_clock(dice, processes)
        for process in processes.values():
            process.communicate(timeout=PATIENCE)
    return sum(process.returncode == -9 for process in processes.values())


class _Killer:
    """Kills at requests: often whose it is, right before or after it is recorded, else any other."""

    def __init__(self, dice: random.Random, gate: Gate, processes: Processes, per_kill: int) -> None:
        self._dice, self._gate, self._processes, self._per_kill = dice, gate, processes, per_kill
        self._aim(0)
        gate.before = lambda number: self._strike(number, "before")
        gate.after = lambda number: self._strike(number, "after")

    def _aim(self, number: int) -> None:
        self._next = number + self._dice.randint(1, self._per_kill)
        self._moment = self._dice.choice(["before", "after"])

    def _strike(self, number: int, moment: str) -> bool:
        """Kill if the time has come; is the request lost with its runner?"""
        living = [door for door, each in self._processes.items() if each.poll() is None]
        if number < self._next or moment != self._moment or not living:
            return False
        own = self._gate.runner
        victim = own if own in living and self._dice.random() < 0.6 else self._dice.choice(living)
        self._processes[victim].kill()
        self._processes[victim].wait()
        self._aim(number)
        return victim == own and moment == "before"


def _kill_by_the_clock(dice: random.Random, processes: Processes) -> None:
    """Kill each after a while, unless it ends before; starting takes about 0.4 s of a processor each."""
    pause = dice.uniform(0.2, 0.7) * (1 + len(processes) / 3)
    for process in dice.sample(list(processes.values()), len(processes)):
        try:
            process.wait(pause)
        except subprocess.TimeoutExpired:
            process.kill()
        pause = dice.uniform(0, 0.5)
