"""Small projects from public reports: each is run as somebody would, and gives the right answer."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from project_support import PASSWORDS, Project

CASES = Path(__file__).parent
SHARED_SETTINGS = (
    "version: 1\n"
    "orders: {{file: {file}}}\n"
    "ekomi: {{api_url: {url}/v3, srr_url: {url}, requests_per_second: 1000, timeout: 5s}}\n"
)


@pytest.fixture
def case(tmp_path, sandbox, monkeypatch, request):
    """A copy of the folder that the test's parameter names, on a sandbox of its own."""
    monkeypatch.setenv("PW", PASSWORDS["28374"])
    monkeypatch.delenv("CI", raising=False)
    folder = tmp_path / "project"
    shutil.copytree(CASES / request.param, folder)
    settings = folder / "ekomi-reconcile.yaml"
    if settings.exists():
        text = settings.read_text("utf-8")
        settings.write_text(text.replace("http://127.0.0.1:@PORT@", sandbox.url), "utf-8")
    return Project(folder)


def on(name):
    """Run the test on this case."""
    return pytest.mark.parametrize("case", [name], indirect=True)


def sent(sandbox):
    """Number and address of every request that eKomi got."""
    return sorted((each.transaction_id, each.email) for each in sandbox.world.outbox.entries())


def planned(case, capsys, *, code=0):
    """The plan, and its diagnostics by rule."""
    capsys.readouterr()
    assert case.cli("plan", "--format", "json") == code
    plan = json.loads(capsys.readouterr().out)
    rules = {}
    for each in plan["diagnostics"]:
        rules.setdefault(each["rule"], []).append(each)
    return plan, rules


def listed(case, capsys):
    """Status and reason of every invitation, by order number."""
    capsys.readouterr()
    assert case.cli("invitations", "list", "--format", "json") == 0
    return {each["order"]: (each["status"], each["reason"]) for each in json.loads(capsys.readouterr().out)}


@on("addresses-nobody-has")
def test_addresses_nobody_has(case, sandbox, capsys):
    """Four addresses are not usable; the fifth has spaces around it, and is used without them."""
    plan, _ = planned(case, capsys)
    assert plan["invitations"]["not_invited"] == {"Germany": {"deliverable": 4}}
    assert case.cli("apply", "--auto-approve") == 0
    assert sent(sandbox) == [("100000005", "c5@example.com")]


@on("csv-cr-line-ends")
def test_csv_with_carriage_returns(case, sandbox, capsys):
    """Both orders are read, planned, explained and sent."""
    assert case.cli("apply", "--auto-approve") == 0
    assert [number for number, _ in sent(sandbox)] == ["100000001", "100000002"]
    assert case.cli("explain", "100000001") == 0
    assert case.cli("doctor") == 0


@on("dates-before-the-order")
def test_dates_before_the_order(case, capsys):
    """No date before the order date counts: nobody is due before the order date and 14 days."""
    plan, rules = planned(case, capsys)
    due = [each["scheduled_at"] for each in plan["invitations"]["schedule"]]
    assert len(due) == 5
    assert min(due) == "2026-12-04T10:00:00Z"
    assert "100000001: updated_at" in rules["evidence-before-order"][0]["summary"]


@on("excluded-group-known-by-id")
def test_a_group_known_by_id(case, sandbox, capsys):
    """Without the mapping a warning of plan and doctor; with it the group is excluded."""
    _, rules = planned(case, capsys)
    assert "(5)" in rules["nameless-customer-group"][0]["summary"]
    case.cli("doctor")
    assert "orders.customer_groups: {5: NAME}" in capsys.readouterr().out
    case.settings(
        (case.folder / "ekomi-reconcile.yaml")
        .read_text()
        .replace("{file: orders.jsonl}", "{file: orders.jsonl, customer_groups: {5: B2B}}")
    )
    plan, rules = planned(case, capsys)
    assert plan["invitations"]["not_invited"] == {"Germany": {"customer_group": 1}}
    assert rules == {}
    assert case.cli("apply", "--auto-approve") == 0
    assert sent(sandbox) == []


OTHER_OBJECTS = (
    None,
    {},
    {"orders": [{"id": 1, "email": "c1@example.com"}]},
    {"order": {}},
    {"data": {"value": {}}},
)


@pytest.mark.sampled(3)
@pytest.mark.parametrize("document", OTHER_OBJECTS, ids=lambda each: "message" if each is None else str(each))
@on("json-no-orders")
def test_json_without_orders(case, sandbox, capsys, document):
    """The file is refused by plan, apply and doctor; exit 1."""
    if document is not None:
        (case.folder / "orders.json").write_text(json.dumps(document))
    plan, rules = planned(case, capsys, code=1)
    assert "an object with neither items nor entity_id" in rules["orders-unreadable"][0]["summary"]
    assert not plan["complete"]
    assert case.cli("apply", "--auto-approve") == 1
    assert case.cli("doctor") == 1
    assert sent(sandbox) == []


