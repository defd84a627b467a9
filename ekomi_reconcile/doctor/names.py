"""Checks of names: do the store views, groups and statuses of the rules exist, and is any view forgotten?

A shop is asked for its lists. For a file the names are those that recent orders have, and a name that none
of them has is only worth a look.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from ekomi_reconcile.doctor import shop
from ekomi_reconcile.doctor.context import CheckNote, DoctorContext, failed, passed, warned
from ekomi_reconcile.doctor.shop import Names
from ekomi_reconcile.model.account import Account
from ekomi_reconcile.model.errors import OrderSourceError
from ekomi_reconcile.model.order import status_key
from ekomi_reconcile.reconcile.absent_fields import nameless
from ekomi_reconcile.reconcile.languages import other_languages
from ekomi_reconcile.reconcile.sources import nearest


@dataclass(frozen=True, slots=True)
class KnownNames:
    """The names that there are. ``listed``: the shop says that there are no others."""

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
                mend="add them to an account, if their customers are to be asked",
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
            yield warned(f"{source}: could not be checked: {error.message}", mend=error.mend)
            continue
        if views is None:
            continue
        found = list(other_languages(source, accounts, views, known))
        for each in found:
            yield warned(each.message, mend=each.mend, account=each.account)
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
            yield warned(f"{source}: could not be checked: {error.message}", mend=error.mend)
            continue
        yield from unnamed
        if unnamed and not known.names:
            continue
        if not known.names:
            yield warned(f"{source}: not checked: there are no recent orders to compare with")
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
            yield warned(each.message, mend=each.mend, account=each.account)


def _unknown(account: str, wanted: Iterable[str], what: str, known: KnownNames) -> Iterator[CheckNote]:
    for name in wanted:
        if name in known.names:
            continue
        mend = nearest(name, known.names)
        if known.listed:
            yield failed(f'the shop has no {what} "{name}"', mend=mend, account=account)
        else:
            yield warned(f'no recent order has the {what} "{name}"', mend=mend, account=account)


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
