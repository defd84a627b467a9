"""Timing whole processes: a command and its baseline in turn, and the ratio of their medians."""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TypeVar

_LAUNCH = Path(__file__).with_name("launch.py")
_PER_MEBIBYTE = 1 << 20 if sys.platform == "darwin" else 1 << 10
"""What the system counts peak memory in: bytes there, KiB elsewhere."""
_BOUND = re.compile(r"(<=|>=) ([0-9.]+)")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Run:
    """One finished process: wall seconds, its own peak memory in MiB, processor seconds."""

    seconds: float
    megabytes: float
    processor: float = 0.0


@dataclass(frozen=True, slots=True)
class Figure:
    """A median beside its baseline. ``target`` begins with the bound of their ratio: ``<= 2.0 of what``.

    Without a bound there is nothing to reach. ``against`` says what the baseline is, ``unit`` what both are
    counted in, ``megabytes`` how much memory the subject took, if a process of its own did it.
    """

    name: str
    value: float
    baseline: float
    target: str = ""
    unit: str = "s"
    against: str = ""
    megabytes: float | None = None

    @property
    def ratio(self) -> float:
        """How many times the baseline."""
        return self.value / self.baseline

    @property
    def reached(self) -> bool | None:
        """Is the ratio within the bound? ``None`` where there is none."""
        bound = _BOUND.match(self.target)
        if bound is None:
            return None
        sign, limit = bound[1], float(bound[2])
        return self.ratio <= limit if sign == "<=" else self.ratio >= limit

    def __str__(self) -> str:
        word = {True: "reached", False: "NOT REACHED", None: ""}[self.reached]
        return (
            f"{self.name:52} {self.value:9.3g} {self.unit:4}  beside {self.baseline:9.3g}  "
            f"ratio {self.ratio:6.2f}  {self.target:10} {word:11}  {self.against}"
        ).rstrip()


@dataclass(frozen=True, slots=True)
class Point:
    """One point of a curve of growth: what ``x`` (a size) takes. ``curve`` names the drawing."""

    curve: str
    series: str
    x: int
    seconds: float
    megabytes: float

    def __str__(self) -> str:
        return f"{self.curve}: {self.series:34} {self.x:9,} {self.seconds:8.2f} s {self.megabytes:7.0f} MiB"


@dataclass(slots=True)
class Started:
    """A process that runs; ``end`` waits for it."""

    arguments: Sequence[str]
    process: subprocess.Popen[bytes]
    told: int
    output: IO[bytes] = field(repr=False)

    def end(self) -> Run:
        """What it took.

        Raises:
            RuntimeError: its exit code is not 0.
        """
        self.process.wait()
        with os.fdopen(self.told) as pipe, self.output as output:
            seconds, processor, peak, code = pipe.read().split()
            output.seek(0)
            said = output.read().decode(errors="replace")
        if int(code) != 0:
            raise RuntimeError(f"{' '.join(self.arguments)[:200]}: exit {code}\n{said[-3000:]}")
        return Run(float(seconds), int(peak) / _PER_MEBIBYTE, float(processor))


def command(*arguments: str) -> list[str]:
    """A command line of this project, by the interpreter that runs the benchmarks."""
    return [sys.executable, "-m", "ekomi_reconcile", *arguments]


def python(source: str, *arguments: str) -> list[str]:
    """A baseline as a Python program of its own."""
    return [sys.executable, "-c", source, *arguments]


def start(arguments: Sequence[str], *, cwd: Path, env: Mapping[str, str] | None = None) -> Started:
    """Start a process."""
    told, tells = os.pipe()
    output = tempfile.TemporaryFile()  # noqa: SIM115 - closed by ``end``
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", str(_LAUNCH), str(tells), *arguments],
        cwd=cwd,
        env={**os.environ, **(env or {})},
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        pass_fds=(tells,),
    )
    os.close(tells)
    return Started(arguments, process, told, output)


def in_a_process(arguments: Sequence[str], cwd: Path, env: Mapping[str, str] | None) -> Run:
    """Run a process to its end.

    Raises:
        RuntimeError: it failed.
    """
    return start(arguments, cwd=cwd, env=env).end()


how: ContextVar[Callable[[Sequence[str], Path, Mapping[str, str] | None], Run]] = ContextVar(
    "how", default=in_a_process
)
"""How ``run`` runs. Who only wants to know that a benchmark works may have it done without processes."""


def run(arguments: Sequence[str], *, cwd: Path, env: Mapping[str, str] | None = None) -> Run:
    """Run a command to its end.

    Raises:
        RuntimeError: it failed.
    """
    return how.get()(arguments, cwd, env)


def in_turn(works: Mapping[str, Callable[[], T]], *, rounds: int) -> dict[str, list[T]]:
    """Do each work once per round, one after another, so that a slow moment meets all of them."""
    found: dict[str, list[T]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            found[name].append(work())
    return found


def median(runs: Sequence[Run]) -> Run:
    """The median of each quantity."""
    return Run(
        statistics.median(each.seconds for each in runs),
        statistics.median(each.megabytes for each in runs),
        statistics.median(each.processor for each in runs),
    )


def compare(
    name: str,
    subject: Callable[[], Run],
    baseline: Callable[[], Run],
    *,
    target: str,
    rounds: int = 3,
    against: str = "",
) -> Figure:
    """Run both in turn and compare their medians."""
    runs = in_turn({"subject": subject, "baseline": baseline}, rounds=rounds)
    return beside(name, median(runs["subject"]), median(runs["baseline"]), target=target, against=against)


def beside(name: str, subject: Run, baseline: Run, *, target: str, against: str = "") -> Figure:
    """The seconds of two medians."""
    return Figure(
        name, subject.seconds, baseline.seconds, target, against=against, megabytes=subject.megabytes
    )
