"""--concise and --quiet: what is left of a plan."""

import json
import re

import pytest
from plan_examples import empty_plan, full_plan
from project_support import order

from ekomi_reconcile.render.plan_text import PlanDetail, concise_text, plan_in, plan_text
from ekomi_reconcile.render.tables import Paint

COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def test_a_concise_plan_keeps_accounts_and_figures():
    """Every account that changes and every queue that moves has one line; the last line is the same."""
    plan = full_plan()
    lines = concise_text(plan, Paint()).splitlines()
    for change in plan.changes:
        (line,) = [each for each in lines if re.match(rf"[-+~/]+ {re.escape(change.name)}( |$)", each)]
        assert all(field.removeprefix("invitations.") in line for field in change.changed)
    for number in (step.number for step in plan.invitations.schedule):
        assert not any(number in line for line in lines)
    assert lines[-1] == plan_text(plan, Paint()).splitlines()[-1]
    assert len(lines) < len(plan_text(plan, Paint()).splitlines()) / 2


def test_a_concise_plan_keeps_what_stops_it():
    """Guards with what to type, and the heads of warnings without how to hint them."""
    plan = full_plan()
    text = concise_text(plan, Paint())
    assert all(guard.override in text for guard in plan.guards)
    assert all(each.message in text for each in plan.diagnostics)
    assert "hint:" not in text


@pytest.mark.parametrize("detail", PlanDetail)
def test_colour_only_adds(detail):
    """Without its colours a plan is the plan without colour, in every detail."""
    plan = full_plan()
    assert COLOURS.sub("", plan_in(detail, plan, Paint(colour=True))) == plan_in(detail, plan, Paint())


def test_nothing_to_do_is_one_line():
    """A concise plan without changes says so."""
    assert concise_text(empty_plan(), Paint()).splitlines() == [
        "No changes. The state matches the files, and nothing is due."
    ]


@pytest.fixture
def due(project):
    """One account and two orders to ask for."""
    project.account("Germany", "28374", "pending_period: 0")
    project.orders([order(1), order(2)])
    return project


def test_plan_and_apply_take_it(due, capsys):
    """Both show the short plan; JSON is whole in any case."""
    assert due.cli("plan", "--concise") == 0
    shown = capsys.readouterr().out
    assert "+ Germany   now 2\n" in shown
    assert "100000001" not in shown
    assert due.cli("plan", "--concise", "--format", "json") == 0
    assert len(json.loads(capsys.readouterr().out)["invitations"]["send"]) == 2
    assert due.cli("apply", "--concise", "--auto-approve") == 0
    applied = capsys.readouterr().out
    assert applied.startswith(shown.rstrip("\n"))
    assert "2 sent." in applied


@pytest.mark.parametrize("command", ["plan", "apply"])
def test_a_plan_cannot_be_concise_and_full(due, capsys, command):
    """Both flags at once are a mistake of usage."""
    assert due.cli(command, "--concise", "--full") == 64
    assert "--concise and --full cannot be used together" in capsys.readouterr().err


def test_quiet_keeps_the_plan(due, capsys):
    """-q silences everything but results: the plan and the summary are results."""
    assert due.cli("plan") == 0
    loud = capsys.readouterr()
    assert due.cli("plan", "-q") == 0
    quiet = capsys.readouterr()
    assert quiet.out == loud.out
    assert quiet.err == ""
    assert "warning" in loud.err
    assert due.cli("apply", "-q", "--auto-approve") == 0
    assert "Apply complete." in capsys.readouterr().out
