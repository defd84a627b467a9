"""``invitations mark-sent``: a shop that comes from another tool asks nobody again."""

import json

import pytest
from project_support import order

from ekomi_reconcile.model import instant
from ekomi_reconcile.model.errors import StateMissing
from ekomi_reconcile.model.instant import DAY
from ekomi_reconcile.model.invitation import Status
from ekomi_reconcile.sent_import import read_past
from ekomi_reconcile.state.maintenance.check import check_database
from ekomi_reconcile.state.maintenance.table_dump import StoredContent
from ekomi_reconcile.state.opening import Mode, open_state

CANARY = "canary.customer@example.com"


@pytest.fixture
def shop(project, capsys):
    """Two accounts and six orders; nothing was applied yet."""
    project.account("Germany", "28374", "store_views: [de]\npending_period: 14", more="priority: 5")
    project.account("France", "28375", "store_views: [fr]\npending_period: 14")
    orders = [order(number, customer_email=CANARY) for number in (1, 2, 3, 4)]
    orders += [order(5, store_code="fr"), order(6, store_code="fr", increment_id="100000001")]
    project.orders(orders)
    return project


def mark(project, capsys, text, *flags, name="past.csv"):
    """Exit code and what the command says in JSON."""
    (project.folder / name).write_text(text, "utf-8")
    code = project.cli("invitations", "mark-sent", name, "--format", "json", "--new-state", *flags)
    output = capsys.readouterr()
    assert CANARY not in output.out + output.err
    found = json.loads(output.out) if output.out else None
    assert found is None or found.pop("format_version") == "1.0"
    return code, found


def rows(project):
    """The rows by order and interface id; where nothing was recorded there is no state."""
    try:
        with open_state(str(project.state), root=project.folder, mode=Mode.READ) as state:
            return {(row.order_id, row.interface_id): row for row in state.invitations.search()}
    except StateMissing:
        return {}


def test_marked_before_the_first_apply_nobody_is_asked(shop, sandbox, capsys):
    """Without any state the orders are remembered, and the first apply creates its accounts as usual."""
    old = instant.iso(instant.now() - 2 * DAY)
    text = f"order_id;date;account\n2;{old};\n3;;28374\n5;;france\n"
    assert mark(shop, capsys, text) == (
        0,
        {"written": True, "dry_run": False, "marked": 3, "were_waiting": 0, "present": 0, "problems": []},
    )
    found = rows(shop)
    assert set(found) == {(2, "28374"), (3, "28374"), (5, "28375")}
    row = found[2, "28374"]
    assert (row.status, row.reason, row.link) == (Status.SENT, "adopted", None)
    assert instant.iso(row.sent_at) == old
    assert found[3, "28374"].sent_at is None
    assert row.customer
    assert shop.cli("plan", "--format", "json") == 0
    plan = json.loads(capsys.readouterr().out)
    assert plan["summary"]["add"] == 2
    assert {each["order_id"] for each in plan["invitations"]["schedule"]} == {1, 4, 6}
    assert shop.cli("apply", "--auto-approve") == 0
    assert {key for key, row in rows(shop).items() if row.status is Status.PENDING} == {
        (1, "28374"),
        (4, "28374"),
        (6, "28375"),
    }


def test_marking_twice_is_like_marking_once(shop, capsys):
    """The second time everything is there already: nothing is written, the serial stays."""
    text = "increment_id\n100000002\n100000003\n100000003\n"
    first = mark(shop, capsys, text)[1]
    assert (first["marked"], first["present"]) == (2, 1)
    with open_state(str(shop.state), root=shop.folder, mode=Mode.READ) as state:
        before, serial = StoredContent(state).digests(), state.meta.read().serial
        assert state.journal.entries()[0].action == "invitations mark-sent"
    second = mark(shop, capsys, text)[1]
    assert (second["marked"], second["present"]) == (0, 3)
    with open_state(str(shop.state), root=shop.folder, mode=Mode.READ) as state:
        assert (StoredContent(state).digests(), state.meta.read().serial) == (before, serial)


def test_orders_that_wait_are_no_longer_sent(shop, capsys):
    """A pending row becomes the sent one; of another account than the one named, it is cancelled instead."""
    assert shop.cli("apply", "--auto-approve", "--no-send") == 0
    capsys.readouterr()
    text = "order,account\n100000002,\n100000003,France\n100000004,Germany\n"
    found = mark(shop, capsys, text)[1]
    assert (found["marked"], found["were_waiting"]) == (3, 3)
    status = {key: row.status for key, row in rows(shop).items()}
    assert status[2, "28374"] is status[4, "28374"] is status[3, "28375"] is Status.SENT
    assert status[3, "28374"] is Status.CANCELLED
    with open_state(str(shop.state), root=shop.folder, mode=Mode.READ) as state:
        row = state.queue.rows_for("default", [2])[2][0]
        assert state.invitations.history(row.id)[-1].detail == "adopted"
        assert check_database(state) == []


def test_a_row_that_was_cancelled_is_marked_too(shop, capsys):
    """Whichever account it was cancelled for: the order ends up sent."""
    assert shop.cli("apply", "--auto-approve", "--no-send") == 0
    with open_state(str(shop.state), root=shop.folder, mode=Mode.WRITE) as state:
        state.schedule.cancel({row.id: "order_age" for row in state.invitations.search()}, now=instant.now())
    capsys.readouterr()
    mark(shop, capsys, "order_id,account\n2,\n3,28375\n")
    status = {key: row.status for key, row in rows(shop).items()}
    assert (status[2, "28374"], status[3, "28375"], status[3, "28374"]) == (
        Status.SENT,
        Status.SENT,
        Status.CANCELLED,
    )


