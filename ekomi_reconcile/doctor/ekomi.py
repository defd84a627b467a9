"""Running the checks; checks of credentials and of the accounts at eKomi."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from ekomi_reconcile.apply.accounts import check_credentials
from ekomi_reconcile.apply.fetching import Clients
from ekomi_reconcile.doctor import context, files, orders, queue
from ekomi_reconcile.ekomi.client import EkomiClient
from ekomi_reconcile.model import errors
from ekomi_reconcile.model.account import Account, AccountRecord, Checked, Credential
from ekomi_reconcile.model.diagnostic import Incident
from ekomi_reconcile.model.instant import DAY, HOUR, Instant
from ekomi_reconcile.model.rule import Deliver
from ekomi_reconcile.model.sender import sms_sender_fault
from ekomi_reconcile.reconcile.planning import make_clients
from ekomi_reconcile.state import UNREADABLE

TOO_OLD = 2
"""What was fetched is too old when this many of its intervals have passed."""


def credentials(subject: context.DoctorContext) -> Iterator[context.CheckNote]:
    """Interface id and password of every account, tried at eKomi."""
    configuration, passwords = subject.configuration, subject.passwords
    with make_clients(configuration, passwords, subject.stop) as clients:
        found = check_credentials(
            clients,
            configuration.accounts,
            unresolved=passwords.unresolved,
            parallelism=configuration.project.ekomi.parallelism,
        )
    subject.silent |= {each.interface_id for each in found if each.verdict is not Credential.OK}
    yield from map(_credential, found)


def _credential(checked: Checked) -> context.CheckNote:
    if checked.verdict is Credential.OK:
        return context.passed("credentials accepted", account=checked.name)
    said = f"{checked.verdict.value}: {checked.message or 'eKomi did not say why'}"
    # A password that cannot be resolved fails already, by the checks of secrets.
    make = context.warned if checked.verdict is Credential.UNRESOLVED else context.failed
    incident = _INCIDENTS.get(checked.verdict)
    return make(said, hint=checked.hint, account=checked.name, incident=incident)


_INCIDENTS = {
    Credential.WRONG: Incident.WRONG_PASSWORD,
    Credential.UNCHECKED: Incident.EKOMI_DOWN,
}


def active(subject: context.DoctorContext) -> Iterator[context.CheckNote]:
    """Every account is active at eKomi: it asks nobody for an account that is not."""
    return _asked(subject, _standing)


def stacked_delay(subject: context.DoctorContext) -> Iterator[context.CheckNote]:
    """eKomi's own delay comes on top of the pending period."""
    return _asked(subject, _delay)


def segments(subject: context.DoctorContext) -> Iterator[context.CheckNote]:
    """The default customer segment is active: else eKomi stores recipients and writes to nobody."""
    written = [
        each
        for each in subject.configuration.accounts
        if each.invitations.enabled and each.invitations.deliver is not Deliver.LINK
    ]
    return _asked(subject, _segment, written) if written else iter(())


def _asked(
    subject: context.DoctorContext,
    ask: Callable[[EkomiClient, Account], context.CheckNote],
    accounts: Sequence[Account] = (),
) -> Iterator[context.CheckNote]:
    """Ask eKomi about these accounts (all by default), as far as it can be asked."""
    configuration, passwords = subject.configuration, subject.passwords
    known = passwords.secrets.keys() - subject.silent
    usable = [each for each in accounts or configuration.accounts if each.interface_id in known]
    workers = configuration.project.ekomi.parallelism
    with (
        make_clients(configuration, passwords, subject.stop) as clients,
        ThreadPoolExecutor(workers, thread_name_prefix="doctor") as pool,
    ):
        yield from pool.map(lambda account: _answer(clients, account, ask), usable)


