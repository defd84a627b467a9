"""An order file is read whole or refused: every line is an order, reported, or passed over for a reason."""

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from orders_support import Pass, aged, line, record, source, write_csv

from ekomi_reconcile.model.diagnostic import Severity
from ekomi_reconcile.model.errors import OrderSourceError
from ekomi_reconcile.orders.layouts import csv_rows
from ekomi_reconcile.orders.records import JsonLines, Span

HEADER = "entity_id,increment_id,created_at,status\n"
DOCUMENTS = [
    "{}",
    '{"message": "The consumer isn\'t authorized to access %resources."}',
    '{"orders": [{"id": 1, "email": "c1@example.com"}]}',
    '{"order": {"id": 1}}',
    '{"data": {"value": {"entity_id": 5}}}',
    '{"items": {"a": 1}}',
    '{"items": [{"id": 1}, {"id": 2}]}',
    '[{"id": 1}]',
    "[1, 2]",
    "null",
    "7",
    "[{",
    "\ufeff{}",
]


def refused(path):
    """The error with which the file is refused, the same for every way to read it."""
    found = []
    for ask in (lambda: Pass(path), lambda: source(path).by_ids([1])):
        with pytest.raises(OrderSourceError) as caught:
            ask()
        found.append(caught.value)
    assert found[0].message == found[1].message
    return found[0]


@pytest.mark.parametrize("text", DOCUMENTS)
@pytest.mark.parametrize("name", ["orders.json", "orders.jsonl"])
def test_what_holds_no_orders_is_refused(tmp_path, text, name):
    """A message, an event or another system's envelope is not an empty list of orders."""
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    assert refused(path).message.startswith(f"cannot read the orders in {path}: ")


@pytest.mark.parametrize("text", DOCUMENTS[:5])
def test_the_error_says_what_is_expected(tmp_path, text):
    """With a hint, and without what the file holds."""
    path = tmp_path / "orders.json"
    path.write_text(text)
    error = refused(path)
    assert "holds no orders (an object with neither items nor entity_id)" in error.message
    assert "Magento" in error.hint
    assert "c1@example.com" not in error.message


@pytest.mark.parametrize("number", ["1e5", "2.0", "2,02611E+11", "A1"])
@pytest.mark.parametrize("rows", [1, 2])
def test_a_file_without_any_usable_id_says_what_an_id_is(tmp_path, number, rows):
    """A spreadsheet may have changed all of them: the refusal names the field and what it must hold."""
    path = tmp_path / "orders.jsonl"
    path.write_text((json.dumps({"entity_id": number, "increment_id": "100000001"}) + "\n") * rows)
    assert "entity_id (a whole number without decimal point or exponent)" in refused(path).message


def test_a_document_that_is_not_json_names_the_line(tmp_path):
    """The line of the fault, not a byte."""
    path = tmp_path / "orders.json"
    path.write_text('[\n{"entity_id": 1},\n{"entity_id": 2,}\n]\n')
    assert "(line 3)" in refused(path).message


@pytest.mark.parametrize("wrap", [list, lambda them: {"total_count": 3, "items": them}])
@pytest.mark.parametrize("indent", [None, 2])
def test_records_of_a_document_have_their_real_line(tmp_path, wrap, indent):
    """The line where the order begins."""
    path = tmp_path / "orders.json"
    text = "\n\n" + json.dumps(wrap([record(1), record(2, created_at="soon"), {"id": 3}]), indent=indent)
    path.write_text(text)
    found = Pass(path)
    lines = (
        [3, 3]
        if indent is None
        else [1 + text[: text.rindex("{", 0, text.index(mark))].count("\n") for mark in ('"soon"', '"id"')]
    )
    assert [each.place.line for each in found.problems] == lines
    assert found.ids == [1]


@pytest.mark.parametrize(("count", "warned"), [(57, True), (2, False), (1, False), (None, False)])
def test_one_page_of_many_is_a_warning(tmp_path, count, warned):
    """A search answer that tells of more orders than it holds; also when the file is not read again."""
    path = tmp_path / "orders.json"
    path.write_text(json.dumps({"items": [record(1), record(2)], "total_count": count}))
    aged(path)
    first = Pass(path)
    for found in (first, Pass(path, first.cursor)):
        assert [each.severity for each in found.problems] == [Severity.WARNING] * warned
        assert all("2 of 57 orders" in each.message for each in found.problems)
    assert first.ids == [1, 2]


