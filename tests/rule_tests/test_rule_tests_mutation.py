"""test --mutate: a change that no test notices is shown with the test that is missing."""

import json
import shutil
import sys
from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from project_support import Project
from tiers import examples

sys.path.append(str(Path(__file__).parents[1] / "analysis"))

from random_rules import NOW, Orders, Rules

from ekomi_reconcile.config.yaml import read
from ekomi_reconcile.model.diagnostic import Place
from ekomi_reconcile.model.rule import InvitationRule
from ekomi_reconcile.orders.normalize import Codes
from ekomi_reconcile.rule_tests.document import problems, read_document, rule_test_yaml
from ekomi_reconcile.rule_tests.files import rule_test
from ekomi_reconcile.rule_tests.judging import RuleTestJudge
from ekomi_reconcile.rule_tests.mutants import _STEPS, mutants_of
from ekomi_reconcile.rule_tests.mutation import MutantVerdict, Mutation
from ekomi_reconcile.rules.case import KnownFacts
from ekomi_reconcile.rules.judge import judge
from ekomi_reconcile.rules.rulebook import Rule

ROOT = Path(__file__).parents[2]
SETTINGS = "version: 1\norders: {file: orders.jsonl}\n"
UNSEEN = {"sender", "products"}
"""Keys of a rule that are not mutated."""


@pytest.fixture
def shop(tmp_path, monkeypatch):
    """A project with one account and its tests."""
    monkeypatch.chdir(tmp_path)
    made = Project(Path())
    made.settings(SETTINGS)
    made.account("Germany", "28374", "store_views: [de]\nconditions: {grand_total: {gte: 50}}")
    (tmp_path / "tests.d").mkdir()
    return made


def mutated(shop, capsys, *arguments):
    """The JSON of a run, and its exit code."""
    code = shop.cli("test", "--mutate", "--format", "json", *arguments)
    return json.loads(capsys.readouterr().out), code


