"""Healthy only when the next apply would work: every broken set-up fails in both, or in neither."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest
from project_support import order, settings

PIN = "11111111-1111-4111-8111-111111111111"
RULES = "pending_period: 3\nstore_views: [de]"
FRENCH = "pending_period: 14\nstore_views: [fr]"


@pytest.fixture
def used(project, sandbox, capsys):
    """Two accounts that were applied; three orders wait for their time."""
    project.settings(settings(sandbox.url))
    project.account("Germany", "28374", "pending_period: 14\nstore_views: [de]")
    project.account("France", "28375", FRENCH)
    project.orders(order(number) for number in range(1, 4))
    assert project.cli("-q", "apply", "--auto-approve") == 0
    return project


def _file(name, content=None):
    def break_it(project, sandbox, monkeypatch):
        path = project.folder / name
        path.unlink() if content is None else path.write_text(content)

    return break_it


def _settings(more):
    def break_it(project, sandbox, monkeypatch):
        project.settings(settings(sandbox.url, more))

    return break_it


def _sql(statement):
    def break_it(project, sandbox, monkeypatch):
        with closing(sqlite3.connect(project.state)) as connection, connection:
            connection.execute(statement)

    return break_it


def _no_account(project, sandbox, monkeypatch):
    for path in (project.folder / "accounts.d").iterdir():
        path.unlink()


def _protected(project, sandbox, monkeypatch):
    project.account("France", "28375", FRENCH, "protect: true")
    assert project.cli("-q", "apply", "--auto-approve") == 0
    (project.folder / "accounts.d" / "28375.yaml").unlink()


def _another_id(project, sandbox, monkeypatch):
    (project.folder / "accounts.d" / "28375.yaml").unlink()
    project.account("France", "28376", FRENCH)


def _burst(project, sandbox, monkeypatch):
    project.settings(settings(sandbox.url, "safety: {max_sends: 2}\n"))
    project.account("Germany", "28374", "pending_period: 0\nstore_views: [de]")


def _many_schedules(project, sandbox, monkeypatch):
    project.settings(settings(sandbox.url, "safety: {max_schedules: 1}\n"))
    project.orders(order(number, store_code="fr") for number in range(11, 15))
    project.account("France", "28375", "pending_period: 15\nstore_views: [fr]")


def _another_shop(project, sandbox, monkeypatch):
    project.orders(order(number, increment_id=f"9{number}") for number in range(1, 4))


def _renamed_source(project, sandbox, monkeypatch):
    text = settings(sandbox.url).replace("{file: orders.jsonl}", "{eu: {file: orders.jsonl}}")
    project.settings(text)
    project.account("Germany", "28374", RULES, "orders: eu")
    project.account("France", "28375", FRENCH, "orders: eu")


def _in_ci_without_state(project, sandbox, monkeypatch):
    for path in project.state.parent.glob("state.db*"):
        path.unlink()
    monkeypatch.setenv("CI", "1")


def _key(project, sandbox, monkeypatch):
    project.state.with_name("state.db.key").unlink()


def _lost(project, sandbox, monkeypatch):
    project.state.unlink()


def _nobody_takes_invitations(project, sandbox, monkeypatch):
    text = settings(sandbox.url).replace(f"srr_url: {sandbox.url}", "srr_url: http://127.0.0.1:1")
    project.settings(text)
    project.account("Germany", "28374", "pending_period: 1\nstore_views: [de]")


SETUPS = {
    "nobody takes invitations": (_nobody_takes_invitations, False),
    "as it was": (lambda *_: None, True),
    "a rule changed": (lambda project, *_: project.account("France", "28375", "pending_period: 9"), True),
    "no orders": (_file("orders.jsonl", ""), True),
    "sending is off": (_settings("safety: {send: false}\n"), True),
    "an account file is gone": (_file("accounts.d/28375.yaml"), False),
    "an account file is empty": (_file("accounts.d/28375.yaml", "# nothing\n"), False),
    "all account files are gone": (_no_account, False),
    "a protected account is gone": (_protected, False),
    "another interface id": (_another_id, False),
    "many sends by a rule change": (_burst, False),
    "many schedules by a rule change": (_many_schedules, False),
    "another shop": (_another_shop, False),
    "a renamed source": (_renamed_source, False),
    "the clock is behind": (_sql("UPDATE journal SET at = at + 864000"), False),
    "no order file": (_file("orders.jsonl"), False),
    "not orders": (_file("orders.jsonl", '[{"message": "no"}]'), False),
    "an order that cannot be read": (_file("orders.jsonl", '{"entity_id": 9}\n'), False),
    "no suppression list": (_settings("privacy: {suppress: none.txt}\n"), False),
    "another pin": (
        _settings(
            "state: {location: .ekomi-reconcile/state.db, lineage: 11111111-1111-4111-8111-111111111111}\n"
        ),
        False,
    ),
    "no state in CI": (_in_ci_without_state, False),
    "no key": (_key, False),
    "a lost state": (_lost, False),
    "a damaged value": (_sql("UPDATE invitation SET reached_source = 'rumour', scheduled_at = 1"), False),
    "a newer format": (_sql("UPDATE meta SET value = '99' WHERE key = 'format_version'"), False),
}


@pytest.mark.sampled(27)
@pytest.mark.parametrize("name", SETUPS)
def test_doctor_is_healthy_exactly_where_apply_works(used, sandbox, monkeypatch, capsys, name):
    """Guards, protection, ids, sources, clock, files and state: what stops apply fails in the self-test."""
    break_it, works = SETUPS[name]
    break_it(used, sandbox, monkeypatch)
    capsys.readouterr()
    healthy = used.cli("doctor") == 0
    said = capsys.readouterr().out
    applied = used.cli("apply", "--auto-approve") == 0
    assert (healthy, applied) == (works, works), said
