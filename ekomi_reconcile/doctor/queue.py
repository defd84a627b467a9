"""The queue, and whether the next apply would work."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from ekomi_reconcile.config.order_sources import SourceKind
from ekomi_reconcile.doctor.context import Check, CheckNote, DoctorContext, Part, failed, passed, warned
from ekomi_reconcile.http import RunClock
from ekomi_reconcile.model.diagnostic import Incident
from ekomi_reconcile.model.errors import ConfigurationError, ReconcileError
from ekomi_reconcile.model.instant import HOUR, iso
from ekomi_reconcile.model.invitation import Criterion, Invitation, InvitationFilter, Status
from ekomi_reconcile.model.sending_times import SendingSchedule
from ekomi_reconcile.plan.plan import Plan, Scope
from ekomi_reconcile.plan.read_requests import gone_sources, sources_gone
from ekomi_reconcile.reconcile.planning import Passwords, make_plan
from ekomi_reconcile.reconcile.sources import Sources

STUCK_AFTER = 2 * HOUR
"""A pending row that has been due for longer than this is stuck."""


def stuck(subject: DoctorContext) -> Iterator[CheckNote]:
    """Rows of enabled accounts that are long due: a failure where the account is not even looked at.

    Only time in which the sending window is open counts.
    """
    since = subject.now - STUCK_AFTER
    enabled = {each.interface_id for each in subject.configuration.accounts if each.invitations.enabled}
    schedule = SendingSchedule(subject.configuration.accounts, subject.configuration.project.timezone)
    counts = Counter(
        row.interface_id
        for row in subject.state.queue.due(enabled, since)
        if schedule.open_seconds(row.interface_id, row.scheduled_at, subject.now, at_once=row.at_once)
        >= STUCK_AFTER
    )
    positions = subject.state.positions.read()
    for key, count in sorted(counts.items()):
        said = f"{count} invitation(s) due for more than {STUCK_AFTER // HOUR} hours"
        position, name = positions.get(key), subject.names[key]
        if position is None or position.evaluated_at < since:
            hint = "see that the scheduled job runs: ekomi-reconcile apply --auto-approve"
            yield failed(f"{said}, and no run has looked at them since", hint=hint, account=name)
        else:
            hint = "orders on hold or unreadable wait; see also safety.max_sends and ekomi-reconcile errors"
            yield warned(f"{said} despite recent runs", hint=hint, account=name)
    if not counts:
        yield passed("nothing is overdue")


def sending(subject: DoctorContext) -> Iterator[CheckNote]:
    """Rows that are being sent, while nobody is there who could be sending them."""
    flying = subject.state.queue.in_flight(now=subject.now)
    left = sum(each.get(Status.SENDING, 0) for each in subject.state.queue.counts().values()) - flying
    if flying > 0:
        yield passed(f"{flying} invitation(s) are being sent just now")
    elif left <= 0:
        yield passed("no invitation is left half-way")
    if left > 0:
        yield failed(
            f"{left} invitation(s) were being sent when the run died: the outcome is not known",
            hint="the next apply marks them unknown; then: ekomi-reconcile invitations resolve ID",
            incident=Incident.UNKNOWN_INVITATIONS,
        )


def unknown(subject: DoctorContext) -> Iterator[CheckNote]:
    """Rows that wait for a person to say what became of them."""
    hint = "ekomi-reconcile invitations list --status unknown, then: invitations resolve ID --sent|--resend"
    said = "perhaps sent: the outcome is not known"
    return _counted(subject, Status.UNKNOWN, said, hint, incident=Incident.UNKNOWN_INVITATIONS)


def failures(subject: DoctorContext) -> Iterator[CheckNote]:
    """Rows that eKomi refused for good."""
    hint = "ekomi-reconcile invitations list --status failed, then: invitations retry ID"
    return _counted(subject, Status.FAILED, "failed for good", hint)


def refused(subject: DoctorContext) -> Iterator[CheckNote]:
    """Accounts that are stopped, because eKomi refuses whatever they send."""
    stops = subject.state.refusals.read()
    for key, stop in sorted(stops.items()):
        yield failed(
            f'eKomi has refused this account since {iso(stop.since)}: "{stop.message}"',
            hint="contact eKomi; each run tries one invitation first, and sends the rest if it succeeds",
            account=subject.names[key],
        )
    if not stops:
        yield passed("eKomi refuses no account")


def _counted(
    subject: DoctorContext, status: Status, said: str, hint: str, *, incident: Incident | None = None
) -> Iterator[CheckNote]:
    counts = {key: found for key, each in subject.state.queue.counts().items() if (found := each.get(status))}
    for key, count in sorted(counts.items()):
        yield warned(
            f"{count} invitation(s) {said}", hint=hint, account=subject.names[key], incident=incident
        )
    if not counts:
        yield passed("none")


def orphans(subject: DoctorContext) -> Iterator[CheckNote]:
    """Pending rows of accounts that are not in the files."""
    present = {each.interface_id for each in subject.configuration.accounts}
    waiting = [(key, count) for key, count in _pending(subject) if key not in present]
    live = {each.interface_id for each in subject.state.accounts.read()}
    for key, count in waiting:
        said = f"{count} pending invitation(s) of an account that is not in the files"
        if key in live:
            hint = "the next apply deletes the account and cancels them; if that is wrong, restore its file"
            yield warned(said, hint=hint, account=subject.names[key])
        else:
            hint = "restore the file of the account, or skip them: ekomi-reconcile invitations skip ID"
            yield failed(f"{said} and was deleted", hint=hint, account=subject.names[key])
    if not waiting:
        yield passed("every pending invitation has its account")


def sources(subject: DoctorContext) -> Iterator[CheckNote]:
    """Invitations of order sources that the project file does not define any more: apply refuses to run."""
    defined, accounts = subject.configuration.project.orders, subject.configuration.accounts
    gone = gone_sources(defined, accounts, subject.state.positions.read(), subject.state.queue)
    if gone:
        error = sources_gone(gone, defined, subject.state.queue.sources())
        yield failed(error.message, hint=error.hint or "")
    else:
        yield passed("every invitation belongs to an order source of the project file")


def disabled(subject: DoctorContext) -> Iterator[CheckNote]:
    """Disabled accounts whose rows wait until they are enabled again."""
    off = {each.interface_id for each in subject.configuration.accounts if not each.invitations.enabled}
    waiting = [(key, count) for key, count in _pending(subject) if key in off]
    for key, count in waiting:
        yield warned(
            f"{count} pending invitation(s) are held, because the account is disabled",
            hint="enable it again, or skip them: ekomi-reconcile invitations skip ID",
            account=subject.names[key],
        )
    if not waiting:
        yield passed("no disabled account has waiting invitations")


def _pending(subject: DoctorContext) -> list[tuple[str, int]]:
    """How many rows are pending, by interface id."""
    counts = subject.state.queue.counts()
    return sorted((key, count) for key, each in counts.items() if (count := each.get(Status.PENDING)))


def consistency(subject: DoctorContext) -> Iterator[CheckNote]:
    """Rows that contradict themselves. Dates come from the shop: a wrong date there is not damage here."""
    wanted = InvitationFilter(statuses=frozenset({Status.SENT, Status.PENDING}))
    flaws, early, example = Counter[str](), 0, ""
    for row in subject.state.invitations.search(wanted):
        if flaw := _flaw(row):
            flaws[flaw] += 1
        elif row.sent_at is not None and row.sent_at < row.order_date:
            early, example = early + 1, row.number
    for said, count in sorted(flaws.items()):
        yield failed(f"{count} invitation(s) {said}", hint="restore a backup of the state")
    if early:
        yield warned(
            f"{early} invitation(s) were sent before the date of their order, such as {example}",
            hint="check the dates of these orders, and the clock of the shop; the state is not damaged",
        )
    if not flaws and not early:
        yield passed("no invitation contradicts itself")


def _flaw(row: Invitation) -> str | None:
    if row.status is Status.SENT and row.sent_at is None and row.reason != Criterion.REVIEWED.value:
        return "are sent, but not known when"
    if row.status is Status.PENDING and row.sent_at is not None:
        return "are pending, though they were sent"
    return None


_STATE = frozenset({Part.STATE})
_BOTH = frozenset({Part.FILES, Part.STATE})
CHECKS = (
    Check(id="queue-stuck", run=stuck, needs=_BOTH),
    Check(id="queue-sending", run=sending, needs=_STATE),
    Check(id="queue-unknown", run=unknown, needs=_STATE),
    Check(id="queue-failed", run=failures, needs=_STATE),
    Check(id="account-refused", run=refused, needs=_STATE),
    Check(id="queue-orphans", run=orphans, needs=_BOTH),
    Check(id="queue-sources", run=sources, needs=_BOTH),
    Check(id="queue-held", run=disabled, needs=_BOTH),
    Check(id="queue-consistency", run=consistency, needs=_STATE),
)


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
        yield CheckNote.of(error)
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
        yield failed(
            guard.message,
            hint=f"if this is intended: ekomi-reconcile apply {guard.override}",
            incident=guard.incident,
        )
    for change in plan.blocked:
        yield failed(f"{change.action.value} will not be done: {change.blocked}", account=change.name)
    readable = {f"order source {name}: " for name in subject.readable_names}
    for each in plan.diagnostics:
        if each.rule == "orders-unreadable" and each.message.startswith(tuple(readable)):
            yield failed(each.message, hint=each.hint, account=each.account, incident=each.incident)


NEXT_APPLY_CHECKS = (Check(id="next-apply", run=next_apply, needs=frozenset({Part.FILES})),)
