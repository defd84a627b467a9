"""CSV files of other systems: a mapping of columns, words, numbers, times and rows of items."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from orders_support import Pass, write_csv

from ekomi_reconcile.config.order_sources import (
    DEFAULT_SOURCE,
    ORDER_FIELDS,
    DecimalMark,
    TableSettings,
    sources_of,
)
from ekomi_reconcile.model.errors import OrderSourceError
from ekomi_reconcile.model.instant import parse
from ekomi_reconcile.orders.facts import EVERYTHING
from ekomi_reconcile.orders.file import FileSource
from ekomi_reconcile.orders.mapped import NUMBERS, TIMES, number_of
from ekomi_reconcile.orders.reader import narrow
from ekomi_reconcile.orders.source import Wanted
from ekomi_reconcile.orders.wire import WireOrder
from ekomi_reconcile.rules.rulebook import blocked_state

COLUMNS = {"increment_id": "No", "created_at": "Date", "status": "Status", "grand_total": "Sum"}
HEADER = ["No", "Date", "Status", "Sum"]


def table(**written):
    """The settings of a file with this mapping."""
    return sources_of({"file": "orders.csv", "columns": COLUMNS, **written})[DEFAULT_SOURCE].table


def read(path, settings):
    """All orders by their ids, and the problems."""
    reading = FileSource("default", path, table=settings).read(Wanted(full=True, attributes=EVERYTHING))
    orders = {each.order_id: each for batch in reading.batches() for each in batch}
    return orders, reading.problems


def refused(path, settings):
    """The message and the hint with which the file is refused."""
    with pytest.raises(OrderSourceError) as caught:
        read(path, settings)
    return caught.value.message, caught.value.hint


def test_every_field_of_a_mapping_is_one_of_an_order():
    """Each path leads to a value that is read, and each time and number is among them."""
    assert narrow(WireOrder, frozenset(ORDER_FIELDS) | {"entity_id", "created_at"})
    assert frozenset(ORDER_FIELDS) >= TIMES | NUMBERS
    fields = set(WireOrder.__struct_fields__)
    assert {name.partition(".")[0] for name in ORDER_FIELDS} <= fields


def test_columns_lead_to_fields_and_numbers_are_ids(tmp_path):
    """Without entity_id an order is known by its number, in the form in which it is written."""
    rows = [["000000007", "2026-01-31 12:00:00", "Complete", "10.5"], ["#8", "2026-01-31T12:00:00Z", "", ""]]
    orders, problems = read(write_csv(tmp_path / "orders.csv", HEADER, rows), table())
    assert not problems
    assert {each.order_id: each.number for each in orders.values()} == {"000000007": "000000007", "#8": "#8"}
    first = orders["000000007"]
    assert (first.grand_total, first.created_at) == (10.5, parse("2026-01-31T12:00:00Z"))
    found = FileSource("default", tmp_path / "orders.csv", table=table())
    assert [each.order_id for each in found.find("#8")] == ["#8"]
    assert set(found.by_ids(["000000007", "x"])) == {"000000007"}
    assert found.gone(["#8", "#9"]) == {"#9"}


@pytest.mark.parametrize(
    ("status", "blocked"),
    [
        ("Complete", False),
        ("VERSENDET", False),
        ("on hold", True),
        ("Canceled", True),
        ("Storniert", True),
        ("", True),
    ],
)
def test_a_word_that_nobody_mapped_stops_an_order(tmp_path, status, blocked):
    """Statuses that are known, or mapped, go well; of any other nobody knows what became of the order."""
    path = write_csv(tmp_path / "orders.csv", HEADER, [["1", "2026-01-31 12:00:00", status, "1"]])
    columns = {**COLUMNS, "status": {"column": "Status", "values": {"versendet": "complete"}}}
    orders, _ = read(path, table(columns=columns))
    assert blocked_state(orders[1]) is blocked


@pytest.mark.parametrize(
    ("zone", "layout", "text", "instant"),
    [
        (None, None, "2026-01-31 12:00:00", "2026-01-31T12:00:00Z"),
        (None, None, "2026-01-31 12:00:00 +0100", "2026-01-31T11:00:00Z"),
        ("Europe/Berlin", None, "2026-07-31 12:00:00", "2026-07-31T10:00:00Z"),
        ("Europe/Berlin", None, "2026-07-31 12:00:00 -0500", "2026-07-31T17:00:00Z"),
        ("Europe/Berlin", "%b %d, %Y %I:%M:%S %p", "Jan 5, 2026 01:02:03  PM", "2026-01-05T12:02:03Z"),
        ("Europe/Berlin", "%d.%m.%Y %H:%M", "25.10.2026 02:30", "2026-10-25T00:30:00Z"),
    ],
)
def test_times_are_read_as_they_are_written(tmp_path, zone, layout, text, instant):
    """An offset wins over the time zone; of a time that occurs twice the earlier one counts."""
    path = write_csv(tmp_path / "orders.csv", HEADER, [["1", text, "complete", "1"]])
    columns = {**COLUMNS, "created_at": {"column": "Date", **({"format": layout} if layout else {})}}
    orders, problems = read(path, table(columns=columns, **({"timezone": zone} if zone else {})))
    assert not problems
    assert orders[1].created_at == parse(instant)


@pytest.mark.parametrize(
    ("mark", "text", "number"),
    [
        (".", "1,234.50", "1234.50"),
        (".", "$1,234", "1234"),
        (".", "-$5.00", "-5.00"),
        (",", "1.234,50 €", "1234.50"),
        (",", "EUR 1 234,5", "1234.5"),
        (",", "1'234,5", "1234.5"),
        (",", "12,5", "12.5"),
        (",", "12.50", None),
        (".", "12,50", None),
        (".", "1e5", None),
        (".", "1234 5", None),
        (".", "twelve", None),
        (".", "12a34", None),
    ],
)
def test_numbers_have_the_decimal_mark_that_is_set(mark, text, number):
    """Currencies and marks of thousands go; whatever does not fit is no number, and never another one."""
    assert number_of(text, DecimalMark(mark)) == number


@given(value=st.decimals(-10_000_000, 10_000_000, places=2), swap=st.booleans())
def test_a_number_survives_how_people_write_it(value, swap):
    """With marks of thousands and either decimal mark."""
    text = f"{value:,.2f}"
    if swap:
        text = text.translate(str.maketrans({",": ".", ".": ","}))
    assert float(number_of(text, DecimalMark.COMMA if swap else DecimalMark.POINT)) == float(value)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (["1", "31.01.2026", "complete", "1"], "created_at: a time such as 2026-01-31 23:59:59"),
        (["1", "2026-01-31 12:00:00", "complete", "1,50"], "grand_total: a number with the decimal mark '.'"),
        (["", "2026-01-31 12:00:00", "complete", "1"], "no order number in column No"),
        (["1.00E+08", "2026-01-31 12:00:00", "complete", "1"], "no order number in column No"),
        (["1", "", "complete", "1"], "created_at"),
        (["1", "2026-01-31 12:00:00", "complete"], "3 cells where the header has 4"),
    ],
)
def test_a_row_that_cannot_be_read_is_reported_with_its_line(tmp_path, row, reason):
    """The others are read; the message has no value of the row."""
    good = ["2", "2026-01-31 12:00:00", "complete", "1"]
    path = write_csv(tmp_path / "orders.csv", HEADER, [good, row])
    orders, (problem,) = read(path, table())
    assert list(orders) == [2]
    assert problem.place.line == 3
    assert reason in problem.message
    assert row[1] == "" or row[1] not in problem.message


ITEMS = {**COLUMNS, "items.sku": "Sku", "items.qty_ordered": "Qty"}
ITEM_HEADER = [*HEADER, "Sku", "Qty"]
FIRST = ["1", "2026-01-31 12:00:00", "complete", "9", "A", "1"]


def more(number, sku="B"):
    """A further row of an order: only its number and the item."""
    return [number, "", "", "", sku, "2"]


def test_rows_of_one_order_are_its_items(tmp_path):
    """What is not an item's comes from the first row that has it; each row with an item is one."""
    rows = [FIRST, more("1"), ["2", *FIRST[1:4], "", ""], ["3", *FIRST[1:]], more("3"), more("3", "C")]
    path = write_csv(tmp_path / "orders.csv", ITEM_HEADER, rows)
    orders, problems = read(path, table(columns=ITEMS, items="per_row"))
    assert not problems
    found = {key: [(item.sku, item.qty) for item in each.items] for key, each in orders.items()}
    assert found == {1: [("A", 1), ("B", 2)], 2: [], 3: [("A", 1), ("B", 2), ("C", 2)]}
    assert {each.grand_total for each in orders.values()} == {9}
    single = FileSource("default", path, table=table(columns=ITEMS, items="per_row")).by_ids([3])
    assert [item.sku for item in single[3].items] == ["A", "B", "C"]


