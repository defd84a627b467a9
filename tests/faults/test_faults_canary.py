"""A canary password and a canary customer go through everything, and are seen nowhere."""

import json
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
from faults_support import PASSWORD, PERSON, within

from ekomi_reconcile.cli.main import app
from ekomi_reconcile.sandbox.shops import Fault

SERVERS = {"sandbox", "demo", "run"}
"""Commands that go on until they are stopped, or have a project of their own."""

ARGUMENTS = {
    "accounts show": ("Germany",),
    "accounts open": ("Germany", "--print"),
    "invitations show": ("100000001",),
    "invitations history": ("100000001",),
    "invitations skip": ("100000003",),
    "invitations unskip": ("100000003",),
    "invitations push": ("100000003",),
    "invitations retry": ("100000002",),
    "invitations resolve": ("100000004", "--resend"),
    "explain": ("100000001",),
    "plan": ("--out", "plan.json"),
    "apply": ("--auto-approve",),
    "schema": ("plan",),
    "reviews export": ("--format", "csv"),
    "privacy erase": (PERSON["customer_email"],),
    "privacy export": (PERSON["customer_email"],),
}
ANSWERS_WITH_DATA = {"privacy export", "privacy erase", "suppress add"}
"""Commands that are given a customer's address, and may repeat it."""

ECHO = (
    f"ERROR: {PERSON['customer_email']} {PERSON['customer_firstname']} {PERSON['customer_lastname']} "
    f"{PASSWORD} (auth=28374|{PASSWORD})"
)


def leaves(group, path=()):
    """All commands with their groups' names, and whether they know --format json."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from leaves(command, (*path, name))
        else:
            forms = [each for each in command.params if "--format" in each.opts]
            yield " ".join((*path, name)), bool(forms) and "json" in forms[0].type.choices


def commands():
    """Every command line to try: each command as text, and as JSON where it can."""
    for name, json_too in leaves(app):
        if name.split()[0] in SERVERS | ANSWERS_WITH_DATA or name in ANSWERS_WITH_DATA:
            continue
        arguments = (*name.split(), *ARGUMENTS.get(name, ()))
        yield arguments
        if json_too:
            yield (*arguments, "--format", "json")


@pytest.mark.sampled(2)
@pytest.mark.parametrize("form", ["text", "json"])
def test_no_command_tells_a_secret_or_a_customer(trial, sandbox, capsys, form):
    """Every command, verbose, after successes and failures: nothing on stdout, on stderr or in any file."""
    trial.orders(german=6)
    for skip, fault in enumerate(({"kind": "bare_text", "body": ECHO}, {"kind": "status", "body": ECHO})):
        sandbox.world.fault(Fault(match="add-recipient", count=1, skip=1 + skip, **fault))
    assert trial.project.cli("-vv", "--log-format", form, "apply", "--auto-approve") == 1
    told = capsys.readouterr()
    assert trial.leaks(told.out, told.err) == set()
    sandbox.world.fault(Fault(match="getSettings", kind="bare_text", body=f"ERROR: {PASSWORD}"))
    done = 0
    for arguments in commands():
        code = trial.project.cli("-vv", "--log-format", form, *arguments)
        told = capsys.readouterr()
        assert "internal error" not in told.err, arguments
        assert trial.leaks(told.out, told.err) == set(), arguments
        done += code == 0
    assert done > 20


def test_wrong_settings_tell_no_secret(trial, capsys, monkeypatch):
    """A password with blanks, a wrong address, an unreadable order: the messages hold no value."""
    trial.orders()
    monkeypatch.setenv("PASSWORD_28374", f" {PASSWORD} ")
    assert trial.apply() == 1
    monkeypatch.setenv("PASSWORD_28374", PASSWORD)
    trial.settings(srr=f"http://user:{PASSWORD}@127.0.0.1:9")
    trial.project.cli("-vv", "apply", "--auto-approve")
    with (trial.project.folder / "orders.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps({"entity_id": "x", **PERSON}) + "\n")
    trial.settings()
    trial.apply()
    told = capsys.readouterr()
    assert trial.leaks(told.out, told.err) == set()


@pytest.mark.slow
def test_a_killed_run_leaves_no_customer_behind(trial, sandbox):
    """State, write-ahead log, lock and cache of a killed process hold neither secret nor customer."""
    trial.orders(german=4)
    sandbox.world.fault(Fault(match="add-recipient", kind="latency", seconds=60))
    trial.project.settings(
        (trial.project.folder / "ekomi-reconcile.yaml").read_text().replace("timeout: 1s", "timeout: 30s")
    )
    root = Path(__file__).parents[2]
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "ekomi_reconcile",
            "-vv",
            "-C",
            str(trial.project.folder),
            "apply",
            "--auto-approve",
        ],
        cwd=root,
        env=dict(os.environ),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert within(lambda: "sending" in trial.statuses().values(), seconds=30)
    finally:
        process.kill()
        out, errors = process.communicate()
    assert trial.state.with_name("state.db-wal").stat().st_size > 0
    assert trial.leaks(out, errors) == set()
