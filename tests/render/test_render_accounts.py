"""The accounts grid and one account in full, against golden files."""

import json

import pytest
from render_support import NOW, a_record, an_account, as_read, drawn, golden
from rich.cells import cell_len

from ekomi_reconcile.model.account import Checked, Credential, GridRow, Links
from ekomi_reconcile.model.invitation import Status
from ekomi_reconcile.model.review import ShopData
from ekomi_reconcile.render.accounts import (
    LAYOUT,
    AccountDetail,
    checked_json,
    checked_text,
    detail_json,
    detail_text,
    grid_json,
    grid_row,
    troubles,
)
from ekomi_reconcile.render.tables import Paint, json_text

ORIGINS = {
    "name": "accounts.d/de.yaml:2",
    "interface_id": "accounts.d/de.yaml:3",
    "invitations.enabled": "accounts.d/de.yaml:7",
    "invitations.pending_period": "ekomi-reconcile.yaml:9 (defaults)",
    "invitations.deliver": "default",
}


def grid():
    """An account as rich in data as it gets, and one that was never fetched."""
    new = a_record(
        12,
        an_account("Bad\x1b[31m name", "9", invitations=type(an_account().invitations)()),
        shop=ShopData(),
        last_fetched_at=None,
        last_error="sync: HTTP 503",
        last_error_at=NOW,
    )
    return [
        GridRow(a_record(), {Status.PENDING: 340, Status.SENT: 860, Status.CANCELLED: 4}),
        GridRow(new, {}),
    ]


@pytest.mark.parametrize("width", [None, 80])
def test_the_grid(width):
    """The grid in a pipe and on a terminal of 80 columns; names cannot play tricks on it."""
    text = drawn(LAYOUT, map(grid_row, grid()), width)
    golden(f"accounts_{width or 'pipe'}.txt", text)
    if width:
        assert max(map(cell_len, text.splitlines())) <= width


def test_the_grid_as_json():
    """Exactly the promised keys; absent values are null, the queue has its two counters."""
    first, second = (as_read(grid_json(each)) for each in grid())
    assert first == {
        "id": 1,
        "name": "Germany",
        "account_name": "Example Books Deutschland GmbH",
        "interface_id": "28374",
        "locale": "de",
        "total_reviews": 1204,
        "average_score": 4.68,
        "invitations": True,
        "queue": {"total": 1204, "pending": 340},
        "updated_at": "2026-10-29T12:00:00Z",
        "last_fetched_at": "2026-10-31T11:00:00Z",
        "last_error": None,
    }
    assert list(second) == list(first)
    assert second["invitations"] is False
    assert second["queue"] == {"total": 0, "pending": 0}
    assert (second["locale"], second["last_fetched_at"]) == (None, None)
    assert second["last_error"] == "sync: HTTP 503"


def test_only_accounts_in_trouble_are_named():
    """A line for each account whose last call failed, and none for the others."""
    assert list(troubles(grid(), Paint())) == ["failed: Bad\\x1b[31m name: sync: HTTP 503\n"]


def detail(**more):
    """An account that was applied with another pending period and shop page than the files say now."""
    before = a_record()
    desired = json.loads(json.dumps(before.desired))
    desired["invitations"]["pending_period"] = 14
    values = {
        "record": a_record(desired=desired, last_error="import: HTTP 503", last_error_at=NOW),
        "written": an_account(),
        "origins": ORIGINS,
        "queue": {Status.PENDING: 3, Status.FAILED: 1},
    }
    return AccountDetail(**(values | more))


def test_one_account_in_full():
    """Every field with where its value comes from, what was applied before, the queue by state."""
    golden("account_detail.txt", detail_text(detail(), Paint()))
    golden("account_detail.json", json_text(detail_json(detail())) + "\n")


def test_a_link_of_the_files_wins_over_the_one_of_ekomi():
    """A link that is written down is shown with its place, one that is left out comes from eKomi."""
    origins = ORIGINS | {"links.webshop_url": "accounts.d/de.yaml:5"}
    written = an_account(links=Links(webshop_url="https://own.example.com/"))
    found = as_read(detail_json(detail(written=written, origins=origins)))["settings"]["links.webshop_url"]
    assert (found["value"], found["origin"]) == ("https://own.example.com/", "accounts.d/de.yaml:5")
    found = as_read(detail_json(detail()))["settings"]["links.webshop_url"]
    assert found == {"value": "https://shop.example.com/de", "origin": "eKomi"}


def test_an_account_that_was_never_applied():
    """It has its settings and places, no record, and nothing else is made up."""
    found = as_read(detail_json(detail(record=None, queue={})))
    assert (found["in_files"], found["in_state"], found["id"], found["locale"]) == (True, False, None, None)
    assert found["settings"]["invitations.enabled"] == {"value": True, "origin": "accounts.d/de.yaml:7"}
    assert "in the files, not applied yet" in detail_text(detail(record=None, queue={}), Paint())


def test_an_account_that_left_the_files():
    """Its settings are those last applied, and they come from the state."""
    found = as_read(detail_json(detail(written=None, origins={})))
    assert (found["in_files"], found["in_state"]) == (False, True)
    assert found["settings"]["invitations.pending_period"] == {"value": 14, "origin": "state"}


def test_the_digest_of_the_password_is_nowhere():
    """Only the reference to the password is shown."""
    for text in (detail_text(detail(), Paint()), json_text(detail_json(detail()))):
        assert "d1d1" not in text
        assert "${env:PASSWORD}" in text


def test_verdicts_on_credentials():
    """One line each; the verdict is a word, not only a colour, and has a name in JSON."""
    found = [
        Checked(name="Germany", interface_id="1", verdict=Credential.OK),
        Checked(name="France", interface_id="2", verdict=Credential.WRONG, message="refused"),
        Checked(name="Norway", interface_id="3", verdict=Credential.UNCHECKED, message="HTTP 503"),
        Checked(name="Italy", interface_id="4", verdict=Credential.UNRESOLVED, message="X is not set"),
    ]
    assert "".join(checked_text(each, Paint()) for each in found) == (
        "Germany (1): ok\n"
        "France (2): wrong: refused\n"
        "Norway (3): could not check: HTTP 503\n"
        "Italy (4): password reference unresolved: X is not set\n"
    )
    assert [checked_json(each).result for each in found] == ["ok", "wrong", "unchecked", "unresolved"]
