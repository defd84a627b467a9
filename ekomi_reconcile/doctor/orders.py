"""Checks of the order sources: readable, permitted, and whether the rules fit what is there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from ekomi_reconcile.doctor.context import Check, CheckNote, DoctorContext, Part, failed, passed, warned
from ekomi_reconcile.doctor.names import (
    customer_groups,
    languages,
    order_statuses,
    store_views,
    unserved_store_views,
)
from ekomi_reconcile.doctor.shop import MOST_ORDERS, RECENT_DAYS, Survey
from ekomi_reconcile.model.account import Account
from ekomi_reconcile.model.errors import OrderSourceError
from ekomi_reconcile.model.order import Agreement
from ekomi_reconcile.orders.magento.source import (
    COMMENT,
    GROUPS,
    ORDERS,
    PRODUCTS,
    STORES,
    Access,
    Answered,
    Probe,
)
from ekomi_reconcile.reconcile.absent_fields import CONSENT_KEY
from ekomi_reconcile.rules.conditions import CATEGORY_ID
from ekomi_reconcile.rules.order_fields import consent_attribute, consent_key
from ekomi_reconcile.rules.products import product_attributes
from ekomi_reconcile.rules.rulebook import RuleBook

CLOCK_SKEW = 300
"""Seconds that the shop's clock may differ before orders come late or a login is refused."""

FEWEST_ORDERS = 10
"""Below this number a share says nothing."""

WARN_SHARE, FAIL_SHARE = 0.05, 0.5
"""From these shares of late orders on a rule is worth a look, or hardly ever invites anybody."""


def order_source(subject: DoctorContext) -> Iterator[CheckNote]:
    """Every order source can be read."""
    for name in subject.source_names:
        try:
            shop = subject.shop(name)
            said = _surveyed(subject.survey(name)) if shop is None else _counted(subject.probe(name))
        except OrderSourceError as error:
            yield failed(f"{name}: {error.message}", mend=error.mend)
        else:
            yield passed(f"{name}: {said}")
    if not subject.configuration.project.orders:
        yield warned("there is no order source: no order is invited", mend="name one under orders:")


def _surveyed(found: Survey) -> str:
    more = "" if found.complete else f" (the first {MOST_ORDERS} looked at)"
    return f"readable, {found.orders} order(s) of the last {RECENT_DAYS} days{more}"


def _counted(found: Probe) -> str:
    if found.unreachable is not None:
        raise OrderSourceError(found.unreachable, mend=found.mend)
    answered = found.permissions[ORDERS]
    if answered.access is not Access.GRANTED:
        raise OrderSourceError(answered.message or "the orders cannot be read", mend=answered.mend)
    count = "" if found.orders is None else f", {found.orders} order(s)"
    return f"reachable ({found.version or 'version unknown'}){count}"


def unreadable_orders(subject: DoctorContext) -> Iterator[CheckNote]:
    """No recent order is passed over because it cannot be read: the next run would report it and fail."""
    for name in subject.surveyed_names:
        problems = [each for each in subject.survey(name).problems if each.is_error]
        for each in problems[:1]:
            where = "" if each.place is None else f"{each.place}: "
            more = "" if len(problems) == 1 else f" (and {len(problems) - 1} more problem(s))"
            yield failed(f"{name}: {where}{each.message}{more}", mend=each.mend)
        if not problems:
            yield passed(f"{name}: every record looked at can be read")


def rule_fields(subject: DoctorContext) -> Iterator[CheckNote]:
    """Orders carry what the conditions of rules ask for."""
    for name in subject.source_names:
        accounts = subject.enabled(name)
        if all(each.invitations.conditions is None for each in accounts):
            continue
        try:
            found = list(subject.absent_fields(name))
        except OrderSourceError as error:
            yield warned(f"{name}: could not be checked: {error.message}", mend=error.mend)
            continue
        found = [each for each in found if each.key != CONSENT_KEY]
        for each in found:
            yield warned(each.message, mend=each.mend, account=each.account)
        if not found:
            yield passed(f"{name}: nothing that conditions ask for is missing from every order")


