"""Saved plans are not trusted: whatever is changed in one, it is refused, or does what it did before."""

from __future__ import annotations

import copy
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support_loop import DAY, Loop, account, examples, order, shops

from ekomi_reconcile.model import instant
from ekomi_reconcile.model.errors import PlanError, PlanInvalid
from ekomi_reconcile.plan.codec import digest
from ekomi_reconcile.plan.saved_plan import SavedPlan, check_signature, decode
from ekomi_reconcile.state.engine.mark import KeyedDigest, Purpose

Document = dict[str, Any]
KEY, OTHER_KEY = b"k" * 32, b"o" * 32
SIGN = KeyedDigest(KEY, Purpose.PLAN)


def redigested(document: Document) -> bytes:
    """The document with a digest that fits what it says now."""
    body = {key: value for key, value in document.items() if key not in ("digest", "signature")}
    return json.dumps({**document, "digest": digest(body)}).encode()


def recent(key: int, **values: Any) -> Document:
    """A complete order whose pending period of 5 days is over since yesterday."""
    now = instant.now()
    at = {
        name: instant.iso(now - days * DAY)[:19].replace("T", " ")
        for name, days in (("created_at", 8), ("updated_at", 6))
    }
    return order(key, **{**at, **values})


def young(key: int) -> Document:
    """A complete order that is due in four days."""
    return recent(key, updated_at=instant.iso(instant.now() - DAY)[:19].replace("T", " "))


def saved(loop: Loop, *arguments: str) -> Document:
    """The document that ``plan --out`` writes."""
    code, _, said = loop.command("plan", "--out", "plan.json", *arguments)
    assert code == 0, said
    return json.loads((loop.root / "plan.json").read_bytes())


def apply_document(loop: Loop, document: Document | bytes, *arguments: str) -> tuple[int, str]:
    """Apply it; the exit code and everything that was said."""
    text = document if isinstance(document, bytes) else redigested(document)
    (loop.root / "edited.json").write_bytes(text)
    code, out, said = loop.command("apply", "edited.json", *arguments)
    assert "internal error" not in said
    return code, out + said


@pytest.fixture
def used(loop):
    """A project with a state, and orders to schedule and to send."""
    loop.write_accounts([account("9"), account("10", store_views=["at"])])
    assert loop.command("apply", "--auto-approve")[0] == 0
    loop.write_orders([recent(1), young(2)])
    return loop


@pytest.fixture
def new(loop):
    """A project without a state, and orders to schedule and to send."""
    loop.write_accounts([account("9"), account("10", store_views=["at"])])
    loop.write_orders([recent(1), young(2)])
    return loop


def test_a_plan_is_signed_where_there_is_a_state(used):
    """With a state the signature is made with its key; before, and offline, it is null."""
    signature = saved(used)["signature"]
    assert set(signature) == {"key_id", "hmac"}
    assert signature["key_id"] == saved(used)["signature"]["key_id"]
    assert saved(used, "--offline")["signature"] is None
    assert saved(used, "--at", "2030-01-01")["signature"] is not None


def test_a_first_plan_has_no_signature_and_is_applied(new):
    """Where there is no state yet, the saved plan creates it, schedules and sends."""
    document = saved(new)
    assert document["signature"] is None
    assert document["state"]["lineage"] is None
    code, said = apply_document(new, document)
    assert code == 0, said
    assert {row.order_id: row.status.value for row in new.rows()} == {1: "sent", 2: "pending"}
    assert "No changes" in new.command("plan")[1]


EDITS = {
    "sent early": lambda d: d["invitations"]["schedule"][1].update(scheduled_at="2026-01-01T00:00:00Z"),
    "another order": lambda d: d["invitations"]["schedule"][0].update(order_id=77),
    "guards": lambda d: d.update(guards=[{"rule": "x", "message": "x", "override": "--x"}]),
    "another time": lambda d: d.update(created_at="2026-01-02T00:00:00Z"),
    "positions moved": lambda d: [each.update(cursor="9") for each in d["positions"]],
    "another commit": lambda d: d["config"].update(git_commit="x"),
    "complete": lambda d: d.update(complete=not d["complete"]),
}


@pytest.mark.sampled(6)
@pytest.mark.parametrize("edit", EDITS)
@pytest.mark.parametrize("unsigned", [False, True], ids=["signed", "signature removed"])
def test_an_edited_plan_of_a_state_is_refused(used, edit, unsigned):
    """A new digest is not enough, and neither is removing the signature: nothing is written or sent."""
    document = copy.deepcopy(saved(used))
    EDITS[edit](document)
    if unsigned:
        document["signature"] = None
    code, said = apply_document(used, document)
    assert code == 1
    assert "signature" in said or "signed" in said or "stale" in said
    assert used.rows() == []


