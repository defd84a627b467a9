"""Would the next apply do what it plans? Healthy may only be what no guard or recorded fact will stop."""

from __future__ import annotations

from collections.abc import Iterator

from ekomi_reconcile.config.order_sources import SourceKind
from ekomi_reconcile.doctor.context import Check, CheckNote, DoctorContext, Part, failed, passed, warned
from ekomi_reconcile.http.clock import RunClock
from ekomi_reconcile.model.errors import ConfigurationError, ReconcileError
from ekomi_reconcile.plan.plan import Plan, Scope
from ekomi_reconcile.plan.read_requests import gone_sources
from ekomi_reconcile.reconcile.planning import Passwords, make_plan
from ekomi_reconcile.reconcile.sources import Sources


def next_apply(subject: DoctorContext) -> Iterator[CheckNote]:
    """What ``apply`` would refuse, from its own plan: guards, protection, immutable ids, the clock.

    Where an order source is a shop only the accounts are planned: orders cost requests.
    """
    found = subject.state_file
    if found.state is None and not found.missing:
        yield warned(f"not checked: {Part.STATE.value}")
        return
    if not _plannable(subject):
        yield warned("not checked: see queue-sources")
        return
    try:
        if found.state is not None:
            RunClock(now=lambda: subject.now).check_last_run(found.state.journal.last_run_at())
        plan = _plan(subject)
    except ConfigurationError:
        yield warned("not checked: see suppression-list")
        return
    except ReconcileError as error:
        yield failed(error.message, mend=error.mend)
        return
    obstacles = list(_obstacles(subject, plan))
    yield from obstacles
    if not obstacles:
        yield passed("nothing that is known now stops it")


def _plannable(subject: DoctorContext) -> bool:
    """Is every source with invitations still in the files? Where it is not, ``queue-sources`` fails."""
    state = subject.state_file.state
    if state is None:
        return True
    configuration = subject.configuration
    defined = configuration.project.orders
    return not gone_sources(defined, configuration.accounts, state.positions.read(), state.queue)


def _plan(subject: DoctorContext) -> Plan:
    configuration = subject.configuration
    sources = configuration.project.orders.values()
    files_only = all(each.kind is SourceKind.FILE for each in sources)
    with Sources(configuration, stop=subject.stop) as opened:
        return make_plan(
            configuration,
            subject.state_file.state,
            sources=opened,
            scope=Scope(offline=not files_only),
            now=subject.now,
            passwords=Passwords(),
        )


def _obstacles(subject: DoctorContext, plan: Plan) -> Iterator[CheckNote]:
    for guard in plan.guards:
        yield failed(guard.message, mend=f"if it is meant: ekomi-reconcile apply {guard.override}")
    for change in plan.blocked:
        yield failed(f"{change.action.value} will not be done: {change.blocked}", account=change.name)
    readable = {f"order source {name}: " for name in subject.readable_names}
    for each in plan.diagnostics:
        if each.rule == "orders-unreadable" and each.message.startswith(tuple(readable)):
            yield failed(each.message, mend=each.mend, account=each.account)


CHECKS = (Check(id="next-apply", run=next_apply, needs=frozenset({Part.FILES})),)
