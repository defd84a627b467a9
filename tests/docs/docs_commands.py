"""Commands as they stand in the documentation, and whether the command line knows their flags."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import click
from docs_blocks import Block

from ekomi_reconcile.cli.main import app

PROGRAM = "ekomi-reconcile"
_SHELLS = ("sh", "bash", "console", "")
_REDIRECTIONS = frozenset({">", ">>", "<", ">&"})
_ASSIGNMENT = re.compile(r"[A-Z_]+=")


@dataclass(frozen=True, slots=True)
class Command:
    """One call of the program: its arguments, and what an ``echo`` before it pipes in."""

    arguments: tuple[str, ...]
    typed: str = ""

    def __str__(self) -> str:
        return shlex.join((PROGRAM, *self.arguments))


def commands(block: Block) -> Iterator[Command]:
    """The calls in a block that is for a shell; what a program answers is passed over."""
    if block.language not in _SHELLS:
        return
    for line in block.text.replace("\\\n", " ").splitlines():
        prompted = line.startswith("$ ")
        if prompted or block.language in ("sh", "bash") or line.startswith(f"{PROGRAM} "):
            yield from _in_line(line.removeprefix("$ "))


def inline_commands(text: str) -> Iterator[Command]:
    """Calls in the prose, as far as they are written out."""
    for code in re.findall(r"(?<!`)`([^`\n]+)`(?!`)", text):
        words = code.removeprefix(f"{PROGRAM} ").split()
        known = words and words[0] in app.list_commands(click.Context(app))
        if known and " --" in code:
            yield Command(tuple(words))


def _in_line(line: str) -> Iterator[Command]:
    if PROGRAM not in line or "<Tab>" in line:
        return
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    typed, segment = "", list[str]()
    for token in [*lexer, ";"]:
        if not set(token) <= set(";|&"):
            segment.append(token)
            continue
        if found := _call(segment):
            yield Command(found, typed)
        typed = f"{' '.join(segment[1:])}\n" if token == "|" and segment[:1] == ["echo"] else ""
        segment = []


def _call(segment: Sequence[str]) -> tuple[str, ...]:
    """The arguments of the call in a simple command; none: it calls something else."""
    places = [at for at, word in enumerate(segment) if Path(word).name == PROGRAM]
    words = [word for word in segment if not _ASSIGNMENT.match(word)]
    if not places or not (places[0] == 0 or words[0] in ("xargs", "set") or Path(words[0]).name == PROGRAM):
        return ()
    kept, rest = [], iter(segment[places[0] + 1 :])
    for word in rest:
        if word in _REDIRECTIONS:
            next(rest, None)
        else:
            kept.append(word)
    return tuple(kept)


def check_flags(arguments: Sequence[str]) -> None:
    """Make sure that the program has this command with these flags; values are not looked at.

    Raises:
        click.UsageError: it has not.
    """
    command: click.Command = app
    rest = list(arguments)
    while isinstance(command, click.Group):
        context = click.Context(command)
        _, rest, _ = command.make_parser(context).parse_args(rest)
        if not rest:
            return
        name, *rest = rest
        inner = command.get_command(context, name)
        if inner is None:
            raise click.UsageError(f"there is no command {name}")
        command = inner
    try:
        command.make_parser(click.Context(command)).parse_args(rest)
    except click.BadOptionUsage as error:
        if "requires an argument" not in error.message:
            raise