def test_what_was_dealt_with_stays_as_it_is(shop, capsys):
    """A skipped row counts as present."""
    assert shop.cli("apply", "--auto-approve", "--no-send") == 0
    assert shop.cli("invitations", "skip", "order:100000002") == 0
    capsys.readouterr()
    assert mark(shop, capsys, "order_id\n2\n")[1]["present"] == 1
    assert rows(shop)[2, "28374"].status is Status.SKIPPED


BAD = f"""order,order_id,account,date
100000002,,,
100009999,,,
100000001,,,
,77,,
,abc,,
100000003,2,,
100000003,,Nowhere,
100000003,,,31.12.2025
100000003,,,2999-01-01
{CANARY},,,
,,28374,
100000003,,,,more
100000004,,,
"""
PROBLEMS = {
    3: "no order with this number",
    4: "2 orders have this number",
    5: "no order with this id",
    6: "no order with this id",
    7: "another number",
    8: "no such account",
    9: "cannot be read",
    10: "in the future",
    11: "no order with this number",
    12: "no such order",
    13: "cells where the header has",
}


def test_every_bad_line_is_told_and_nothing_is_written(shop, capsys):
    """All problems come in one run, each with its line; what stands in the line is never repeated."""
    code, found = mark(shop, capsys, BAD)
    assert (code, found["written"], found["marked"]) == (1, False, 2)
    told = {each["line"]: each["problem"] for each in found["problems"]}
    assert list(told) == list(PROBLEMS)
    for line, part in PROBLEMS.items():
        assert part in told[line]
    assert rows(shop) == {}


def test_keep_going_leaves_bad_lines_out(shop, capsys):
    """The good ones are marked; what was not done still makes the exit code 1."""
    code, found = mark(shop, capsys, BAD, "--keep-going")
    assert (code, found["written"], found["marked"], len(found["problems"])) == (1, True, 2, 11)
    assert set(rows(shop)) == {(2, "28374"), (4, "28374")}


def test_a_dry_run_only_says_what_it_would_do(shop, capsys):
    """Without a state it makes none; with one it changes nothing, and counts as the real run does."""
    text = "order_id\n2\n5\n"
    found = mark(shop, capsys, text, "--dry-run")[1]
    assert (found["marked"], found["written"], found["dry_run"]) == (2, False, True)
    assert not shop.state.exists()
    mark(shop, capsys, "order_id\n2\n")
    before = rows(shop)
    found = mark(shop, capsys, text, "--dry-run")[1]
    assert (found["marked"], found["present"]) == (1, 1)
    assert rows(shop) == before


def test_json_lines_are_read_too(shop, capsys):
    """The output of another command, one object per line, with numbers as numbers or texts."""
    text = '{"order_id": 2}\n\n{"order": "100000003", "store": [1]}\n[1]\n{"order": true}\n{broken\n'
    code, found = mark(shop, capsys, text, "--keep-going", name="past.jsonl")
    assert (code, found["marked"]) == (1, 2)
    assert [each["line"] for each in found["problems"]] == [4, 5, 6]


def test_the_account_option_stands_in(shop, capsys):
    """Lines without an account belong to it, others to theirs."""
    mark(shop, capsys, "order_id,account\n2,\n3,Germany\n", "--account", "France")
    assert set(rows(shop)) == {(2, "28375"), (3, "28374")}


def test_the_order_source_is_that_of_the_account_or_the_one_asked_for(shop, capsys):
    """With several sources a bare order is not clear; an account or --source makes it so."""
    path = shop.folder / "ekomi-reconcile.yaml"
    path.write_text(
        path.read_text().replace("{file: orders.jsonl}", "{eu: {file: orders.jsonl}, us: {file: us.jsonl}}")
    )
    (shop.folder / "us.jsonl").write_text(json.dumps(order(2)) + "\n")
    shop.account("Germany", "28374", "store_views: [de]", more="orders: eu")
    shop.account("France", "28375", "store_views: [fr]", more="orders: us")
    code, found = mark(shop, capsys, "order_id\n2\n")
    assert code == 1
    assert "--source" in found["problems"][0]["problem"]
    mark(shop, capsys, "order_id,account\n2,28374\n")
    mark(shop, capsys, "order_id\n2\n", "--source", "us")
    assert {row.source for row in rows(shop).values()} == {"eu", "us"}
    code, found = mark(shop, capsys, "order_id,account\n2,Germany\n", "--source", "us")
    assert "another source" in found["problems"][0]["problem"]
    assert shop.cli("invitations", "mark-sent", "past.csv", "--source", "nowhere") == 1
    assert "order sources: eu, us" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["", "name,street\n1,2\n", "\n\n"])
def test_a_file_without_orders_is_refused(text, shop, capsys):
    """It says which column is needed."""
    assert mark(shop, capsys, text) == (1, None)
    assert not shop.state.exists()


def test_csv_as_spreadsheets_write_it():
    """A byte order mark, semicolons, quotes and line breaks inside them, blank lines, odd headers."""
    text = (
        '\ufeffOrder ID;"Sent at";note\r\n"7";2025-01-02 03:04:05;"a\r\nb"\r\n\r\n8;2025-01-02T03:04:05Z;\r\n'
    )
    entries, bad = read_past(text.encode(), now=2_000_000_000)
    assert bad == []
    assert [(each.order_id, each.at, each.line) for each in entries] == [
        (7, 1_735_787_045, 3),
        (8, 1_735_787_045, 5),
    ]


def test_an_unreadable_order_source_stops_it(shop, capsys):
    """Nothing is taken for an unknown order because the source could not be read."""
    (shop.folder / "orders.jsonl").unlink()
    assert mark(shop, capsys, "order_id\n2\n") == (1, None)
