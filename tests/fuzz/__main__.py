"""``python -m tests.fuzz --count 50000 --seed 1``: damaged documents of every kind, given to what reads them.

No document may cause an internal error, a hang, or more than 300 MiB of memory. The same seed gives the same
documents. One that causes a fault is kept with ``--keep DIR``.
"""

from __future__ import annotations

import argparse
import os
import resource
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from types import FrameType

from tests.fuzz.damage import damaged
from tests.fuzz.targets import TARGETS, Target, targets

SECONDS = 20
"""No document takes longer."""

MOST_MEMORY = 300
"""MiB of the whole process."""


class Hang(BaseException):
    """A document took too long."""


@dataclass
class Tally:
    """What happened to the documents of one target."""

    read: int = 0
    refused: int = 0
    slowest: float = 0.0
    faults: list[tuple[str, bytes]] = field(default_factory=list)


def fuzz(target: Target, count: int, seed: int) -> Tally:
    """Give so many damaged documents to a target."""
    from ekomi_reconcile.model.errors import ReconcileError

    tally, random = Tally(), Random(f"{seed} {target.name}")
    for _ in range(count):
        data = damaged(random.choice(target.seeds), random)
        started = time.perf_counter()
        signal.setitimer(signal.ITIMER_REAL, SECONDS)
        try:
            target.run(data)
            tally.read += 1
        except ReconcileError as error:
            tally.refused += 1
            if not error.message:
                tally.faults.append(("an error without a message", data))
        except (Exception, Hang):  # noqa: BLE001 - every one is a finding
            tally.faults.append((traceback.format_exc(limit=-6), data))
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        tally.slowest = max(tally.slowest, time.perf_counter() - started)
    return tally


def memory() -> int:
    """MiB that this process has needed at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def _stop(number: int, frame: FrameType | None) -> None:
    raise Hang


def run(names: list[str], count: int, seed: int) -> Iterator[tuple[str, Tally]]:
    """Every target with its share of the documents."""
    os.environ.setdefault("PASSWORD_28374", "sandbox-de")
    os.environ["NO_PROXY"] = "*"
    os.environ.pop("CI", None)
    warnings.simplefilter("ignore")
    signal.signal(signal.SIGALRM, _stop)
    with tempfile.TemporaryDirectory() as folder, targets(Path(folder)) as found:
        chosen = [each for each in found if each.name in names]
        for at, each in enumerate(chosen):
            share = count // len(chosen) + (at < count % len(chosen))
            yield each.name, fuzz(each, share, seed)


def main() -> int:
    """Run, print a line per target, and return 1 after any fault."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--count", type=int, default=1_000, help="documents in all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--target", choices=TARGETS, action="append", help="only this one; repeatable")
    parser.add_argument("--keep", type=Path, help="a folder for documents that cause a fault")
    chosen = parser.parse_args()
    bad = 0
    for name, tally in run(chosen.target or list(TARGETS), chosen.count, chosen.seed):
        bad += len(tally.faults)
        print(
            f"{name:10} {tally.read:6} read {tally.refused:6} refused {len(tally.faults):4} faults, "
            f"slowest {tally.slowest:.2f} s, memory {memory()} MiB",
            flush=True,
        )
        for at, (text, data) in enumerate(tally.faults):
            if at < 5:
                print(text)
            if chosen.keep is not None:
                chosen.keep.mkdir(parents=True, exist_ok=True)
                (chosen.keep / f"{name}-{at}").write_bytes(data)
    if memory() > MOST_MEMORY:
        print(f"more than {MOST_MEMORY} MiB")
        bad += 1
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
