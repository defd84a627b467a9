"""``fmt``: the files in their canonical form."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import click

from ekomi_reconcile.cli.app import Exit
from ekomi_reconcile.cli.files import rewrite
from ekomi_reconcile.cli.options import common, option, options
from ekomi_reconcile.cli.output import exact_output, write_result
from ekomi_reconcile.cli.session import configuration_path
from ekomi_reconcile.config.diagnostics import error
from ekomi_reconcile.config.secrets import redact
from ekomi_reconcile.config.settings import ACCOUNTS
from ekomi_reconcile.config.source import DiskTree, account_files
from ekomi_reconcile.config.yaml import read
from ekomi_reconcile.formatting.canonical import NOT_OURS, canonical, difference
from ekomi_reconcile.model.diagnostic import Diagnostic, Place
from ekomi_reconcile.model.errors import ConfigurationInvalid, ReconcileError
from ekomi_reconcile.render.diagnostics import diagnostics_text
from ekomi_reconcile.render.tables import Paint, plural, printable

_STREAM: Final = "-"


@dataclass(frozen=True, slots=True)
class _Target:
    """A file to format. ``kind`` where its place says it; ``found``: nobody named it, it may be another's."""

    path: str
    kind: str | None = None
    found: bool = False


@dataclass(slots=True)
class _Outcome:
    changed: list[str] = field(default_factory=list)
    unchanged: int = 0
    left_out: int = 0
    failed: int = 0


@click.command()
@click.argument("paths", nargs=-1, metavar="[PATH]...")
@option("--check", is_flag=True, help="Write nothing; exit 1 where a file would change.")
@option("--diff", is_flag=True, help="Write nothing; print what would change.")
@common()
def fmt(paths: tuple[str, ...], check: bool, diff: bool) -> int:
    """Format the files: canonical YAML, comments kept.

    Two spaces of indentation, keys in the order of the schema, quotes only where they are needed; those
    around what YAML 1.1 reads as another type (no, 12:30, 2026-01-01) stay. So does a comment on the first
    lines. Without PATH: the project file and all accounts; PATH is a file, a folder, or - for standard input.
    Changed files are listed. A file that is not YAML, or whose meaning would change, is left as it is.
    """
    if _STREAM in paths:
        return _stream(paths, check=check, diff=diff)
    outcome = _Outcome()
    for target in _targets(paths):
        _format(target, outcome, check=check, diff=diff)
    if not options().quiet:
        click.echo(_summary(outcome, would="would be " if check or diff else ""), err=True)
    return Exit.ERROR if outcome.failed or (check and outcome.changed) else Exit.OK


def _stream(paths: tuple[str, ...], *, check: bool, diff: bool) -> int:
    if len(paths) > 1:
        raise click.UsageError("- stands alone: standard input is one file.")
    before = sys.stdin.buffer.read()
    try:
        after = canonical("<stdin>", before)
    except ConfigurationInvalid as problem:
        _tell(problem.diagnostics)
        return Exit.ERROR
    if diff:
        write_result(redact(difference("<stdin>", before, after)))
    elif not check:
        exact_output()
        write_result(after.decode())
    return Exit.ERROR if check and before != after else Exit.OK


def _targets(paths: tuple[str, ...]) -> Iterator[_Target]:
    """The files to format, each once, however many names lead to it."""
    seen = set()
    for target in _named(paths) if paths else _project():
        real = Path(target.path).resolve()
        if real not in seen:
            seen.add(real)
            yield target


def _named(paths: tuple[str, ...]) -> Iterator[_Target]:
    for each in paths:
        path = (options().directory / each).as_posix()
        if not Path(path).is_dir():
            yield _Target(path)
            continue
        yield from (_Target(file, found=True) for file in _walked(path))


def _walked(folder: str) -> tuple[str, ...]:
    try:
        return DiskTree().walk(folder).files
    except OSError as problem:
        raise ReconcileError(
            f"{folder} cannot be read: {problem.strerror}", mend="name the folder of the account files"
        ) from None


def _project() -> Iterator[_Target]:
    project = configuration_path().as_posix()
    yield _Target(project, "project")
    try:
        documents, _ = read(project, DiskTree().read(project))
        folder = documents[0].data.get("accounts", ACCOUNTS) if documents else ACCOUNTS
        listing = account_files(DiskTree(), project, str(folder))
    except (OSError, ValueError):
        return  # what is wrong with the file is said when it is formatted, with `accounts:` by `validate`
    yield from (_Target(each, "account") for each in listing.files)


def _format(target: _Target, outcome: _Outcome, *, check: bool, diff: bool) -> None:
    try:
        before = DiskTree().read(target.path)
        after = canonical(target.path, before, kind=target.kind)
        if before == after:
            outcome.unchanged += 1
            return
        if not (check or diff):
            rewrite(Path(target.path), after)
    except ConfigurationInvalid as problem:
        if target.found and all(each.rule == NOT_OURS for each in problem.diagnostics):
            outcome.left_out += 1
            return
        outcome.failed += 1
        _tell(problem.diagnostics)
        return
    except OSError as problem:
        outcome.failed += 1
        _tell([_inaccessible(target.path, problem)])
        return
    outcome.changed.append(target.path)
    write_result(redact(difference(target.path, before, after)) if diff else f"{printable(target.path)}\n")


def _inaccessible(path: str, problem: OSError) -> Diagnostic:
    return error(
        "unreadable-file",
        f"it cannot be read or written: {problem.strerror or 'unknown reason'}",
        Place(path=path),
        mend="check that it is a regular file that may be read and written",
    )


def _tell(found: tuple[Diagnostic, ...] | list[Diagnostic]) -> None:
    text = diagnostics_text(found, Paint(options().colour_on(sys.stderr)))
    click.echo(redact(text), err=True, nl=False)


def _summary(outcome: _Outcome, *, would: str) -> str:
    parts = [f"{plural(len(outcome.changed), 'file')} {would}formatted", f"{outcome.unchanged} unchanged"]
    if outcome.left_out:
        parts.append(f"{outcome.left_out} of other programs")
    if outcome.failed:
        parts.append(f"{outcome.failed} failed")
    return f"{', '.join(parts)}."
