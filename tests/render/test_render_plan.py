"""The plan as people read it, held to golden files."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from golden import check_golden
from plan_examples import empty_plan, full_plan, large_plan, small_plan

from ekomi_reconcile.model.run import Done, Failure, Result, figures_of
from ekomi_reconcile.plan.plan import AccountChange, Action, Scope, Summary
from ekomi_reconcile.plan.saved_plan import decode, encode
from ekomi_reconcile.render.plan_summary import headline, stake_text, summary_line
from ekomi_reconcile.render.plan_text import plan_text
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
    assert "    send_between.hours  09:00-19:00 → 10:00-19:00\n" in text
    assert "days" not in text


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize(
    ("name", "plan", "full"),
    [
        ("5", small_plan, False),
        ("200", large_plan, False),
        ("200-full", large_plan, True),
        ("full", full_plan, False),
    ],
)
def test_a_plan_fits_the_terminal(name, plan, full, width):
    """The consequence comes first; no line but the last, which programs read, is wider than the terminal."""
    text = plan_text(plan(), Paint(), width=width, full=full)
    if name in ("5", "200"):
        check_golden(GOLDEN / f"plan-{name}-{width}.txt", text)
    *lines, last = text.splitlines()
    assert max(map(len, lines)) <= width
    assert last.startswith("Plan: ")
    assert text.count("accounts.d/shop-") == (200 if full else 0)


@pytest.mark.parametrize("plan", [small_plan, large_plan, full_plan])
def test_a_plan_that_was_saved_reads_the_same(plan):
    """Nothing that the text needs is lost in the file."""
    made = replace(plan(), operations=())
    assert plan_text(decode(encode(made)).plan, Paint(), full=True) == plan_text(made, Paint(), full=True)


def test_an_order_is_listed_once():
    """An invitation that is moved and sent is among those that are sent, and nowhere else."""
    text = plan_text(small_plan(), Paint())
    numbers = re.findall(r"^ +(\d{9}) ", text, re.MULTILINE)
    assert len(numbers) == len(set(numbers)) > 8
    assert "now 7 · later 4 · no customer lost" in text


def test_the_consequence_has_no_zeros():
    """What does not happen is not mentioned; where no customer is concerned it says that."""
    assert re.search(r"\b0\b", headline(small_plan())) is None
    assert headline(small_plan()).startswith(
        "1 account deleted, 1 changed, 1 added · 7 customers invited now"
    )
    only = AccountChange(action=Action.UPDATE, name="A", interface_id="1", changed=("tags",))
    assert headline(empty_plan(changes=(only,))) == "1 account changed · no customer affected"


@pytest.mark.parametrize(
    ("changed", "ending"),
    [
        ({"complete": False}, "1 account changed · not complete"),
        ({"scope": Scope(offline=True)}, "1 account changed · customers not counted"),
        ({"scope": Scope(refresh_only=True)}, "1 account changed · customers not counted"),
        ({"scope": Scope(base="main")}, "1 account changed · customers not counted"),
    ],
)
def test_nobody_is_said_to_be_unaffected_who_was_not_counted(changed, ending):
    """Where orders were not read, or could not be, the text makes no claim about customers."""
    only = AccountChange(action=Action.UPDATE, name="A", interface_id="1", changed=("tags",))
    plan = empty_plan(changes=(only,), **changed)
    assert headline(plan) == ending
    assert "no customer" not in plan_text(plan, Paint())


@pytest.mark.parametrize(
    ("plan", "sending", "question"),
    [
        (small_plan(), True, "Delete 1 account and invite 7 customers now? This cannot be undone."),
        (small_plan(), False, "Delete 1 account?"),
        (large_plan(), True, "Invite 594 customers now? This cannot be undone."),
        (large_plan(), False, "Apply this plan? No customer is invited now."),
        (
            full_plan(),
            True,
            "Delete 1 account, replace 1 account and invite 1 customer now? This cannot be undone.",
        ),
    ],
)
def test_the_prompt_states_the_stake(plan, sending, question):
    """Before anybody types yes, they read how many customers and accounts it is about."""
    assert stake_text(plan, sending=sending) == question


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


def failed_result():
    """A run in which much went wrong."""
    result = Result(counts={each: number for number, each in enumerate(Done, start=1)})
    for name in ("France", "Norway", "Spain", "Italy", "Poland"):
        result.failures.append(Failure(subject=f"{name}: sync", message="HTTP 503", hint="try later"))
    result.failures.append(
        Failure(subject="Germany: send 100000001", message="no complete answer", in_doubt=True)
    )
    result.failures.append(Failure(subject="Austria: create", message="wrong password", hint="correct it"))
    result.not_tried.append("Norway: 3 due invitations not tried: eKomi could not be reached")
    return result


def test_a_result_with_every_figure_stands_as_approved():
    """What there is to know, then failures by their message, the next commands, and the figures."""
    check_golden(GOLDEN / "result-full.txt", result_text(failed_result(), Paint(), complete=True))


@pytest.mark.parametrize("width", [80, 120])
def test_a_result_fits_the_terminal(width):
    """Long messages and hints are broken between words; the last line, of figures, is whole."""
    result = failed_result()
    message = "an answer that says neither yes nor no, as a proxy in between writes it: Bad Gateway " * 2
    hint = "find out with eKomi whether the customer got the request, then `invitations resolve ID --sent`"
    result.failures.append(Failure(subject="Italy: import", message=message.strip(), hint=hint))
    text = result_text(result, Paint(), complete=True, width=width)
    check_golden(GOLDEN / f"apply-{width}.txt", text)
    *lines, last = text.splitlines()
    assert max(map(len, lines)) <= width
    assert last.startswith("Apply incomplete. ")


def test_what_may_have_been_sent_is_not_called_failed():
    """A send without a clear answer is unknown: in the text, and in the figures of the run."""
    text = result_text(failed_result(), Paint(), complete=True)
    assert "unknown: Germany: send 100000001: no complete answer" in text
    assert "failed: Germany" not in text
    assert figures_of(failed_result(), {}).failures == 6


def test_a_good_result_is_one_line():
    """A run without failures ends with one line of figures."""
    assert result_text(Result(), Paint(), complete=True).startswith("Apply complete. 0 added")
    assert result_text(Result(), Paint(), complete=False).startswith("Apply incomplete.")
