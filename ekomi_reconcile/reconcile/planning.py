"""Files, state and orders become a plan; a plan is carried out.

This is the one place that knows both where things come from and what is made of them. It prints nothing,
and does not import what only carrying out needs: a plan is asked for far more often.
"""

from __future__ import annotations

import secrets
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

from ekomi_reconcile import __version__
from ekomi_reconcile.apply.run_control import Listener, StopSignal, nobody
from ekomi_reconcile.config.cache import first_key
from ekomi_reconcile.config.configuration import Configuration, Secret, WrittenAccount, resolve
from ekomi_reconcile.config.revision import environment
from ekomi_reconcile.ekomi import Call, Endpoints
from ekomi_reconcile.model import instant
from ekomi_reconcile.model.diagnostic import UNRESOLVED, Diagnostic, Place, Severity
from ekomi_reconcile.model.errors import ReconcileError, SecretError, SecretUnusable
from ekomi_reconcile.model.instant import Instant
from ekomi_reconcile.model.run import NewState
from ekomi_reconcile.model.sending_times import SendingSchedule
from ekomi_reconcile.plan.build import Circumstances, RecordedState, build
from ekomi_reconcile.plan.diff import Desired, Limits
from ekomi_reconcile.plan.due import Intervals
from ekomi_reconcile.plan.plan import AccountChange, Plan, Scope
from ekomi_reconcile.plan.read_requests import gone_sources, sources_gone
from ekomi_reconcile.plan.view import EmptyQueue, Privacy
from ekomi_reconcile.privacy.limits import CustomerPrivacy
from ekomi_reconcile.privacy.suppression import SuppressionList, read_suppression_list
from ekomi_reconcile.reconcile.sources import SourcePass, Sources
from ekomi_reconcile.rules.rulebook import TELEPHONE, RuleBook
from ekomi_reconcile.state.engine.mark import KEY_BYTES, KeyedDigest, Purpose, configured_key

if TYPE_CHECKING:
    from ekomi_reconcile.apply.context import Context
    from ekomi_reconcile.apply.fetching import Clients, Turns
    from ekomi_reconcile.state.repositories.plan_reader import PlanReader
    from ekomi_reconcile.state.store import State

    Readable: TypeAlias = State | PlanReader
    """A state as planning reads it."""


@dataclass(frozen=True, slots=True)
class Passwords:
    """The accounts' passwords, by interface id: secrets, their keyed digests, and what is missing."""

    secrets: Mapping[str, Secret] = field(default_factory=dict)
    digests: Mapping[str, str] = field(default_factory=dict)
    unresolved: Mapping[str, SecretError] = field(default_factory=dict)


def read_passwords(configuration: Configuration, state: Readable | NewState | None) -> Passwords:
    """Resolve the passwords of all accounts; what cannot be resolved is returned, not raised."""
    found: dict[str, Secret] = {}
    unresolved: dict[str, SecretError] = {}
    root = configuration.root
    for account in configuration.accounts:
        try:
            found[account.interface_id] = resolve(account.interface_password, root=root)
        except SecretError as error:
            unresolved[account.interface_id] = error
    digest = digester(state, Purpose.PASSWORD)
    digests = {} if digest is None else {key: digest(each.reveal()) for key, each in found.items()}
    return Passwords(found, digests, unresolved)


def digester(state: Readable | NewState | None, purpose: Purpose) -> Callable[[str], str] | None:
    """The keyed digest of this state for one purpose; without a state there is none.

    Raises:
        StateError: the key is lost, or another one than before.
    """
    if state is None:
        return None
    key = state.key if isinstance(state, NewState) else state.key.require()
    return KeyedDigest(key, purpose)


def read_privacy(
    configuration: Configuration,
    digest: Callable[[str], str] | None = None,
    *,
    scratch: Callable[[str], str] | None = None,
) -> CustomerPrivacy:
    """The privacy settings at work, with the keyed digest of the state; without one they make their own.

    ``scratch`` is the digest of orders in the cache as long as the state does not exist.

    Raises:
        ConfigurationError: the suppression list cannot be read, or has a faulty line.
    """
    settings = configuration.project.privacy
    suppressed = SuppressionList()
    if (path := configuration.suppression_list) is not None:
        suppressed = read_suppression_list(path)
    return CustomerPrivacy(
        cap=settings.max_per_customer,
        suppressed=suppressed,
        digest=digest or scratch or KeyedDigest(secrets.token_bytes(KEY_BYTES), Purpose.CUSTOMER),
        lasting=digest is not None,
    )


