"""Consent, from the edited file to what arrived: over REST and from files, and what is kept of it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import httpx
import pytest
from project_support import PASSWORDS, Project, order, settings

from ekomi_reconcile.sandbox.answers import READ_ONLY
from ekomi_reconcile.sandbox.magento.routes import routes
from ekomi_reconcile.sandbox.magento.settings import BearerTokens
from ekomi_reconcile.sandbox.magento.shop import SimulatedShop
from ekomi_reconcile.sandbox.server import SandboxServer

sys.path.insert(0, str(Path(__file__).parents[1] / "docs"))
from docs_blocks import DOCS, blocks

CONSENT = 'consent: {field: extension_attributes.ekomi_optin, accept: ["canary-yes"]}'
VALUES = {1: "canary-yes", 2: "canary-no", 3: None, 4: ["other", " Canary-YES "]}
"""What the orders have; only the first and the last customer consented."""


def orders(values=VALUES):
    """Orders that are due, with these values of the field."""
    return [
        order(
            number, age_days=20, **({} if value is None else {"extension_attributes": {"ekomi_optin": value}})
        )
        for number, value in values.items()
    ]


def invited(url):
    """The orders that arrived at eKomi."""
    return sorted(int(each["transaction_id"]) % 1000 for each in httpx.get(f"{url}/_sandbox/outbox").json())


def nothing_kept(folder, said):
    """No value of the field is in a file of the project, or in what was written out."""
    kept = [each for each in folder.rglob("*") if each.is_file() and each.suffix not in (".jsonl", ".yaml")]
    assert [each for each in kept if b"anary-no" in each.read_bytes()] == []
    assert "anary-no" not in said


@pytest.fixture
def shop(tmp_path, monkeypatch):
    """A project that reads its orders over REST."""
    for key, password in PASSWORDS.items():
        monkeypatch.setenv(f"PASSWORD_{key}", password)
    given = [
        {key: value for key, value in each.items() if key not in ("store_code", "customer_group")}
        | {"store_id": 1}
        for each in orders()
    ]
    made = SimulatedShop.from_orders(given, stores={1: "de"})
    made.settings.bearer = BearerTokens.ACCEPTED
    monkeypatch.setenv("MAGENTO_TOKEN", made.integrate(READ_ONLY).token)
    with SandboxServer(extra_routes=routes(made)) as server:
        project = Project(tmp_path)
        source = f"orders: {{magento: {{base_url: '{server.url}', token: '${{env:MAGENTO_TOKEN}}'}}}}"
        project.settings(settings(server.url).replace("orders: {file: orders.jsonl}", source))
        yield project, server.url


def test_over_rest_the_shop_is_asked_for_the_field(shop, capsys):
    """Only customers who consented are invited; the value is shown and kept nowhere."""
    project, url = shop
    project.account("Germany", "28374", f"pending_period: 7\n{CONSENT}")
    assert project.cli("-vv", "apply", "--auto-approve") == 0
    assert invited(url) == [1, 4]
    said = "".join(capsys.readouterr())
    assert project.cli("explain", "100000002", "--format", "json") == 0
    (told,) = json.loads(capsys.readouterr().out)["accounts"]
    (criterion,) = [each for each in told["criteria"] if each["criterion"] == "consent"]
    assert (told["reason"], criterion["ok"], criterion["value"]) == ("consent", False, "not accepted")
    project.cli("doctor")
    nothing_kept(project.folder, said + "".join(capsys.readouterr()))


def test_doctor_looks_for_the_field_in_a_shop(shop, capsys):
    """How many recent orders have it; a misspelt one is worth a warning, as is a value that nobody has."""
    project, _ = shop
    for rules, status, part in (
        (CONSENT, "pass", "3 of 4 recent order(s) have extension_attributes.ekomi_optin, 2 accepted"),
        (CONSENT.replace("ekomi_optin", "ekomi_optim"), "warn", "none of 4 recent order(s) has"),
        (CONSENT.replace("canary-yes", "1"), "warn", "0 accepted: nobody is invited"),
    ):
        project.account("Germany", "28374", f"pending_period: 7\n{rules}")
        project.cli("doctor", "--format", "json")
        (found,) = [
            each for each in json.loads(capsys.readouterr().out)["checks"] if each["check"] == "consent"
        ]
        assert (found["status"], found["account"]) == (status, "Germany")
        assert part in found["message"]


def test_a_condition_on_a_field_over_rest(shop, capsys):
    """The text operators over any value by its path; explain masks it."""
    project, url = shop
    leaf = "{path: extension_attributes.ekomi_optin, starts_with: canary}"
    project.account("Germany", "28374", f"pending_period: 7\nconditions: {{field: {leaf}}}")
    assert project.cli("apply", "--auto-approve") == 0
    assert invited(url) == [1, 2, 4]
    capsys.readouterr()
    project.cli("explain", "100000002")
    said = capsys.readouterr().out
    assert "(masked)" in said
    nothing_kept(project.folder, said)


def test_adding_consent_cancels_pending_invitations_without_it(project, capsys):
    """The plan shows them first; consent that is given later brings an invitation back."""
    project.orders(orders())
    project.account("Germany", "28374", "pending_period: 25")
    assert project.cli("apply", "--auto-approve") == 0
    project.account("Germany", "28374", f"pending_period: 25\n{CONSENT}")
    capsys.readouterr()
    assert project.cli("plan", "--format", "json", "--detailed-exitcode") == 2
    said = capsys.readouterr().out
    assert [each["reason"] for each in json.loads(said)["invitations"]["cancel"]] == ["consent", "consent"]
    assert project.cli("apply", "--auto-approve") == 0
    assert statuses(project, capsys) == {1: "pending", 2: "cancelled", 3: "cancelled", 4: "pending"}
    project.orders(orders(VALUES | {3: "canary-yes", 4: "canary-no"}))
    assert project.cli("apply", "--auto-approve") == 0
    assert statuses(project, capsys) == {1: "pending", 2: "cancelled", 3: "pending", 4: "cancelled"}
    nothing_kept(project.folder, said)


def statuses(project, capsys):
    """The statuses of the invitations by order."""
    capsys.readouterr()
    project.cli("invitations", "list", "--format", "json")
    rows = json.loads(capsys.readouterr().out)
    return {int(each["order"]) % 1000: each["status"] for each in rows}


def test_the_guide_works_as_written(project, sandbox, capsys):
    """The account file of the page, with orders as its table has them, from a CSV file."""
    (block,) = [each for each in blocks(DOCS / "how-to" / "consent.md") if each.title]
    values = ["1", "true", " TRUE ", '"[""newsletter"", ""1""]"', "0", "no", ""]
    lines = [
        f"{number},{100_000_000 + number},complete,de,2026-11-10 08:00:00,kim{number}@example.com,{value}"
        for number, value in enumerate(values, start=1)
    ]
    head = (
        "entity_id,increment_id,status,store_code,created_at,customer_email,extension_attributes.ekomi_optin"
    )
    (project.folder / "orders.csv").write_text("\n".join([head, *lines]) + "\n", encoding="utf-8")
    project.settings(settings(sandbox.url).replace("orders.jsonl", "orders.csv"))
    (project.folder / block.title).write_text(
        block.text.replace("enabled: true", "enabled: true\n  skip_orders_older_than: 0"), encoding="utf-8"
    )
    assert project.cli("apply", "--auto-approve") == 0, capsys.readouterr()
    assert invited(sandbox.url) == [1, 2, 3, 4]
