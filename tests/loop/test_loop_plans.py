"""Plans as files: read back as they were written, refused where they were touched or no longer fit."""

from __future__ import annotations

import dataclasses
import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from support_loop import DAY, NOW, Loop, account, examples, order, queue_of, shops
from support_loop_strategies import accounts, orders

from ekomi_reconcile.model.errors import PlanError, PlanStale
from ekomi_reconcile.plan.document import plan_schema
from ekomi_reconcile.plan.plan import Plan
from ekomi_reconcile.plan.saved_plan import Present, check_fresh, decode, encode
from ekomi_reconcile.render.plan_text import plan_text
from ekomi_reconcile.render.tables import Paint

PLAIN = Paint(False)
ORDERS = st.lists(orders(), max_size=8)
SCHEMA = Draft202012Validator(plan_schema(), format_checker=Draft202012Validator.FORMAT_CHECKER)


def made_from(accounts, orders) -> Plan:
    """The plan of a project without a state."""
    with tempfile.TemporaryDirectory() as folder:
        loop = Loop(Path(folder))
        loop.write_accounts(accounts)
        loop.write_orders(orders)
        return loop.first_plan()


@given(accounts=accounts(), orders=ORDERS)
@examples(40)
def test_a_plan_read_back_is_the_same_plan(accounts, orders):
    """Writing, reading and writing again gives the same text, and it fits its schema."""
    made = made_from(accounts, orders)
    written = encode(made)
    saved = decode(written)
    assert encode(saved.plan) == written
    assert json.loads(written)["digest"] == saved.digest
    assert plan_text(saved.plan, PLAIN) == plan_text(made, PLAIN)
    SCHEMA.validate(json.loads(written))


WRITTEN = encode(
    made_from([account("9"), account("10", store_views=["at"])], [order(1), order(2, store_code="at")])
)


@given(at=st.integers(0, len(WRITTEN) - 1), byte=st.integers(0, 255))
@examples(200)
def test_an_edited_byte_is_refused(at, byte):
    """A plan in which one byte was changed is never carried out, unless it still says the same."""
    edited = WRITTEN[:at] + bytes([byte]) + WRITTEN[at + 1 :]
    try:
        same = json.loads(edited) == json.loads(WRITTEN)
    except ValueError:
        same = False
    if same:
        assert encode(decode(edited).plan) == WRITTEN
        return
    with pytest.raises(PlanError):
        decode(edited)


@pytest.mark.parametrize(
    "text", [b"", b"[]", b"null", b"[" * 100_000, b'{"format_version": "9.0"}', b"\xff\xfe"]
)
def test_what_is_no_plan_is_refused_in_words(text):
    """A file that is no plan at all is an error with a message, not a traceback."""
    with pytest.raises(PlanError):
        decode(text)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"applied": True}, "applied already"),
        ({"lineage": "another"}, "another state"),
        ({"serial": 7}, "serial"),
        ({"config_digest": "sha256:0"}, "files changed"),
        ({"now": NOW + 7 * DAY + 1}, "max_plan_age"),
        ({"now": NOW - 2 * 3600}, "in the future"),
    ],
)
def test_every_kind_of_staleness_has_its_own_words(loop, change, word):
    """Applied already, another state, another serial, other files: each is refused, and told apart."""
    loop.write_accounts([account("9")])
    loop.apply(sending=False)
    made = loop.plan()
    fitting = Present(
        lineage=made.lineage or "",
        serial=made.serial,
        config_digest=made.config_digest,
        applied=False,
        now=made.created_at,
        max_age=7 * DAY,
    )
    check_fresh(made, fitting)
    with pytest.raises(PlanStale, match=word):
        check_fresh(made, dataclasses.replace(fitting, **change))


def test_a_saved_plan_is_applied_once(loop):
    """The command line carries a saved plan out, and refuses it the second time."""
    loop.write_accounts([account("9", skip_orders_older_than=0)])
    loop.write_orders([order(1), order(2)])
    assert loop.command("apply", "--auto-approve", "--target", "nobody")[0] == 1
    assert loop.command("plan", "--out", "plan.json")[0] == 0
    code, _, said = loop.command("apply", "plan.json")
    assert code == 0, said
    assert [row.status.value for row in loop.rows()] == ["sent", "sent"]
    code, _, said = loop.command("apply", "plan.json")
    assert code == 1
    assert "applied already" in said


@pytest.mark.parametrize("what", ["accounts", "state", "serial"])
def test_a_saved_plan_is_stale_when_the_world_moved(loop, what):
    """Changed files, another state, accounts changed since: the command refuses and does nothing."""
    loop.write_accounts([account("9", skip_orders_older_than=0), account("10", enabled=False)])
    loop.apply(sending=False)
    loop.write_orders([order(1)])
    assert loop.command("plan", "--out", "plan.json")[0] == 0
    wanted = {"accounts": "files changed", "state": "another state", "serial": "serial"}[what]
    if what == "accounts":
        loop.write_accounts([account("9", skip_orders_older_than=0, pending_period=6)])
    elif what == "state":
        for left in loop.root.glob("state.db*"):
            left.unlink()
        loop.write_orders([])
        loop.apply(sending=False)
    else:
        loop.write_accounts([account("9", skip_orders_older_than=0)])
        loop.apply(sending=False)
        loop.write_accounts([account("9", skip_orders_older_than=0), account("10", enabled=False)])
        loop.apply(sending=False)
    code, _, said = loop.command("apply", "plan.json")
    assert code == 1
    assert wanted in said
    assert [row for row in loop.rows() if row.status.value == "sent"] == []


@given(accounts=accounts(), orders=ORDERS)
@examples(8)
def test_a_saved_plan_does_what_applying_at_once_does(sandbox, accounts, orders):
    """Carrying out a plan that went through its text gives the queue that applying directly gives."""
    queues = []
    for way in ("saved", "direct"):
        shops(sandbox)
        with tempfile.TemporaryDirectory() as folder:
            loop = Loop(Path(folder), sandbox)
            loop.write_accounts(accounts)
            loop.write_orders(orders)
            made = decode(encode(loop.plan(NOW))).plan if way == "saved" else None
            _, result = loop.apply(NOW, made=made)
            asked = {(each.shop_id, each.transaction_id) for each in sandbox.world.outbox.entries()}
            queues.append((queue_of(loop.rows()), asked, result.counts, loop.plan(NOW).empty))
    assert queues[0] == queues[1]
    assert queues[0][3]