@pytest.mark.parametrize("name", ["orders.csv", "orders.jsonl", "orders.json", "orders"])
def test_lines_may_end_in_carriage_returns(tmp_path, name):
    """As some spreadsheets write; lines count, growth is noticed, single orders are found."""
    path = tmp_path / name
    rows = [line(1), line(2), "x\n", line(3)]
    if name == "orders.csv":
        rows = [
            HEADER,
            "1,a,2026-01-31,complete\n",
            "2,b,2026-01-31,complete\n",
            "x\n",
            "3,c,2026-01-31,complete\n",
        ]
    path.write_bytes("".join(rows).replace("\n", "\r").encode())
    aged(path)
    first = Pass(path)
    assert first.ids == [1, 2, 3]
    assert [each.place.line for each in first.problems] == [len(rows) - 1]
    with path.open("ab") as file:
        new = "4,d,2026-01-31,complete\n" if name == "orders.csv" else line(4)
        file.write(new.replace("\n", "\r").encode())
    assert Pass(path, first.cursor).ids == [4]
    assert source(path).by_ids([2, 4]).keys() == {2, 4}


@pytest.mark.parametrize(
    "number",
    [
        "1.00E+08",
        "1,00E+08",
        "1E+08",
        "1e8",
        "2.02611E+11",
        "100000005.0",
        "100000005,00",
        "1.0e-5",
        "12E+10",
    ],
)
@pytest.mark.parametrize("field", ["entity_id", "increment_id"])
def test_numbers_that_a_spreadsheet_changed_are_record_errors(tmp_path, number, field):
    """In CSV and in JSON, as text or number: two orders must not become one."""
    fields = {"entity_id": "7", "increment_id": "100000007", field: number}
    table = tmp_path / "o.csv"
    table.write_text(
        "entity_id;increment_id;created_at\n1;100000001;2026-01-31\n"
        f"{fields['entity_id']};{fields['increment_id']};2026-01-31\n"
    )
    lines = tmp_path / "o.jsonl"
    lines.write_text(line(1) + line(7, **{field: number}))
    for path in (table, lines):
        found = Pass(path)
        assert found.ids == [1]
        (only,) = found.problems
        assert field in only.message
        assert number not in only.message


@pytest.mark.parametrize("value", [100000005.0, 1e8, 100000005.5])
@pytest.mark.parametrize("field", ["entity_id", "increment_id"])
def test_numbers_with_a_fraction_in_json_are_record_errors(tmp_path, value, field):
    """As pandas writes a column of ids that had a gap."""
    path = tmp_path / "o.jsonl"
    path.write_text(line(1) + line(7, **{field: value}))
    found = Pass(path)
    assert found.ids == [1]
    assert [each.place.line for each in found.problems] == [2]


@pytest.mark.parametrize("number", ["100000005", "DE-100000005", "2024E123", "1.2.3", "E10", "5-1", "A1E+5"])
def test_other_numbers_are_taken_as_they_are(tmp_path, number):
    """Letters and dots are usual in order numbers."""
    path = tmp_path / "o.jsonl"
    path.write_text(line(7, increment_id=f" {number} "))
    assert [each.number for each in Pass(path).orders] == [number]


@pytest.mark.parametrize("row", ["2,b,2026-01-31", "2", "2,b,2026-01-31,x,", "2,b,2026-01-31,x,y"])
def test_rows_shorter_or_longer_than_the_header_are_record_errors(tmp_path, row):
    """Their cells may stand under the wrong names."""
    path = tmp_path / "o.csv"
    path.write_text(f"{HEADER}1,a,2026-01-31,x\n{row}\n3,c,2026-01-31,x\n")
    found = Pass(path)
    assert found.ids == [1, 3]
    assert [each.place.line for each in found.problems] == [3]
    assert "cells where the header has 4" in found.problems[0].message


def test_spaces_around_cells_are_trimmed(tmp_path):
    """Around quotes too; a cell of spaces is an absent one."""
    path = tmp_path / "o.csv"
    path.write_text(f'{HEADER} 1 , a ,\t2026-01-31 12:00:00 , complete \n2,b ,2026-01-31, "x, y"\n')
    one, two = Pass(path).orders
    assert (one.order_id, one.number, one.status) == (1, "a", "complete")
    assert (two.number, two.status) == ("b", "x, y")


