"""``apply``: make the state and eKomi's queue like the files."""

from __future__ import annotations

import dataclasses
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ekomi_reconcile.apply.run_control import StopSignal, both
from ekomi_reconcile.cli import options as cli_options
from ekomi_reconcile.cli import plan as plan_command
from ekomi_reconcile.cli import session
from ekomi_reconcile.cli.files import about_run, approved_plan, needs_approval, read_saved
from ekomi_reconcile.cli.main import Exit
from ekomi_reconcile.cli.progress import Events, events_into, json_events_option, progress
from ekomi_reconcile.cli.run import MetricsFile, Notifying, metrics_out_option
from ekomi_reconcile.config.configuration import Configuration, redact
from ekomi_reconcile.http import RunClock
from ekomi_reconcile.model.errors import ReconcileError
from ekomi_reconcile.model.run import Result
from ekomi_reconcile.plan.diff import Allowed, accepting, due_of, enforce
from ekomi_reconcile.plan.plan import Plan, Scope
from ekomi_reconcile.render.events import plan_events, result_events
from ekomi_reconcile.render.plan_summary import stake_text
from ekomi_reconcile.render.plan_text import PlanDetail
from ekomi_reconcile.render.tables import Paint

if TYPE_CHECKING:
    from ekomi_reconcile.plan.saved_plan import SavedPlan
    from ekomi_reconcile.reconcile.cycle import Cycle, FirstCycle
    from ekomi_reconcile.state.store import State

_OPERATION = "apply"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Order:
    """What this run was asked to do."""

    file: Path | None
    scope: Scope
    allowed: Allowed
    approved: bool
    sending: bool
    reconcile_window: int | None
    deadline: int | None
    lock_timeout: int
    accept_clock: bool
    new_state: bool
    detail: PlanDetail

    def overrides(self, plan: Plan) -> Allowed:
        """What the guards let pass; where nothing is sent, no number of sends is too high."""
        return self.allowed if self.sending else dataclasses.replace(self.allowed, sends=due_of(plan))


@click.command()
@click.argument(
    "plan_file", metavar="[PLAN]", required=False, type=cli_options.FilePath(dir_okay=False, path_type=Path)
)
@cli_options.option("--auto-approve", env=False, is_flag=True, help="Do not ask.")
@cli_options.option("--no-send", is_flag=True, help="Do everything except sending.")
@cli_options.option("--refresh-only", is_flag=True, help="Only sync shop details and import reviews.")
@cli_options.option(
    "--new-state", env=False, is_flag=True, help="Create a new state if there is none, also in CI."
)
@cli_options.option(
    "--deadline", type=cli_options.DURATION, metavar="TIME", help="Stop cleanly after this long, e.g. 10m."
)
@cli_options.option(
    "--reconcile-window",
    type=cli_options.DURATION,
    metavar="TIME",
    help="Re-read orders of the last TIME, e.g. 7d: shops do not report every change of an order.",
)
@cli_options.option(
    "--lock-timeout",
    type=cli_options.DURATION,
    default="0s",
    metavar="TIME",
    help="How long to wait for the writer lock.",
)
@cli_options.option(
    "--allow-deletes", env=False, type=int, metavar="N", help="Allow exactly N accounts to be deleted."
)
@cli_options.option(
    "--allow-schedules", env=False, type=int, metavar="N", help="Allow exactly N invitations to be scheduled."
)
@cli_options.option(
    "--allow-sends", env=False, type=int, metavar="N", help="Allow exactly N invitations to be sent."
)
@plan_command.accept_clock_option
@plan_command.detail_options
@json_events_option
@metrics_out_option
@plan_command.selections
@cli_options.common()
def apply(
    plan_file: Path | None,
    auto_approve: bool,
    no_send: bool,
    refresh_only: bool,
    new_state: bool,
    deadline: int | None,
    reconcile_window: int | None,
    lock_timeout: int,
    allow_deletes: int | None,
    allow_schedules: int | None,
    allow_sends: int | None,
    accept_clock: bool,
    concise: bool,
    full: bool,
    json_events: Path | None,
    metrics_out: Path | None,
    target: tuple[str, ...],
    tag: tuple[str, ...],
    exclude: tuple[str, ...],
    replace: tuple[str, ...],
) -> int:
    """Make the state and eKomi's queue match the files.

    Without PLAN it plans, shows the plan, asks, and carries it out. With PLAN, a file that `plan --out`
    made, it does exactly that plan, or refuses because something changed since. It asks only about a plan
    that was made with --offline.
    """
    plan_command.check_selection(target, exclude)
    if plan_file is not None and (target or tag or exclude or replace or refresh_only):
        raise click.UsageError(
            "a saved plan is applied as it is: no --target, --exclude, --tag, --replace, --refresh-only."
        )
    order = _Order(
        file=plan_file,
        scope=Scope(targets=target, excludes=exclude, tags=tag, replaces=replace, refresh_only=refresh_only),
        allowed=Allowed(deletes=allow_deletes, schedules=allow_schedules, sends=allow_sends),
        approved=auto_approve,
        sending=not no_send,
        reconcile_window=reconcile_window,
        deadline=deadline,
        lock_timeout=lock_timeout,
        accept_clock=accept_clock,
        new_state=new_state,
        detail=plan_command.detail_of(concise=concise, full=full),
    )
    metrics = MetricsFile(metrics_out)
    with events_into(json_events) as events:
        with metrics:
            code = _run(order, events, metrics)
        return events.judge(metrics.judge(code))


