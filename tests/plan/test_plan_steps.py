"""Packed steps."""

from hypothesis import given
from hypothesis import strategies as st
from plan_examples import schedule

from ekomi_reconcile.plan.steps import EXAMPLES, Schedule, Steps

steps_of = st.lists(st.tuples(st.integers(1, 10**6), st.sampled_from("123"), st.booleans()), max_size=60)


def packed(items):
    """The steps and their packed form."""
    found = [schedule(number, interface_id=key, rule_change=change) for number, key, change in items]
    steps = Steps(Schedule)
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


def test_many_steps_stay_small():
    """A hundred thousand steps take less than 150 bytes each."""
    steps = Steps(Schedule)
    for number in range(100_000):
        steps.append(schedule(number))
    assert sum(len(chunk) for chunk in steps._chunks) < 150 * len(steps)
