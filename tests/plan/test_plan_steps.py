"""Packed steps."""

import tempfile
import tracemalloc
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st
from plan_examples import NOW, empty_plan, schedule

from ekomi_reconcile.model.instant import DAY
from ekomi_reconcile.model.invitation import ScheduleStep
from ekomi_reconcile.plan.plan import InvitationSteps
from ekomi_reconcile.plan.saved_plan import decode, encode
from ekomi_reconcile.plan.steps import EXAMPLES, IN_MEMORY, Steps

steps_of = st.lists(st.tuples(st.integers(1, 10**6), st.sampled_from("123"), st.booleans()), max_size=60)


def packed(items):
    """The steps and their packed form."""
    found = [schedule(number, interface_id=key, rule_change=change) for number, key, change in items]
    steps = Steps(ScheduleStep)
    for each in found:
        steps.append(each)
    return found, steps


@given(steps_of)
def test_packed_steps_are_the_steps(items):
    """Order, number, counts per account and by cause are those of the steps put in."""
    found, steps = packed(items)
    assert list(steps) == found
    assert len(steps) == len(found)
    assert [each for batch in steps.batches(7) for each in batch] == found
    assert steps.by_rule_change == sum(change for _, _, change in items)
    assert dict(steps.by_account) == {key: sum(k == key for _, k, _ in items) for _, key, _ in items}


@given(steps_of, steps_of)
def test_joined_steps_are_both(first, second):
    """Joining keeps everything in order, and the first examples of each account."""
    one, steps = packed(first)
    two, more = packed(second)
    steps.extend(more)
    assert list(steps) == one + two
    for key in "123":
        assert (
            steps.examples.get(key, []) == [each for each in one + two if each.interface_id == key][:EXAMPLES]
        )


@given(
    st.lists(st.tuples(st.sampled_from("123"), st.sampled_from(["1", None]), st.booleans()), max_size=40),
    st.integers(0, 40),
)
def test_what_is_counted_of_steps_is_the_same_in_any_way(items, cut):
    """Orders that change the account, and examples of later times, survive joining and saving."""

    def made(some):
        steps = Steps(ScheduleStep, NOW)
        for number, (key, giver, due) in some:
            when = NOW if due else NOW + DAY
            step = schedule(number, interface_id=key, released_by=giver, scheduled_at=when)
            steps.append(step)
        return steps

    numbered = list(enumerate(items, start=1))
    joined = made(numbered[:cut])
    joined.extend(made(numbered[cut:]))
    kept = joined.without(lambda step: False)
    saved = decode(encode(empty_plan(invitations=InvitationSteps(schedule=joined)))).plan.invitations.schedule
    for steps in (joined, kept, saved):
        assert steps.released == Counter(("1", key) for key, giver, _ in items if giver)
        later = [each for each in joined if each.scheduled_at > NOW]
        for key in "123":
            expected = [each for each in later if each.interface_id == key][:EXAMPLES]
            assert steps.examples.get(key, []) == expected


MANY = 50_000


def many():
    """As many steps as a shop has in a month or two."""
    steps = Steps(ScheduleStep)
    for number in range(MANY):
        steps.append(schedule(number))
    return steps


def test_many_steps_take_little_memory():
    """They are in a file without a name: what is left at hand is a few bytes each."""
    tracemalloc.start()
    steps = many()
    used = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert used < IN_MEMORY + 10 * MANY
    assert [each.order_id for each in steps] == [schedule(number).order_id for number in range(MANY)]


def test_two_readers_of_many_steps_do_not_disturb_each_other():
    """Each goes through all of them, however they take turns."""
    steps = many()
    assert all(one == other for one, other in zip(steps, steps, strict=True))


def test_without_room_for_a_file_steps_stay_in_memory(monkeypatch, tmp_path):
    """A disk that takes nothing loses no step."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    assert len(list(many())) == MANY
