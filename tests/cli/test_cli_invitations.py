"""``invitations``: the queue, and what a person may do with a row."""

import json

import pytest
from recorded_support import ROWS, THEN, an_order, opened

from ekomi_reconcile.model.invitation import Status
from ekomi_reconcile.state.engine.lock import WriterLock, user
from ekomi_reconcile.state.opening import Mode


def answer(project, capsys, *arguments):
    """What a command that succeeds says in JSON."""
    assert project.cli("invitations", *arguments, "--format", "json") == 0
    return json.loads(capsys.readouterr().out)


def ids(found):
    """The ids of listed rows."""
    return [each["id"] for each in found]


def serial(project):
    """The serial of the state."""
    with opened(project.folder) as state:
        return state.meta.read().serial


def journal(project):
    """The latest entry."""
    with opened(project.folder) as state:
        return state.journal.entries(1)[0]


def test_the_list_is_complete_and_in_order(recorded, capsys):
    """Every row, of deleted accounts too, by id."""
    found = answer(recorded, capsys, "list")
    assert ids(found) == list(range(1, 9))
    assert [each["status"] for each in found[:7]] == [each.value for each in ROWS]
    assert (found[7]["account"], found[7]["reason"]) == ("Old", "account_deleted")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--status", "sent"], [2]),
        (["--status", "failed", "--status", "unknown"], [5, 6]),
        (["--account", "old"], [8]),
        (["--account", "28374", "--account", "Old", "--status", "cancelled"], [4, 8]),
        (["--order", "100000003"], [3]),
        (["--order", "3"], [3]),
        (["--order", "4711"], []),
        (["--limit", "3"], [1, 2, 3]),
        (["--account", "Norway"], []),
    ],
)
def test_the_list_is_narrowed(arguments, expected, recorded, capsys):
    """By state, account, order, number of rows."""
    assert ids(answer(recorded, capsys, "list", *arguments)) == expected


def test_a_state_that_does_not_exist_is_a_usage_error(recorded, capsys):
    """The message names those that do."""
    assert recorded.cli("invitations", "list", "--status", "lost") == 64
    assert "'pending'" in capsys.readouterr().err


@pytest.mark.parametrize("which", ["2", "id:2", "100000002", "#100000002", "order:100000002"])
def test_an_invitation_is_found_by_id_or_order(which, recorded, capsys):
    """Plainly, or with what it is."""
    assert answer(recorded, capsys, "show", which)["id"] == 2


def test_a_number_that_fits_two_must_be_said_more_exactly(recorded, capsys):
    """Where an id is also another one's order number, nothing is guessed."""
    with opened(recorded.folder, Mode.WRITE) as state:
        state.schedule.add([an_order(50, number="2")], now=THEN)
    assert recorded.cli("invitations", "skip", "2") == 1
    assert "write id:2 or order:2" in capsys.readouterr().err
    assert answer(recorded, capsys, "show", "id:2")["order"] == "100000002"
    assert answer(recorded, capsys, "show", "order:2")["order_id"] == 50


def test_an_id_that_is_its_own_order_number_is_no_question(recorded, capsys):
    """Both mean the same row."""
    with opened(recorded.folder, Mode.WRITE) as state:
        state.schedule.add([an_order(50, number="9")], now=THEN)
    assert answer(recorded, capsys, "show", "9")["id"] == 9


def test_of_several_rows_of_an_order_the_live_one_is_meant(recorded, capsys):
    """Cancelled rows of other accounts do not count; only cancelled ones must be named by id."""
    with opened(recorded.folder, Mode.WRITE) as state:
        state.schedule.add([an_order(4, "28376")], now=THEN)
    assert answer(recorded, capsys, "show", "100000004")["account"] == "Norway"
    with opened(recorded.folder, Mode.WRITE) as state:
        state.schedule.cancel({9: "order_age"}, now=THEN)
    assert recorded.cli("invitations", "show", "100000004") == 1
    assert "name one: id:4, id:9" in capsys.readouterr().err