@pytest.mark.parametrize("number", [None, "", "  "])
@pytest.mark.parametrize("suffix", ["csv", "jsonl", "json"])
def test_an_order_without_its_number_is_a_faulty_record(tmp_path, suffix, number):
    """It is reported at its line, and the others are read: eKomi knows orders by their numbers."""
    path = tmp_path / f"o.{suffix}"
    orders = [record(1), record(2, increment_id=number), record(3)]
    if suffix == "csv":
        write_csv(path, orders[0].keys(), [list(each.values()) for each in orders])
    else:
        lines = [json.dumps(each) for each in orders]
        document = "[\n" + ",\n".join(lines) + "\n]"
        path.write_text("\n".join(lines) + "\n" if suffix == "jsonl" else document)
    found = Pass(path)
    assert found.ids == [1, 3]
    (problem,) = found.problems
    assert (problem.rule, problem.message) == (
        "order-unreadable",
        "order 2: increment_id: the order number is missing",
    )
    assert problem.place.line == (2 if suffix == "jsonl" else 3)


PER_ITEM = [
    ("entity_id,increment_id,created_at,sku", ["1,a,2026-01-31,GIFT-1", "1,a,2026-01-31,BK-2"]),
    ("entity_id,increment_id,created_at,sku", ["1,a,2026-01-31,X", "2,b,2026-01-31,X", "1,a,2026-01-31,Y"]),
    ("entity_id,increment_id,created_at,qty_ordered", ["1,a,2026-01-31,1", "2,a,2026-01-31,3"]),
    ("entity_id,created_at,article", ["1,2026-01-31,GIFT-1", "1,2026-01-31,BK-2"]),
    ("entity_id,created_at,status,Title", ["1,2026-01-31,x,GIFT-1", "1,2026-01-31,x,BK-2"]),
]


@pytest.mark.parametrize(("header", "rows"), PER_ITEM)
def test_a_row_per_item_refuses_the_file(tmp_path, header, rows):
    """An order is never judged by one of its rows alone; the hint says what can be done today."""
    path = tmp_path / "o.csv"
    path.write_text("\n".join([header, *rows]) + "\n")
    error = refused(path)
    assert "items: per_row" in error.message
    assert "one row per order" in error.hint


def test_a_row_per_item_that_is_added_later_refuses_the_file(tmp_path):
    """A file with columns of items is read whole again when it has grown."""
    path = tmp_path / "o.csv"
    path.write_text("entity_id,increment_id,created_at,sku\n1,a,2026-01-31,A\n2,b,2026-01-31,A\n")
    aged(path)
    before = Pass(path)
    assert [each.severity for each in before.problems] == [Severity.WARNING]
    assert "sku" in before.problems[0].message
    with path.open("a") as file:
        file.write("1,a,2026-01-31,B\n")
    with pytest.raises(OrderSourceError, match="per_row"):
        Pass(path, before.cursor)


@pytest.mark.parametrize(
    "rows",
    [
        ["1,a,2026-01-31,new", "1,a,2026-01-31,complete"],
        ["1,a,2026-01-31,new", "2,b,2026-01-31,new", "1,a,2026-01-31,complete"],
        ["1,a,2026-01-31,complete", "1,a,2026-01-31,complete"],
        ["1,a,2026-01-31,complete", "1E+8,b,2026-01-31,new", "1E+8,c,2026-01-31,new"],
        ["1,a,2026-01-31,complete", ",b,2026-01-31,new", ",c,2026-01-31,new"],
    ],
)
def test_later_versions_of_an_order_are_no_items(tmp_path, rows):
    """A log of changes in CSV: the last row of an order counts."""
    path = tmp_path / "o.csv"
    path.write_text(HEADER + "\n".join(rows) + "\n")
    assert Pass(path).statuses[1] == "complete"


@pytest.mark.parametrize(
    "moment", ["0001-01-01 00:00:00", "1969-12-31 23:59:59", "9999-12-31", "soon", "31.01.2026"]
)
def test_an_order_date_that_no_order_has_is_a_record_error(tmp_path, moment):
    """What systems write for "no time" is not taken for one."""
    path = tmp_path / "o.jsonl"
    path.write_text(line(1) + line(2, created_at=moment))
    found = Pass(path)
    assert found.ids == [1]
    assert "created_at: a time" in found.problems[0].message


@pytest.mark.parametrize("moment", ["0001-01-01 00:00:00", "1969-12-31 23:59:59", "1970-01-01 00:00:00"])
@pytest.mark.parametrize(
    "place",
    [
        lambda at: {"updated_at": at},
        lambda at: {"shipments": [{"created_at": at}]},
        lambda at: {"invoices": [{"created_at": at}]},
        lambda at: {"status_histories": [{"status": "complete", "created_at": at}]},
    ],
)
def test_no_other_time_is_before_the_order(tmp_path, moment, place):
    """Whatever is read of an order, none of its times is earlier than its order date."""
    path = tmp_path / "o.jsonl"
    path.write_text(line(2, **place(moment)))
    (order,) = Pass(path).orders
    times = [order.updated_at, order.first_invoiced_at, order.last_shipped_at]
    times += [each.created_at for each in order.history]
    assert all(each is None or each >= order.created_at for each in times)


