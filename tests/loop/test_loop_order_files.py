"""Order files as shops have them, from the export to what arrived, by the mapping that is printed."""

from __future__ import annotations

import csv
import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import httpx
import pytest
import yaml
from project_support import settings

from ekomi_reconcile.cli.main import run
from ekomi_reconcile.config.order_sources import DEFAULT_SOURCE, sources_of
from ekomi_reconcile.model import instant
from ekomi_reconcile.model.instant import DAY

sys.path.insert(0, str(Path(__file__).parents[1] / "docs"))
from docs_blocks import DOCS, blocks

BERLIN = ZoneInfo("Europe/Berlin")


def titles(line):
    """The titles in the first line of a file."""
    return next(csv.reader([line]))


SHOPIFY = titles(
    "Name,Email,Financial Status,Paid at,Fulfillment Status,Fulfilled at,Accepts Marketing,Currency,Subtotal,"
    "Shipping,Taxes,Total,Discount Code,Discount Amount,Shipping Method,Created at,Lineitem quantity,"
    "Lineitem name,Lineitem price,Lineitem compare at price,Lineitem sku,Lineitem fulfillment status,"
    "Billing Name,Billing Country,Billing Phone,Shipping Name,Shipping Zip,Shipping City,Shipping Country,"
    "Cancelled at,Payment Method,Refunded Amount,Vendor,Id,Tags"
)
GRID = titles(
    "ID,Purchase Point,Purchase Date,Bill-to Name,Ship-to Name,Grand Total (Base),Grand Total (Purchased),"
    "Status,Billing Address,Shipping Address,Shipping Information,Customer Email,Customer Group,Subtotal,"
    "Shipping and Handling,Customer Name,Payment Method,Total Refunded"
)


def ago(days, zone=UTC):
    """The local time so many days ago."""
    return datetime.fromtimestamp(instant.now() - days * DAY, zone)


def shopify():
    """An order of two rows, one not sent yet, a refunded one, and one with a word that nobody knows."""
    at = ago(12, BERLIN).strftime("%Y-%m-%d %H:%M:%S %z")
    sent = ago(10, BERLIN).strftime("%Y-%m-%d %H:%M:%S %z")
    item = {"Lineitem quantity": "1", "Lineitem name": "Book, red", "Lineitem price": "20.00"}
    for number, paid, state, items in (
        (1001, "paid", "fulfilled", ("BK-1", "PN-1")),
        (1002, "paid", "unfulfilled", ("BK-1",)),
        (1003, "refunded", "fulfilled", ("BK-1",)),
        (1004, "disputed", "fulfilled", ("BK-1",)),
        (1005, "paid", "fulfilled", ("PN-1",)),
    ):
        whole = {
            "Financial Status": paid,
            "Fulfillment Status": state,
            "Fulfilled at": sent if state == "fulfilled" else "",
            "Accepts Marketing": "yes",
            "Total": "1,020.00",
            "Refunded Amount": "0.00",
            "Billing Name": "Kim Example",
            "Shipping Country": "DE",
            "Id": str(5_000_000 + number),
        }
        common = {"Name": f"#{number}", "Email": f"customer{number}@example.com", "Created at": at}
        for position, sku in enumerate(items):
            yield {**common, **({} if position else whole), **item, "Lineitem sku": sku}


def grid():
    """Orders of the grid of Magento's admin: complete, canceled, and with the shop's own status."""
    at = ago(12, BERLIN).strftime("%b %d, %Y %I:%M:%S %p").replace(" 0", " ", 1)
    for number, status in ((1, "Complete"), (2, "Canceled"), (3, "Handed over")):
        yield {
            "ID": f"{number:09d}",
            "Purchase Point": "Main Website\n    Main Website Store\n        Default Store View",
            "Purchase Date": at,
            "Bill-to Name": "Kim Example",
            "Grand Total (Purchased)": "54.9000",
            "Grand Total (Base)": "54.9000",
            "Status": status,
            "Customer Email": f"customer{number}@example.com",
            "Customer Group": "General",
        }


def export(path, header, rows):
    """Write a file as an export does, with a byte order mark."""
    with path.open("w", newline="", encoding="utf-8-sig") as file:
        table = csv.DictWriter(file, header, restval="")
        table.writeheader()
        table.writerows(rows)


def inspected(capsys, path, *more):
    """What the command prints, and its exit code."""
    code = run(["orders", "inspect", str(path), *more])
    return capsys.readouterr().out, code


