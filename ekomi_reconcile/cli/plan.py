"""``plan``: show what apply would do, and why."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from ekomi_reconcile.cli.exits import Exit
from ekomi_reconcile.cli.globals import Command, common, option, options
from ekomi_reconcile.cli.progress import progress
from ekomi_reconcile.cli.session import load_configuration, mention_warnings, reading_if_any, write_result
from ekomi_reconcile.config.secrets import redact
from ekomi_reconcile.model import instant
from ekomi_reconcile.model.instant import Instant
from ekomi_reconcile.plan.plan import Plan, Scope


class InstantType(click.ParamType[Instant]):
    """A point in time: ISO 8601, UTC where it has no zone."""

    name = "time"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> Instant:
        """Seconds since 1970."""
        try:
            return instant.parse(value)
        except ValueError:
            self.fail(f"{value!r} is no time; write it like 2026-11-30T12:00:00Z", param, ctx)


def selections(command: Command) -> Command:
    """The options that choose accounts, shared by plan and apply."""
    for add in (
        option(
            "--replace",
            env=False,
            multiple=True,
            metavar="NAME",
            help="Delete this account and create it anew.",
        ),
        option("--exclude", env=False, multiple=True, metavar="GLOB", help="Leave matching accounts out."),
        option(
            "--target",
            env=False,
            multiple=True,
            metavar="GLOB",
            help="Only accounts whose name or address matches.",
        ),
    ):
        command = add(command)
    return command


@click.command()
@option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Save the plan for `apply FILE`.",
)
@option("--format", "form", type=click.Choice(["text", "json"]), default="text", help="How to show it.")
@option(
    "--detailed-exitcode", is_flag=True, help="Exit with 2 when accounts change or rules move invitations."
)
@option("--refresh-only", is_flag=True, help="Only syncs and imports.")
@option("--offline", is_flag=True, help="Files and state only: no secret, no order source, no eKomi.")
@option("--at", env=False, type=InstantType(), metavar="TIME", help="The plan as it would be at TIME.")
@selections
@common()
def plan(
    out: Path | None,
    form: str,
    detailed_exitcode: bool,
    refresh_only: bool,
    offline: bool,
    at: Instant | None,
    target: tuple[str, ...],
    exclude: tuple[str, ...],
    replace: tuple[str, ...],
) -> int:
    """Show what apply would do, and why. Takes no lock and writes no state."""
    check_selection(target, exclude)
    scope = Scope(
        targets=target, excludes=exclude, replaces=replace, offline=offline, refresh_only=refresh_only
    )
    made = _make(scope, now=instant.now() if at is None else at)
    if out is not None:
        _save(made, out)
    show(made, form)
    if not made.complete or made.blocked:
        return Exit.ERROR
    return Exit.CHANGES if detailed_exitcode and made.changes_present else Exit.OK


def check_selection(target: tuple[str, ...], exclude: tuple[str, ...]) -> None:
    """``--target`` and ``--exclude`` are not used together."""
    if target and exclude:
        raise click.UsageError("--target and --exclude cannot be used together.")


def _make(scope: Scope, *, now: Instant) -> Plan:
    from ekomi_reconcile.reconcile import Passwords, Sources, make_plan, read_passwords

    configuration = load_configuration()
    mention_warnings(configuration)
    online = not scope.offline
    with (
        progress() as listen,
        reading_if_any(configuration, key=online) as state,
        Sources(configuration, listen) as sources,
    ):
        passwords = read_passwords(configuration, state) if online else Passwords()
        return make_plan(configuration, state, sources=sources, scope=scope, now=now, passwords=passwords)


def show(made: Plan, form: str) -> None:
    """Write the plan to stdout."""
    from ekomi_reconcile.plan.codec import encode
    from ekomi_reconcile.render.plan_text import plan_text
    from ekomi_reconcile.render.style import Paint

    if form == "json":
        write_result(redact(encode(made).decode()))
    else:
        write_result(redact(plan_text(made, Paint(options().colour_on(sys.stdout)))))


def _save(made: Plan, out: Path) -> None:
    from ekomi_reconcile.cli.files import write_private
    from ekomi_reconcile.plan.codec import encode

    write_private(options().directory / out, encode(made))