@on("mangled-numbers")
def test_numbers_changed_by_a_spreadsheet(case, sandbox, capsys):
    """Every line is an error with its place, and nobody is invited under a wrong number."""
    _, rules = planned(case, capsys, code=1)
    assert [each["range"]["start"]["line"] for each in rules["order-unreadable"]] == [2, 3, 4, 5, 6]
    assert case.cli("apply", "--auto-approve") == 1
    assert sent(sandbox) == []


@on("refunded-but-complete")
def test_a_refunded_order_that_is_complete(case, sandbox, capsys):
    """It is not invited, whatever its status."""
    plan, _ = planned(case, capsys)
    assert plan["invitations"]["not_invited"] == {"Germany": {"refunded": 1}}
    assert case.cli("apply", "--auto-approve") == 0
    assert sent(sandbox) == []


@on("row-per-item")
def test_a_row_per_item(case, sandbox, capsys):
    """The file is refused, with the key that would read it; nobody is judged by a first row alone."""
    _, rules = planned(case, capsys, code=1)
    assert "items: per_row" in str(rules["orders-unreadable"])
    assert case.cli("apply", "--auto-approve") == 1
    assert sent(sandbox) == []


@on("rule-on-absent-field")
def test_a_rule_on_an_absent_field(case, capsys):
    """Plan and doctor name the field and the account whose rule asks for it."""
    _, rules = planned(case, capsys)
    said = rules["absent-field"][0]["summary"]
    assert "Germany" in said
    assert "no order has payment_method" in said
    case.cli("doctor")
    assert "no order has payment_method" in capsys.readouterr().out


@on("same-number-two-stores")
def test_one_number_in_two_stores(case, sandbox, capsys):
    """One is invited, the other named in a warning; explain shows why."""
    plan, rules = planned(case, capsys)
    assert plan["invitations"]["not_invited"] == {"Germany": {"duplicate_number": 1}}
    (warning,) = rules["duplicate-number"]
    assert "order id 1" in warning["summary"]
    assert "order id 2" in warning["summary"]
    assert case.cli("apply", "--auto-approve") == 0
    assert sent(sandbox) == [("000000123", "c1@example.com")]
    capsys.readouterr()
    assert case.cli("explain", "#2", "--format", "json") == 0
    (account,) = json.loads(capsys.readouterr().out)["accounts"]
    assert account["reason"] == "duplicate_number"
    failed = [each for each in account["criteria"] if each["criterion"] == "duplicate_number"]
    assert [each["ok"] for each in failed] == [False]
    assert "order id 1" in failed[0]["value"]


@pytest.mark.sampled(2)
@on("status-returned-second-look")
@pytest.mark.parametrize("named", [True, False])
def test_a_status_that_ends_an_order(case, sandbox, capsys, named):
    """With cancel_statuses nobody is invited; without it the orders whose words say so are cancelled."""
    account = case.folder / "accounts.d" / "de.yaml"
    if named:
        account.write_text(f"{account.read_text()}  cancel_statuses: [returned, refunded, Geschlossen]\n")
    assert case.cli("apply", "--auto-approve") == 0
    shutil.copy(case.folder / "orders.2.jsonl", case.folder / "orders.jsonl")
    account.write_text(account.read_text().replace("pending_period: 365", "pending_period: 0"))
    assert case.cli("apply", "--auto-approve") == 0
    found = listed(case, capsys)
    assert found["100000002"] == ("cancelled", "order_status: closed")
    assert found["100000004"] == ("cancelled", "order_status: refunded")
    assert {found[number][0] for number in ("100000001", "100000003")} == {"cancelled" if named else "sent"}
    assert case.cli("explain", "100000001") == 0
    assert "returned" in capsys.readouterr().out


@on("suppress-lines")
def test_a_list_with_unclear_lines(case, sandbox, capsys):
    """Every line but the quoted address is an error with its place; nobody is invited."""
    for command in (["validate"], ["suppress", "list"], ["plan"], ["apply", "--auto-approve"], ["doctor"]):
        capsys.readouterr()
        assert case.cli(*command) == 1
        said = "".join(capsys.readouterr())
        assert [number for number in range(1, 9) if f"opt.csv:{number}" not in said] == [3]
    assert sent(sandbox) == []