def consent(subject: DoctorContext) -> Iterator[CheckNote]:
    """Recent orders have the field that an account's consent is about: without it nobody is invited."""
    for name in subject.surveyed_names:
        found = subject.survey(name)
        for account in subject.enabled(name):
            wanted = account.invitations.consent
            if wanted is not None:
                verdicts = found.consents.get(consent_key(consent_attribute(wanted)), Counter())
                yield _consented(name, account, wanted.field, verdicts)


def _consented(source: str, account: Account, path: str, verdicts: Mapping[Agreement, int]) -> CheckNote:
    total, absent = sum(verdicts.values()), verdicts.get(Agreement.ABSENT, 0)
    accepted = verdicts.get(Agreement.ACCEPTED, 0)
    if not total:
        return passed(f"{source}: no recent order to tell whether {path} exists", account=account.name)
    if absent == total:
        return warned(
            f"{source}: none of {total} recent order(s) has {path}: nobody is invited",
            mend=f"correct consent.field, or have the shop add {path} to its orders",
            account=account.name,
        )
    said = f"{source}: {total - absent} of {total} recent order(s) have {path}, {accepted} accepted"
    if accepted:
        return passed(said, account=account.name)
    mend = "check consent.accept: it lists the values that mean yes"
    return warned(f"{said}: nobody is invited", mend=mend, account=account.name)


def permissions(subject: DoctorContext) -> Iterator[CheckNote]:
    """What else the integration may see: what a rule or ``annotate`` needs and is refused fails."""
    for name in subject.shop_names:
        found = subject.probe(name)
        refused = {key: each for key, each in found.permissions.items() if each.access is not Access.GRANTED}
        refused.pop(ORDERS, None)
        for key, each in sorted(refused.items()):
            yield from _refused(subject, name, key, each)
        if found.permissions and not refused:
            yield passed(f"{name}: the integration has every permission that the rules need")


def _refused(subject: DoctorContext, source: str, key: str, answered: Answered) -> Iterator[CheckNote]:
    said = f"{source}: {key}: {answered.message or answered.access.value}"
    needing = [each for each in subject.enabled(source) if _needs(subject, each, key)]
    for account in needing:
        yield failed(f"{said}; the rules of this account need it", mend=answered.mend, account=account.name)
    if key == COMMENT:
        yield failed(f"{said}; `annotate: true` needs it", mend=answered.mend)
    elif not needing:
        yield warned(said, mend=answered.mend)


def _needs(subject: DoctorContext, account: Account, key: str) -> bool:
    """Whether a rule cannot be judged without this permission."""
    source, rule = subject.configuration.project.orders[account.orders], account.invitations
    if key == STORES:
        return rule.store_views.names is not None and not source.stores
    if key == GROUPS:
        return rule.customer_groups.names is not None and not source.customer_groups
    looked_at = RuleBook([account]).attributes | product_attributes([rule])
    return key == PRODUCTS and CATEGORY_ID in looked_at


def clock(subject: DoctorContext) -> Iterator[CheckNote]:
    """The shop's clock agrees with ours."""
    for name in subject.shop_names:
        skew = subject.probe(name).clock_skew
        if skew is None:
            yield warned(f"{name}: the shop does not tell its time")
        elif abs(skew) > CLOCK_SKEW:
            said = f"{abs(skew)} seconds {'ahead of' if skew > 0 else 'behind'} this machine"
            yield warned(f"{name}: the shop's clock is {said}", mend="set both clocks by NTP")
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
        return passed("too few recent orders to tell", account=account.name)
    share = timing.late / timing.reached
    said = (
        f"{share:.0%} of {timing.reached} recent orders reached their trigger status "
        f"later than {limit} days after they were placed"
    )
    if share <= WARN_SHARE:
        return passed(said, account=account.name)
    make = failed if share > FAIL_SHARE else warned
    return make(f"{said}: they are never invited", mend="raise skip_orders_older_than", account=account.name)


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
