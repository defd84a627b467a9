"""``run``: the reconciler as a service; metrics and webhooks after a run.

The file is one for the textfile collector of node_exporter: replaced whole, readable to everybody, and
there after a run that failed, too. Where it cannot be written the run goes on, and ends with an error.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import click

from ekomi_reconcile.cli.files import about_run, replace_file
from ekomi_reconcile.cli.main import Exit
from ekomi_reconcile.cli.options import DURATION, Command, FilePath, common, option, options, stopping
from ekomi_reconcile.cli.plan import accept_clock_option
from ekomi_reconcile.cli.progress import Events, json_events_option, open_events, tell_line
from ekomi_reconcile.cli.session import load_configuration, locking
from ekomi_reconcile.model import instant
from ekomi_reconcile.model.diagnostic import Incident
from ekomi_reconcile.model.errors import ConfigurationError, GuardRefused, ReconcileError, incidents_of
from ekomi_reconcile.model.instant import Instant
from ekomi_reconcile.model.run import Result
from ekomi_reconcile.model.sending_times import SendingSchedule
from ekomi_reconcile.notify import ChangedAccount, RunRecord
from ekomi_reconcile.plan.diff import Allowed, enforce
from ekomi_reconcile.plan.plan import Plan, Scope
from ekomi_reconcile.render.events import Body, cycle_event, plan_events, result_events
from ekomi_reconcile.service import CycleOutcome, Health, Loop
from ekomi_reconcile.service import FinishedCycle as Ended
from ekomi_reconcile.state.engine.session import Memory

if TYPE_CHECKING:
    from ekomi_reconcile.apply.run_control import StopSignal
    from ekomi_reconcile.config.configuration import Configuration
    from ekomi_reconcile.service import Metrics, ServiceRun
    from ekomi_reconcile.state.engine.lock import Lock
    from ekomi_reconcile.state.store import State


_ELSEWHERE = "choose another place for --metrics-out"


def metrics_out_option(command: Command) -> Command:
    """``--metrics-out FILE``."""
    return option(
        "--metrics-out",
        type=FilePath(dir_okay=False, path_type=Path),
        metavar="FILE",
        help="Write the metrics of the run to FILE, for Prometheus; e.g. /var/lib/node_exporter/ekomi.prom.",
    )(command)


def measure(figures: ServiceRun, configuration: Configuration, state: State) -> None:
    """Put in how many invitations wait, and for how long the oldest that is due could have left."""
    names = {each.interface_id: each.name for each in state.accounts.read(include_deleted=True)}
    counts = {names[key]: by_status for key, by_status in state.queue.counts().items()}
    senders = [each.interface_id for each in configuration.accounts if each.invitations.enabled]
    now = instant.now()
    schedule = SendingSchedule(configuration.accounts, configuration.project.timezone)
    due = state.queue.due(senders, now)
    if schedule.times:
        times = (
            now - schedule.open_seconds(each.interface_id, each.scheduled_at, now, at_once=each.at_once)
            for each in due
        )
        at = min(times, default=None)
    else:
        at = next((each.scheduled_at for each in due), None)
    figures.queue(counts, oldest_due=at, now=now)


class MetricsFile:
    """The figures of one run, written when the block ends, however it ends; without a path nowhere.

    A run in which nothing was done, because somebody said no, leaves the file as it is.
    """

    def __init__(self, path: Path | None) -> None:
        """Read what the last run wrote.

        Raises:
            ReconcileError: the file cannot be read, or holds something else.
        """
        self._path = None if path is None else options().directory / path
        self._figures = None if self._path is None else _figures_after(self._path)
        self._began_at = instant.now()
        self._outcome: CycleOutcome | None = None
        self._incidents = frozenset[Incident]()
        self._lost = False

    def ended(self, configuration: Configuration, state: State | None, plan: Plan, result: Result) -> None:
        """The plan was carried out, with this result; without a state there was nothing to do."""
        if self._figures is not None:
            good = result.succeeded and plan.complete
            self._outcome = CycleOutcome.OK if good else CycleOutcome.INCOMPLETE
            self._incidents = plan.incidents | result.incidents
            self._figures.did(result)
            if state is not None:
                measure(self._figures, configuration, state)

    def judge(self, code: int) -> int:
        """The exit code of a run that would end with ``code``."""
        return Exit.ERROR if self._lost and code == Exit.OK else code

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        outcome = self._outcome if error is None else CycleOutcome.FAILED
        if self._figures is None or self._path is None or outcome is None:
            return
        found = self._incidents if error is None else incidents_of(error)
        began, now = self._began_at, instant.now()
        self._figures.cycle(Ended(outcome=outcome, began_at=began, ended_at=now, incidents=found))
        try:
            replace_file(self._path, self._figures.text())
        except OSError as problem:
            self._lost = True
            click.echo(f"Error: figures cannot be written to {self._path}: {problem.strerror}", err=True)


def _figures_after(path: Path) -> ServiceRun:
    from ekomi_reconcile.service import ServiceRun

    figures = ServiceRun()
    try:
        figures.go_on_from(path.read_text("utf-8"))
    except FileNotFoundError:
        if not path.parent.is_dir():
            raise ReconcileError(f"{path.parent} is not a folder", hint=_ELSEWHERE) from None
    except OSError as error:
        raise ReconcileError(f"{path} cannot be read: {error.strerror}", hint=_ELSEWHERE) from None
    except ValueError:
        raise ReconcileError(f"{path} holds something else than figures", hint=_ELSEWHERE) from None
    return figures


class Notifying:
    """A run of ``command``; what becomes of it is put in, and told when the block ends, however it ends.

    A notification that fails is a warning on stderr: neither the exit code nor an error changes by it.
    """

    def __init__(self, configuration: Configuration, command: str, stop: StopSignal) -> None:
        self._configuration = configuration
        self._stop = stop
        self._record = RunRecord(command=command, began_at=instant.now())

    def ended(self, plan: Plan, result: Result) -> None:
        """The plan was carried out, with this result."""
        ended(self._record, plan, result)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, ReconcileError):
            self._record.failed(error.message, error.hint)
        elif isinstance(error, Exception) and self._record.outcome is None:
            self._record.failed(f"internal error: {type(error).__name__}", None)
        sys.stdout.flush()
        for warning in tell(self._configuration, self._record, self._stop):
            click.echo(f"Warning: {warning}", err=True)


def ended(record: RunRecord, plan: Plan, result: Result) -> None:
    """Put into the record that this plan was carried out."""
    changes = (ChangedAccount(each.name, each.action.value) for each in plan.changes if not each.blocked)
    unread = [each.message for each in plan.diagnostics if each.is_error] or ["something could not be read"]
    record.ended(result, changes, [] if plan.complete else unread)


def tell(configuration: Configuration, record: RunRecord, stop: StopSignal) -> Iterator[str]:
    """Tell those who want to know; what comes out are warnings."""
    hooks = configuration.project.notify
    if not hooks:
        return
    from ekomi_reconcile.notify import notify

    project = configuration.root.resolve().name
    report = record.report(project=project, ended_at=instant.now())
    if report is not None:
        yield from notify(hooks, report, root=configuration.root, rest=stop.wait)


_log = logging.getLogger("ekomi_reconcile.run")


@click.command()
@option("--every", type=DURATION, required=True, metavar="TIME", help="Interval between cycles, e.g. 15m.")
@option("--listen", metavar="[HOST]:PORT", help="Serve /healthz, /readyz and /metrics, e.g. at :9108.")
@option("--lock-timeout", type=DURATION, default="60s", metavar="TIME", help="How long to wait for the lock.")
@accept_clock_option
@json_events_option
@common()
def run(
    every: int, listen: str | None, lock_timeout: int, accept_clock: bool, json_events: Path | None
) -> int:
    """Run apply as a service, at a fixed interval.

    The files are re-read at each cycle. While they have errors, or a guard refuses their changes,
    the last valid files stay in effect, and due invitations are still sent. On SIGTERM or SIGHUP it
    finishes requests in progress. The file of --json-events is re-opened and appended to at each cycle.
    """
    from ekomi_reconcile.service import Metrics

    if every < 1:
        raise click.UsageError("--every must be at least 1s.")
    open_events(json_events, append=True).close()
    metrics, health = Metrics(), Health(every=every, started_at=instant.now())
    with stopping() as stop, _listening(listen, health=health, metrics=metrics):
        service = _Service(stop, metrics, lock_timeout, json_events, accept_clock=accept_clock)

        def report(ended: Ended) -> None:
            health.record(ended)
            metrics.cycle(ended)

        Loop(service.cycle, every, stop, report, time.monotonic).run()
    return Exit.ERROR if service.events_lost else Exit.OK


@contextmanager
def _listening(at: str | None, *, health: Health, metrics: Metrics) -> Iterator[None]:
    from ekomi_reconcile.service import Listener, address

    with nullcontext() if at is None else Listener(address(at), health=health, metrics=metrics):
        yield


def _new_record() -> RunRecord:
    return RunRecord(command="run", began_at=instant.now())


@dataclass(slots=True)
class _Service:
    """What happens in a cycle; ``good`` is the last configuration that was carried out.

    ``_memory`` is what the state is known to have recorded: a server that comes back without it is noticed.
    """

    stop: StopSignal
    metrics: Metrics
    lock_timeout: float
    json_events: Path | None
    good: Configuration | None = field(default=None)
    events_lost: bool = False
    accept_clock: bool = False
    _events: Events = field(default_factory=Events)
    _read: Configuration | None = None
    _incidents: frozenset[Incident] = frozenset()
    _memory: Memory = field(default_factory=Memory)
    _record: RunRecord = field(default_factory=_new_record)

    def cycle(self) -> Ended:
        """One cycle; errors are reported, and the next one follows all the same."""
        began = instant.now()
        self._open_events()
        self._record, self._incidents = _new_record(), frozenset()
        hint = None
        try:
            outcome, message = self._run()
        except ReconcileError as error:
            outcome, message, hint = CycleOutcome.FAILED, error.message, error.hint
            self._incidents |= incidents_of(error)
        level = logging.WARNING if outcome is CycleOutcome.OK else logging.ERROR
        if message is not None:
            _log.log(level, "cycle %s: %s", outcome.value, message)
        self._close_events(cycle_event(outcome.value, message))
        if outcome is CycleOutcome.FAILED:
            self._record.failed(message or "", hint)
        self._notify()
        now = instant.now()
        cycle = Ended(outcome=outcome, began_at=began, ended_at=now, message=message)
        return replace(cycle, wake_at=self._next_opening(now), incidents=self._incidents)

    def _next_opening(self, now: Instant) -> Instant | None:
        """When a sending window opens that is closed now."""
        good = self.good
        if good is None:
            return None
        enabled = (each for each in good.accounts if each.invitations.enabled)
        return SendingSchedule(enabled, good.project.timezone).next_opening(now)

    def _notify(self) -> None:
        """Tell the webhooks of the files that were read last; what did nothing is not told."""
        if self._read is not None and not self._record.idle:
            for warning in tell(self._read, self._record, self.stop):
                _log.warning("%s", warning)

    def _open_events(self) -> None:
        try:
            self._events = open_events(self.json_events, append=True)
        except ReconcileError as error:
            self._events = Events()
            self._lose_events(error.message)

    def _close_events(self, last: Body) -> None:
        self._events.tell([last])
        self._events.close()
        if self._events.problem is not None:
            self._lose_events(self._events.problem)

    def _lose_events(self, why: str) -> None:
        """Missing events stop nothing, but are reported, now and when the service ends."""
        self.events_lost = True
        _log.error("%s", why)

    def _run(self) -> tuple[CycleOutcome, str | None]:
        try:
            configuration = load_configuration()
        except ConfigurationError as error:
            return self._fall_back(error)
        self._read = configuration
        try:
            outcome = self._carry_out(configuration)
        except GuardRefused as refusal:
            return self._fall_back(refusal)
        self.good = configuration
        return outcome

    def _fall_back(self, error: ReconcileError) -> tuple[CycleOutcome, str | None]:
        """Go on with the last good files, so that nobody who is due is forgotten."""
        if self.good is None:
            raise error
        _, message = self._carry_out(self.good)
        self._incidents |= incidents_of(error)
        also = f"; {message}" if message else ""
        return CycleOutcome.FAILED, f"{error.message}; the last good files stay in force{also}"

    def _carry_out(self, configuration: Configuration) -> tuple[CycleOutcome, str | None]:
        about, known = about_run(configuration), self._memory.lineage is not None
        with locking(
            configuration,
            "run",
            new_state=False if known else None,
            lock_timeout=self.lock_timeout,
            about=about,
        ) as (state, lock):
            state.lost_records.check(self._memory)
            try:
                plan, result = self._cycle(configuration, state, lock)
                state.lost_records.remember()
            finally:
                self._memory = self._memory.followed_by(state.session.memory)
            self.metrics.did(result)
            measure(self.metrics, configuration, state)
        return _judged(plan, result)

    def _cycle(self, configuration: Configuration, state: State, lock: Lock) -> tuple[Plan, Result]:
        from ekomi_reconcile.reconcile.cycle import Cycle

        with Cycle(
            configuration,
            state,
            lock,
            stop=self.stop,
            on_call=self.metrics.call,
            accept_clock=self.accept_clock,
        ) as cycle:
            plan = cycle.plan(Scope(), listen=self._events.listen)
            self._events.tell(plan_events(plan))
            enforce(plan, Allowed())
            result = cycle.execute(plan, listen=self._events.listen)
            self._events.tell(result_events(result, complete=plan.complete))
            ended(self._record, plan, result)
            self._incidents |= plan.incidents | result.incidents
        return plan, result


def _judged(plan: Plan, result: Result) -> tuple[CycleOutcome, str | None]:
    done = ", ".join(f"{count} {each.value}" for each, count in result.counts.items() if count)
    tell_line(f"Cycle ended: {done or 'nothing to do'}")
    if result.succeeded and plan.complete:
        return CycleOutcome.OK, None
    found = [f"{each.subject}: {each.message}" for each in result.failures] + result.not_tried
    found += [each.message for each in plan.diagnostics if each.is_error]
    return CycleOutcome.INCOMPLETE, "; ".join(found[:5])
