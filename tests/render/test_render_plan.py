"""The plan as people read it, held to golden files."""

from pathlib import Path

import pytest
from golden import check_golden
from plan_examples import empty_plan, full_plan

from ekomi_reconcile.model.run import Done, Failure, Result
from ekomi_reconcile.plan.plan import AccountChange, Action, Summary
from ekomi_reconcile.plan.saved_plan import encode
from ekomi_reconcile.render.plan_text import plan_text, summary_line
from ekomi_reconcile.render.results import result_text
from ekomi_reconcile.render.tables import Paint

GOLDEN = Path(__file__).parent / "golden"


@pytest.mark.parametrize("colour", [False, True], ids=["plain", "colour"])
def test_a_full_plan_reads_as_approved(colour):
    """Legend, every kind of change and step, warnings and the line of figures stand as approved."""
    name = "plan-full-colour.txt" if colour else "plan-full.txt"
    check_golden(GOLDEN / name, plan_text(full_plan(), Paint(colour)))


def test_a_changed_mapping_shows_only_what_changes():
    """Before and after have their keys in one order, whatever the file and the state have."""
    hours, days = {"hours": "09:00-19:00"}, {"days": ["mon"]}
    pairs = ({**days, **hours}, {"hours": "10:00-19:00", **days})
    before, after = ({"invitations": {"send_between": each}} for each in pairs)
    change = AccountChange(
        action=Action.UPDATE,
        name="A",
        interface_id="1",
        before=before,
        after=after,
        changed=("invitations.send_between",),
    )
    text = plan_text(empty_plan(changes=(change,)), Paint())
    assert '{"days": ["mon"], "hours": "09:00-19:00"} → {"days": ["mon"], "hours": "10:00-19:00"}' in text


def test_an_empty_plan_says_so():
    """Nothing to do is said in one sentence that begins with 'No changes.'."""
    check_golden(GOLDEN / "plan-empty.txt", plan_text(empty_plan(), Paint()))


def test_an_incomplete_plan_never_claims_that_nothing_changes():
    """Where something could not be read, 'No changes.' would be a lie."""
    text = plan_text(empty_plan(complete=False), Paint())
    assert "No changes." not in text
    assert "not complete" in text


def test_the_json_plan_stands_as_approved():
    """The JSON plan has the keys, order and times as approved."""
    check_golden(GOLDEN / "plan-full.json", encode(full_plan()).decode())


def test_the_summary_line_is_the_one_of_the_contract():
    """The last line has the words and the order that scripts look for."""
    summary = Summary(
        add=1, change=1, destroy=0, sync=2, import_=1, schedule=120, reschedule=5, cancel=2, send=37
    )
    assert summary_line(summary) == (
        "Plan: 1 to add, 1 to change, 0 to destroy; 2 to sync, 1 to import; "
        "120 to schedule, 5 to reschedule, 2 to cancel, 37 to send."
    )


def test_control_characters_in_names_cannot_play_tricks():
    """A name with an escape sequence is shown, not obeyed."""
    plan = full_plan(names={"28374": "Ger\x1b[2Jmany"}, changes=(), operations=())
    assert "\x1b" not in plan_text(plan, Paint())


def test_a_result_with_every_figure_stands_as_approved():
    """Failures, what was not tried, every figure, and the summary line."""
    result = Result(counts={each: number for number, each in enumerate(Done, start=1)})
    result.failures.append(Failure(subject="France: create", message="wrong password", hint="correct it"))
    result.not_tried.append("Norway: 3 due invitations not tried: eKomi could not be reached")
    check_golden(GOLDEN / "result-full.txt", result_text(result, Paint(), complete=True))


def test_a_good_result_is_one_line():
    """A run without failures ends with one line of figures."""
    assert result_text(Result(), Paint(), complete=True).startswith("Apply complete. 0 added")
    assert result_text(Result(), Paint(), complete=False).startswith("Apply incomplete.")