def test_a_damaged_row_takes_its_order_with_it(tmp_path):
    """It may be an item: an order without one of its items would be judged wrongly."""
    rows = [FIRST, more("1")[:-1], ["2", *FIRST[1:]]]
    path = write_csv(tmp_path / "orders.csv", ITEM_HEADER, rows)
    orders, problems = read(path, table(columns=ITEMS, items="per_row"))
    assert list(orders) == [2]
    assert [each.place.line for each in problems] == [2, 3]


def test_orders_whose_rows_are_scattered_are_refused(tmp_path):
    """Nothing is left out in silence."""
    path = write_csv(tmp_path / "orders.csv", ITEM_HEADER, [FIRST, ["2", *FIRST[1:]], more("1")])
    message, hint = refused(path, table(columns=ITEMS, items="per_row"))
    assert "the rows of 1 orders do not follow each other" in message
    assert hint == "sort the file by order"


def test_items_without_the_key_are_refused(tmp_path):
    """Two rows of one order next to each other are not two versions of it."""
    path = write_csv(tmp_path / "orders.csv", HEADER, [FIRST[:4], ["1", "", "", ""]])
    message, hint = refused(path, table())
    assert "line 3: a second row of the same order" in message
    assert "items: per_row" in hint


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"columns": {**COLUMNS, "status": "Statsu"}}, "no column Statsu (status); did you mean Status?"),
        ({"columns": {"increment_id": "No"}}, "no column has the field created_at"),
        ({"columns": {"created_at": "Date"}}, "no column has the field increment_id"),
        ({"timezone": "Europe/Berlyn"}, "unknown time zone Europe/Berlyn"),
        ({"columns": {**COLUMNS, "items.sku": "Sum"}}, "columns of items are mapped, but rows are orders"),
    ],
)
def test_a_mapping_that_does_not_fit_refuses_the_file(tmp_path, changes, message):
    """Each says what is wrong, and has a hint."""
    path = write_csv(tmp_path / "orders.csv", HEADER, [FIRST[:4]])
    said, hint = refused(path, table(**changes))
    assert message in said
    assert hint


def test_a_mapping_is_for_csv_files(tmp_path):
    """JSON has no columns."""
    (tmp_path / "orders.jsonl").write_text("{}\n")
    message, _ = refused(tmp_path / "orders.jsonl", table())
    assert "are for CSV files" in message


def test_another_mapping_reads_the_file_again(tmp_path):
    """The position belongs to the mapping, and plain files keep theirs."""
    path = write_csv(tmp_path / "orders.csv", HEADER, [FIRST[:4]])
    german = table(decimal=",")
    assert TableSettings().is_plain
    assert not german.is_plain
    cursors = []
    for settings in (table(), german):
        reading = FileSource("default", path, table=settings).read(Wanted(cursors=frozenset(cursors)))
        assert sum(map(len, reading.batches())) == 1
        cursors = [reading.cursor]
    plain = write_csv(
        tmp_path / "plain.csv",
        ["entity_id", "increment_id", "created_at"],
        [["1", "a", "2026-01-31 12:00:00"]],
    )
    assert Pass(plain).ids == [1]