def _answer(
    clients: Clients, account: Account, ask: Callable[[EkomiClient, Account], context.CheckNote]
) -> context.CheckNote:
    try:
        return ask(clients.reader(account.interface_id), account)
    except errors.CredentialsRefused:
        return context.warned("not checked: the credentials are wrong", account=account.name)
    except errors.EkomiError as error:
        return context.warned(f"could not be checked: {error.message}", hint=error.hint, account=account.name)


def _delay(client: EkomiClient, account: Account) -> context.CheckNote:
    own, theirs = account.invitations.pending_period, client.mail_delay()
    if not theirs:
        return context.passed("no additional delay is configured at eKomi", account=account.name)
    if not own:
        return context.passed(f"eKomi waits {theirs} days, and this rule adds none", account=account.name)
    return context.warned(
        f"eKomi waits another {theirs} days: customers are asked {own + theirs} days after the trigger",
        hint="set the delay at eKomi to 0, or shorten pending_period",
        account=account.name,
    )


def _standing(client: EkomiClient, account: Account) -> context.CheckNote:
    shop = client.shop_data()
    if shop.active is None:
        return context.warned("eKomi does not say whether the account is active", account=account.name)
    if not shop.active:
        return context.failed(
            "the account is not active at eKomi", hint="ask eKomi to activate it", account=account.name
        )
    return context.passed("active at eKomi", account=account.name)


def _segment(client: EkomiClient, account: Account) -> context.CheckNote:
    try:
        inactive = client.inactive_default_segment()
    except errors.EkomiUnavailable as error:
        if error.status is not None:  # something answers there; whether it knows segments is another matter
            raise
        return context.failed(
            f"invitations cannot be sent: {error.message}",
            hint="check ekomi.srr_url in the project file and the network",
            account=account.name,
            incident=Incident.EKOMI_DOWN,
        )
    if inactive:
        return context.failed(
            "the default customer segment is inactive at eKomi: recipients are stored, nobody gets a message",
            hint="activate the segment in the eKomi account, or ask eKomi to do so",
            account=account.name,
        )
    return context.passed("the default customer segment is active", account=account.name)


def product_reviews(subject: context.DoctorContext) -> Iterator[context.CheckNote]:
    """eKomi gives the accounts product reviews whose invitations ask for them."""
    refused = subject.state.journal.without_product_reviews()
    for account in subject.configuration.accounts:
        if not (account.invitations.enabled and account.invitations.products.ask):
            continue
        if account.interface_id in refused:
            yield context.warned(
                "eKomi refused the import of product reviews: perhaps the tariff does not include them",
                hint="ask eKomi for product reviews, or remove `products` from the rule",
                account=account.name,
            )
        else:
            yield context.passed("invitations ask for product reviews", account=account.name)


def sync_age(subject: context.DoctorContext) -> Iterator[context.CheckNote]:
    """Shop details and statistics were fetched not too long ago."""
    interval = subject.configuration.project.schedule.sync_every
    return _ages(subject, "fetched", interval, lambda record: record.last_fetched_at)


def import_age(subject: context.DoctorContext) -> Iterator[context.CheckNote]:
    """Reviews were imported not too long ago."""
    interval = subject.configuration.project.schedule.import_reviews_every
    return _ages(subject, "imported", interval, lambda record: record.last_import_at)


def _ages(
    subject: context.DoctorContext, done: str, interval: int, last: Callable[[AccountRecord], Instant | None]
) -> Iterator[context.CheckNote]:
    known = {each.interface_id: each for each in subject.state.accounts.read()}
    for account in subject.configuration.accounts:
        record = known.get(account.interface_id)
        at = None if record is None else last(record)
        if record is None or at is None:
            why = "not applied yet" if record is None else record.last_error or "no run has done it"
            yield context.warned(f"never {done}: {why}", hint=_hint(record), account=account.name)
        elif subject.now - at > TOO_OLD * interval:
            why = f"; the last error: {record.last_error}" if record.last_error else ""
            said = f"last {done} {_age(subject.now - at)} ago, wanted every {_age(interval)}{why}"
            yield context.warned(said, hint=_hint(record), account=account.name)
        else:
            yield context.passed(f"last {done} {_age(subject.now - at)} ago", account=account.name)


