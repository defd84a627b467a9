"""``plan``: show what apply would do, and why."""

from __future__ import annotations

import dataclasses
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ekomi_reconcile.cli import files, session
from ekomi_reconcile.cli import options as cli_options
from ekomi_reconcile.cli.completion import account_completions
from ekomi_reconcile.cli.main import Exit
from ekomi_reconcile.cli.progress import progress
from ekomi_reconcile.config.configuration import Configuration, redact
from ekomi_reconcile.http import RunClock
from ekomi_reconcile.model import instant
from ekomi_reconcile.model.diagnostic import UNRESOLVED
from ekomi_reconcile.model.errors import ReconcileError
from ekomi_reconcile.model.instant import Instant
from ekomi_reconcile.plan.plan import Plan, Scope
from ekomi_reconcile.render.plan_markdown import Comment, failure_markdown, plan_markdown
from ekomi_reconcile.render.plan_text import PlanDetail
from ekomi_reconcile.render.tables import plural

if TYPE_CHECKING:
    from ekomi_reconcile.plan.saved_plan import Sign


_KEY = re.compile(r"[A-Za-z0-9]+(?:[-._/][A-Za-z0-9]+)*")
_URL = re.compile(r"https?://[A-Za-z0-9.:\[\]-]+(?:/[A-Za-z0-9._~/?#&=%+:@-]*)?")