def invited(url):
    """The order numbers that arrived at eKomi."""
    return sorted(each["transaction_id"] for each in httpx.get(f"{url}/_sandbox/outbox").json())


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    ("written", "word", "rules", "wanted"),
    [
        ((SHOPIFY, shopify), "disputed", "conditions: {any_item: {sku: {starts_with: BK-}}}", ["#1001"]),
        ((GRID, grid), "Handed over", "customer_groups: [General]", ["000000001"]),
    ],
)
def test_an_export_loads_with_the_mapping_that_is_printed(
    project, sandbox, capsys, written, word, rules, wanted
):
    """Pasted as it is it sends to whom it should; words that nobody knows are reported, and stop orders."""
    header, rows = written
    export(project.folder / "orders.csv", header, rows())
    said, code = inspected(capsys, project.folder / "orders.csv")
    assert code == 0
    assert "example.com" not in said
    assert "Kim" not in said
    assert f'add what "{word}" means to `values`' in said
    pasted = said[said.index("orders:\n") :]
    project.settings(settings(sandbox.url).replace("orders: {file: orders.jsonl}\n", pasted))
    project.account("Germany", "28374", f"pending_period: 7\n{rules}")
    assert project.cli("validate") == 0
    assert project.cli("plan") == 0
    assert f"1 orders have an unknown order state ({word}: 1)" in "".join(capsys.readouterr())
    assert project.cli("apply", "--auto-approve") == 0
    assert invited(sandbox.url) == wanted


def test_programs_read_what_was_recognised(tmp_path, capsys):
    """Columns with their fields, what is missing, words with counts, and the mapping itself."""
    export(tmp_path / "orders.csv", SHOPIFY, shopify())
    said, code = inspected(capsys, tmp_path / "orders.csv", "--format", "json")
    found = json.loads(said)
    assert code == 0
    assert found["orders"] == 5
    assert {"column": "Name", "field": "increment_id"} in found["columns"]
    assert {"column": "Taxes", "field": None} in found["columns"]
    assert found["missing"] == []
    assert found["mapping"]["items"] == "per_row"
    assert {"field": "status", "word": "complete", "orders": 1, "state": "refunded"} in found["words"]
    assert sources_of({"file": "orders.csv", **found["mapping"]})[DEFAULT_SOURCE].table.per_row


@pytest.mark.parametrize(
    ("text", "code", "part"),
    [
        ("Order no,Ordered,Status\n1,31.01.2026,complete\n", 1, "missing: created_at (the order date"),
        ("Order no,Date,Status\n1,31.01.2026,complete\n", 0, "missing: customer_email (nobody"),
        ('Order no,Date,Total\n1,31.01.2026,"1,5"\n', 0, "decimal: ','"),
        ("Order no,Date,Total\n1,01.02.2026,1\n2,x,1\n", 1, "orders.csv:2"),
        ("entity_id,increment_id,created_at\n1,1,2026-01-31 12:00:00\n", 0, "missing: status"),
        ("Order no,Date,Email\n1,01/02/2026,a@example.com\n", 1, "it fits %d/%m/%Y or %m/%d/%Y"),
    ],
)
def test_what_is_missing_is_said(tmp_path, capsys, text, code, part):
    """Required columns, formats that two readings fit, and rows that cannot be read, with their lines."""
    (tmp_path / "orders.csv").write_text(text)
    said, ended = inspected(capsys, tmp_path / "orders.csv")
    assert part in said
    assert ended == code


def test_a_file_in_magentos_shape_needs_no_mapping(project, capsys):
    """JSON Lines are looked through as well."""
    from project_support import order

    project.orders([order(1), order(2)])
    said, code = inspected(capsys, project.folder / "orders.jsonl")
    assert code == 0
    assert "jsonl, 2 orders read" in said
    assert "orders:\n" not in said


@pytest.mark.parametrize("name", ["missing.csv", "binary"])
def test_what_is_no_order_file_is_an_error(tmp_path, capsys, name):
    """It is said in one line, and the exit code is 1."""
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    assert run(["orders", "inspect", str(tmp_path / name)]) == 1
    assert "cannot read the orders in" in capsys.readouterr().err


def test_the_mappings_of_the_page_load_its_files(project, capsys):
    """Each is valid; those of the grid and of Shopify read every order of such an export."""
    pages = [each.text for each in blocks(DOCS / "how-to" / "order-files.md") if each.language == "yaml"]
    assert len(pages) == 3
    project.account("Germany", "28374")
    for text in pages:
        project.settings(text)
        assert project.cli("validate") == 0
    for text, header, rows, count in ((pages[1], GRID, grid, 3), (pages[2], SHOPIFY, shopify, 5)):
        source = yaml.safe_load(text)["orders"]
        export(project.folder / source["file"], header, rows())
        project.settings(text)
        capsys.readouterr()
        project.cli("plan", "--format", "json")
        assert json.loads(capsys.readouterr().out)["complete"] is True
        assert count