def _hint(record: AccountRecord | None) -> str:
    if record is None:
        return "run: ekomi-reconcile apply"
    return "see that the scheduled job runs; what went wrong: ekomi-reconcile errors"


def sms_senders(subject: context.DoctorContext) -> Iterator[context.CheckNote]:
    """Without `sender.name` text messages come from the shop's name at eKomi, where that fits."""
    unnamed = [
        each
        for each in subject.configuration.accounts
        if Deliver.EKOMI_SMS in each.invitations.channels and each.invitations.sender.name is None
    ]
    return _asked(subject, _sms_sender, unnamed) if unnamed else iter(())


def _sms_sender(client: EkomiClient, account: Account) -> context.CheckNote:
    name = client.shop_data().account_name
    fault = "eKomi does not report it" if name is None else sms_sender_fault(name.strip())
    if fault is None:
        return context.passed("the shop's name at eKomi fits a text message", account=account.name)
    return context.warned(
        f"text messages are sent without a sender: the shop's name at eKomi does not fit ({fault})",
        hint="set sender.name under invitations",
        account=account.name,
    )


def _age(seconds: int) -> str:
    units = ((DAY, "days"), (HOUR, "hours"), (60, "minutes"))
    size, name = next((unit for unit in units if seconds >= 2 * unit[0]), (1, "seconds"))
    return f"{seconds // size} {name}"


_FILES = frozenset({context.Part.FILES})
_BOTH = frozenset({context.Part.FILES, context.Part.STATE})
EKOMI_CHECKS: Sequence[context.Check] = (
    context.Check(id="credentials", run=credentials, needs=_FILES, online=True),
    context.Check(id="account-active", run=active, needs=_FILES, online=True),
    context.Check(id="customer-segment", run=segments, needs=_FILES, online=True),
    context.Check(id="sms-sender", run=sms_senders, needs=_FILES, online=True),
    context.Check(id="stacked-delay", run=stacked_delay, needs=_FILES, online=True),
    context.Check(id="sync-age", run=sync_age, needs=_BOTH),
    context.Check(id="import-age", run=import_age, needs=_BOTH),
    context.Check(id="product-reviews", run=product_reviews, needs=_BOTH),
)


CHECKS: Mapping[str, Sequence[context.Check]] = {
    "Files": files.CHECKS,
    "State": files.STORAGE_CHECKS,
    "Secrets": files.SECRET_CHECKS,
    "eKomi": EKOMI_CHECKS,
    "Orders": orders.CHECKS,
    "Queue": queue.CHECKS,
    "Next apply": queue.NEXT_APPLY_CHECKS,
}
"""All checks in their order, by group."""

_DAMAGE = (OSError, *UNREADABLE)
"""What reading damaged files and rows may raise besides the errors of the project."""


def examine(subject: context.DoctorContext) -> tuple[context.CheckResult, ...]:
    """Run every check; offline, those that ask eKomi or a shop are left out."""
    return tuple(
        context.CheckResult(check.id, group, note)
        for group, checks in CHECKS.items()
        for check in checks
        if not (check.online and subject.offline)
        for note in _notes(check, subject)
    )


def _notes(check: context.Check, subject: context.DoctorContext) -> Iterator[context.CheckNote]:
    lacking = next((part for part in sorted(check.needs) if not subject.has(part)), None)
    if lacking is not None:
        yield context.warned(f"not checked: {lacking.value}")
        return
    try:
        yield from check.run(subject)
    except errors.ReconcileError as error:
        yield context.warned(f"could not be checked: {error.message}", hint=error.hint)
    except _DAMAGE as error:
        yield context.warned(
            f"could not be checked: {type(error).__name__}", hint="see the state checks of doctor"
        )
