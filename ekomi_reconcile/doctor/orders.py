"""Checks of the order sources and of the names in the rules.

A shop is asked for its lists. For a file the names are those that recent orders have, and a name that none
of them has is only reported as a warning.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from ekomi_reconcile.doctor import shop
from ekomi_reconcile.doctor.context import Check, CheckNote, DoctorContext, Part, failed, passed, warned
from ekomi_reconcile.doctor.shop import MOST_ORDERS, RECENT_DAYS, Names, Survey
from ekomi_reconcile.model.account import Account
from ekomi_reconcile.model.errors import OrderSourceError
from ekomi_reconcile.model.order import Agreement, status_key
from ekomi_reconcile.orders.magento import source as magento_source
from ekomi_reconcile.reconcile.absent_fields import CONSENT_KEY, ENOUGH, nameless, other_languages
from ekomi_reconcile.reconcile.sources import nearest
from ekomi_reconcile.rules import order_fields
from ekomi_reconcile.rules.conditions import CATEGORY_ID
from ekomi_reconcile.rules.rulebook import RuleBook


@dataclass(frozen=True, slots=True)
class KnownNames:
    """The names that there are. ``listed``: the shop's own list, which is complete."""

    names: frozenset[str]
    listed: bool


def store_views(subject: DoctorContext) -> Iterator[CheckNote]:
    """The store views that rules name."""
    return _named(subject, "store view", _known_views, lambda rule: rule.invitations.store_views.names or ())


def customer_groups(subject: DoctorContext) -> Iterator[CheckNote]:
    """The customer groups that rules name."""
    return _named(
        subject, "customer group", _known_groups, lambda rule: rule.invitations.customer_groups.names or ()
    )


def order_statuses(subject: DoctorContext) -> Iterator[CheckNote]:
    """The trigger statuses of the rules, in whatever letter case."""
    return _named(
        subject, "status", _known_statuses, lambda rule: map(status_key, rule.invitations.order_statuses)
    )


def unserved_store_views(subject: DoctorContext) -> Iterator[CheckNote]:
    """Store views whose orders no enabled account wants."""
    for source in subject.readable_names:
        enabled = subject.enabled(source)
        if not enabled:
            continue
        names = _known_views(subject, source, read=shop.active_store_views).names
        forgotten = sorted(
            name for name in names if not any(each.invitations.store_views.admits(name) for each in enabled)
        )
        if forgotten:
            yield warned(
                f"{source}: no enabled account serves the store view(s) {', '.join(forgotten)}",
                hint="add them to an account if their customers should be invited",
            )
        else:
            yield passed(f"{source}: every store view is served")


def languages(subject: DoctorContext) -> Iterator[CheckNote]:
    """Store views have the language in which eKomi writes to their customers."""
    spoken = {each.interface_id: each.shop.locale for each in subject.state.accounts.read()}
    known = {key: locale for key, locale in spoken.items() if locale is not None}
    for source in subject.shop_names:
        accounts = [each for each in subject.enabled(source) if each.interface_id in known]
        try:
            views = subject.locales(source) if accounts else None
        except OrderSourceError as error:
            yield warned(f"{source}: could not be checked: {error.message}", hint=error.hint)
            continue
        if views is None:
            continue
        found = list(other_languages(source, accounts, views, known))
        for each in found:
            yield warned(each.message, hint=each.hint, account=each.account)
        if not found:
            yield passed(f"{source}: every store view has the language of its account at eKomi")


def _named(
    subject: DoctorContext,
    what: str,
    known_in: Callable[[DoctorContext, str], KnownNames],
    wanted_by: Callable[[Account], Iterable[str]],
) -> Iterator[CheckNote]:
    for source in subject.readable_names:
        wanted = {each.name: sorted(set(wanted_by(each))) for each in subject.enabled(source)}
        if not any(wanted.values()):
            continue
        try:
            known = known_in(subject, source)
            unnamed = list(_unnamed(subject, source, what))
        except OrderSourceError as error:
            yield warned(f"{source}: could not be checked: {error.message}", hint=error.hint)
            continue
        yield from unnamed
        if unnamed and not known.names:
            continue
        if not known.names:
            yield warned(f"{source}: not checked: no recent orders to compare with")
            continue
        notes = [note for name, mine in wanted.items() for note in _unknown(name, mine, what, known)]
        yield from notes or [passed(f"{source}: every {what} named by a rule is known")]


def _unnamed(subject: DoctorContext, source: str, what: str) -> Iterator[CheckNote]:
    """Ids of stores or groups that orders carry, and that have no name."""
    rule = {"store view": "nameless-store", "customer group": "nameless-customer-group"}.get(what)
    if rule is None:
        return
    for each in nameless(source, subject.survey(source).carried, subject.enabled(source)):
        if each.rule == rule:
            yield warned(each.message, hint=each.hint, account=each.account)


def _unknown(account: str, wanted: Iterable[str], what: str, known: KnownNames) -> Iterator[CheckNote]:
    for name in wanted:
        if name in known.names:
            continue
        hint = nearest(name, known.names)
        if known.listed:
            yield failed(f'the shop has no {what} "{name}"', hint=hint, account=account)
        else:
            yield warned(f'no recent order has the {what} "{name}"', hint=hint, account=account)


