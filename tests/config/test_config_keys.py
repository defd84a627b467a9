"""Keys are declared once: models, schemas, values, recorded forms and digests follow from the declaration."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Any

import pytest
from config_files import loaded
from pydantic import ValidationError

from ekomi_reconcile.config.configuration import digest_of
from ekomi_reconcile.config.models import model_of
from ekomi_reconcile.config.settings import Project, SafetySettings
from ekomi_reconcile.model import keys
from ekomi_reconcile.model.account import Account
from ekomi_reconcile.model.instant import seconds
from ekomi_reconcile.model.keys import Recorded, build, key
from ekomi_reconcile.model.rule import InvitationRule

PROJECT = """\
version: 1
orders:
  eu: {magento: {base_url: "https://shop.example.com", token: "${env:T}"}, stores: {"1": de}}
  us: {file: us.jsonl}
defaults: {orders: eu, invitations: {pending_period: 10, spread: 3d, cancel_statuses: [returned, lost]}}
privacy: {key: "${env:K}", retention: 730d, max_per_customer: {count: 1, days: 90}}
ekomi: {timeout: 20s}
"""
ACCOUNTS = """\
name: Germany
interface_id: "28374"
interface_password: ${env:DE}
links: {webshop_url: https://shop.example.com/de}
tags: [dach, b2c]
invitations:
  enabled: true
  store_views: [de, at]
  customer_groups: {exclude: [NOT LOGGED IN]}
  deliver: link
  skip_refunded: false
  conditions: {all: [{grand_total: {gte: 50}}]}
---
name: Plain
interface_id: "1"
interface_password: ${env:P}
orders: us
"""
PLAIN = "name: Plain\ninterface_id: '1'\ninterface_password: ${env:P}\n"


def test_digests_are_those_of_the_first_format():
    """What was planned, signed or recorded before keeps its digests: of configuration and of rules."""
    found = loaded(ACCOUNTS, project=PROJECT)
    assert found.digest == "sha256:d02b67e17755343e0329879798cfdd644ce32cbf268b5a33fd42ff892b4f49b4"
    assert [each.derived.rule_digest for each in found.accounts] == [
        "sha256:17ff7543583ee43d8523a68b138b7e3a7888192e7eaa0607cc4de23452946ec3",
        "sha256:84734d5a4345ddef337988d92b13e76613f12f0035880a2129aeda03a76a07a2",
    ]
    found = loaded(PLAIN, project="version: 1\n")
    assert found.digest == "sha256:2a0bbbf78224a546658be19c6d1931c1792bf494ca056f7f7a1f268fb48e9a19"
    rule = "sha256:a6e5def9af5cf5f1dd70992d128c94a635f5dee20142f851f89ca7de8b0c8c02"
    assert found.accounts[0].derived.rule_digest == rule


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pause:
    reason: keys.Name | None = key("Why.", default=None)


_DEFAULTS: dict[str, tuple[Any, Any, Any]] = {
    "flag": (bool, False, True),
    "days": (keys.Days, 3, 4),
    "duration": (keys.Duration, 3_600, 7_200),
    "names": (keys.Names, (), ("a",)),
    "name": (keys.Name | None, None, "a"),
    "record": (_Pause, _Pause(), _Pause(reason="holidays")),
    "no record": (_Pause | None, None, _Pause()),
    "list": (
        Annotated[tuple[_Pause, ...], keys.Several(distinct=False, ordered=True)],
        (),
        (_Pause(reason="b"), _Pause(reason="a")),
    ),
}


def _with_key(record: type, kind: Any, default: Any) -> type:
    """A copy of the declaration with one key more."""
    body = {
        "__annotations__": {"later": kind},
        "__module__": __name__,
        "later": key("It came later.", default=default),
    }
    return dataclass(frozen=True, kw_only=True)(type("Later", (record,), body))


@pytest.mark.parametrize("kind", _DEFAULTS)
def test_a_new_key_of_a_rule_at_its_default_changes_no_digest(kind):
    """An account that does not use it is recorded and digested as before; one that does is not."""
    type_, default, other = _DEFAULTS[kind]
    rule = _with_key(InvitationRule, type_, default)
    before = Account(name="A", interface_id="1", interface_password="${env:A}")
    assert replace(before, invitations=rule()).derived == before.derived
    changed = replace(before, invitations=rule(later=other)).derived
    assert changed.text != before.derived.text
    assert changed.rule_digest != before.derived.rule_digest


@pytest.mark.parametrize("kind", _DEFAULTS)
def test_a_new_key_of_the_project_at_its_default_changes_no_digest(kind):
    """Neither one of the project itself, nor one in a section of it."""
    type_, default, other = _DEFAULTS[kind]
    longer, safety = _with_key(Project, type_, default), _with_key(SafetySettings, type_, default)
    before = digest_of(Project(version=1), [])
    assert digest_of(longer(version=1), []) == before
    assert digest_of(Project(version=1, safety=safety()), []) == before
    assert digest_of(longer(version=1, later=other), []) != before
    assert digest_of(Project(version=1, safety=safety(later=other)), []) != before


def test_a_new_key_is_declared_in_one_place():
    """What is accepted, what editors show and what it becomes follow from one declaration."""
    rule = _with_key(InvitationRule, keys.Duration, seconds("2h"))
    model = model_of(rule)
    shown = model.model_json_schema()["properties"]["later"]
    assert (shown["default"], shown["description"]) == ("2h", "It came later.")
    with pytest.raises(ValidationError):
        model.model_validate({"later": "soon"})
    model.model_validate({"later": "3h"})
    assert build(rule, {"later": "3h"}).later == 3 * 3_600
    assert build(rule, {}).later == 2 * 3_600


@pytest.mark.parametrize("record", [Account, InvitationRule, Project, SafetySettings])
def test_only_keys_of_the_first_format_are_recorded_at_their_default(record):
    """A key that is newer must not be declared so: an upgrade would change every account or plan."""
    always = {each.name for each in keys.keys(record) if each.key.recorded is Recorded.ALWAYS}
    assert (
        always
        == {
            Account: {
                *("name", "interface_id", "interface_password", "links"),
                *("protect", "tags", "priority", "orders", "invitations"),
            },
            InvitationRule: {
                *("enabled", "pending_period", "spread", "skip_orders_older_than", "store_views"),
                *("customer_groups", "order_statuses", "conditions"),
            },
            Project: {"version", "orders", "schedule", "ekomi", "safety", "privacy"},
            SafetySettings: {"max_delete_percent", "max_sends", "max_schedules"},
        }[record]
    )


def test_keys_without_a_default_cannot_follow_from_nothing():
    """A record with a required key is only made of a mapping that has it."""
    with pytest.raises(TypeError):
        build(Account, {"name": "A"})