@on("conflict-markers")
def test_conflict_markers(case, capsys):
    """They are named, with the line of the first."""
    assert case.cli("validate") == 1
    said = "".join(capsys.readouterr())
    assert "a.yaml:5:1" in said
    assert "git conflict markers: resolve them" in said


@on("configmap-mount")
def test_a_mounted_config_map(case, capsys):
    """Each account is found once, through the link that has its name."""
    data = case.folder / "accounts.d" / "..2026_11_30_13_00_00.1"
    data.mkdir(parents=True)
    (case.folder / "germany.yaml").rename(data / "germany.yaml")
    (data.parent / "..data").symlink_to(data.name)
    (data.parent / "germany.yaml").symlink_to("..data/germany.yaml")
    assert case.cli("validate") == 0
    assert "Valid: 1 account" in capsys.readouterr().out


@on("hidden-files")
def test_hidden_files(case, capsys):
    """Names that begin with a dot are no account files: for validate, fmt, and fmt with a folder."""
    (case.folder / "accounts.d" / ".#a.yaml").symlink_to("me@host.4711:1")
    for command in (["validate"], ["fmt", "--check"], ["fmt", "--check", "accounts.d"]):
        assert case.cli(*command) == 0
    assert "Valid: 1 account" in capsys.readouterr().out


@on("chdir-and-config")
@pytest.mark.parametrize("by", ["flags", "variables", "folder"])
def test_chdir_and_config(case, monkeypatch, capsys, by):
    """FILE is relative to DIR, which is applied once."""
    from ekomi_reconcile.cli.main import run

    monkeypatch.chdir(case.folder)
    flags = ["-C", "shops/de", "--config", "proj.yaml"]
    if by == "variables":
        monkeypatch.setenv("EKOMI_RECONCILE_CHDIR", flags[1])
        monkeypatch.setenv("EKOMI_RECONCILE_CONFIG", flags[3])
        flags = []
    if by == "folder":
        monkeypatch.chdir(case.folder / flags[1])
        flags = flags[2:]
    assert run([*flags, "validate"]) == 0


@on("fmt-file-header")
def test_fmt_keeps_the_header_of_a_file(case):
    """Comments on the first lines stay there, though their key moves."""
    assert case.cli("fmt") == 0
    lines = (case.folder / "accounts.d" / "a.yaml").read_text().splitlines()
    assert lines == [
        "# Copyright 2026 Example GmbH",
        "# SPDX-License-Identifier: MIT",
        "name: A",
        'interface_id: "1"',
        "interface_password: ${env:P}",
    ]


@on("fmt-unquotes")
def test_fmt_keeps_quotes_that_protect(case):
    """Quotes around what YAML 1.1 reads as another type stay."""
    before = (case.folder / "accounts.d" / "a.yaml").read_text()
    assert case.cli("fmt") == 0
    assert (case.folder / "accounts.d" / "a.yaml").read_text() == before


def executed(case, *arguments, redirect="", env=None):
    """The real program, started by a shell with this redirection."""
    command = [sys.executable, "-m", "ekomi_reconcile", *arguments]
    return subprocess.run(
        ["sh", "-c", f'exec "$@" {redirect}', "sh", *command],
        cwd=case.folder,
        env=env,
        capture_output=True,
        check=False,
    )


@pytest.mark.slow
@on("output-cannot-be-written")
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_output_that_cannot_be_written(case):
    """A full stdout is named, exit 1; a closed stream is as /dev/null."""
    for command in (["plan", "--offline"], ["validate"]):
        full = executed(case, *command, redirect=">/dev/full")
        assert full.returncode == 1
        assert b"stdout cannot be written: No space left on device" in full.stderr
    assert executed(case, "plan", "--offline", redirect=">&-").returncode == 0
    assert executed(case, "validate", redirect="2>&-").returncode == 0


@pytest.mark.slow
@on("latin1-locale")
def test_an_encoding_that_lacks_characters(case, monkeypatch, sandbox):
    """Plan, apply and help replace what the encoding lacks; apply applies."""
    import os

    account = case.folder / "accounts.d" / "a.yaml"
    account.write_text(account.read_text("utf-8").replace('"1"', '"28374"'), "utf-8")
    case.settings(SHARED_SETTINGS.format(file="orders.jsonl", url=sandbox.url))
    case.orders([])
    environment = {**os.environ, "PYTHONIOENCODING": "latin-1"}
    plan = executed(case, "plan", "--offline", env=environment)
    assert plan.returncode == 0
    assert b'account["K\xf6ln -> ??"]' in plan.stdout
    assert executed(case, "apply", "--auto-approve", env=environment).returncode == 0
    assert case.state.exists()
    assert executed(case, "plan", "--help", env=environment).returncode == 0