def _known_views(subject: DoctorContext, source: str, *, read: Names = shop.store_views) -> KnownNames:
    if subject.shop(source) is None:
        return KnownNames(frozenset(subject.survey(source).store_views), listed=False)
    given = subject.configuration.project.orders[source].stores.values()
    return KnownNames(subject.listed(source, read) | frozenset(given), listed=True)


def _known_groups(subject: DoctorContext, source: str) -> KnownNames:
    if subject.shop(source) is None:
        return KnownNames(frozenset(subject.survey(source).customer_groups), listed=False)
    given = subject.configuration.project.orders[source].customer_groups.values()
    return KnownNames(subject.listed(source, shop.customer_groups) | frozenset(given), listed=True)


def _known_statuses(subject: DoctorContext, source: str) -> KnownNames:
    told = subject.statuses(source)
    if told is not None:
        return KnownNames(frozenset(map(status_key, told)), listed=True)
    return KnownNames(frozenset(map(status_key, subject.survey(source).statuses)), listed=False)


CLOCK_SKEW = 300
"""Seconds that the shop's clock may differ before orders come late or a login is refused."""

FEWEST_ORDERS = 10
"""Below this number a share says nothing."""

WARN_SHARE, FAIL_SHARE = 0.05, 0.5
"""Shares of late orders from which a rule gets a warning, or hardly ever invites anybody."""


def order_source(subject: DoctorContext) -> Iterator[CheckNote]:
    """Every order source can be read."""
    for name in subject.source_names:
        try:
            shop = subject.shop(name)
            said = _surveyed(subject.survey(name)) if shop is None else _counted(subject.probe(name))
        except OrderSourceError as error:
            yield failed(f"{name}: {error.message}", hint=error.hint)
        else:
            yield passed(f"{name}: {said}")
    if not subject.configuration.project.orders:
        yield warned("the project has no order source: no order is invited", hint="add one under orders:")


def _surveyed(found: Survey) -> str:
    more = "" if found.complete else f" (the first {MOST_ORDERS} looked at)"
    return f"readable, {found.orders} order(s) of the last {RECENT_DAYS} days{more}"


def _counted(found: magento_source.Probe) -> str:
    if found.unreachable is not None:
        raise OrderSourceError(found.unreachable, hint=found.hint)
    answered = found.permissions[magento_source.ORDERS]
    if answered.access is not magento_source.Access.GRANTED:
        raise OrderSourceError(answered.message or "the orders cannot be read", hint=answered.hint)
    count = "" if found.orders is None else f", {found.orders} order(s)"
    return f"reachable ({found.version or 'version unknown'}){count}"


def unreadable_orders(subject: DoctorContext) -> Iterator[CheckNote]:
    """No recent order is passed over because it cannot be read: the next run would report it and fail."""
    for name in subject.surveyed_names:
        problems = [each for each in subject.survey(name).problems if each.is_error]
        for each in problems[:1]:
            where = "" if each.place is None else f"{each.place}: "
            more = "" if len(problems) == 1 else f" (and {len(problems) - 1} more problem(s))"
            yield failed(f"{name}: {where}{each.message}{more}", hint=each.hint)
        if not problems:
            yield passed(f"{name}: every record looked at can be read")


def rule_fields(subject: DoctorContext) -> Iterator[CheckNote]:
    """Orders carry what the conditions of rules ask for."""
    for name in subject.source_names:
        accounts = subject.enabled(name)
        if not any(each.invitations.all_conditions for each in accounts):
            continue
        try:
            found = list(subject.absent_fields(name))
        except OrderSourceError as error:
            yield warned(f"{name}: could not be checked: {error.message}", hint=error.hint)
            continue
        found = [each for each in found if each.key != CONSENT_KEY]
        for each in found:
            yield warned(each.message, hint=each.hint, account=each.account)
        if not found:
            yield passed(_nothing_absent(subject, name))


def _nothing_absent(subject: DoctorContext, source: str) -> str:
    """No field is known to be absent: because orders have them all, or because few orders were read."""
    found = subject.survey(source)
    missing = (each for each in found.carried.missing if not order_fields.is_consent(each))
    fields = ", ".join(sorted(order_fields.path_of(each) or each for each in missing))
    if fields and found.orders < ENOUGH and source in subject.shop_names:
        few = f"none of {found.orders} recent order(s) has {fields}"
        return f"{source}: {few}; too few to tell whether orders can have it (at least {ENOUGH})"
    return f"{source}: nothing that conditions ask for is missing from every order"


def consent(subject: DoctorContext) -> Iterator[CheckNote]:
    """Recent orders have the field that an account's consent is about: without it nobody is invited."""
    for name in subject.surveyed_names:
        found = subject.survey(name)
        for account in subject.enabled(name):
            wanted = account.invitations.consent
            if wanted is not None:
                key = order_fields.consent_key(order_fields.consent_attribute(wanted))
                verdicts = found.consents.get(key, Counter())
                yield _consented(name, account, wanted.field, verdicts)