def make_plan(  # noqa: PLR0913 - everything meets here
    configuration: Configuration,
    state: Readable | NewState | None,
    *,
    sources: Sources,
    scope: Scope,
    now: Instant,
    passwords: Passwords,
    max_sends: int | None = None,
    reread_from: Instant | None = None,
    privacy: Privacy | None = None,
    hypothetical: bool = False,
) -> Plan:
    """The plan for these files and this state, for one that is made once the plan is approved, or for none.

    ``hypothetical``: ``now`` is another time than the present.

    Orders created since ``reread_from`` are read again even if they do not look changed; ``privacy`` is at
    hand where the plan is carried out by the same run.

    Raises:
        ReconcileError: it cannot be made; an unreadable order source is part of the plan instead.
    """
    project = configuration.project
    safety = project.safety
    customer = None if scope.offline else digester(state, Purpose.CUSTOMER)
    pseudonym = customer or (None if scope.offline else first_pseudonym(configuration))
    if sources.clock is not None and not (state is None or isinstance(state, NewState)):
        sources.clock.check_last_run(state.journal.last_run_at())
    circumstances = Circumstances(
        now=now,
        present=max(now, instant.now()),
        tool_version=__version__,
        config_digest=configuration.digest,
        git_commit=git_commit(configuration.root),
        intervals=Intervals(sync=project.schedule.sync_every, reviews=project.schedule.import_reviews_every),
        limits=limits_of(configuration),
        max_sends=safety.max_sends if max_sends is None else max_sends,
        hypothetical=hypothetical,
        sending=safety.send,
        timezone=project.timezone,
        scope=scope,
        diagnostics=(*_missing_passwords(passwords), *_changed_addresses(configuration, state)),
    )
    _refuse_gone_sources(configuration, state)
    desired = [
        Desired(account, passwords.digests.get(account.interface_id)) for account in configuration.accounts
    ]
    protected = privacy or read_privacy(configuration, customer, scratch=pseudonym)
    more = frozenset({TELEPHONE}) if protected.by_number else frozenset[str]()
    recorded = _recorded(state, now=now)
    spoken = _spoken(recorded)
    made = build(
        desired,
        recorded,
        circumstances,
        privacy=protected,
        orders=lambda need: SourcePass(sources, need, reread_from, pseudonym, more, spoken),
    )
    return located(made, configuration)


LOCATED: Final = 200
"""The number of changes whose places are looked up: each costs parsing a file again."""


def located(plan: Plan, configuration: Configuration) -> Plan:
    """The plan with the places in the files of its first changes; paths start at the project file."""
    found = [
        replace(each, place=_place(each, entry, configuration.root))
        if (entry := configuration.written.get(each.interface_id)) is not None
        else each
        for each in plan.changes[:LOCATED]
    ]
    return replace(plan, changes=(*found, *plan.changes[LOCATED:]))


def _place(change: AccountChange, entry: WrittenAccount, root: Path) -> Place:
    """Where the first changed value is set; where the account begins if none is."""
    values = change.values
    place = entry.place(values[0].path if values else ("name",), "key")
    path = Path(place.path)
    shown = path.relative_to(root) if path.is_relative_to(root) else path
    return Place(path=shown.as_posix(), line=place.line)


def _spoken(recorded: RecordedState) -> dict[str, str]:
    """The locales in which eKomi writes, by interface id, as far as they are known."""
    found = ((each.interface_id, each.shop.locale) for each in recorded.accounts)
    return {key: locale for key, locale in found if locale is not None}


def limits_of(configuration: Configuration) -> Limits:
    """The safety limits of the project file."""
    safety = configuration.project.safety
    return Limits(
        max_delete_percent=safety.max_delete_percent,
        max_sends=safety.max_sends,
        max_schedules=safety.max_schedules,
        empty_files=configuration.empty_files,
    )


def _refuse_gone_sources(configuration: Configuration, state: Readable | NewState | None) -> None:
    """Raises:
    PlanError: an order source with invitations was renamed or removed.
    """
    if state is None or isinstance(state, NewState):
        return
    defined = configuration.project.orders
    gone = gone_sources(defined, configuration.accounts, state.positions.read(), state.queue)
    if gone:
        raise sources_gone(gone, defined, state.queue.sources())


def first_pseudonym(configuration: Configuration) -> Callable[[str], str] | None:
    """The digest of customers in the cache before there is a state: with the key that it will get."""
    key = key_before_state(configuration)
    return None if key is None else KeyedDigest(key, Purpose.CUSTOMER)


