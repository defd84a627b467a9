"""Timing whole processes: a command and its baseline in turn, and the ratio of their medians."""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Run:
    """One finished process: wall seconds, and the largest memory of any child so far in MiB."""

    seconds: float
    megabytes: float


@dataclass(frozen=True, slots=True)
class Figure:
    """A median beside its baseline, with the target for their ratio."""

    name: str
    seconds: float
    baseline: float
    target: str

    @property
    def ratio(self) -> float:
        """How many times as long as the baseline."""
        return self.seconds / self.baseline

    def __str__(self) -> str:
        return (
            f"{self.name:46} {self.seconds:8.2f} s   baseline {self.baseline:8.2f} s   "
            f"ratio {self.ratio:6.2f}   target {self.target}"
        )


def command(*arguments: str) -> list[str]:
    """A command line of this project, by the interpreter that runs the benchmarks."""
    return [sys.executable, "-m", "ekomi_reconcile", *arguments]


def python(source: str, *arguments: str) -> list[str]:
    """A baseline as a Python program of its own."""
    return [sys.executable, "-c", source, *arguments]


def run(arguments: Sequence[str], *, cwd: Path, env: Mapping[str, str] | None = None, ok: int = 0) -> Run:
    """Run a process to its end.

    Raises:
        RuntimeError: its exit code is not ``ok``.
    """
    before = time.perf_counter()
    done = subprocess.run(
        arguments, cwd=cwd, env={**os.environ, **(env or {})}, capture_output=True, text=True, check=False
    )
    seconds = time.perf_counter() - before
    if done.returncode != ok:
        raise RuntimeError(
            f"{' '.join(arguments)}: exit {done.returncode}\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
        )
    return Run(seconds, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024)


def compare(
    name: str, subject: Callable[[], Run], baseline: Callable[[], Run], *, target: str, rounds: int = 3
) -> Figure:
    """Run both in turn and compare their medians."""
    pairs = [(subject().seconds, baseline().seconds) for _ in range(rounds)]
    ours, theirs = (statistics.median(each) for each in zip(*pairs, strict=True))
    return Figure(name, ours, theirs, target)