def _consented(source: str, account: Account, path: str, verdicts: Mapping[Agreement, int]) -> CheckNote:
    total, absent = sum(verdicts.values()), verdicts.get(Agreement.ABSENT, 0)
    accepted = verdicts.get(Agreement.ACCEPTED, 0)
    if not total:
        return passed(f"{source}: no recent order shows whether {path} exists", account=account.name)
    if absent == total:
        return warned(
            f"{source}: none of {total} recent order(s) has {path}: nobody is invited",
            hint=f"correct consent.field, or have the shop add {path} to its orders",
            account=account.name,
        )
    said = f"{source}: {total - absent} of {total} recent order(s) have {path}, {accepted} accepted"
    if accepted:
        return passed(said, account=account.name)
    hint = "check consent.accept: it lists the values that mean yes"
    return warned(f"{said}: nobody is invited", hint=hint, account=account.name)


def permissions(subject: DoctorContext) -> Iterator[CheckNote]:
    """What else the integration may see: what a rule or ``annotate`` needs and is refused fails."""
    for name in subject.shop_names:
        found = subject.probe(name)
        refused = {
            key: each
            for key, each in found.permissions.items()
            if each.access is not magento_source.Access.GRANTED
        }
        refused.pop(magento_source.ORDERS, None)
        for key, each in sorted(refused.items()):
            yield from _refused(subject, name, key, each)
        if found.permissions and not refused:
            yield passed(f"{name}: the integration has every permission that the rules need")


def _refused(
    subject: DoctorContext, source: str, key: str, answered: magento_source.Answered
) -> Iterator[CheckNote]:
    said = f"{source}: {key}: {answered.message or answered.access.value}"
    needing = [each for each in subject.enabled(source) if _needs(subject, each, key)]
    for account in needing:
        yield failed(f"{said}; the rules of this account need it", hint=answered.hint, account=account.name)
    if key == magento_source.COMMENT:
        yield failed(f"{said}; `annotate: true` needs it", hint=answered.hint)
    elif not needing:
        yield warned(said, hint=answered.hint)


def _needs(subject: DoctorContext, account: Account, key: str) -> bool:
    """Whether a rule cannot be judged without this permission."""
    source, rule = subject.configuration.project.orders[account.orders], account.invitations
    if key == magento_source.STORES:
        return rule.store_views.names is not None and not source.stores
    if key == magento_source.GROUPS:
        return rule.customer_groups.names is not None and not source.customer_groups
    looked_at = RuleBook([account]).attributes | order_fields.product_attributes([rule])
    return key == magento_source.PRODUCTS and CATEGORY_ID in looked_at


def clock(subject: DoctorContext) -> Iterator[CheckNote]:
    """The shop's clock agrees with ours."""
    for name in subject.shop_names:
        skew = subject.probe(name).clock_skew
        if skew is None:
            yield warned(f"{name}: the shop does not report its time")
        elif abs(skew) > CLOCK_SKEW:
            said = f"{abs(skew)} seconds {'ahead of' if skew > 0 else 'behind'} this machine"
            yield warned(f"{name}: the shop's clock is {said}", hint="synchronise both clocks with NTP")
        else:
            yield passed(f"{name}: the shop's clock is right")


def age_limit(subject: DoctorContext) -> Iterator[CheckNote]:
    """No rule's age limit keeps most of its orders out before they reach their trigger status."""
    for name in subject.surveyed_names:
        found = subject.survey(name)
        for account in subject.enabled(name):
            if note := _starved(account, found):
                yield note


def _starved(account: Account, found: Survey) -> CheckNote | None:
    limit = account.invitations.skip_orders_older_than
    timing = found.timings.get(account.interface_id)
    if limit == 0:
        return None
    if timing is None or timing.reached < FEWEST_ORDERS:
        return passed("too few recent orders to judge", account=account.name)
    share = timing.late / timing.reached
    said = (
        f"{share:.0%} of {timing.reached} recent orders reached their trigger status "
        f"later than {limit} days after they were placed"
    )
    if share <= WARN_SHARE:
        return passed(said, account=account.name)
    make = failed if share > FAIL_SHARE else warned
    return make(f"{said}: they are never invited", hint="raise skip_orders_older_than", account=account.name)


_FILES = frozenset({Part.FILES})
CHECKS = (
    Check(id="order-source", run=order_source, needs=_FILES),
    Check(id="shop-permissions", run=permissions, needs=_FILES, online=True),
    Check(id="shop-clock", run=clock, needs=_FILES, online=True),
    Check(id="unreadable-orders", run=unreadable_orders, needs=_FILES),
    Check(id="store-views", run=store_views, needs=_FILES),
    Check(id="customer-groups", run=customer_groups, needs=_FILES),
    Check(id="order-statuses", run=order_statuses, needs=_FILES),
    Check(id="rule-fields", run=rule_fields, needs=_FILES),
    Check(id="consent", run=consent, needs=_FILES),
    Check(id="unserved-store-views", run=unserved_store_views, needs=_FILES),
    Check(id="languages", run=languages, needs=_FILES | {Part.STATE}, online=True),
    Check(id="age-limit", run=age_limit, needs=_FILES),
)
