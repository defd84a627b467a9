"""Plans as JSON and back."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from plan_examples import empty_plan, full_plan, schedule

from ekomi_reconcile.model.errors import PlanInvalid, PlanStale
from ekomi_reconcile.model.invitation import ScheduleStep
from ekomi_reconcile.plan.codec import digest, to_json
from ekomi_reconcile.plan.document import plan_schema
from ekomi_reconcile.plan.plan import InvitationSteps
from ekomi_reconcile.plan.saved_plan import decode, encode
from ekomi_reconcile.plan.steps import Steps


@pytest.mark.parametrize("plan", [full_plan(), empty_plan(), empty_plan(lineage=None, git_commit="a" * 40)])
def test_a_plan_survives_the_round_trip(plan):
    """Encoded, decoded and encoded again, a plan is the same text, and its digest comes out."""
    text = encode(plan)
    saved = decode(text)
    assert encode(saved.plan) == text
    assert saved.digest == json.loads(text)["digest"]
    assert saved.plan.summary == plan.summary


@given(
    st.lists(
        st.builds(
            schedule,
            st.integers(1, 2**53),
            interface_id=st.from_regex("[0-9]{1,20}", fullmatch=True),
            number=st.text(max_size=20),
            store_view=st.none() | st.text(max_size=10),
            scheduled_at=st.integers(0, 4_000_000_000),
            customer=st.none() | st.text("0123456789abcdef", min_size=32, max_size=32),
            rule_change=st.booleans(),
        ),
        max_size=20,
    )
)
def test_any_steps_survive_the_round_trip(found):
    """Whatever an order's number or store view is called, the steps come back as they were."""
    steps = Steps(ScheduleStep)
    for each in found:
        steps.append(each)
    plan = empty_plan(
        invitations=InvitationSteps(schedule=steps), names={each.interface_id: "X" for each in found}
    )
    assert list(decode(encode(plan)).plan.invitations.schedule) == found


@pytest.mark.parametrize("plan", [full_plan(), empty_plan()])
def test_a_plan_fits_its_schema(plan):
    """What is written validates against the published schema."""
    Draft202012Validator(plan_schema()).validate(json.loads(encode(plan)))


def test_an_edited_body_is_refused():
    """Any change of the body after it was made is noticed by the digest."""
    text = encode(full_plan()).replace(b'"order_id": 3', b'"order_id": 4')
    with pytest.raises(PlanStale, match="changed after it was made"):
        decode(text)


def test_a_higher_major_version_is_refused_and_a_minor_one_is_read():
    """Minor versions only add; unknown keys are ignored."""
    body = {**msgspec.to_builtins(to_json(full_plan())), "format_version": "1.9", "new_key": {"of": "later"}}
    decode(json.dumps({**body, "digest": digest(body), "signature": None}).encode())
    body["format_version"] = "2.0"
    with pytest.raises(PlanInvalid, match=r"format 2\.0"):
        decode(json.dumps({**body, "digest": digest(body), "signature": None}).encode())


def test_a_plan_of_the_first_format_is_read():
    """Format 1.0 does not count what is waiting: the schema lets it out, and it is 0."""
    body = {**msgspec.to_builtins(to_json(empty_plan())), "format_version": "1.0"}
    del body["summary"]["waiting"], body["invitations"]["waiting"]
    text = json.dumps({**body, "digest": digest(body), "signature": None}).encode()
    assert decode(text).plan.summary.waiting == 0


@given(
    st.binary(max_size=200)
    | st.recursive(st.none() | st.text() | st.integers(), st.lists).map(json.dumps).map(str.encode)
)
def test_no_text_breaks_the_reader(text):
    """Whatever the file holds, it is a plan or refused in words."""
    with pytest.raises((PlanInvalid, PlanStale)):
        decode(text)


@given(st.data())
def test_a_plan_with_parts_missing_is_refused_in_words(data):
    """A body without one of its keys, though with a fitting digest, is refused and not a crash."""
    body = msgspec.to_builtins(to_json(full_plan()))
    del body[data.draw(st.sampled_from(sorted(set(body) - {"summary", "tool_version"})))]
    with pytest.raises((PlanInvalid, PlanStale)):
        decode(json.dumps({**body, "digest": digest(body), "signature": None}).encode())