def test_a_file_read_by_older_rules_is_read_again(tmp_path):
    """What was accepted before may be a fault now."""
    path = tmp_path / "o.jsonl"
    path.write_text(line(1))
    aged(path)
    cursor = json.loads(Pass(path).cursor)
    assert Pass(path, json.dumps(cursor)).ids == []
    del cursor["rules"]
    assert Pass(path, json.dumps(cursor)).ids == [1]


_CELLS = st.sampled_from(
    ["1", "2", "3", "1.0", "1E+8", "", " ", '"', '"a"', '"a,b"', "2026-01-31", "x", "\x00", "é", "{", "[]"]
)
_ROWS = st.one_of(
    st.builds(
        lambda key, status: f"{key},{key},2026-01-31,{status}", st.integers(1, 9), st.sampled_from("abc")
    ),
    st.lists(_CELLS, max_size=5).map(",".join),
    st.text(st.characters(blacklist_categories=["Cs"]), max_size=8),
)
_ENDS = st.sampled_from(["\n", "\r\n", "\n", ""])


def _count(data):
    return data.count(b"\n") + (not data.endswith(b"\n") and data != b"")


@given(
    st.lists(st.tuples(_ROWS, _ENDS).map("".join), max_size=8).map("".join).map(str.encode)
    | st.binary(max_size=60)
)
@example(b'1,1,2026-01-31,"half\n2,2,2026-01-31,a\n')
@example(b"1,1,2026-01-31,a\r2,2,2026-01-31,a\n")
def test_every_line_of_csv_is_read_reported_or_blank(body):
    """Whatever bytes it holds: the records cover the file without a gap, and each is an order or a reason."""
    data = HEADER.encode() + body
    with _Written(data) as path, path.open("rb") as stream:
        layout = csv_rows(stream)
        try:
            records = list(layout.scan(stream, Span(0, len(data))))
        except OrderSourceError:
            return  # a row per item: all of it is refused
        starts = [number for _, number, _ in records]
        assert starts == sorted(set(starts))
        assert all(2 <= number <= _count(data) for number in starts)
        _accounted(path, records)


_JSON = st.one_of(
    st.builds(lambda key, status: line(key, status=status), st.integers(1, 5), st.sampled_from("abc")),
    st.sampled_from(
        ["\n", " \n", "{}\n", "x\n", '{"entity_id": 1}\n', '{"entity_id": 7.0, "created_at": "x"}\n']
    ),
    st.text(st.characters(blacklist_categories=["Cs"]), max_size=8),
)


@given(st.lists(_JSON, max_size=8).map("".join).map(str.encode) | st.binary(max_size=60))
def test_every_line_of_json_lines_is_read_reported_or_blank(data):
    """Each line is an order, a reported record, an earlier version of an order, or blank."""
    with _Written(data, "o.jsonl") as path, path.open("rb") as stream:
        records = list(JsonLines().scan(stream, Span(0, len(data))))
        lines = data.split(b"\n")
        filled = [
            number for number, each in enumerate(lines, 1) if each.removeprefix(b"\xef\xbb\xbf").strip()
        ]
        assert [number for _, number, _ in records] == filled
        _accounted(path, records)


def _accounted(path, records):
    """Orders read and records reported, with superseded ones, are all the records."""
    try:
        found = Pass(path)
    except OrderSourceError:
        return  # no order at all, or a row per item: all of it is refused
    reported = {each.place.line for each in found.problems if each.is_error}
    assert len(reported) + len(found.ids) <= len(records)
    assert len(found.ids) == len(set(found.ids))
    superseded = len(records) - len(reported) - len(found.ids)
    assert superseded == 0 or len({*found.ids}) < len(records)


class _Written:
    """A file with these bytes, for as long as it is looked at."""

    def __init__(self, data, name="o.csv"):
        self.data, self.name = data, name

    def __enter__(self):
        import tempfile
        from pathlib import Path

        self.folder = tempfile.TemporaryDirectory()
        path = Path(self.folder.name) / self.name
        path.write_bytes(self.data)
        return path

    def __exit__(self, *_):
        self.folder.cleanup()