class _Checked(click.ParamType[str]):
    """Text of a fixed form: it is written into Markdown as it is."""

    def __init__(self, name: str, form: re.Pattern[str], says: str) -> None:
        self.name = name
        self._form = form
        self._says = says

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The text itself."""
        if len(value) > 300 or not self._form.fullmatch(value):
            self.fail(self._says, param, ctx)
        return value


_OPTIONS = (
    cli_options.option(
        "--markdown-out",
        type=cli_options.FilePath(dir_okay=False, path_type=Path),
        metavar="FILE",
        help="Also write the plan as a Markdown comment to FILE.",
    ),
    cli_options.option(
        "--comment-key",
        type=_Checked("key", _KEY, "letters and digits, with single . - _ / between them"),
        metavar="KEY",
        help="Distinguishes the comments of several projects in one repository.",
    ),
    cli_options.option(
        "--details-url",
        type=_Checked("url", _URL, "an address that starts with https://"),
        metavar="URL",
        help="URL of the complete plan; linked in a comment that is too long.",
    ),
)


def comment_options(command: cli_options.Command) -> cli_options.Command:
    """The options of ``plan`` that concern the comment."""
    for add in reversed(_OPTIONS):
        command = add(command)
    return command


def comment_text(made: Plan, comment: Comment, detail: PlanDetail) -> str:
    """The plan as a comment."""
    return redact(plan_markdown(made, comment, detail=detail))


def save_comment(text: str, file: Path) -> None:
    """Write the comment to a file that was asked for."""
    from ekomi_reconcile.cli.files import write_private

    write_private(cli_options.options().directory / file, text.encode())


@contextmanager
def telling_failures(comment: Comment, *, shown: bool, file: Path | None) -> Iterator[None]:
    """A plan that cannot be made becomes the comment, too: else an older one would stay and be believed.

    ``shown`` says that the comment is what stdout gets.
    """
    try:
        yield
    except ReconcileError as error:
        text = redact(failure_markdown(error, comment))
        if file is not None:
            save_comment(text, file)
        if shown:
            click.echo(text, nl=False)
        raise


class InstantType(click.ParamType[Instant]):
    """A point in time: ISO 8601, UTC where it has no zone."""

    name = "time"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> Instant:
        """Seconds since 1970."""
        try:
            return instant.parse(value)
        except ValueError:
            self.fail(f"{value!r} is not a time; write it like 2026-11-30T12:00:00Z", param, ctx)


def selections(command: cli_options.Command) -> cli_options.Command:
    """The options that choose accounts, shared by plan and apply."""
    for add in (
        cli_options.option(
            "--replace",
            env=False,
            multiple=True,
            metavar="NAME",
            shell_complete=account_completions,
            help="Delete this account and re-create it.",
        ),
        cli_options.option(
            "--exclude",
            env=False,
            multiple=True,
            metavar="GLOB",
            shell_complete=account_completions,
            help="Leave matching accounts out.",
        ),
        cli_options.option(
            "--tag",
            env=False,
            multiple=True,
            metavar="TAG",
            help="Only accounts with this tag; if repeated, with any of them. "
            "With --target, both must match.",
        ),
        cli_options.option(
            "--target",
            env=False,
            multiple=True,
            metavar="GLOB",
            shell_complete=account_completions,
            help="Only accounts whose name or address matches.",
        ),
    ):
        command = add(command)
    return command


def detail_options(command: cli_options.Command) -> cli_options.Command:
    """``--concise`` and ``--full``, shared by plan and apply."""
    for add in (
        cli_options.option(
            "--full", is_flag=True, help="List every account, even if more than 20 have the same changes."
        ),
        cli_options.option("--concise", is_flag=True, help="One line per account; no examples."),
    ):
        command = add(command)
    return command


def detail_of(*, concise: bool, full: bool) -> PlanDetail:
    """How much of a plan is shown with these flags.

    Raises:
        UsageError: both are given.
    """
    if concise and full:
        raise click.UsageError("--concise and --full cannot be used together.")
    if concise:
        return PlanDetail.CONCISE
    return PlanDetail.FULL if full else PlanDetail.NORMAL


def accept_clock_option(command: cli_options.Command) -> cli_options.Command:
    """``--accept-clock``, shared by plan, apply and run."""
    return cli_options.option(
        "--accept-clock",
        env=False,
        is_flag=True,
        help="Trust this machine's clock, even if it disagrees with servers or the last run.",
    )(command)


@click.command()
@cli_options.option(
    "--out",
    type=cli_options.FilePath(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Save the plan for `apply FILE`.",
)
@cli_options.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "markdown"]),
    default="text",
    help="Output format; markdown: a pull request comment.",
)
@comment_options
@cli_options.option(
    "--base",
    metavar="REF",
    help="Compare the files with the merge base of REF; needs no state, no secret and no shop.",
)
@cli_options.option(
    "--changed-since",
    env=False,
    metavar="REF",
    help="Only accounts whose files have changed since the merge base with REF.",
)
@cli_options.option(
    "--detailed-exitcode", is_flag=True, help="Exit with 2 when accounts change or rules move invitations."
)
@cli_options.option("--refresh-only", is_flag=True, help="Only syncs and imports.")
@cli_options.option(
    "--offline", is_flag=True, help="Files and state only: no secret, no order source, no eKomi."
)
@cli_options.option(
    "--at",
    env=False,
    type=InstantType(),
    metavar="TIME",
    help="Show the plan as it would be at TIME; such a plan cannot be applied.",
)
@accept_clock_option
@detail_options
@selections
@cli_options.common()
def plan(
    out: Path | None,
    form: str,
    markdown_out: Path | None,
    comment_key: str | None,
    details_url: str | None,
    base: str | None,
    changed_since: str | None,
    detailed_exitcode: bool,
    refresh_only: bool,
    offline: bool,
    at: Instant | None,
    accept_clock: bool,
    concise: bool,
    full: bool,
    target: tuple[str, ...],
    tag: tuple[str, ...],
    exclude: tuple[str, ...],
    replace: tuple[str, ...],
) -> int:
    """Show what apply would do, and why. Takes no lock and writes no state."""
    check_selection(target, exclude)
    if base is not None:
        files.check_base(base, out=out, refresh_only=refresh_only, at=at)
    if changed_since is not None:
        files.check_revision("--changed-since", changed_since)
    scope = Scope(
        targets=target,
        excludes=exclude,
        tags=tag,
        changed_since=changed_since,
        replaces=replace,
        offline=offline,
        refresh_only=refresh_only,
        base=base,
    )
    comment = Comment(key=comment_key, url=details_url)
    detail = detail_of(concise=concise, full=full)
    with telling_failures(comment, shown=form == "markdown", file=markdown_out):
        made, sign = _make(scope, at=at, accept_clock=accept_clock)
    if out is not None:
        _save(made, out, sign)
    if markdown_out is not None:
        save_comment(comment_text(made, comment, detail), markdown_out)
    if form == "markdown":
        cli_options.write_result(comment_text(made, comment, detail))
    else:
        show(made, form, detail, sign)
    unusable = any(each.rule == UNRESOLVED and each.is_error for each in made.diagnostics)
    if not made.complete or made.blocked or unusable:
        return Exit.ERROR
    return Exit.CHANGES if detailed_exitcode and made.changes_present else Exit.OK


def check_selection(target: tuple[str, ...], exclude: tuple[str, ...]) -> None:
    """``--target`` and ``--exclude`` are not used together.

    Raises:
        UsageError: both are given.
    """
    if target and exclude:
        raise click.UsageError("--target and --exclude cannot be used together.")


def _make(scope: Scope, *, at: Instant | None, accept_clock: bool) -> tuple[Plan, Sign | None]:
    """The plan, and how to sign it; ``None`` without a state, or offline: then no key is known."""
    now = instant.now() if at is None else at
    configuration = session.load_configuration()
    mention_warnings(configuration)
    if scope.changed_since is not None:
        scope = dataclasses.replace(scope, changed=files.changed_accounts(configuration, scope.changed_since))
    if scope.base is not None:
        return files.base_plan(configuration, scope, now=now), None
    from ekomi_reconcile.reconcile.planning import Passwords, digester, make_plan, read_passwords
    from ekomi_reconcile.reconcile.sources import Sources
    from ekomi_reconcile.state.engine.mark import Purpose

    online = not scope.offline
    clock = RunClock(accepted=accept_clock) if online and at is None else None
    with (
        progress() as listen,
        session.glancing_if_any(configuration, key=online) as state,
        Sources(configuration, listen, clock=clock) as sources,
    ):
        if state is None and not cli_options.options().quiet:
            click.echo(f"Warning: {session.missing_state(configuration)}", err=True)
            if (refused := session.new_state_refused(configuration)) is not None:
                click.echo(f"Warning: apply will be refused: {refused.message}", err=True)
        passwords = read_passwords(configuration, state) if online else Passwords()
        made = make_plan(
            configuration,
            state,
            sources=sources,
            scope=scope,
            now=now,
            passwords=passwords,
            hypothetical=at is not None,
        )
        return made, digester(state, Purpose.PLAN) if online else None


def show(made: Plan, form: str, detail: PlanDetail, sign: Sign | None = None) -> None:
    """Write the plan to stdout."""
    from ekomi_reconcile.cli.progress import terminal_width
    from ekomi_reconcile.render.plan_text import plan_in
    from ekomi_reconcile.render.tables import Paint

    if form == "json":
        from ekomi_reconcile.plan.saved_plan import encode

        cli_options.write_result(redact(encode(made, sign).decode()))
    else:
        paint = Paint(cli_options.options().colour_on(sys.stdout))
        cli_options.write_result(redact(plan_in(detail, made, paint, width=terminal_width())))


def _save(made: Plan, out: Path, sign: Sign | None) -> None:
    from ekomi_reconcile.cli.files import write_private
    from ekomi_reconcile.plan.saved_plan import encode

    write_private(cli_options.options().directory / out, encode(made, sign))


def mention_warnings(configuration: Configuration) -> None:
    """Say on stderr that ``validate`` has something to say."""
    count = len(configuration.diagnostics)
    if count and not cli_options.options().quiet:
        click.echo(f"{plural(count, 'warning')} about the files: see `ekomi-reconcile validate`", err=True)


def mention_sending_off(configuration: Configuration) -> None:
    """Say on stderr that this run does not send."""
    if not configuration.project.safety.send:
        click.echo("safety.send is false: nothing is sent, due invitations stay pending", err=True)