def test_a_plan_signed_with_another_key_is_refused(used):
    """The id of the key tells that the plan is of another state, whatever lineage it claims."""
    document = saved(used)
    document["signature"]["key_id"] = "0" * 16
    code, said = apply_document(used, document)
    assert code == 1
    assert "signed with another key" in said


@pytest.mark.sampled(5)
@pytest.mark.parametrize(
    ("edit", "left"),
    [
        (lambda d: d["invitations"]["schedule"][1].update(scheduled_at="2026-01-01T00:00:00Z"), {1}),
        (
            lambda d: d["invitations"]["schedule"][1].update(
                scheduled_at="2026-01-01T00:00:00Z", reached_at="2025-12-27T00:00:00Z"
            ),
            {1},
        ),
        (lambda d: d["invitations"]["schedule"][0].update(order_id=77), {2}),
        (lambda d: [each.update(cursor="9", rule_digest="x") for each in d["positions"]], {1, 2}),
        (lambda d: d["invitations"]["schedule"][0].update(customer="f" * 32, store_view="no"), {1, 2}),
    ],
)
def test_a_first_plan_never_does_more_than_the_run_would_do_itself(new, edit, left):
    """Only what this run finds, too, is done; the rest comes with the next run."""
    document = saved(new)
    edit(document)
    code, said = apply_document(new, document)
    assert code == 0, said
    found = {row.order_id: row for row in new.rows()}
    assert set(found) == left
    assert {key for key, row in found.items() if row.status.value == "sent"} == left - {2}
    assert all(row.scheduled_at > instant.now() for key, row in found.items() if key == 2)
    assert new.command("apply", "--auto-approve")[0] == 0
    assert {row.order_id for row in new.rows()} == {1, 2}


def test_a_first_plan_whose_accounts_were_edited_is_refused(new):
    """An account left out of an unsigned plan, or another name in it, is noticed."""
    document = saved(new)
    document["resource_changes"][0]["name"] = "Another"
    code, said = apply_document(new, document)
    assert code == 1
    assert "stale" in said


def test_an_offline_plan_is_applied_by_somebody_who_approves(used):
    """Nobody vouches for it: without a terminal it needs --auto-approve, and it has account changes only."""
    used.write_accounts([account("9", pending_period=6), account("10", store_views=["at"])])
    document = saved(used, "--offline")
    code, said = apply_document(used, document)
    assert code == 1
    assert "--auto-approve" in said
    edited = copy.deepcopy(document)
    edited["resource_changes"][0]["change"]["after"]["priority"] = 5
    assert apply_document(used, edited, "--auto-approve")[0] == 1
    code, said = apply_document(used, document, "--auto-approve")
    assert code == 0, said


def test_a_hypothetical_plan_is_never_applied(used):
    """A plan made with --at says so, as text and as data, and apply refuses it."""
    document = saved(used, "--at", instant.iso(instant.now()))
    assert document["hypothetical"] is True
    assert "hypothetical" in {each["rule"] for each in document["diagnostics"]}
    code, said = apply_document(used, (used.root / "plan.json").read_bytes())
    assert code == 1
    assert "hypothetical" in said
    assert used.rows() == []


def test_an_old_plan_is_stale(used):
    """safety.max_plan_age counts from when the plan was made; it does not change the digest of the files."""
    used.write_project(safety={"max_plan_age": "1s"})
    document = saved(used)
    used.write_project(safety={"max_plan_age": "2w"})
    assert document["config"]["digest"] == saved(used)["config"]["digest"]


def test_guards_are_judged_again_when_a_saved_plan_is_applied(used):
    """Deletes beyond the limit need the override on ``apply PLAN``, too, with exactly the planned number."""
    used.write_accounts([account("10", store_views=["at"])])
    used.write_project(safety={"max_delete_percent": 10})
    document = saved(used)
    code, said = apply_document(used, document)
    assert code == 1
    assert "--allow-deletes 1" in said
    assert apply_document(used, document, "--allow-deletes", "1")[0] == 0


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    ("safety", "override"),
    [({"max_sends": 0}, ("--allow-sends", "1")), ({"max_schedules": 1}, ("--allow-schedules", "2"))],
    ids=["max_sends", "max_schedules"],
)
@pytest.mark.parametrize("edited", [False, True], ids=["as it was", "without its guards"])
def test_a_first_plan_cannot_leave_out_its_guards(new, safety, override, edited):
    """Nobody vouches for a plan without a signature, so its limits are worked out from the steps."""
    new.write_project(safety=safety)
    document = saved(new)
    assert document["guards"]
    if edited:
        document["guards"] = []
    code, said = apply_document(new, document)
    assert code == 1
    assert " ".join(override) in said
    assert not (new.root / "state.db").exists()
    code, said = apply_document(new, document, *override)
    assert code == 0, said


