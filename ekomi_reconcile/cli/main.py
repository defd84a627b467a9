"""Running a command line: the one place that turns what happened into an exit code."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

import click

from ekomi_reconcile.cli.app import Exit, app
from ekomi_reconcile.cli.options import COMPLETION
from ekomi_reconcile.cli.output import Output, outputs
from ekomi_reconcile.model.errors import ConfigurationInvalid, ReconcileError

_COLLECT = (50_000, 20, 100)
"""Thousands of accounts are built once and stay: looking through them for garbage costs a third of a plan."""


def run(arguments: Sequence[str]) -> int:
    """Run the command line and return its exit code; nothing but the result goes to stdout.

    Output that could not be written makes success an error, after everything else is done.
    """
    if COMPLETION in os.environ:
        import_module("ekomi_reconcile.cli.completion")
        return _run(arguments)
    with outputs() as (stdout, stderr):
        try:
            code = _run(arguments)
        finally:
            stdout.settle()
            stderr.settle()
        return _judged(code, stdout, stderr)


def _judged(code: int, stdout: Output, stderr: Output) -> int:
    if stdout.problem is None and stderr.problem is None:
        return code
    for each in (stdout, stderr):
        if each.problem is not None and not each.reader_left:
            click.echo(f"Error: {each.name} cannot be written: {each.problem}", err=True)
    return Exit.ERROR if code in (Exit.OK, Exit.CHANGES) else code


def _run(arguments: Sequence[str]) -> int:
    """Turn what happens into an exit code.

    A broad ``except`` stands here, at the outermost edge, and nowhere else: no traceback reaches a user.
    """
    gc.set_threshold(*_COLLECT)
    try:
        code = app.main(list(arguments), prog_name="ekomi-reconcile", standalone_mode=False)
        return int(code or Exit.OK)
    except (click.exceptions.Abort, KeyboardInterrupt):
        click.echo("Interrupted.", err=True)
        return Exit.INTERRUPTED
    except click.ClickException as error:
        error.show()
        return Exit.USAGE if isinstance(error, click.UsageError) else Exit.ERROR
    except ReconcileError as error:
        _explain(error)
    except Exception as error:  # noqa: BLE001
        _confess(error)
    return Exit.ERROR


def _explain(error: ReconcileError) -> None:
    from ekomi_reconcile.cli.options import Globals
    from ekomi_reconcile.config.secrets import redact
    from ekomi_reconcile.render.diagnostics import diagnostics_text
    from ekomi_reconcile.render.tables import Paint, printable

    if isinstance(error, ConfigurationInvalid):
        paint = Paint(Globals().colour_on(sys.stderr))
        click.echo(redact(diagnostics_text(error.diagnostics, paint)), err=True, nl=False)
    click.echo(f"Error: {printable(redact(error.message))}", err=True)
    if error.mend:
        click.echo(f"  {printable(redact(error.mend))}", err=True)


def _confess(error: Exception) -> None:
    """A fault of this program: say where, without a traceback, and without values that may be secret."""
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    place = ""
    if frame is not None:
        code = frame.tb_frame.f_code
        place = f" at {Path(code.co_filename).name}:{frame.tb_lineno} in {code.co_name}"
    click.echo(f"Error: internal error: {type(error).__name__}{place}", err=True)
    click.echo("  this is a fault of ekomi-reconcile; nothing more was done", err=True)
