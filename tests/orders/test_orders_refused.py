"""Commands over order files that are refused, or that hold faulty records: exit 1, and nothing is lost."""

import json

import pytest
from project_support import order, settings

from ekomi_reconcile.model.invitation import Status
from ekomi_reconcile.state.opening import Mode, open_state

ADDRESSES = [
    "mailto:c1@example.com",
    "<c1@example.com>",
    "c1@example.com,example.org",
    "c1@example.com\u200b",
    '"c1@example.com"',
    "c1@example.com;c2@example.com",
    "Kim <c1@example.com>",
]
HEADER = "entity_id,increment_id,state,status,store_code,customer_group,created_at,updated_at,customer_email"
MESSAGE = {"message": "The consumer isn't authorized to access %resources."}
SHOPIFY = {"orders": [{"id": 1, "email": "c1@example.com"}]}
PER_ITEM = (
    HEADER
    + ",sku\n"
    + "1,100000001,complete,complete,de,General,2026-11-20,2026-11-22,c1@example.com,X\n" * 2
)
REFUSED = [
    ("orders.json", json.dumps(MESSAGE)),
    ("orders.json", json.dumps(SHOPIFY)),
    ("orders.json", "{}"),
    ("orders.jsonl", json.dumps(MESSAGE) + "\n"),
    ("orders.csv", PER_ITEM.replace("X", "GIFT-1", 1)),
    ("orders.csv", HEADER.replace("entity_id", "id") + "\n"),
]


@pytest.fixture
def shop(project, sandbox, capsys):
    """Order 1 was sent, order 2 is pending; both come from a file named in ``project``."""
    project.account("Germany", "28374", "store_views: [de]\npending_period: 7", more="tags: [service]")
    project.orders([order(1, age_days=8), order(2, age_days=2)])
    assert project.cli("apply", "--auto-approve") == 0
    capsys.readouterr()
    return project


def state_of(project):
    """Status by order, and the positions."""
    with open_state(str(project.state), root=project.folder, mode=Mode.READ) as state:
        rows = {row.order_id: row.status for row in state.invitations.search()}
        return rows, {key: each.cursor for key, each in state.positions.read().items()}


@pytest.mark.sampled(6)
@pytest.mark.parametrize(("name", "text"), REFUSED)
def test_a_refused_file_leaves_everything_as_it_is(shop, sandbox, capsys, name, text):
    """Every command reports it with exit 1; invitations and positions do not move."""
    before = state_of(shop)
    assert before[0] == {1: Status.SENT, 2: Status.PENDING}
    path = shop.folder / "ekomi-reconcile.yaml"
    path.write_text(path.read_text().replace("orders.jsonl", name))
    (shop.folder / name).write_text(text)
    for command in (["plan"], ["apply", "--auto-approve"], ["doctor"], ["explain", "100000001"]):
        assert shop.cli(*command) == 1
        shown = capsys.readouterr()
        assert f"cannot read the orders in {shop.folder / name}" in shown.out + shown.err
        assert "c1@example.com" not in shown.out + shown.err
    assert state_of(shop) == before


def test_faulty_records_are_reported_and_the_rest_proceeds(shop, capsys):
    """FILE:LINE and exit 1, with or without a final newline; the other orders are invited."""
    lines = [json.dumps(order(each, age_days=8)) for each in (1, 2, 3)]
    lines.insert(1, json.dumps(order(4, age_days=8, increment_id="1.00E+08")))
    for end in ("\n", ""):
        (shop.folder / "orders.jsonl").write_text(
            "\n".join([*lines, json.dumps(order(5, entity_id=5.0))]) + end
        )
        assert shop.cli("plan") == 1
        shown = capsys.readouterr()
        for line in (2, 5):
            assert f"orders.jsonl:{line}:1" in shown.out + shown.err
    assert shop.cli("apply", "--auto-approve") == 1
    assert state_of(shop)[0] == {1: Status.SENT, 2: Status.PENDING, 3: Status.SENT}


@pytest.mark.sampled(3)
@pytest.mark.parametrize("address", ADDRESSES)
def test_addresses_that_nobody_has_are_not_used(project, sandbox, capsys, address):
    """They are not handed to eKomi; spaces around an address are removed."""
    project.account("Germany", "28374", "store_views: [de]\npending_period: 0", more="tags: [service]")
    project.orders([order(1, customer_email=address), order(2, customer_email=" c2@example.com\u00a0")])
    assert project.cli("apply", "--auto-approve") == 0
    assert state_of(project)[0] == {2: Status.SENT}


def test_a_file_with_carriage_returns_is_read(project, sandbox, capsys):
    """As the same file with newlines: two orders, handled by every command."""
    row = "complete,complete,de,General,2026-11-20 10:00:00,2026-11-22 10:00:00"
    text = f"{HEADER}\r1,100000001,{row},c1@example.com\r2,100000002,{row},c2@example.com\r"
    project.settings(settings(sandbox.url).replace("orders.jsonl", "orders.csv"))
    (project.folder / "orders.csv").write_bytes(text.encode())
    project.account("Germany", "28374", "store_views: [de]\npending_period: 0\nskip_orders_older_than: 0")
    assert project.cli("apply", "--auto-approve") == 0
    assert state_of(project)[0].keys() == {1, 2}
    assert project.cli("explain", "100000001") == 0


def test_numbers_changed_by_a_spreadsheet_are_reported_line_by_line(project, sandbox, capsys):
    """Two orders must not become one, and eKomi gets no number that the shop does not have."""
    row = "complete,complete,de,General,2026-11-20 10:00:00,2026-11-22 10:00:00,c@example.com"
    keys = ["6,100000006", "2.02611E+11,100000001", "2.02611E+11,100000002", "3,1.00E+08", "5,100000005.0"]
    text = "".join(f"{each}\n" for each in [HEADER, *(f"{key},{row}" for key in keys)])
    project.settings(settings(sandbox.url).replace("orders.jsonl", "orders.csv"))
    (project.folder / "orders.csv").write_text(text)
    project.account("Germany", "28374", "store_views: [de]\npending_period: 0\nskip_orders_older_than: 0")
    assert project.cli("apply", "--auto-approve") == 1
    output = capsys.readouterr()
    shown = output.out + output.err
    assert [f"orders.csv:{line}:1" in shown for line in range(1, 7)] == [False, False, True, True, True, True]
    assert state_of(project)[0].keys() == {6}
