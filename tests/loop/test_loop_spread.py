"""`spread`: offsets that orders keep over runs, rule changes and saved plans, and the word on a burst."""

from __future__ import annotations

import pytest
from support_loop import DAY, NOW, account, order
from support_loop_oracle import offset

from ekomi_reconcile.plan.saved_plan import decode, encode
from ekomi_reconcile.render.plan_text import plan_text
from ekomi_reconcile.render.tables import Paint

KEYS = range(1, 13)


def times(loop):
    """When each order is due."""
    return {row.order_id: row.scheduled_at for row in loop.rows()}


def waiting(loop, **rule):
    """Apply this rule to orders that were completed a day ago."""
    document = account("9", **rule)
    loop.write_accounts([document])
    loop.write_orders([order(key, reached=1) for key in KEYS])
    loop.apply()
    return document


def due(document, *, pending):
    """When the orders must be due."""
    return {key: NOW - DAY + pending * DAY + offset(document, {"entity_id": key}) for key in KEYS}


def test_another_rule_change_moves_nobody(loop):
    """An age limit, a condition or a further run leave every row where it is."""
    document = waiting(loop, spread="3d")
    assert times(loop) == due(document, pending=5)
    assert len(set(times(loop).values())) > len(KEYS) / 2
    loop.write_accounts([account("9", spread="3d", skip_orders_older_than=60)])
    assert loop.plan(NOW + DAY).invitations.reschedule.by_account == {}
    loop.apply(NOW + DAY)
    assert times(loop) == due(document, pending=5)


def test_changing_the_spread_reschedules_what_waits(loop):
    """It is a rule change: every row moves from its old offset to its new one; none takes it away."""
    waiting(loop)
    wide = account("9", spread="36h")
    loop.write_accounts([wide])
    made = loop.plan()
    assert made.changes_present
    assert made.invitations.reschedule.by_rule_change == len(KEYS)
    loop.apply()
    assert times(loop) == due(wide, pending=5)
    loop.write_accounts([account("9", spread="0d")])
    loop.apply()
    assert set(times(loop).values()) == {NOW + 4 * DAY}


def test_a_saved_plan_agrees_with_a_later_one(loop):
    """Carried out a day later, it writes the times that a plan of that day would have."""
    document = account("9", spread="3d")
    loop.write_accounts([document])
    loop.write_orders([order(key, reached=1) for key in KEYS])
    saved = decode(encode(loop.plan())).plan
    later = {each.order_id: each.scheduled_at for each in loop.plan(NOW + DAY).invitations.schedule}
    loop.apply(NOW + DAY, made=saved)
    assert times(loop) == later == due(document, pending=5)


def test_how_the_spread_is_written_does_not_matter(loop):
    """Seventy-two hours are three days: no change, and the plan shows the one as the other."""
    waiting(loop, spread="72h")
    loop.write_accounts([account("9", spread="3d")])
    assert loop.plan().changes == ()


@pytest.mark.parametrize(
    ("rule", "orders", "advice"),
    [
        ({}, 101, "`spread: 3d` under `invitations:`"),
        ({}, 100, None),
        ({"spread": "3d"}, 800, None),
    ],
)
def test_many_due_at_once_get_a_word(loop, rule, orders, advice):
    """A new account that would ask more than a hundred at once is told, with what would help; no failure."""
    loop.write_accounts([account("9", **rule)])
    loop.write_orders([order(key, age=29, reached=28) for key in range(1, orders + 1)])
    made = loop.plan()
    found = [each for each in made.diagnostics if each.rule == "burst"]
    assert made.complete
    if advice is None:
        assert found == []
        return
    (word,) = found
    count = made.invitations.due_by_rule_change
    assert word.message.startswith(f"{count} invitations of Account 9 are due at once")
    assert word.hint.startswith(advice)
    assert word.message in plan_text(made, Paint(False))


def test_a_first_run_is_spread_from_its_own_instant_on(loop):
    """Orders long overdue leave one by one over the days after it; later runs move nobody."""
    document = account("9", spread="3d")
    loop.write_accounts([document])
    loop.write_orders([order(key, age=29, reached=28) for key in KEYS])
    expected = {key: NOW + offset(document, {"entity_id": key}) for key in KEYS}
    assert len(loop.plan().invitations.send) < len(KEYS) / 3
    loop.apply()
    assert times(loop) == expected
    assert loop.plan(NOW + DAY).invitations.reschedule.by_account == {}


def test_an_ordinary_run_gets_no_word(loop):
    """However many are due: nothing about the rules is new."""
    loop.write_accounts([account("9")])
    loop.write_orders([order(key, reached=1) for key in range(1, 200)])
    loop.apply()
    made = loop.plan(NOW + 5 * DAY)
    assert len(made.invitations.send) == 199
    assert [each for each in made.diagnostics if each.rule == "burst"] == []