def key_before_state(configuration: Configuration) -> bytes | None:
    """The key of digests made before there is a state, which then takes it over; only shops need one.

    It is the configured one, else one that is kept in the cache.
    """
    if all(each.magento is None for each in configuration.project.orders.values()):
        return None
    reference, root = configuration.project.privacy.key, configuration.root
    if reference is not None:
        with suppress(SecretError):
            return configured_key(resolve(reference, root=root).reveal())
    return first_key(root)


def _missing_passwords(passwords: Passwords) -> Iterator[Diagnostic]:
    for key, error in passwords.unresolved.items():
        unusable = isinstance(error, SecretUnusable)
        yield Diagnostic(
            severity=Severity.ERROR if unusable else Severity.WARNING,
            rule=UNRESOLVED,
            message=error.message
            if unusable
            else f"{error.message}; treated as unchanged; apply requires it",
            hint=error.hint,
            account=key,
        )


def _changed_addresses(
    configuration: Configuration, state: Readable | NewState | None
) -> Iterator[Diagnostic]:
    """Remotes that are now at another address than in the last run."""
    if state is None or isinstance(state, NewState):
        return
    before = state.meta.addresses()
    for key, address in configuration.project.addresses.items():
        if before.get(key, address) != address:
            yield Diagnostic(
                severity=Severity.WARNING,
                rule="address-changed",
                message=f"{key} changes from {before[key]} to {address}",
                key=key,
                found=address,
                hint="check this address: passwords and customers' addresses are sent there",
            )


def _recorded(state: Readable | NewState | None, *, now: Instant) -> RecordedState:
    if state is None or isinstance(state, NewState):
        return RecordedState(lineage=None, serial=0, accounts=(), positions={}, queue=EmptyQueue())
    meta = state.meta.read()
    return RecordedState(
        lineage=meta.lineage,
        serial=meta.serial,
        accounts=state.accounts.read(include_deleted=True),
        positions=state.positions.read(),
        queue=state.queue,
        in_doubt=state.queue.in_doubt(now=now),
    )


def make_clients(
    configuration: Configuration,
    passwords: Passwords,
    stop: StopSignal,
    *,
    on_call: Callable[[Call], None] | None = None,
    turns: Turns | None = None,
) -> Clients:
    """Clients of eKomi as the settings say; ``on_call`` hears of every request, ``turns`` paces reads."""
    from ekomi_reconcile.apply.fetching import Clients

    ekomi = configuration.project.ekomi
    return Clients(
        endpoints=Endpoints(ekomi.api_url, ekomi.srr_url, float(ekomi.timeout)),
        requests_per_second=ekomi.requests_per_second,
        stop=stop,
        passwords=passwords.secrets,
        on_call=on_call,
        turns=turns,
    )


def make_context(  # noqa: PLR0913 - everything meets here
    configuration: Configuration,
    state: State,
    *,
    sources: Sources,
    passwords: Passwords,
    stop: StopSignal,
    listen: Listener = nobody,
    clock: Callable[[], Instant] = instant.now,
    on_call: Callable[[Call], None] | None = None,
) -> Context:
    """What carrying out a plan needs.

    Raises:
        ConfigurationError: the suppression list cannot be read, or has a faulty line.
    """
    from ekomi_reconcile.apply.context import Context, Upkeep, lasting_sights

    unresolved: dict[str, ReconcileError] = dict(passwords.unresolved)
    privacy = read_privacy(configuration, digester(state, Purpose.CUSTOMER))
    return Context(
        state=state,
        clients=make_clients(configuration, passwords, stop, on_call=on_call, turns=state.runner.turns),
        accounts={each.interface_id: each for each in configuration.accounts},
        digests=passwords.digests,
        unresolved=unresolved,
        book=RuleBook(configuration.accounts),
        schedule=SendingSchedule(configuration.accounts, configuration.project.timezone),
        look_up=sources.look_up,
        gone=sources.gone,
        describe_products=sources.describe_products,
        annotate=sources.annotate,
        annotated=sources.annotated,
        privacy=privacy,
        upkeep=Upkeep(
            retention=configuration.project.privacy.retention,
            sights=lasting_sights(configuration.accounts),
        ),
        parallelism=configuration.project.ekomi.parallelism,
        now=clock,
        stop=stop,
        listen=listen,
        clock=sources.clock,
    )


def git_commit(root: Path) -> str | None:
    """The commit of the files, or ``None`` outside of a repository."""
    try:
        found = subprocess.run(
            ["git", "-C", str(root), "rev-parse", "HEAD"],
            capture_output=True,
            text=True,
            timeout=5,
            check=False,
            env=environment(),
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return found.stdout.strip() or None if found.returncode == 0 else None
