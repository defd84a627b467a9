"""Notifications of real runs: who is told of what, and that a failing one changes nothing."""

import io
import json
import sqlite3
import sys
from pathlib import Path

import pytest
from notify_support import CANARY
from project_support import order, settings

from ekomi_reconcile.apply.run_control import StopSignal
from ekomi_reconcile.model import instant
from ekomi_reconcile.sandbox.shops import Fault, SandboxReview

sys.path.insert(0, str(Path(__file__).parents[1] / "docs"))
from docs_blocks import DOCS, blocks


@pytest.fixture
def told(project, sandbox, hook, monkeypatch):
    """A project that notifies ``hook``; called with the entries below ``notify:``."""
    monkeypatch.setenv("HOOK_URL", hook.url)
    project.account("Germany", "28374", "pending_period: 0")
    project.orders([order(1)])

    def configured(*entries):
        lines = "".join(f"  - {{webhook: '${{env:HOOK_URL}}', {each}}}\n" for each in entries)
        project.settings(settings(sandbox.url, f"notify:\n{lines}"))
        return project

    return configured


def test_apply_tells_what_it_did(told, hook, capsys):
    """After the result is shown: figures, accounts, in the form each hook asks for; nothing personal."""
    project = told("on: [success]", "format: slack, on: [changes]", "on: [failure]")
    assert project.cli("apply", "--auto-approve") == 0
    plain, slack = hook.posted
    assert (plain["outcome"], plain["command"], plain["project"]) == ("success", "apply", project.folder.name)
    assert (plain["counts"]["added"], plain["counts"]["sent"]) == (1, 1)
    assert plain["accounts"] == [{"name": "Germany", "action": "create"}]
    assert slack["blocks"][0]["text"]["text"].startswith(":white_check_mark: *apply* complete")
    for secret in ("customer1@example.com", "Kim", "sandbox-de", CANARY):
        assert secret not in json.dumps(hook.posted)
    warnings = [line for line in capsys.readouterr().err.splitlines() if line.startswith("Warning")]
    assert [line.partition(":")[2].partition(" at ")[0] for line in warnings] == [" no state"]
    assert project.cli("apply", "--auto-approve") == 0
    assert [each["counts"]["sent"] for each in hook.posted[2:]] == [0]  # on success only


def test_bad_reviews_are_told(told, hook, sandbox, monkeypatch):
    """By order number and stars, of at most so many, as in the guide; not what a first import brings."""
    project = told("on: [review], rating: {lte: 2}", "on: [review], format: slack", "on: [failure]")
    (guide,) = [each.text for each in blocks(DOCS / "how-to" / "notifications.md") if "rating:" in each.text]
    monkeypatch.setenv("SLACK_URL", hook.url)
    entry = guide.partition("notify:\n")[2]
    project.settings(
        f"{(project.folder / 'ekomi-reconcile.yaml').read_text()}{entry}"
        "schedule: {import_reviews_every: 1s}\n"
    )
    assert project.cli("apply", "--auto-approve") == 0
    assert hook.posted == []
    at, reviews = instant.now() - 60, sandbox.world.shops["28374"].reviews
    for number, rating in ((100000777, 2), (100000778, 3)):
        text = f"canary text of {number}"
        reviews.append(
            SandboxReview(order_id=str(number), submitted=at, rating=rating, review=text, comment="")
        )
    assert project.cli("reviews", "import", "--full") == 0
    assert hook.posted == []
    for number, rating in ((100000779, 1), (100000780, 5)):
        text = f"canary text of {number}"
        reviews.append(
            SandboxReview(order_id=str(number), submitted=at, rating=rating, review=text, comment="")
        )
    with sqlite3.connect(project.state) as database:
        database.execute("UPDATE account SET last_import_at = last_import_at - 10")
    assert project.cli("apply", "--auto-approve") == 0
    plain, slack, guided = hook.posted
    assert plain["reviews"] == [{"account": "Germany", "order": "100000779", "rating": 1.0}]
    assert (plain["reviews_total"], "review" in plain["occasions"]) == (1, True)
    assert "Germany: order 100000780, 5 of 5" in json.dumps(slack)
    assert "Germany: order 100000779, 1 of 5" in json.dumps(guided)
    assert "100000780" not in json.dumps(guided)
    assert "canary" not in json.dumps(hook.posted)


