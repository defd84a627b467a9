"""What the state costs in statements and transactions: counted, not timed, so that no machine is too slow."""

import pytest
from project_support import order
from speed_counting import counted, statements

from ekomi_reconcile.model.account import Account, AppliedAccount
from ekomi_reconcile.model.invitation import NewInvitation, SendOutcome, Status
from ekomi_reconcile.state.opening import Mode, open_state

NOW = 1_750_000_000


@pytest.fixture
def state(tmp_path):
    """A file state with one account."""
    with open_state("state.db", root=tmp_path, mode=Mode.CREATE) as opened:
        account = Account(name="One", interface_id="1", interface_password="${env:PASSWORD}")
        opened.accounts.save_all([AppliedAccount(account=account)], now=NOW)
        yield opened


def invitation(order_id):
    """An order to schedule."""
    return NewInvitation(
        interface_id="1",
        source="default",
        order_id=order_id,
        number=str(order_id),
        order_date=NOW,
        reached_at=NOW,
        reached_status="complete",
        reached_source="history",
        judged_at=NOW,
        scheduled_at=NOW,
    )


def test_scheduling_a_thousand_orders_takes_a_handful_of_statements(state):
    """A batch of 1,000 new orders is one transaction, and a statement for some hundred rows each."""
    with counted() as found:
        assert state.schedule.add([invitation(each) for each in range(1_000)], now=NOW).inserted == 1_000
    assert found["transactions"] == 1
    assert found["INSERT"] <= 2
    assert statements(found) <= 4


def test_scheduling_what_is_there_already_costs_no_statement_per_row(state):
    """Done again after a crash, the batch takes a few statements more, not one per order."""
    rows = [invitation(each) for each in range(1_000)]
    state.schedule.add(rows, now=NOW)
    with counted() as found:
        assert state.schedule.add(rows, now=NOW).blocked == 1_000
    assert statements(found) <= 6


@pytest.mark.parametrize("rows", [10, 100])
def test_an_intent_and_an_outcome_are_one_transaction_each_however_many_rows(state, rows):
    """Claiming rows for sending, and settling them, costs the same for 10 as for 100."""
    state.schedule.add([invitation(each) for each in range(rows)], now=NOW)
    ids = [row.id for row in state.queue.pending({"1"})]
    with counted() as claiming:
        assert len(state.sending.claim(ids, now=NOW)) == rows
    with counted() as settling:
        state.sending.settle([SendOutcome(id=each, status=Status.SENT, at=NOW) for each in ids])
    assert claiming == {"transactions": 1, "UPDATE": 1, "INSERT": 1}
    assert settling == {"transactions": 1, "SELECT": 1, "UPDATE": 1, "INSERT": 1}


def counted_apply(project):
    """What an apply asks the state."""
    with counted() as found:
        assert project.cli("apply", "--auto-approve") == 0
    return found


def settled_apply(project):
    """The same, when nothing is new: a file written a moment ago is read twice, it might change unseen."""
    for _ in range(2):
        assert project.cli("apply", "--auto-approve") == 0
    return counted_apply(project)


def test_an_apply_without_news_costs_the_same_whatever_waits(project):
    """With nothing to do, 1,000 waiting invitations take as many statements as 10."""
    project.account("Germany", "28374")
    project.orders(order(number) for number in range(1, 11))
    few = settled_apply(project)
    project.orders(order(number) for number in range(1, 1_001))
    assert settled_apply(project) == few
    assert few["transactions"] <= 1
    assert statements(few) <= 31  # of them mark, last run, stopped accounts and reviews: a few each


def test_a_send_takes_two_transactions_at_most(project):
    """What is journaled of a send is one intent and one outcome: nothing else is written meanwhile."""
    sends, around = 40, counted_around(project)
    project.orders(order(number, age_days=20) for number in range(1, sends + 1))
    assert project.cli("apply", "--auto-approve", "--no-send") == 0
    found = counted_apply(project)
    assert found["transactions"] <= 2 * sends + around["transactions"] + 2
    assert statements(found) <= 5 * sends + statements(around) + 20
    with open_state(str(project.state), root=project.folder, mode=Mode.READ) as state:
        assert state.queue.counts()["28374"] == {Status.SENT: sends}


def counted_around(project):
    """What a run asks the state that sends nothing."""
    project.account("Germany", "28374")
    assert project.cli("apply", "--auto-approve") == 0
    return counted_apply(project)
