"""What criteria ask of the customer: consent, and an address for one of the channels."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from ekomi_reconcile.model.invitation import Criterion
from ekomi_reconcile.model.order import Agreement
from ekomi_reconcile.model.rule import Deliver
from ekomi_reconcile.rules.case import Case
from ekomi_reconcile.rules.criterion import Check, CriterionRule, Shown
from ekomi_reconcile.rules.order_fields import consent_attribute, consent_key
from ekomi_reconcile.rules.rulebook import Rule, channel_of, deliverable


def _consent(rule: Rule) -> Check | None:
    consent = rule.account.invitations.consent
    return None if consent is None else _consent_check(consent_key(consent_attribute(consent)))


@lru_cache
def _consent_check(key: str) -> Check:
    return lambda case: _agreement(case, key) is Agreement.ACCEPTED


def _agreement(case: Case, key: str) -> Agreement:
    return (case.order.consents or {}).get(key, Agreement.ABSENT)


def _consent_shown(case: Case) -> Shown:
    consent = case.rule.account.invitations.consent
    if consent is None:
        return Shown(None, "not required")
    wanted = f"{consent.field} accepted: {' or '.join(consent.accept)}"
    return Shown(_agreement(case, consent_key(consent_attribute(consent))).value, wanted)


def _consent_remedy(case: Case) -> str:
    consent = case.rule.account.invitations.consent
    return "" if consent is None else f"{consent.field} of the order were {' or '.join(consent.accept)}"


def _deliverable(rule: Rule) -> Check | None:
    channels = rule.account.invitations.channels
    return None if Deliver.LINK in channels else _delivery_check(channels)


@lru_cache
def _delivery_check(channels: tuple[Deliver, ...]) -> Check:
    return lambda case: any(deliverable(case.order, each) for each in channels)


_ADDRESSES: Mapping[Deliver, str] = {
    Deliver.EKOMI_EMAIL: "e-mail address",
    Deliver.EKOMI_SMS: "mobile number",
}


def _deliverable_shown(case: Case) -> Shown:
    rule, contact = case.rule.account.invitations, case.order.contact
    if Deliver.LINK in rule.channels:
        return Shown(None, "nothing: the shop shows the link itself")
    wanted = " or ".join(f"a usable {_ADDRESSES[each]}" for each in rule.channels)
    chosen = channel_of(case.order, rule)
    if chosen is not None:
        more = f" ({chosen.value})" if len(rule.channels) > 1 else ""
        return Shown(f"{_ADDRESSES[chosen]} usable{more}", wanted)
    given = {Deliver.EKOMI_EMAIL: contact.email, Deliver.EKOMI_SMS: contact.telephone}
    unusable = [f"{_ADDRESSES[each]} not usable" for each in rule.channels if given[each] is not None]
    return Shown(", ".join(unusable) or None, wanted)


def _deliverable_remedy(case: Case) -> str:
    channels = case.rule.account.invitations.channels
    return f"the order had {' or '.join(f'a usable {_ADDRESSES[each]}' for each in channels)}"


CONSENT = CriterionRule(Criterion.CONSENT, _consent, _consent_shown, _consent_remedy)
DELIVERABLE = CriterionRule(Criterion.DELIVERABLE, _deliverable, _deliverable_shown, _deliverable_remedy)