def _run(order: _Order, events: Events, metrics: MetricsFile) -> int:
    configuration = session.load_configuration()
    plan_command.mention_warnings(configuration)
    plan_command.mention_sending_off(configuration)
    with cli_options.stopping(order.deadline) as stop, Notifying(configuration, "apply", stop) as notice:
        watch = _Watch(events=events, metrics=metrics, notice=notice)
        return _carry_out(configuration, order, watch=watch, stop=stop)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Watch:
    """Listeners that receive the events of the run, beside the terminal."""

    events: Events
    metrics: MetricsFile
    notice: Notifying


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    """One run over these files."""

    configuration: Configuration
    order: _Order
    watch: _Watch
    stop: StopSignal

    def with_state(self) -> int:
        """Lock the state, plan, and carry the plan out under the same lock."""
        from ekomi_reconcile.reconcile.cycle import Cycle

        saved = self._saved()
        about = about_run(self.configuration, None if saved is None else saved.digest)
        with (
            session.locking(
                self.configuration,
                _OPERATION,
                accept_lost=self.order.new_state,
                keep_lost=not self.order.sending,
                lock_timeout=self.order.lock_timeout,
                about=about,
            ) as (state, lock),
            Cycle(
                self.configuration, state, lock, stop=self.stop, accept_clock=self.order.accept_clock
            ) as cycle,
        ):
            made = self._plan(saved, state, cycle)
            if not self._approved(made, saved):
                return Exit.ERROR
            return self._execute(cycle, state, made, None if saved is None else saved.digest)

    def without_state(self) -> int:
        """Plan first: the state is created, and locked, once the plan is approved."""
        from ekomi_reconcile.reconcile.cycle import Cycle, FirstCycle
        from ekomi_reconcile.reconcile.sources import Sources

        saved, new = self._saved(), session.new_state_of(self.configuration)
        digest = None if saved is None else saved.digest
        clock = RunClock(accepted=self.order.accept_clock)
        with Sources(self.configuration, stop=self.stop, clock=clock) as sources:
            first = FirstCycle(self.configuration, new, sources)
            made = self._plan(saved, None, first)
            if not self._approved(made, saved):
                return Exit.ERROR
            if self.stop.is_set():
                return self._nothing(made, "the run was stopped before it began", complete=False)
            if made.empty and saved is None and not self.order.approved:
                return self._nothing(made, "there is nothing to do", complete=made.complete)
            about = about_run(self.configuration, digest)
            with (
                session.creating(
                    self.configuration,
                    _OPERATION,
                    new,
                    accept_lost=self.order.new_state,
                    lock_timeout=self.order.lock_timeout,
                    about=about,
                ) as (state, lock),
                Cycle(self.configuration, state, lock, stop=self.stop, sources=sources) as cycle,
            ):
                cycle.leave_out(first.left_out)
                return self._execute(cycle, state, made, digest)

    def _saved(self) -> SavedPlan | None:
        return None if self.order.file is None else read_saved(self.order.file)

    def _plan(self, saved: SavedPlan | None, state: State | None, planner: Cycle | FirstCycle) -> Plan:
        order = self.order
        if saved is not None:
            made = approved_plan(saved, self.configuration, state, planner)
            made = accepting(made, order.overrides(made))
            if needs_approval(saved):
                plan_command.show(made, "text", order.detail)
            return made
        with progress() as listen:
            made = planner.plan(
                order.scope,
                max_sends=order.allowed.sends,
                reconcile_window=order.reconcile_window,
                listen=both(listen, self.watch.events.listen),
            )
        made = accepting(made, order.overrides(made))
        plan_command.show(made, "text", order.detail)
        return made

    def _approved(self, made: Plan, saved: SavedPlan | None) -> bool:
        self.watch.events.tell(plan_events(made))
        enforce(made, self.order.overrides(made))
        asks = saved is None or needs_approval(saved)
        if not asks or self.order.approved or made.empty:
            return True
        return _agreed(stake_text(made, sending=self.order.sending))

    def _execute(self, cycle: Cycle, state: State, made: Plan, digest: str | None) -> int:
        watch = self.watch
        with progress() as listen:
            told = both(listen, watch.events.listen)
            result = cycle.execute(made, digest=digest, sending=self.order.sending, listen=told)
        if made.complete and made.scope == Scope() and not self.order.sending:
            state.session.loss_reread()
        watch.events.tell(result_events(result, complete=made.complete))
        watch.notice.ended(made, result)
        watch.metrics.ended(self.configuration, state, made, result)
        return _report(result, self.stop, complete=made.complete)

    def _nothing(self, made: Plan, reason: str, *, complete: bool) -> int:
        click.echo(f"No state was created: {reason}.", err=True)
        result, watch = Result(), self.watch
        watch.events.tell(result_events(result, complete=complete))
        watch.notice.ended(made, result)
        watch.metrics.ended(self.configuration, None, dataclasses.replace(made, complete=complete), result)
        return _report(result, self.stop, complete=complete)


