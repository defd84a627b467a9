"""The program: the root command, and the edge where errors become exit codes."""

from __future__ import annotations

import difflib
import gc
import os
import sys
from collections.abc import Mapping, Sequence
from enum import IntEnum
from importlib import import_module
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from ekomi_reconcile import __version__
from ekomi_reconcile.cli.options import COMPLETION, Output, common, outputs
from ekomi_reconcile.model.errors import ConfigurationInvalid, ReconcileError


class LazyGroup(click.Group):
    """A group whose commands are named as ``module:attribute`` with the line that ``--help`` shows."""

    def __init__(self, *args: Any, lazy: Mapping[str, tuple[str, str]] | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.lazy = dict(lazy or {})

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All commands, in the order in which they were declared."""
        return [*self.lazy, *super().list_commands(ctx)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of this name, imported now."""
        if cmd_name not in self.lazy:
            return super().get_command(ctx, cmd_name)
        module, _, attribute = self.lazy[cmd_name][0].partition(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands, from what is declared: nothing is imported for it."""
        if not self.lazy:
            super().format_commands(ctx, formatter)
            return
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in self.lazy.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem[str]]:
        """Commands and options that begin like this, from what is declared: nothing is imported for it."""
        if not self.lazy:
            return super().shell_complete(ctx, incomplete)
        found = [CompletionItem(name, help=line) for name, (_, line) in self.lazy.items()]
        options = click.Command.shell_complete(self, ctx, incomplete)
        return [each for each in found if each.value.startswith(incomplete)] + options

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command to run; an unknown one is answered with the nearest name."""
        name = args[0]
        if name not in self.list_commands(ctx) and not name.startswith("-"):
            near = difflib.get_close_matches(name, self.list_commands(ctx), n=1)
            hint = f" Did you mean {near[0]}?" if near else ""
            ctx.fail(f"No such command {name!r}.{hint}")
        return super().resolve_command(ctx, args)


class Exit(IntEnum):
    """What the process tells its caller."""

    OK = 0
    ERROR = 1
    CHANGES = 2
    USAGE = 64
    INTERRUPTED = 130


MEANINGS = {
    Exit.OK: "success",
    Exit.ERROR: "an error, a refusal, or an incomplete run",
    Exit.CHANGES: "changes present (only with `plan --detailed-exitcode`)",
    Exit.USAGE: "invalid command line",
    Exit.INTERRUPTED: "interrupted",
}
"""The table of ``--help`` and the documentation."""


_COMMANDS = {
    "init": (
        "ekomi_reconcile.cli.demo:init",
        "Start a project: settings, an example account and orders, schemas for editors, CI.",
    ),
    "validate": ("ekomi_reconcile.cli.fmt:validate", "Check the files: schema, cross-file rules, lint."),
    "test": ("ekomi_reconcile.cli.explain:test", "Run the unit tests of the rules; offline."),
    "analyze": (
        "ekomi_reconcile.cli.explain:analyze",
        "Find accounts that can match the same order, and rules that never match; offline.",
    ),
    "backtest": (
        "ekomi_reconcile.cli.backtest:backtest",
        "Replay past orders: show whom the rules would have invited, and what a rule change does.",
    ),
    "fmt": ("ekomi_reconcile.cli.fmt:fmt", "Format the files: canonical YAML, comments kept."),
    "plan": ("ekomi_reconcile.cli.plan:plan", "Show what apply would do, and why."),
    "apply": ("ekomi_reconcile.cli.apply:apply", "Make the state and eKomi's queue match the files."),
    "run": ("ekomi_reconcile.cli.run:run", "Run apply as a service, at a fixed interval."),
    "accounts": ("ekomi_reconcile.cli.accounts:accounts", "The accounts: list, show, open, check."),
    "sync": ("ekomi_reconcile.cli.accounts:sync", "Fetch shop details and statistics from eKomi now."),
    "invitations": (
        "ekomi_reconcile.cli.invitations:invitations",
        "The queue: list, show, skip, unskip, push, retry, resolve, history, mark-sent.",
    ),
    "reviews": ("ekomi_reconcile.cli.reviews:reviews", "The reviews: import, list, stats, funnel, export."),
    "explain": (
        "ekomi_reconcile.cli.explain:explain",
        "Show why an order is invited or not, and when: the outcome, and the result of every account.",
    ),
    "orders": ("ekomi_reconcile.cli.lists:orders", "Order files: inspect."),
    "doctor": (
        "ekomi_reconcile.cli.doctor:doctor",
        "Self-test: files, state, secrets, eKomi, orders, queue.",
    ),
    "report": (
        "ekomi_reconcile.cli.doctor:report",
        "Write the state as a web page: accounts, queue, reviews, runs.",
    ),
    "suppress": ("ekomi_reconcile.cli.privacy:suppress", "Opt-outs: add, list, remove."),
    "privacy": ("ekomi_reconcile.cli.privacy:privacy", "Data about a customer: export, erase."),
    "errors": ("ekomi_reconcile.cli.doctor:errors", "List failed calls to eKomi."),
    "state": (
        "ekomi_reconcile.cli.state:state",
        (
            "The state: init, list, show, pull, push, backup, restore, mv, mv-source, accept-loss, rm, "
            "check, migrate, history."
        ),
    ),
    "dump": (
        "ekomi_reconcile.cli.fmt:dump",
        "Print the accounts in the state as YAML, as last applied.",
    ),
    "lock": ("ekomi_reconcile.cli.state:lock", "The writer lock: show."),
    "force-unlock": (
        "ekomi_reconcile.cli.state:force_unlock",
        "Release a stale lock.",
    ),
    "schema": (
        "ekomi_reconcile.cli.fmt:schema",
        "Print a JSON Schema: of the files, the plan, a pulled state, or the JSON output of a command.",
    ),
    "completion": (
        "ekomi_reconcile.cli.completion:completion",
        "Print the script that completes commands, options and account names in a shell.",
    ),
    "sandbox": ("ekomi_reconcile.cli.demo:sandbox", "Run a local eKomi and Magento for experiments."),
    "demo": ("ekomi_reconcile.cli.demo:demo", "See the whole workflow on a sandbox in one minute."),
    "version": ("ekomi_reconcile.cli.completion:version", "Print the version."),
    "help": (
        "ekomi_reconcile.cli.completion:help_",
        "Print the help of a command, or what an error or warning means.",
    ),
}

_EPILOG = "Exit codes: " + "; ".join(f"{code.value} {meaning}" for code, meaning in MEANINGS.items()) + "."


@click.group(
    cls=LazyGroup,
    lazy=_COMMANDS,
    epilog=_EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, "--version", message="%(prog)s %(version)s", help="Print the version.")
@common(env=True)
def app() -> None:
    """Terraform for eKomi review invitations: accounts and rules as YAML files, plan and apply."""


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

    The only broad ``except`` is here, at the outermost edge: no traceback reaches a user.
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
    from ekomi_reconcile.config.configuration import redact
    from ekomi_reconcile.render.results import diagnostics_text
    from ekomi_reconcile.render.tables import Paint, printable

    if isinstance(error, ConfigurationInvalid):
        paint = Paint(Globals().colour_on(sys.stderr))
        click.echo(redact(diagnostics_text(error.diagnostics, paint)), err=True, nl=False)
    click.echo(f"Error: {printable(redact(error.message))}", err=True)
    if error.hint:
        click.echo(f"  {printable(redact(error.hint))}", err=True)
    if sys.stderr.isatty():
        click.echo(f"  To learn more: ekomi-reconcile help {error.id}", err=True)
    if error.incident is not None:
        click.echo(f"  incident {error.incident}: see {error.incident.guide}", err=True)


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
