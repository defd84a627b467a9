"""Starting the program."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from measure import Figure, beside, command, in_turn, median, python, run


def start(folder: Path, *, rounds: int = 11) -> Iterator[Figure]:
    """``version`` and ``--help`` beside Python importing click."""
    works = {
        "click": partial(run, python("import click"), cwd=folder),
        "version": partial(run, command("version"), cwd=folder),
        "--help": partial(run, command("--help"), cwd=folder),
    }
    found = {name: median(runs) for name, runs in in_turn(works, rounds=rounds).items()}
    for name, target in (("version", "<= 1.6"), ("--help", "<= 2.0")):
        yield beside(f"start: {name}", found[name], found["click"], target=target, against="`import click`")