@pytest.mark.sampled(8)
@pytest.mark.parametrize("edited", [False, True], ids=["as it was", "edited"])
@pytest.mark.parametrize("offline", [False, True], ids=["signed", "offline"])
@pytest.mark.parametrize("why", ["protected", "an empty file"])
def test_a_delete_in_a_saved_plan_meets_the_same_limits(used, why, offline, edited):
    """Protection and the rule of the empty file hold for signed and unsigned plans, whatever they say."""
    used.write_project(safety={"max_delete_percent": 100})
    if why == "protected":
        used.write_accounts([account("9"), account("10", store_views=["at"]) | {"protect": True}])
        assert used.command("apply", "--auto-approve", "--no-send")[0] == 0
    else:
        (used.root / "accounts.d" / "empty.yaml").write_text("# nothing\n")
    used.write_accounts([account("9")])
    used.command("plan", "--out", "plan.json", *(["--offline"] if offline else []))
    document = json.loads((used.root / "plan.json").read_bytes())
    if edited:
        document["guards"] = []
        for each in document["resource_changes"]:
            each.pop("blocked", None)
            each["action_reason"] = None
        document["summary"]["destroy"] = sum(
            each["change"]["actions"] == ["delete"] for each in document["resource_changes"]
        )
    code, said = apply_document(used, document, "--auto-approve")
    assert code == 1, said
    assert set(used.names()) == {"9", "10"}
    with used.state() as state:
        assert {each.interface_id for each in state.accounts.read()} == {"9", "10"}


@given(data=st.data())
@examples(25)
def test_any_edit_of_an_unsigned_plan_sends_nothing_early(sandbox, tmp_path_factory, data):
    """Whatever was changed in it: it is refused, or nothing happens that the run would not do itself."""
    shops(sandbox)
    with pytest.MonkeyPatch.context() as patch:
        for key in ("9", "10"):
            patch.setenv(f"LOOP_PASSWORD_{key}", f"password-{key}")
        loop = Loop(tmp_path_factory.mktemp("edited"), sandbox)
        loop.write_accounts([account("9"), account("10", store_views=["at"])])
        loop.write_orders([recent(1), young(2)])
        document = saved(loop)
        for _ in range(data.draw(st.integers(1, 3))):
            edit(document, data.draw)
        with suppress(KeyError, TypeError, AttributeError):
            document = json.loads(redigested(document))
        apply_document(loop, json.dumps(document).encode())
        if (loop.root / "state.db").exists():
            rows = {row.order_id: row for row in loop.rows()}
            assert set(rows) <= {1, 2}
            assert all(row.interface_id == "9" for row in rows.values())
            assert 2 not in rows or rows[2].scheduled_at > instant.now()
        numbers = {each.transaction_id for each in sandbox.world.outbox.entries()}
        assert numbers <= {order(1)["increment_id"]}


def test_nothing_is_sent_where_sending_is_off(used):
    """safety.send: false plans and schedules, and says that due invitations stay pending."""
    used.write_project(safety={"send": False})
    code, out, _ = used.command("plan")
    assert code == 0
    assert "safety.send is false" in out
    document = saved(used)
    assert document["summary"]["send"] == 0
    code, said = apply_document(used, document)
    assert code == 0, said
    assert "safety.send is false" in said
    code, out, said = used.command("apply", "--auto-approve")
    assert code == 0
    assert "safety.send is false" in out + said
    assert {row.status.value for row in used.rows()} == {"pending"}
    used.write_project(safety={})
    assert used.command("apply", "--auto-approve")[0] == 0
    assert {row.order_id for row in used.rows() if row.status.value == "sent"} == {1}


# ------------------------------------------------------------ any edit


