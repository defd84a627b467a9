"""From the state back to the files: what is dumped asks for the same account."""

import json

import pytest
from config_files import checked, loaded
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from test_config_schema import ACCOUNTS, SHARED
from tiers import examples

from ekomi_reconcile.formatting.canonical import canonical, written

SOURCES = "version: 1\norders: {eu: {file: eu.jsonl}, us-1: {file: us.jsonl}}\n"
GERMANY = 'name: Germany\ninterface_id: "1"\ninterface_password: ${env:X}\n'


def dumped(configuration, project):
    """The only account of a configuration, dumped over the settings of this project."""
    (account,) = configuration.accounts
    return written(account.canonical(), loaded(project=project).project)


@settings(max_examples=examples(150), deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
@given(document=ACCOUNTS, defaults=st.fixed_dictionaries({}, optional=SHARED))
def test_any_account_comes_back(document, defaults):
    """Whatever a valid file asks for, over whatever defaults, its canonical dump asks for the same."""
    document.setdefault("orders", "eu")
    project = f"{SOURCES}defaults: {json.dumps(defaults)}\n" if defaults else SOURCES
    configuration, _ = checked(json.dumps(document), project=project)
    assume(configuration is not None)
    found = dumped(configuration, project)
    assert found.unsaid == ()
    again = loaded(found.text, project=project)
    assert again.accounts[0].derived.text == configuration.accounts[0].derived.text
    assert canonical("dump", found.text.encode()).decode() == found.text


@pytest.mark.parametrize("name", ["0E0", "1e5", "0E+0", ".5e1", "0x1F", "no", "~", "2026-01-01"])
def test_text_that_looks_like_something_else(name):
    """A name that a reader of YAML would take for a number, a word or a date comes back as text."""
    made = loaded(GERMANY.replace("Germany", f'"{name}"'))
    found = dumped(made, SOURCES)
    assert loaded(found.text).accounts[0].name == name


def test_only_what_matters_is_written():
    """Defaults are left out, collections stay readable, and what looks like something else is in quotes."""
    conditions = "{all: [{grand_total: {gte: 50}}, {not: {shipping_method: {in: [a, b]}}}]}"
    rule = f"{{enabled: true, pending_period: 14, store_views: ['no', de], conditions: {conditions}}}"
    made = loaded(f"{GERMANY}tags: [b, a]\ninvitations: {rule}\n")
    assert dumped(made, SOURCES).text == (
        "name: Germany\n"
        'interface_id: "1"\n'
        "interface_password: ${env:X}\n"
        "tags: [a, b]\n"
        "orders: default\n"
        "invitations:\n"
        "  enabled: true\n"
        '  store_views: [de, "no"]\n'
        "  conditions:\n"
        "    all:\n"
        "      - grand_total: {gte: 50}\n"
        "      - not:\n"
        "          shipping_method:\n"
        "            in: [a, b]\n"
    )


@pytest.mark.parametrize(
    ("defaults", "key"),
    [
        ("tags: [eu]", "tags"),
        ("invitations: {store_views: [de]}", "invitations.store_views"),
        ("invitations: {conditions: {is_guest: {eq: true}}}", "invitations.conditions"),
    ],
)
def test_what_the_format_cannot_say_is_told(defaults, key):
    """An account applied without something that is a default by now: there is no word for none."""
    found = dumped(loaded(GERMANY), f"version: 1\ndefaults: {{{defaults}}}\n")
    assert found.unsaid == (key,)


def test_no_spread_can_be_said():
    """Over a default spread it is written as one of no length."""
    project = "version: 1\ndefaults: {invitations: {spread: 2d}}\n"
    found = dumped(loaded(GERMANY), project)
    assert "spread: 0d" in found.text
    assert loaded(found.text, project=project).accounts[0].invitations.spread == 0
