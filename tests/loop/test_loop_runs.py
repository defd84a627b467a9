"""Single stories over several runs: selections, changed rules, guards, the second look, opt-outs."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support_loop import DAY, NOW, Loop, account, doubles, examples, live, order, queue_of, shops, text
from support_loop_strategies import accounts, orders

from ekomi_reconcile.plan.plan import Scope

ORDERS = st.lists(orders(), min_size=4, max_size=12)


# ---------------------------------------------------------------- twice, and by parts


@given(accounts=accounts(fewest=2), orders=ORDERS, turns=st.randoms(use_true_random=False))
@examples(6)
def test_account_by_account_comes_to_the_same_as_all_at_once(sandbox, accounts, orders, turns):
    """Targets in any order give the queue of one run over all; then there is nothing left to do, twice."""
    with tempfile.TemporaryDirectory() as folder:
        whole, parts = Loop(Path(folder, "a"), sandbox), Loop(Path(folder, "b"), sandbox)
        for loop in (whole, parts):
            loop.write_accounts(accounts)
            loop.write_orders(orders)
        shops(sandbox)
        whole.apply(sending=False)
        turns.shuffle(accounts)
        for each in accounts:
            parts.apply(scope=Scope(targets=(each["name"],)), sending=False)
            assert doubles(parts.rows()) == []
        assert queue_of(parts.rows()) == queue_of(whole.rows())
        for loop in (whole, parts):
            for _ in range(2):
                left = loop.plan().summary.as_json()
                left.pop("send")
                assert not any(left.values())
                loop.apply(sending=False)


# ---------------------------------------------------------------- when the clock starts


@pytest.mark.parametrize("name", ["complete", "in_picking"])
def test_a_status_that_only_we_saw_begin_starts_the_clock_at_that_sight(loop, name):
    """Seen before in another status, and nothing tells when it changed: the clock starts at our sight."""
    loop.write_accounts([account("9", order_statuses=[name])])
    loop.write_orders([order(1, reached=3, state="processing", status="processing")])
    loop.apply(NOW - 2 * DAY)
    assert loop.rows() == []
    loop.append_orders([order(1, reached=1, status=name)])
    loop.apply(NOW)
    (row,) = loop.rows()
    assert (row.reached.source.value, row.reached.at) == ("observed", NOW)
    loop.append_orders([order(1, reached=0, status=name)])
    loop.apply(NOW + DAY)
    assert loop.rows() == [row]


@pytest.mark.parametrize("way", ["another file", "the same file"])
def test_a_line_changed_in_the_middle_is_seen(loop, way):
    """A file that is not only longer is read whole: a change before the position reached counts, too."""
    loop.write_accounts([account("9")])
    waiting = {"state": "processing", "status": "processing"}
    loop.write_orders([order(key, **waiting) for key in (1, 2, 3)])
    loop.apply()
    assert loop.rows() == []
    lines = [order(1, **waiting), order(2), order(3, **waiting), order(4, **waiting)]
    if way == "another file":
        loop.write_orders(lines)
    else:
        (loop.root / "orders.jsonl").write_text("")
        loop.append_orders(lines)
    loop.apply()
    assert [row.order_id for row in loop.rows()] == [2]


# ---------------------------------------------------------------- changed rules


@given(
    before=st.integers(0, 60),
    after=st.integers(0, 60),
    ages=st.lists(st.floats(0, 9), min_size=1, max_size=6),
    pushed=st.integers(0, 5),
)
@examples(10)
def test_another_pending_period_moves_rows_by_the_difference(sandbox, before, after, ages, pushed):
    """Every pending row moves by exactly the days that were added; one pushed by hand keeps its time."""
    shops(sandbox)
    with tempfile.TemporaryDirectory() as folder:
        loop = Loop(Path(folder), sandbox)
        loop.write_accounts([account("9", pending_period=before)])
        loop.write_orders([order(key, reached=age) for key, age in enumerate(ages, 1)])
        loop.apply(sending=False)
        at = {row.order_id: row.scheduled_at for row in loop.rows()}
        keep = pushed if pushed in at else None
        if keep is not None:
            with loop.state() as state, state.transaction():
                row = next(row for row in state.invitations.search() if row.order_id == keep)
                at[keep] = state.invitations.push(row.id, now=NOW, actor="somebody").scheduled_at
        loop.write_accounts([account("9", pending_period=after)])
        made, _ = loop.apply(sending=False)
        moved = {row.order_id: row.scheduled_at - at[row.order_id] for row in loop.rows()}
        assert moved == {key: 0 if key == keep else (after - before) * DAY for key in at}
        assert made.summary.reschedule == sum(each != 0 for each in moved.values())


@pytest.mark.parametrize("others", [[], [account("10", store_views=["at"])]], ids=["alone", "one of two"])
def test_rows_of_a_disabled_account_wait(loop, others):
    """Disabling holds the queue, even past its time and where others read the source; enabling sends it."""
    loop.write_accounts([account("9"), *others])
    loop.write_orders([order(1, reached=1)])
    loop.apply()
    loop.write_accounts([account("9", enabled=False), *others])
    made, _ = loop.apply(NOW + 10 * DAY)
    assert len(made.invitations.send) == 0
    assert [row.status.value for row in loop.rows()] == ["pending"]
    loop.write_accounts([account("9"), *others])
    loop.apply(NOW + 11 * DAY)
    assert [row.status.value for row in loop.rows()] == ["sent"]


def test_a_deleted_account_leaves_its_orders_to_the_next_and_revives(loop):
    """Deleting cancels and offers on; coming back, the account gets what nobody else has taken."""
    both = [account("9"), account("10", store_views=["de"])]
    loop.write_accounts(both)
    loop.write_orders([order(1, reached=1), order(2, reached=1, store_code="at")])
    loop.apply()
    assert {row.interface_id for row in loop.rows()} == {"9"}
    loop.write_accounts(both[1:])
    loop.apply()
    assert {row.order_id: row.interface_id for row in live(loop.rows())} == {1: "10"}
    loop.write_accounts(both)
    loop.apply()
    assert {row.order_id: row.interface_id for row in live(loop.rows())} == {1: "10", 2: "9"}
    assert len(loop.rows()) == 3, "the cancelled row came back, no second one was made"


def test_a_row_that_comes_back_is_the_one_that_went(loop):
    """An order that stops matching and matches again keeps its evidence, its time and its judged age."""
    loop.write_accounts([account("9", store_views=["de"], pending_period=20)])
    loop.write_orders([order(1, age=25, reached=1)])
    loop.apply()
    (first,) = loop.rows()
    loop.append_orders([order(1, age=25, reached=-5, store_code="at")])
    loop.apply(NOW + 5 * DAY)
    assert [(row.status.value, row.reason) for row in loop.rows()] == [("cancelled", "store_view")]
    loop.append_orders([order(1, age=25, reached=-10)])
    loop.apply(NOW + 10 * DAY)
    (again,) = loop.rows()
    assert again.status.value == "pending"
    assert (again.id, again.reached, again.scheduled_at) == (first.id, first.reached, first.scheduled_at)


def test_an_account_that_reads_elsewhere_leaves_its_orders_to_the_next(sandbox, tmp_path):
    """Moving to another order source is an end of matching like any other: the next account is asked."""
    shops(sandbox)
    loop = Loop(tmp_path / "p", sandbox, orders={"eu": {"file": "eu.jsonl"}, "us": {"file": "us.jsonl"}})
    loop.write_orders([order(1, reached=1)], "eu.jsonl")
    loop.write_orders([], "us.jsonl")
    loop.write_accounts([account("9", orders="eu"), account("10", orders="eu")])
    loop.apply()
    loop.write_accounts([account("9", orders="us"), account("10", orders="eu")])
    made, _ = loop.apply()
    assert {row.reason for row in made.invitations.cancel} == {"order_source"}
    assert {row.order_id: row.interface_id for row in live(loop.rows())} == {1: "10"}


def test_a_source_left_during_an_outage_is_left_when_it_is_back(sandbox, tmp_path):
    """While the old source cannot be read its rows stand still; then they pass to the next account."""
    shops(sandbox)
    loop = Loop(tmp_path / "p", sandbox, orders={"eu": {"file": "eu.jsonl"}, "us": {"file": "us.jsonl"}})
    loop.write_orders([order(1, reached=1)], "eu.jsonl")
    loop.write_orders([order(7, reached=1, increment_id="US7")], "us.jsonl")
    loop.write_accounts([account("9", orders="eu"), account("10", orders="eu")])
    loop.apply()
    loop.write_accounts([account("9", orders="us"), account("10", orders="eu")])
    away = (loop.root / "eu.jsonl").rename(loop.root / "away")
    loop.apply()
    assert {(row.source, row.order_id): row.interface_id for row in live(loop.rows())} == {
        ("eu", 1): "9",
        ("us", 7): "9",
    }
    away.rename(loop.root / "eu.jsonl")
    loop.apply()
    assert {(row.source, row.order_id): row.interface_id for row in live(loop.rows())} == {
        ("eu", 1): "10",
        ("us", 7): "9",
    }


def test_an_order_of_two_changed_accounts_is_looked_at_once(loop):
    """However many rows changed accounts have, an order outside their age limit is decided once."""
    count = 600
    loop.write_accounts([account("9", skip_orders_older_than=0), account("10", skip_orders_older_than=0)])
    loop.write_orders([order(key, age=100, reached=1) for key in range(1, count + 1)])
    loop.apply()
    loop.write_accounts(
        [
            account("9", skip_orders_older_than=365, store_views=["no"]),
            account("10", skip_orders_older_than=0),
        ]
    )
    loop.apply()
    assert {row.interface_id for row in live(loop.rows())} == {"10"}
    loop.write_accounts([account("9", skip_orders_older_than=98), account("10", skip_orders_older_than=98)])
    made, result = loop.apply(NOW - DAY)
    assert made.summary.cancel == count, "one order older than the limit now: one cancellation"
    assert result.counts == {"changed": 2, "cancelled": count}


# ---------------------------------------------------------------- guards


def guarded(loop, **safety):
    """A project with these limits."""
    loop.write_project(safety={"max_delete_percent": 30, "max_sends": 1000, "max_schedules": 10_000} | safety)


def open_rule(key):
    """An account whose orders are due whenever the test is run."""
    return account(key, skip_orders_older_than=0, pending_period=0)


@pytest.mark.sampled(4)
@pytest.mark.parametrize(("left", "override"), [(2, 1), (3, 0), (0, 3), (1, 2)])
def test_deletes_beyond_the_limit_need_their_exact_number(loop, left, override):
    """More than 30 percent, and always all of them, is refused unless exactly that number is allowed."""
    guarded(loop)
    everyone = [account(key) for key in ("9", "10", "101")]
    loop.write_accounts(everyone)
    assert loop.command("apply", "--auto-approve")[0] == 0
    loop.write_accounts(everyone[:left])
    code, _, said = loop.command("apply", "--auto-approve")
    if not override:
        assert code == 0, said
        return
    assert code == 1
    assert f"--allow-deletes {override}" in said
    assert loop.command("apply", "--auto-approve", "--allow-deletes", str(override + 1))[0] == 1
    assert loop.command("apply", "--auto-approve", "--allow-deletes", str(override))[0] == 0
    with loop.state() as state:
        assert len(state.accounts.read()) == left


@pytest.mark.sampled(2)
@pytest.mark.parametrize("limit", ["max_schedules", "max_sends"])
def test_a_rule_change_beyond_a_limit_needs_its_exact_number(loop, limit):
    """What a changed rule would schedule or send at once is refused unless its exact number is allowed."""
    guarded(loop, **{limit: 2})
    flag = f"--allow-{limit.removeprefix('max_')}"
    loop.write_accounts([open_rule("9")])
    loop.write_orders([order(key) for key in (1, 2, 3)])
    code, shown, said = loop.command("apply", "--auto-approve")
    assert code == 1
    assert f"{flag} 3" in said
    assert loop.rows() == []
    for wrong in ("2", "4", "0"):
        assert loop.command("apply", "--auto-approve", flag, wrong)[0] == 1
    assert loop.rows() == []
    assert loop.command("apply", "--auto-approve", flag, "3")[0] == 0
    assert [row.status.value for row in loop.rows()] == ["sent"] * 3
    assert "internal error" not in shown + said


def test_an_ordinary_run_sends_the_oldest_up_to_the_cap(loop):
    """Beyond ``max_sends`` the later ones wait for the next run, and the plan says how many."""
    guarded(loop, max_sends=2)
    loop.write_accounts([open_rule("9")])
    loop.apply()
    loop.append_orders(
        [order(key, reached=reached) for key, reached in ((1, 1), (2, 5), (3, 3), (4, 4), (5, 2))]
    )
    for expected, deferred in (({2, 4}, 3), ({2, 4, 3, 5}, 1), ({1, 2, 3, 4, 5}, 0)):
        made, result = loop.apply()
        assert result.succeeded
        assert made.guards == ()
        assert made.invitations.deferred == deferred
        assert {row.order_id for row in loop.rows() if row.status.value == "sent"} == expected


# ---------------------------------------------------------------- the second look

CHANGED = [
    ({"state": "canceled", "status": "canceled"}, "cancelled", "order_status"),
    ({"state": "closed", "status": "closed"}, "cancelled", "order_status"),
    ({"store_code": "at"}, "cancelled", "store_view"),
    ({"customer_group": "VIP"}, "cancelled", "customer_group"),
    ({"grand_total": 1.0}, "cancelled", "conditions"),
    ({"state": "holded", "status": "holded"}, "pending", None),
    ({"customer_email": ""}, "cancelled", "deliverable"),
    (None, "pending", None),
    ({}, "sent", None),
    ({"state": "processing", "status": "processing"}, "sent", None),
]


@pytest.mark.sampled(12)
@pytest.mark.parametrize("moment", ["before planning", "between plan and call"])
@pytest.mark.parametrize(("change", "status", "reason"), CHANGED)
def test_an_order_that_changed_before_its_time_is_judged_as_it_is_then(
    loop, sandbox, change, status, reason, moment
):
    """Refunded, canceled, moved, no longer matching: cancelled; on hold or missing: waits; else sent."""
    rule = {"store_views": ["de"], "customer_groups": ["General"], "conditions": {"grand_total": {"gte": 50}}}
    loop.write_accounts([account("9", **rule)])
    first = order(1, reached=1)
    loop.write_orders([first])
    loop.apply()
    then = NOW + 5 * DAY
    later = [] if change is None else [first | change | {"updated_at": text(then)}]
    if moment == "before planning":
        loop.write_orders(later)
        loop.apply(then)
    else:
        made = loop.plan(then)
        assert len(made.invitations.send) == 1
        loop.write_orders(later)
        loop.apply(then, made=made)
    (row,) = loop.rows()
    assert row.status.value == status
    if reason is not None:
        assert row.reason.startswith(reason)
    assert len(sandbox.world.outbox.entries()) == (status == "sent")


# ---------------------------------------------------------------- who must not be asked

BUYERS = st.lists(st.tuples(st.integers(0, 2), st.floats(0, 40)), min_size=1, max_size=14)


@given(bought=BUYERS, count=st.integers(1, 3), days=st.sampled_from([1, 10, 90]), cut=st.integers(0, 14))
@examples(12)
def test_nobody_is_asked_more_often_than_the_limit_says(sandbox, bought, count, days, cut):
    """In no stretch of so many days a customer has more requests, and who is left out would be one more."""
    shops(sandbox)
    with tempfile.TemporaryDirectory() as folder:
        loop = Loop(Path(folder), sandbox, privacy={"max_per_customer": {"count": count, "days": days}})
        loop.write_accounts([account("9", skip_orders_older_than=0), account("10", store_views=["at"])])
        lines = [
            order(key, age=50, reached=reached, customer_email=f"{'cC'[key % 2]}{who}@example.com")
            for key, (who, reached) in enumerate(bought, 1)
        ]
        loop.write_orders(lines[:cut])
        loop.apply()
        loop.append_orders(lines[cut:])
        loop.apply()
        due = {row.order_id: max(NOW, row.scheduled_at) for row in live(loop.rows())}
    for who in range(3):
        mine = {key: reached for key, (buyer, reached) in enumerate(bought, 1) if buyer == who}
        times = sorted(due[key] for key in mine if key in due)
        for first, last in zip(times, times[count:], strict=False):
            assert last - first >= days * DAY
        for key, reached in mine.items():
            when = max(NOW, NOW - int(reached * DAY) + 5 * DAY)
            near = [at for at in times if abs(at - when) < days * DAY]
            assert key in due or len(near) >= count


@given(listed=st.sets(st.sampled_from(["a@example.com", "@shop.example", "B@EXAMPLE.COM "]), max_size=3))
@examples(6)
def test_who_opted_out_is_not_asked(sandbox, listed):
    """Addresses and domains of the list are ``suppressed``, whatever their case; others are asked."""
    shops(sandbox)
    with tempfile.TemporaryDirectory() as folder:
        loop = Loop(Path(folder), sandbox, privacy={"suppress": "suppressed.txt"})
        (loop.root / "suppressed.txt").write_text("# remarks\n" + "".join(f"{each}\n" for each in listed))
        loop.write_accounts([account("9")])
        emails = {1: "A@Example.com", 2: "x@Shop.example", 3: "b@example.com", 4: "d@example.com"}
        loop.write_orders([order(key, customer_email=email) for key, email in emails.items()])
        made, _ = loop.apply()
        asked = {row.order_id for row in loop.rows()}
    hit = {"a@example.com": 1, "@shop.example": 2, "B@EXAMPLE.COM ": 3}
    assert asked == set(emails) - {hit[each] for each in listed}
    counted = made.invitations.not_invited.get("Account 9", {})
    assert counted == ({"suppressed": len(listed)} if listed else {})


def test_who_opts_out_later_is_taken_out_of_the_queue_when_due(loop, sandbox):
    """An opt-out between scheduling and sending stops the request."""
    (loop.root / "suppressed.txt").write_text("")
    loop.write_project(privacy={"suppress": "suppressed.txt"})
    loop.write_accounts([account("9")])
    loop.write_orders([order(1, reached=1)])
    loop.apply()
    (loop.root / "suppressed.txt").write_text("customer-1@example.com\n")
    loop.apply(NOW + 5 * DAY)
    assert [(row.status.value, row.reason) for row in loop.rows()] == [("cancelled", "suppressed")]
    assert sandbox.world.outbox.entries() == []


def test_a_customer_asked_for_one_order_counts_that_order_as_invited(loop):
    """With a limit per customer, the other account of the same order still says ``already_invited``."""
    loop.write_project(privacy={"max_per_customer": {"count": 1, "days": 90}})
    loop.write_accounts([account("9"), account("10")])
    loop.write_orders([order(1)])
    made, _ = loop.apply()
    assert made.invitations.not_invited == {"Account 10": {"already_invited": 1}}


# ---------------------------------------------------------------- nothing is forgotten


def both(loop):
    """Two accounts that both want order 1; the first has it."""
    documents = [account("9"), account("10")]
    loop.write_accounts(documents)
    loop.write_orders([order(1, reached=1)])
    loop.apply()
    return documents


def owners(loop):
    """Order id to the account that has it."""
    return {row.order_id: row.interface_id for row in live(loop.rows())}


def test_a_targeted_delete_leaves_its_orders_to_later_runs(loop):
    """Deleting one account with --target: the next full run offers its orders to the others."""
    documents = both(loop)
    loop.write_accounts(documents[1:])
    loop.apply(scope=Scope(targets=("Account 9",)))
    loop.apply()
    assert owners(loop) == {1: "10"}


def test_a_targeted_rule_change_leaves_its_orders_to_later_runs(loop):
    """Narrowing one account with --target: the next full run offers what it gave up to the others."""
    documents = both(loop)
    loop.write_accounts([account("9", store_views=["no"]), documents[1]])
    loop.apply(scope=Scope(targets=("Account 9",)))
    loop.apply()
    assert owners(loop) == {1: "10"}


def test_a_delete_during_an_outage_leaves_its_orders_to_later_runs(loop):
    """Deleting an account while the source is away: once it is back, the others get its orders."""
    documents = both(loop)
    loop.write_accounts(documents[1:])
    away = (loop.root / "orders.jsonl").rename(loop.root / "away")
    loop.apply()
    away.rename(loop.root / "orders.jsonl")
    loop.apply()
    assert owners(loop) == {1: "10"}


def test_an_account_that_never_came_to_be_does_not_keep_orders(loop, sandbox):
    """An account eKomi refuses wins orders; when it leaves the files, the others get them."""
    sandbox.world.shops["9"].password = "another"
    documents = [account("9"), account("10")]
    loop.write_accounts(documents)
    loop.write_orders([order(1, reached=1)])
    _, result = loop.apply()
    assert not result.succeeded
    loop.write_accounts(documents[1:])
    loop.apply()
    assert owners(loop) == {1: "10"}


def test_a_row_on_hold_follows_its_rule_once_it_is_released(loop):
    """A pending period changed while an order was on hold counts as soon as the hold is over."""
    held = {"state": "holded", "status": "holded"}
    loop.write_accounts([account("9", pending_period=20)])
    loop.write_orders([order(1, reached=1)])
    loop.apply()
    loop.append_orders([order(1, reached=0) | held])
    loop.write_accounts([account("9", pending_period=10)])
    loop.apply()
    loop.append_orders([order(1, reached=0)])
    loop.apply()
    assert [row.scheduled_at for row in loop.rows()] == [NOW - DAY + 10 * DAY]


def test_a_cancelled_row_comes_back_while_its_order_is_young(loop):
    """A rule taken back revives what it cancelled, but not orders older than limit and period together."""
    loop.write_accounts([account("9", pending_period=20)])
    loop.write_orders([order(1, age=29, reached=1)])
    loop.apply()
    loop.write_accounts([account("9", pending_period=1, store_views=["no"])])
    loop.apply()
    loop.write_accounts([account("9", pending_period=14, store_views=["de"])])
    loop.apply(NOW + 16 * DAY)
    assert [row.status.value for row in loop.rows()] == ["cancelled"]
    loop.write_accounts([account("9", pending_period=15, store_views=["de"])])
    loop.apply(NOW + 14 * DAY)
    assert [row.status.value for row in loop.rows()] == ["sent"]


def test_a_plan_made_before_the_state_keeps_the_limit_per_customer(loop):
    """The very first plan, saved and applied, asks a customer no more often than later plans would."""
    loop.write_project(privacy={"max_per_customer": {"count": 1, "days": 90}})
    loop.write_accounts([open_rule("9")])
    loop.write_orders([order(key, customer_email="c@example.com") for key in (1, 2)])
    assert loop.command("plan", "--out", "plan.json")[0] == 0
    assert loop.command("apply", "plan.json")[0] == 0
    assert len(live(loop.rows())) == 1


@pytest.mark.sampled(3)
@pytest.mark.parametrize("runs", [1, 2])
@pytest.mark.parametrize("direction", [1, -1], ids=["later", "earlier"])
@pytest.mark.parametrize(("off", "invited"), [(-1, [1]), (0, [1, 2]), (1, [1, 2])])
def test_the_limit_per_customer_ends_after_exactly_its_days(loop, runs, direction, off, invited):
    """One second less than the days apart is too often, exactly the days apart is not; either way round."""
    loop.write_project(privacy={"max_per_customer": {"count": 1, "days": 3}})
    loop.write_accounts([account("9", pending_period=20)])
    reached = NOW - 6 * DAY
    of_one = {"customer_email": "customer@example.com"}
    first = order(1) | of_one | {"updated_at": text(reached)}
    second = order(2) | of_one | {"updated_at": text(reached + direction * (3 * DAY + off))}
    loop.write_orders([first] if runs == 2 else [first, second])
    loop.apply()
    if runs == 2:
        loop.append_orders([second])
        loop.apply()
    assert [row.order_id for row in loop.rows()] == invited