def test_the_example_accounts_ship_with_tests_that_notice_changes(tmp_path, capsys):
    """At least 95 % of the mutants of accounts.d are noticed by tests.d; there are many."""
    project = Project(tmp_path)
    project.settings(SETTINGS)
    for folder in ("accounts.d", "tests.d"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    assert project.cli("test") == 0
    capsys.readouterr()
    found, code = mutated(project, capsys, "--min", "95")
    assert code == 0
    assert found["noticed"] > 70
    assert found["share"] >= 95


def test_a_survivor_comes_with_the_test_that_is_missing(shop, capsys):
    """Pasted into the files it passes, and the mutant is noticed: in the end nothing survives."""
    path = shop.folder / "tests.d" / "all.yaml"
    found, code = mutated(shop, capsys)
    assert (code, found["noticed"]) == (0, 0)
    missing = dict.fromkeys(each["missing_test"] for each in found["mutants"])
    assert None not in missing
    path.write_text("---\n".join(missing), encoding="utf-8")
    assert shop.cli("test") == 0
    capsys.readouterr()
    found, code = mutated(shop, capsys, "--min", "100")
    assert (code, found["survived"], found["share"]) == (0, 0, 100)


def test_text_names_each_survivor_and_the_share(shop, capsys):
    """What was changed, the test below it, the numbers at the end; --min decides the exit code."""
    (shop.folder / "tests.d" / "a.yaml").write_text(
        "name: A\norder: {store_code: de}\nexpect: {invited: true, scheduled_at: 2026-01-19T10:00:00Z}\n"
    )
    assert shop.cli("test", "--mutate", "--min", "90") == 1
    found = capsys.readouterr()
    assert (
        "survived  Germany: invitations.conditions: grand_total gte 50 → gt 50\n"
        "  name: Germany invites an order with grand_total 50\n"
        "  order: {store_code: de, grand_total: 50}\n"
        "  expect: {invited: true, account: Germany}\n"
    ) in found.out
    assert "pending_period" not in found.out
    assert found.out.splitlines()[-1].endswith("% noticed.")
    assert "--min asks for 90 %" in found.err
    assert shop.cli("test", "--mutate", "--min", "10") == 0


def test_tests_that_fail_come_first(shop, capsys):
    """Rules are not mutated while tests fail or files have mistakes; wrong flags are refused."""
    (shop.folder / "tests.d" / "a.yaml").write_text(
        "name: A\norder: {store_code: de}\nexpect: {invited: false}\n"
    )
    assert shop.cli("test", "--mutate") == 1
    assert "1 failed." in (found := capsys.readouterr()).out
    assert "correct the tests that fail first" in found.err
    assert shop.cli("test", "--min", "5") == 64
    assert shop.cli("test", "--mutate", "--format", "junit") == 64


def test_equivalent_mutants_are_left_out(shop, capsys):
    """No order tells them from the original: a condition that another one implies, a list twice."""
    shop.account(
        "Germany",
        "28374",
        "conditions: {all: [{grand_total: {gte: 50}}, {grand_total: {gte: 20}}]}",
    )
    found, _ = mutated(shop, capsys)
    equivalent = {each["step"] for each in found["mutants"] if each["verdict"] == "equivalent"}
    assert equivalent == {
        "left out: grand_total gte 20",
        "grand_total gte 20 → gt 20",
        "grand_total gte 20 → 19",
    }


def test_a_rule_that_never_matches_has_only_equivalent_mutants_where_nothing_changes(shop, capsys):
    """Of a contradiction most changes make no difference, and those that do are shown."""
    shop.account("Germany", "28374", "conditions: {all: [{grand_total: {gt: 100}}, {grand_total: {lt: 50}}]}")
    found, _ = mutated(shop, capsys)
    verdicts = {each["step"]: each["verdict"] for each in found["mutants"]}
    assert verdicts["grand_total gt 100 → gte 100"] == "equivalent"
    assert verdicts["left out: grand_total lt 50"] == "survived"


RULES = {
    "pending_period_overrides": (
        "pending_period_overrides: [{when: {shipping_country: {not_in: [DE]}}, days: 21}]"
    ),
    "consent": "consent: {field: extension_attributes.optin, accept: [yes, ja]}",
    "customer_groups": "customer_groups: {exclude: [Wholesale, NOT LOGGED IN]}",
    "order_statuses": "order_statuses: [complete, shipped]",
    "cancel_statuses": "cancel_statuses: [returned]",
    "spread": "spread: 2d",
    "skip_refunded": "skip_refunded: false",
    "skip_reviewed": "skip_reviewed: true",
    "deliver": "deliver: [ekomi-sms, ekomi-email]",
}


@pytest.mark.parametrize("key", RULES)
def test_every_key_has_mutants_with_a_missing_test(shop, capsys, key):
    """A key that decides who is invited, when or how: a test is found for each change of it."""
    shop.account("Germany", "28374", RULES[key])
    found, _ = mutated(shop, capsys)
    own = [each for each in found["mutants"] if each["key"] == f"invitations.{key}"]
    assert own
    assert [each["step"] for each in own if each["missing_test"] is None] == []


def test_every_key_of_a_rule_is_mutated_or_known_to_be_unseen():
    """A new key is either mutated, or it is said here that no test can see it."""
    assert {each.name for each in fields(InvitationRule)} - UNSEEN == set(_STEPS)


@settings(max_examples=examples(20))
@given(st.integers(0, 100_000))
def test_verdicts_hold_for_random_rules(seed):
    """A missing test passes for the original only; no random order tells an equivalent mutant apart."""
    accounts = [Rules(seed).account(1)]
    original = RuleTestJudge(accounts, Codes())
    orders = [Orders(seed, accounts[0].invitations.conditions).order() for _ in range(40)]
    for each in Mutation(accounts, (), Codes(), timezone=None).run().results:
        mutant = each.mutant
        if each.verdict is MutantVerdict.EQUIVALENT:
            rules = Rule(mutant.original), Rule(mutant.changed)
            known = KnownFacts(now=NOW)
            verdicts = [
                [judge(order, rule, known=known).reason is None for rule in rules] for order in orders
            ]
            told = [order for order, (one, two) in zip(orders, verdicts, strict=True) if one is not two]
            assert told == [], f"{mutant.key}: {mutant.step}"
        elif each.missing is not None:
            (document,), wrong = read("a.yaml", rule_test_yaml(each.missing).encode())
            assert (wrong, problems(document)) == ([], [])
            test = rule_test(read_document(document), Place(path="a.yaml"))
            assert original.mismatches(test) == ()
            assert RuleTestJudge([mutant.changed], Codes()).mismatches(test)


def test_conditions_are_changed_at_every_depth():
    """Groups, negations, tests of items and sums: each of their parts has mutants, all different."""
    account = next(each for seed in range(50) if (each := Rules(seed).account(1)).invitations.conditions)
    steps = [(each.key, each.step, str(each.changed.invitations)) for each in mutants_of(account)]
    assert len({each[2] for each in steps}) == len(steps)
