"""One run: settle interrupted sends, plan, apply, record."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from types import TracebackType
from typing import Self

from ekomi_reconcile.apply.executor import execute, recover
from ekomi_reconcile.apply.run_control import Listener, StopSignal, nobody
from ekomi_reconcile.config.configuration import Configuration
from ekomi_reconcile.ekomi import Call
from ekomi_reconcile.http import RunClock
from ekomi_reconcile.model import instant
from ekomi_reconcile.model.invitation import Criterion
from ekomi_reconcile.model.run import Done, NewState, Result, figures_of
from ekomi_reconcile.plan.plan import Plan, Scope
from ekomi_reconcile.reconcile.planning import Passwords, make_context, make_plan, read_passwords
from ekomi_reconcile.reconcile.sources import Sources
from ekomi_reconcile.state.engine.lock import Lock
from ekomi_reconcile.state.engine.session import CurrentRun
from ekomi_reconcile.state.repositories.journal import APPLY, DONE, INCOMPLETE, STARTED
from ekomi_reconcile.state.store import State


class FirstCycle:
    """A run before there is a state: its plan is the one that the state would give once it is created.

    ``left_out`` counts steps of a saved plan that are not carried out.
    """

    def __init__(self, configuration: Configuration, new: NewState, sources: Sources) -> None:
        self.left_out = 0
        self._configuration = configuration
        self._new = new
        self._sources = sources

    def plan(
        self,
        scope: Scope,
        *,
        max_sends: int | None = None,
        reconcile_window: int | None = None,
        listen: Listener = nobody,
    ) -> Plan:
        """See ``Cycle.plan``."""
        self._sources.listen = listen
        now = instant.now()
        return make_plan(
            self._configuration,
            self._new,
            sources=self._sources,
            scope=scope,
            now=now,
            passwords=read_passwords(self._configuration, self._new),
            max_sends=max_sends,
            reread_from=None if reconcile_window is None else now - reconcile_window,
        )

    def made_again(self, saved: Plan) -> Plan:
        """See ``Cycle.made_again``."""
        offline = saved.scope.offline
        return make_plan(
            self._configuration,
            self._new,
            sources=self._sources,
            scope=saved.scope,
            now=saved.created_at,
            passwords=Passwords() if offline else read_passwords(self._configuration, self._new),
        )

    def leave_out(self, count: int) -> None:
        """See ``Cycle.leave_out``."""
        self.left_out += count


class Cycle:
    """A run over one configuration and an open state whose writer ``lock`` is held.

    ``on_call`` hears of every request to eKomi; ``sources`` are those that the plan was made with, if they
    are open already, with the clock of the run. With ``accept_clock`` the clock is right whatever servers and
    the last run say.
    """

    def __init__(
        self,
        configuration: Configuration,
        state: State,
        lock: Lock,
        *,
        stop: StopSignal,
        sources: Sources | None = None,
        on_call: Callable[[Call], None] | None = None,
        accept_clock: bool = False,
    ) -> None:
        self._configuration = configuration
        self._state = state
        self._lock = lock
        self._open = ExitStack()
        known = None if sources is None else sources.clock
        self._clock = known or RunClock(accepted=accept_clock)
        self._sources = sources or self._open.enter_context(
            Sources(configuration, stop=stop, clock=self._clock)
        )
        self._passwords = read_passwords(configuration, state)
        self._context = make_context(
            configuration,
            state,
            sources=self._sources,
            passwords=self._passwords,
            stop=stop,
            on_call=on_call,
        )
        self._open.enter_context(self._context.clients)

    def __enter__(self) -> Self:
        recover(self._context)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    def plan(
        self,
        scope: Scope,
        *,
        max_sends: int | None = None,
        reconcile_window: int | None = None,
        listen: Listener = nobody,
    ) -> Plan:
        """The plan of this run; ``max_sends`` replaces the cap of the project file.

        Orders of the last ``reconcile_window`` seconds are read again: not every change of an order shows.

        Raises:
            ReconcileError: it cannot be made.
        """
        self._sources.listen = listen
        now = self._context.now()
        return make_plan(
            self._configuration,
            self._state,
            sources=self._sources,
            scope=scope,
            now=now,
            passwords=self._passwords,
            max_sends=max_sends,
            reread_from=None if reconcile_window is None else now - reconcile_window,
            privacy=self._context.privacy,
        )

    def made_again(self, saved: Plan) -> Plan:
        """The plan that this run makes for what ``saved`` was asked to look at, as of the time it was made.

        Raises:
            ReconcileError: it cannot be made.
        """
        return make_plan(
            self._configuration,
            self._state,
            sources=self._sources,
            scope=saved.scope,
            now=saved.created_at,
            passwords=Passwords() if saved.scope.offline else self._passwords,
            privacy=self._context.privacy,
        )

    def leave_out(self, count: int) -> None:
        """Count steps of a saved plan that are not carried out."""
        self._context.result.count(Done.LEFT_OUT, count)

    def execute(
        self, plan: Plan, *, digest: str | None = None, sending: bool = True, listen: Listener = nobody
    ) -> Result:
        """Carry it out. ``digest`` is that of a saved plan, which is not done a second time."""
        self._sources.listen = nobody
        self._lock.verify()
        noted = digest is not None or not plan.empty or self._clock.accepted
        if noted:
            number = self._note(plan, STARTED, digest=digest)
            self._state.session.run = CurrentRun(number=number, commit=plan.git_commit, plan_digest=digest)
        try:
            return self._carry_out(plan, noted=noted, sending=sending, listen=listen)
        finally:
            self._state.session.run = None

    def _carry_out(self, plan: Plan, *, noted: bool, sending: bool, listen: Listener) -> Result:
        sending = sending and self._configuration.project.safety.send
        context = replace(self._context, listen=listen)
        self._state.meta.record_addresses(self._configuration.project.addresses)
        result = execute(context, plan, sending=sending, before_sending=self._lock.let_others_write)
        if self._unchecked(plan, result):
            result.notes.append(
                "the clock was not checked, because no server reported the time in this run; orders that "
                "were too old for this clock are judged again if it turns out to be ahead"
            )
        if noted or plan.invitations.not_invited:
            outcome = DONE if result.succeeded else INCOMPLETE
            self._note(plan, outcome, detail=self._figures(plan, result))
        return result

    def _unchecked(self, plan: Plan, result: Result) -> bool:
        """Did the run send or judge orders by their age, with a clock that nothing was known about?

        The first run of an account does not even read what is too old.
        """
        too_old = any(Criterion.ORDER_AGE.value in each for each in plan.invitations.not_invited.values())
        judged = too_old or bool(result.counts.get(Done.SENT) or plan.changes)
        return judged and not self._clock.accepted and self._clock.ahead is None

    def _figures(self, plan: Plan, result: Result) -> str:
        keys = {each.name: each.interface_id for each in self._configuration.accounts}
        reasons = {keys.get(name, name): counts for name, counts in plan.invitations.not_invited.items()}
        return figures_of(result, reasons).text()

    def _note(self, plan: Plan, outcome: str, *, digest: str | None = None, detail: str | None = None) -> int:
        return self._state.journal.add(
            APPLY,
            outcome=outcome,
            now=instant.now(),
            commit=plan.git_commit,
            plan_digest=digest,
            detail=detail,
        )
