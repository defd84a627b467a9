"""Safety limits and their overrides."""

from dataclasses import replace

import pytest
from plan_examples import empty_plan, schedule

from ekomi_reconcile.model.errors import GuardRefused
from ekomi_reconcile.model.invitation import ScheduleStep
from ekomi_reconcile.plan.diff import Allowed, Limits, accepting, enforce, judge
from ekomi_reconcile.plan.plan import AccountChange, Action, InvitationSteps
from ekomi_reconcile.plan.steps import Steps
from ekomi_reconcile.render.plan_text import plan_text
from ekomi_reconcile.render.tables import Paint

LIMITS = Limits(max_delete_percent=30, max_sends=10, max_schedules=10)


def deleting(count, *, blocked=0):
    """A plan that deletes so many accounts; some of them are protected."""
    return empty_plan(
        changes=tuple(
            AccountChange(
                action=Action.DELETE,
                name=f"N{key}",
                interface_id=str(key),
                blocked="protected" if key < blocked else None,
            )
            for key in range(count)
        )
    )


def scheduling(count, *, rule_change=True):
    """A plan that schedules so many invitations."""
    steps = Steps(ScheduleStep)
    for number in range(count):
        steps.append(schedule(number, rule_change=rule_change))
    return empty_plan(invitations=InvitationSteps(schedule=steps))


@pytest.mark.parametrize(
    ("deletes", "accounts", "refused"),
    [(0, 10, False), (3, 10, False), (4, 10, True), (1, 1, True), (2, 2, True), (1, 3, True), (1, 4, False)],
)
def test_deletes_are_limited_in_percent_and_all_of_them_always(deletes, accounts, refused):
    """More than the percentage is refused, exactly the percentage passes, all of them never do."""
    assert bool(judge(deleting(deletes), LIMITS, accounts_in_state=accounts)) is refused


def test_all_of_them_are_refused_even_at_one_hundred_percent():
    """A folder that vanished must not empty the state, whatever the limit says."""
    limits = Limits(max_delete_percent=100, max_sends=1, max_schedules=1)
    (guard,) = judge(deleting(2), limits, accounts_in_state=2)
    assert guard.override == "--allow-deletes 2"


@pytest.mark.parametrize(
    ("plan", "flag", "count"),
    [
        (deleting(4), "deletes", 4),
        (scheduling(11), "schedules", 11),
        (
            replace(empty_plan(), invitations=InvitationSteps(deferred=12, due_by_rule_change=12)),
            "sends",
            12,
        ),
    ],
)
def test_only_the_exact_override_is_shown_as_accepted(plan, flag, count):
    """With another number, another flag or none a plan still says that apply will refuse."""
    judged = replace(plan, guards=judge(plan, LIMITS, accounts_in_state=4))
    assert [each.accepted for each in judged.guards] == [False]
    for given in ({}, {flag: count + 1}, {"deletes": 99, "schedules": 99, "sends": 99}):
        assert "apply will refuse" in plan_text(accepting(judged, Allowed(**given)), Paint())
    text = plan_text(accepting(judged, Allowed(**{flag: count})), Paint())
    assert "apply will refuse" not in text
    assert f"accepted with --allow-{flag} {count}" in text


@pytest.mark.parametrize(("deletes", "refused"), [(0, False), (1, True), (3, True)])
def test_every_delete_is_refused_while_a_file_is_empty(deletes, refused):
    """An account file that lost its content is more likely an accident, whatever the percentage."""
    limits = Limits(max_delete_percent=100, max_sends=1, max_schedules=1, empty_files=("accounts.d/de.yaml",))
    guards = judge(deleting(deletes), limits, accounts_in_state=100)
    assert bool(guards) is refused
    if refused:
        assert guards[0].override == f"--allow-deletes {deletes}"
        assert "accounts.d/de.yaml" in guards[0].message


def test_protected_deletes_do_not_count():
    """A delete that will not be done is no delete."""
    assert judge(deleting(4, blocked=2), LIMITS, accounts_in_state=10) == ()


def test_only_a_rule_change_is_held_to_the_schedule_limit():
    """New orders may be many; a configuration change that schedules as many is refused."""
    assert judge(scheduling(11, rule_change=False), LIMITS, accounts_in_state=1) == ()
    (guard,) = judge(scheduling(11), LIMITS, accounts_in_state=1)
    assert guard.override == "--allow-schedules 11"


def test_sends_caused_by_a_rule_change_are_limited():
    """What a rule change makes due at once is refused above max_sends."""
    plan = empty_plan(invitations=InvitationSteps(due_by_rule_change=11, deferred=12))
    (guard,) = judge(plan, LIMITS, accounts_in_state=1)
    assert guard.override == "--allow-sends 12"


def guarded(plan, accounts):
    """The plan with its guards."""
    return empty_plan(
        changes=plan.changes,
        invitations=plan.invitations,
        guards=judge(plan, LIMITS, accounts_in_state=accounts),
    )


def test_an_override_is_the_exact_number():
    """Only the planned number lets a plan pass; the refusal names the flag to type."""
    plan = guarded(deleting(4), 10)
    with pytest.raises(GuardRefused) as refusal:
        enforce(plan, Allowed())
    assert "--allow-deletes 4" in refusal.value.hint
    with pytest.raises(GuardRefused, match="does not fit"):
        enforce(plan, Allowed(deletes=3))
    enforce(plan, Allowed(deletes=4))


def test_a_number_for_something_that_is_not_planned_is_refused():
    """An override left over from another day stops the run."""
    with pytest.raises(GuardRefused, match="the plan has 0"):
        enforce(empty_plan(), Allowed(sends=5))


def test_one_override_does_not_open_another_guard():
    """Each limit has its own override."""
    both = empty_plan(changes=deleting(4).changes, invitations=scheduling(11).invitations)
    plan = guarded(both, 10)
    with pytest.raises(GuardRefused, match="schedule"):
        enforce(plan, Allowed(deletes=4))
    enforce(plan, Allowed(deletes=4, schedules=11))