@pytest.mark.parametrize(
    "which", ["4711", "id:4711", "order:1", "id:x", "nothing", "id:" + "9" * 40, "9" * 40]
)
def test_an_unknown_invitation_is_an_error(which, recorded, capsys):
    """Exit 1, and how to find the right one."""
    assert recorded.cli("invitations", "show", which) == 1
    assert "ekomi-reconcile invitations list" in capsys.readouterr().err


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    ("verb", "row", "becomes"),
    [
        (["skip"], Status.PENDING, "skipped"),
        (["skip"], Status.FAILED, "skipped"),
        (["unskip"], Status.SKIPPED, "pending"),
        (["push"], Status.PENDING, "pending"),
        (["retry"], Status.FAILED, "pending"),
        (["resolve", "--sent"], Status.UNKNOWN, "sent"),
        (["resolve", "--resend"], Status.UNKNOWN, "pending"),
    ],
)
def test_what_a_person_may_do(verb, row, becomes, recorded, capsys):
    """The row changes and is shown, who did it is in its history, the journal and the serial know of it."""
    before = serial(recorded)
    found = answer(recorded, capsys, verb[0], str(ROWS[row]), *verb[1:])
    assert found["status"] == becomes
    last = answer(recorded, capsys, "history", str(ROWS[row]))[-1]
    assert (last["from"], last["to"], last["actor"]) == (row.value, becomes, user())
    assert serial(recorded) == before + 1
    entry = journal(recorded)
    assert (entry.action, entry.outcome, entry.who) == (f"invitations {verb[0]}", becomes, user())


@pytest.mark.parametrize("verb", [["skip"], ["unskip"], ["push"], ["retry"], ["resolve", "--resend"]])
def test_what_was_sent_stays_sent(verb, recorded, capsys):
    """Nothing a person can type makes a second request of it; nothing is journaled."""
    before = serial(recorded)
    assert recorded.cli("invitations", verb[0], "100000002", *verb[1:]) == 1
    assert "is sent" in capsys.readouterr().err
    assert answer(recorded, capsys, "show", "2")["status"] == "sent"
    assert serial(recorded) == before


def test_a_push_is_due_at_once(recorded, capsys):
    """Its time has come, and changed rules no longer move it."""
    with opened(recorded.folder, Mode.WRITE) as state:
        state.schedule.add([an_order(50, scheduled_at=2**40)], now=THEN)
    found = answer(recorded, capsys, "push", "100000050")
    assert found["pushed"] is True
    assert found["scheduled_at"] < "2100"


def test_the_reason_of_a_skip_is_kept(recorded, capsys):
    """It stands with the row."""
    assert answer(recorded, capsys, "skip", "1", "--reason", "asked already")["reason"] == "asked already"


def test_skipping_twice_changes_nothing(recorded, capsys):
    """The second time succeeds and leaves no trace."""
    before = serial(recorded)
    assert answer(recorded, capsys, "skip", "3")["reason"] == "asked already"
    assert serial(recorded) == before


def test_resolving_needs_the_answer(recorded, capsys):
    """Either of the two, not both: anything else is a usage error and changes nothing."""
    for flags in ([], ["--sent", "--resend"]):
        assert recorded.cli("invitations", "resolve", "6", *flags) == 64
    assert answer(recorded, capsys, "show", "6")["status"] == "unknown"


def test_changing_takes_the_writer_lock(recorded, capsys):
    """While a run is sending nobody else writes."""
    with WriterLock(recorded.state.with_name("state.db.lock"), operation="apply"):
        assert recorded.cli("invitations", "skip", "1") == 1
        assert "another process is writing the state" in capsys.readouterr().err
        assert recorded.cli("invitations", "list") == 0


def test_changing_makes_no_state(recorded, capsys):
    """Without a state there is nothing to change."""
    recorded.state.unlink()
    assert recorded.cli("invitations", "skip", "1") == 1
    assert not recorded.state.exists()


def test_text_is_for_people(recorded, capsys):
    """A change shows the row as it is now, field by field."""
    assert recorded.cli("invitations", "skip", "1", "--reason", "asked already") == 0
    output = capsys.readouterr().out
    assert output.startswith("Invitation 1\n  Status          skipped\n  Reason          asked already\n")


def test_a_pushed_row_is_sent_by_the_next_run(project, sandbox, capsys):
    """The whole way: scheduled for later, pushed, sent once."""
    from project_support import order

    project.account("Germany", "28374", "store_views: [de]\npending_period: 20")
    project.orders([order(1)])
    assert project.cli("apply", "--auto-approve") == 0
    assert not sandbox.world.outbox.entries()
    assert project.cli("invitations", "push", "100000001") == 0
    assert project.cli("apply", "--auto-approve") == 0
    assert [each.transaction_id for each in sandbox.world.outbox.entries()] == ["100000001"]