def test_failures_are_told(told, hook, sandbox, capsys):
    """What could not be done, what was refused by a guard, and what could not even begin."""
    project = told("on: [failure]")
    sandbox.world.fault(Fault(match="add-recipient", kind="bare_text", body="ERROR: no", count=1))
    assert project.cli("apply", "--auto-approve") == 1
    (incomplete,) = hook.posted
    assert (incomplete["outcome"], incomplete["failures_total"]) == ("incomplete", 1)
    assert incomplete["failures"][0]["subject"].startswith("Germany: send")
    (project.folder / "accounts.d" / "28374.yaml").unlink()
    assert project.cli("apply", "--auto-approve") == 1
    refused = hook.posted[-1]
    assert (refused["outcome"], refused["failures"][0]["subject"]) == ("failed", "apply")
    assert "--allow-deletes 1" in str(refused["failures"][0]["hint"])
    project.state.write_bytes(b"")
    assert project.cli("apply", "--auto-approve") == 1
    assert "state" in hook.posted[-1]["failures"][0]["message"]


def test_a_failing_hook_changes_nothing(told, hook, capsys):
    """The exit code and the result stay; a warning on stderr names the reference, never the address."""
    project = told("on: [success]", "on: [changes]")
    hook.statuses, hook.body = [404, 200], f"no such hook: {CANARY}".encode()
    assert project.cli("apply", "--auto-approve") == 0
    out, err = capsys.readouterr()
    assert out.endswith("1 sent.\n")
    assert "Warning: notify 1 (${env:HOOK_URL}) was not told: the webhook answered HTTP 404\n" in err
    assert CANARY not in out + err
    assert len(hook.posted) == 2  # the other one is told all the same


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    ("url", "why"),
    [
        (None, "HOOK_URL is not set"),
        (f"http://hooks.example.com/{CANARY}", "must be https"),
        (f"https://hooks.example.com/{CANARY} ", "ends in a space (U+0020)"),
        (f"https://[::1/{CANARY}", "not an address"),
        (CANARY, "not an address of the web"),
    ],
)
def test_wrong_addresses_are_warnings(told, monkeypatch, capsys, url, why):
    """A secret that is missing or unfit is told without its value, and the run is as it was."""
    project = told("on: [success, changes]")
    monkeypatch.delenv("HOOK_URL")
    if url is not None:
        monkeypatch.setenv("HOOK_URL", url)
    assert project.cli("-vv", "apply", "--auto-approve") == 0
    out, err = capsys.readouterr()
    assert why in err
    assert CANARY not in out + err


def test_nobody_is_told_that_a_person_said_no(told, hook, monkeypatch):
    """Declining does nothing, so there is nothing to tell; without a terminal it is a failed run."""
    project = told("on: [success, changes, failure]")

    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr("sys.stdin", Terminal("no\n"))
    monkeypatch.setattr("sys.stderr", Terminal())
    assert project.cli("apply") == 1
    assert hook.posted == []
    monkeypatch.undo()
    assert CANARY not in str(hook.posted)


@pytest.fixture
def service(told, hook, monkeypatch):
    """A service that runs a cycle when asked."""
    import click

    from ekomi_reconcile.cli.options import Globals
    from ekomi_reconcile.cli.run import _Service
    from ekomi_reconcile.service import Metrics

    project = told("on: [success, failure]")
    context = click.Context(click.Command("run"), obj=Globals(chdir=project.folder))
    with context:
        yield _Service(StopSignal(), Metrics(), 0.0, None)


def test_each_cycle_that_did_something_is_told(service, hook):
    """One that found nothing to do is not; a cycle that failed is told, with the files read last."""
    service.cycle()
    service.cycle()
    assert [(each["command"], each["outcome"], each["counts"]["sent"]) for each in hook.posted] == [
        ("run", "success", 1)
    ]
    project = service.good.root
    (project / "accounts.d" / "28374.yaml").write_text("name: [")
    service.cycle()
    last = hook.posted[-1]
    assert (last["outcome"], last["failures"][0]["subject"]) == ("failed", "run")
    assert "the last good files stay in force" in last["failures"][0]["message"]


def test_a_failing_hook_of_a_service_is_a_warning_in_its_log(service, hook, capsys):
    """The cycle is what it was."""
    hook.statuses = [410]
    assert service.cycle().outcome == "ok"
    told = capsys.readouterr().err
    assert "was not told: the webhook answered HTTP 410" in told
    assert CANARY not in told