def _carry_out(configuration: Configuration, order: _Order, *, watch: _Watch, stop: StopSignal) -> int:
    run = _Run(configuration=configuration, order=order, watch=watch, stop=stop)
    if session.existing_state(configuration):
        return run.with_state()
    if not order.new_state:
        session.refuse_beginning(configuration)
    click.echo(f"Warning: {session.missing_state(configuration)}", err=True)
    return run.without_state()


def _agreed(question: str) -> bool:
    """Ask whether to go on; without a terminal that is an error."""
    sys.stdout.flush()
    if not cli_options.interactive():
        raise ReconcileError(
            "approval required, but no terminal to confirm on",
            hint="run with --auto-approve, or apply a saved plan",
        )
    with cli_options.interruptible():
        click.echo(f"\n{question} Only 'yes' will be accepted: ", err=True, nl=False)
        answer = sys.stdin.readline().strip()
    if answer == "yes":
        return True
    click.echo("Apply cancelled. No changes were made.", err=True)
    return False


def _report(result: Result, stop: StopSignal, *, complete: bool) -> int:
    from ekomi_reconcile.cli.progress import terminal_width
    from ekomi_reconcile.render.results import result_text

    paint = Paint(cli_options.options().colour_on(sys.stdout))
    cli_options.write_result(redact(result_text(result, paint, complete=complete, width=terminal_width())))
    if stop.interrupted:
        return Exit.INTERRUPTED
    return Exit.OK if result.succeeded and complete else Exit.ERROR