ODD = st.sampled_from(
    [
        *(None, True, 0, -1, 1, 2**63, 2**64, 10**400, 1.0, 1e308, [], {}, [[]], {"a": 1}),
        *("", " ", "1e999", "x" * 5000, "\u0000", "complete", "delete", "sha256:" + "0" * 64),
        *("2026-11-30T00:00:00+99:99", "9999-99-99T00:00:00Z", "0001-01-01T00:00:00Z"),
    ]
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every value in a document."""
    found = [path] if path else []
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, each in inner:
        found += places(each, (*path, step))
    return found


def edit(document: Document, draw: Any) -> None:
    """Change, delete or insert one value somewhere."""
    *way, last = draw(st.sampled_from(places(document)))
    parent: Any = document
    for step in way:
        parent = parent[step]
    how = draw(st.sampled_from(["change", "delete", "insert"]))
    if how == "delete":
        del parent[last]
    elif how == "change":
        parent[last] = draw(ODD)
    elif isinstance(parent, list):
        parent.insert(last, copy.deepcopy(parent[last]) if draw(st.booleans()) else draw(ODD))
    else:
        parent[draw(st.sampled_from(["added", "account", "order_id", "scheduled_at"]))] = draw(ODD)


@pytest.fixture(scope="module")
def signed_document(tmp_path_factory) -> Document:
    """A valid plan with steps of all kinds, signed with ``KEY``."""
    from plan_examples import full_plan

    from ekomi_reconcile.plan.saved_plan import encode

    return json.loads(encode(full_plan(), SIGN))


def judged(text: bytes) -> SavedPlan | None:
    """The plan if it would be believed as signed."""
    found = decode(text)
    return found if check_signature(found, SIGN) else None


@pytest.mark.slow
@given(data=st.data())
@examples(300)
def test_any_edit_of_a_signed_plan_is_refused(signed_document, data):
    """Values, types, deletions, insertions, with a new digest or the old one: never believed."""
    document = copy.deepcopy(signed_document)
    for _ in range(data.draw(st.integers(1, 3))):
        edit(document, data.draw)
    if document == signed_document:
        return
    again = data.draw(st.booleans())
    text = redigested(document) if again and "digest" in document else json.dumps(document).encode()
    found = None
    with suppress(PlanError):
        found = judged(text)
    assert found is None


def test_a_plan_of_another_key_is_not_believed(signed_document):
    """The same text is refused where the key is another one."""
    text = json.dumps(signed_document).encode()
    assert judged(text) is not None
    with pytest.raises(PlanInvalid, match="another key"):
        check_signature(decode(text), KeyedDigest(OTHER_KEY, Purpose.PLAN))


WRONG = {
    "invitations.schedule.4.reached_source": (" ", 'expected one of "history", '),
    "invitations.schedule.0.order_id": (2**64, "expected at most 9223372036854775807"),
    "invitations.schedule.1.order_id": (1.0, "expected a whole number or a string, found 1.0"),
    "invitations.send.0.row_id": ("9", 'expected a whole number or null, found "9"'),
    "invitations.cancel.0": ({}, "the key"),
    "invitations.schedule.1.scheduled_at": ("2026-11-30T00:00:00+99:99", "expected a time"),
    "invitations.schedule.2.scheduled_at": ("2026-02-30T00:00:00Z", "expected a time"),
    "invitations.not_invited": ({"Germany": {"colour": 1}}, 'expected one of "enabled"'),
    "resource_changes.0.change.actions": (["destroy"], 'found ["destroy"]'),
    "resource_changes.0.interface_id": ("x", "expected a string that matches"),
    "diagnostics.0.severity": ("fatal", 'expected one of "error", "warning", found "fatal"'),
    "operations.0.kind": ("drop", "expected one of"),
    "scope.targets": ("G*", 'expected a list, found "G*"'),
    "summary.destroy": (0, "expected 2 as in the steps, found 0"),
    "created_at": (None, "expected a string, found null"),
}
"""Values by the path where they are put, and what is said about them."""


@pytest.mark.parametrize("path", WRONG)
def test_what_is_wrong_is_said_with_its_path(signed_document, path):
    """A value that the schema does not allow is named: its place, what was expected, what was found."""
    document = copy.deepcopy(signed_document)
    *way, last = [int(step) if step.isdigit() else step for step in path.split(".")]
    parent: Any = document
    for step in way:
        parent = parent[step]
    parent[last], said = WRONG[path]
    with pytest.raises(PlanInvalid) as refused:
        decode(redigested(document))
    shown = "".join(f"[{step}]" if step.isdigit() else f".{step}" for step in path.split("."))
    assert f"{shown[1:]}" in refused.value.message
    assert said in refused.value.message


CASES = Path(__file__).parent.parent / "cases" / "edited-plans"


@pytest.mark.parametrize("case", sorted(CASES.glob("*.json")), ids=lambda path: path.stem)
def test_plans_that_were_edited_and_given_a_new_digest_are_refused(case):
    """Each of these used to end in an internal error, one of them in every later command too."""
    document = json.loads(case.read_bytes())
    for text in (
        case.read_bytes(),
        redigested({**document, "hypothetical": False, "signature": None}),
    ):
        with pytest.raises(PlanInvalid, match=r"the plan is not valid: [a-z_]+(\.|\[).*: expected"):
            decode(text)


def test_the_published_schema_and_the_fast_check_agree(signed_document):
    """What the fast check of steps takes, the schema takes."""
    from ekomi_reconcile.model.document import first_problem
    from ekomi_reconcile.plan.document import plan_schema

    assert first_problem(signed_document, plan_schema()) is None
