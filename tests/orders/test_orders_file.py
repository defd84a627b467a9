"""The file source: layouts, last versions, what is unreadable, what a pass is asked for."""

import csv
import json
import os
import tracemalloc

import pytest
from orders_support import Pass, line, record, recorded_orders, source

from ekomi_reconcile.model.diagnostic import Severity
from ekomi_reconcile.model.errors import OrderSourceError
from ekomi_reconcile.model.instant import parse
from ekomi_reconcile.orders.file import FileSource
from ekomi_reconcile.orders.source import OrderSource, Wanted


def write(path, text):
    path.write_text(text)
    return path


def as_csv(path, records, delimiter=","):
    """These records as CSV: nested objects by dotted names, lists as JSON."""
    rows = [dict(flat(each)) for each in records]
    names = list(dict.fromkeys(name for row in rows for name in row))
    with path.open("w", newline="") as file:
        table = csv.DictWriter(file, names, delimiter=delimiter)
        table.writeheader()
        table.writerows(rows)
    return path


def flat(value, prefix=""):
    for key, each in value.items():
        if isinstance(each, dict) and each:
            yield from flat(each, f"{prefix}{key}.")
        elif each is not None:
            yield f"{prefix}{key}", json.dumps(each) if isinstance(each, (list, dict)) else each


def test_a_file_source_is_an_order_source(tmp_path):
    """It offers what every source offers, under its name."""
    found: OrderSource = source(tmp_path / "orders.jsonl")
    assert found.name == "default"
    found.close()


@pytest.mark.parametrize("name", ["orders.jsonl", "orders.json", "orders.ndjson", "orders"])
def test_lines_are_recognised(tmp_path, name):
    """By suffix, or because each line is an order."""
    path = write(tmp_path / name, "\n" + line(1) + "  \n" + line(2))
    assert Pass(path).ids == [1, 2]


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("wrap", [list, lambda them: {"items": them, "total_count": 2}])
def test_documents_are_recognised(tmp_path, indent, wrap):
    """An array or a search answer, on one line or many, with a byte order mark or not."""
    path = tmp_path / "orders.json"
    text = json.dumps(wrap([record(1), record(2)]), indent=indent)
    for encoding in ("utf-8", "utf-8-sig"):
        path.write_text(text, encoding=encoding)
        assert Pass(path).ids == [1, 2]


@pytest.mark.parametrize("name", ["orders.json", "orders.txt"])
def test_a_lone_order_is_a_document(tmp_path, name):
    """One order, written over several lines."""
    assert Pass(write(tmp_path / name, json.dumps(record(5), indent=2))).ids == [5]


@pytest.mark.parametrize("text", ["", "\n \n", "[]", '{"items": null, "total_count": 0}'])
def test_files_without_orders(tmp_path, text):
    """Empty is not an error."""
    found = Pass(write(tmp_path / "orders.json", text))
    assert (found.ids, found.problems) == ([], [])


def test_layouts_agree(tmp_path):
    """The same orders are the same in lines, in a document and in CSV."""
    orders = recorded_orders()
    lines = write(tmp_path / "a.jsonl", "".join(json.dumps(each) + "\n" for each in orders))
    document = write(tmp_path / "b.json", json.dumps(orders))
    tables = [as_csv(tmp_path / f"c{at}.csv", orders, each) for at, each in enumerate(",;\t")]
    whole = frozenset({"sku"})
    wanted = Pass(lines, attributes=whole).orders
    assert len(wanted) == 20
    for path in (document, *tables):
        assert Pass(path, attributes=whole).orders == wanted


def test_cells_of_csv(tmp_path):
    """An empty cell is absent, dotted names are nested, lists are JSON, newlines may be quoted."""
    path = tmp_path / "orders.csv"
    header = "entity_id,created_at,status,coupon_code,billing_address.country_id,items,customer_is_guest"
    header += ",increment_id"
    rows = [
        """1,2026-01-31,complete,,AT,"[{""sku"": ""A"", ""qty_ordered"": ""2""}]",1,a""",
        '2, 2026-01-31 10:00:00 , "com\nplete",X ,, ,,b',
        "",
        " ,,,,,,,",
        "3,2026-01-31,,,,,,c",
    ]
    path.write_bytes(b"\xef\xbb\xbf" + "\r\n".join([header, *rows]).encode())
    asked = frozenset({"sku", "qty", "coupon_code", "billing_country", "is_guest"})
    one, two, three = Pass(path, attributes=asked).orders
    assert (one.coupon_code, one.billing_country, one.is_guest) == (None, "AT", True)
    assert [(each.sku, each.qty) for each in one.items] == [("A", 2.0)]
    assert (two.status, two.coupon_code, two.items) == ("com\nplete", "X", ())
    assert (three.order_id, three.status) == (3, None)


def test_damaged_rows_of_csv(tmp_path):
    """Each is a problem at its line; the others are read."""
    path = tmp_path / "orders.csv"
    path.write_bytes(
        b"entity_id,increment_id,created_at,items\n1,a,2026-01-31,\n2,b,2026-01-31,,too,many\n"
        b'3,c,2026-01-31,\xff\n4,d,2026-01-31,"a"b"\n5,e,2026-01-31,"[{"\n,f,2026-01-31,\n7,g,2026-01-31,\n'
    )
    found = Pass(path, attributes=frozenset({"sku"}))
    assert found.ids == [1, 7]
    assert [each.place.line for each in found.problems] == [3, 4, 5, 6, 7]
    assert found.problems[3].message == "order 5: items: JSON is expected"


@pytest.mark.parametrize("header", ["", "a,b\n", "entity_id\n", "entity_id,created_at,items,items\n"])
def test_headers_of_csv(tmp_path, header):
    """Without the columns every order needs, or with one twice, it is no file of orders."""
    with pytest.raises(OrderSourceError, match="header"):
        Pass(write(tmp_path / "orders.csv", header + "1,2\n"))


def test_the_last_line_of_an_order_wins(tmp_path):
    """Wherever the earlier ones stand, each order comes once, in its last version."""
    text = line(1, status="a") + line(2, status="b") + line(1, status="c") + line(3) + line(2, status="d")
    for name, content in (("a.jsonl", text), ("b.json", f"[{','.join(text.splitlines())}]")):
        path = write(tmp_path / name, content)
        found = Pass(path)
        assert found.statuses == {1: "c", 2: "d", 3: "complete"}
        assert sorted(found.ids) == [1, 2, 3]
        assert source(path).by_ids([1])[1].status == "c"


def test_an_unreadable_last_version_is_a_problem_not_the_one_before(tmp_path):
    """What an order was is no answer to what it is."""
    path = write(tmp_path / "o.jsonl", line(1) + line(2) + line(1, created_at="soon"))
    found = Pass(path)
    assert found.ids == [2]
    assert found.problems[0].message.startswith("order 1: created_at")
    assert source(path).by_ids([1, 2]).keys() == {2}


def test_batches_are_bounded(tmp_path):
    """About a thousand orders at a time, however many there are."""
    found = Pass(write(tmp_path / "o.jsonl", "".join(line(each) for each in range(1, 2_502))))
    assert found.sizes == [1_000, 1_000, 501]
    assert found.ids == list(range(1, 2_502))


def test_unreadable_lines_are_told_with_their_place(tmp_path):
    """The others are read; nothing of what stands in the line is told."""
    path = write(
        tmp_path / "o.jsonl",
        line(1) + "Secret\n" + line(2, grand_total="Secret") + line(3) + '{"x": "Secret"}\n[]\n',
    )
    found = Pass(path, attributes=frozenset({"grand_total"}))
    assert found.ids == [1, 3]
    assert [str(each.place) for each in found.problems] == [f"{path}:{number}:1" for number in (2, 3, 5, 6)]
    assert {(each.severity, each.rule) for each in found.problems} == {(Severity.ERROR, "order-unreadable")}
    assert "Secret" not in "".join(each.message for each in found.problems)


def test_bytes_that_are_no_text(tmp_path):
    """A line in another encoding is a problem, if it matters."""
    path = tmp_path / "o.jsonl"
    path.write_bytes(line(1).encode() + b'{"entity_id": 2, "created_at": "2026-01-31", "status": "\xff"}\n')
    found = Pass(path)
    assert (found.ids, found.problems[0].message) == ([1], "order 2: it is not UTF-8")


def test_many_unreadable_lines_are_counted(tmp_path):
    """Twenty are told one by one, the rest as a number."""
    found = Pass(write(tmp_path / "o.jsonl", "x\n" * 500 + line(1)))
    assert found.ids == [1]
    assert len(found.problems) == 21
    assert found.problems[-1].message == "480 more orders cannot be read"


def test_an_endless_line_is_passed_over(tmp_path):
    """It is not held in memory, and what follows is read."""
    path = tmp_path / "o.jsonl"
    with path.open("wb") as file:
        file.write(line(1).encode() + b'{"entity_id": 2, "x": "')
        for _ in range(100):
            file.write(b"x" * 1_000_000)
        file.write(b'"}\n' + line(3).encode())
    tracemalloc.start()
    found = Pass(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.ids == [1, 3]
    assert [each.place.line for each in found.problems] == [2]
    assert "longer than 8 MiB" in found.problems[0].message
    assert peak < 50_000_000


def test_memory_does_not_grow_with_the_file(tmp_path):
    """Ten times the orders need hardly more: a few bytes each."""

    def peak(count):
        path = write(
            tmp_path / f"{count}.jsonl", "".join(line(each, note="x" * 500) for each in range(1, count + 1))
        )
        tracemalloc.start()
        reading = source(path).read(Wanted(full=True))
        total = sum(len(batch) for batch in reading.batches())
        used = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert total == count
        return used

    assert peak(10_000) < 1.3 * peak(2_000)


@pytest.mark.parametrize("name", ["missing.jsonl", "missing.csv", "."])
def test_files_that_are_not_there(tmp_path, name):
    """A missing file or a folder is an error that names it, for every way to ask."""
    path = tmp_path / name
    for ask in (
        lambda: Pass(path),
        lambda: source(path).by_ids([1]),
        lambda: source(path).find("1"),
    ):
        with pytest.raises(OrderSourceError, match="cannot read the orders in"):
            ask()


def test_a_pipe_is_not_waited_for(tmp_path):
    """Only regular files are read."""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OrderSourceError, match="not a file"):
        Pass(tmp_path / "pipe")


@pytest.mark.parametrize("content", [b"\x80\x02binary\n\x00", b"[{]", b'"text"', b"{}{}", b'{"items": 5}'])
def test_files_that_hold_no_orders(tmp_path, content):
    """Foreign formats and broken documents are one error, not a list of problems."""
    path = tmp_path / "orders.json"
    path.write_bytes(content)
    with pytest.raises(OrderSourceError, match="cannot read the orders in"):
        Pass(path)


@pytest.mark.parametrize("name", ["o.jsonl", "o.json"])
def test_a_file_that_shrinks_while_it_is_read(tmp_path, name):
    """What was read so far is no complete picture, so the pass fails."""
    orders = [line(each) for each in range(1, 3_001)]
    path = write(tmp_path / name, "".join(orders))
    batches = source(path).read(Wanted(full=True)).batches()
    next(batches)
    os.truncate(path, 100_000)
    with pytest.raises(OrderSourceError, match="shorter"):
        list(batches)


def test_a_pass_that_was_not_finished_has_no_cursor(tmp_path):
    """A position that was not reached must not be stored."""
    reading = source(write(tmp_path / "o.jsonl", line(1))).read(Wanted(full=True))
    with pytest.raises(RuntimeError):
        _ = reading.cursor
    with pytest.raises(RuntimeError):
        _ = reading.problems


def test_nothing_is_read_before_the_first_batch(tmp_path):
    """Beginning a pass over a missing file is no error yet."""
    source(tmp_path / "missing.jsonl").read(Wanted(full=True))


def test_orders_by_id(tmp_path):
    """Only those that are there; asked again after the file changed, the new version."""
    path = write(tmp_path / "o.jsonl", "".join(line(each) for each in (5, 3, 9)))
    asked = source(path)
    assert {key: each.order_id for key, each in asked.by_ids([3, 9, 77]).items()} == {3: 3, 9: 9}
    with path.open("a") as file:
        file.write(line(3, status="closed"))
    assert asked.by_ids([3])[3].status == "closed"
    assert asked.by_ids([]) == {}


def test_orders_by_id_in_every_layout(tmp_path):
    """A document and a CSV file answer like lines."""
    orders = [record(each, status=f"s{each}") for each in (5, 3, 9)]
    for path in (write(tmp_path / "o.json", json.dumps(orders)), as_csv(tmp_path / "o.csv", orders)):
        asked = source(path)
        assert {key: each.status for key, each in asked.by_ids([9, 5]).items()} == {5: "s5", 9: "s9"}
        assert [each.order_id for each in asked.find("000000003")] == [3]


def test_orders_by_number(tmp_path):
    """By the number people see, by id, by #id; the last version of each."""
    path = write(
        tmp_path / "o.jsonl",
        line(1, increment_id="2")
        + line(2, increment_id="100")
        + line(3, increment_id=100)
        + line(2, increment_id="7"),
    )

    def found(number):
        return sorted(each.order_id for each in source(path).find(number))

    assert found("2") == [1, 2]
    assert found("#2") == [2]
    assert found("100") == [3]
    assert found(" 7 ") == [2]
    assert found("nothing") == []


def test_only_orders_created_since_then(tmp_path):
    """A full pass leaves out what is older, to the second."""
    days = ["2026-01-01", "2026-01-02", "2026-01-03"]
    path = write(tmp_path / "o.jsonl", "".join(line(at, created_at=day) for at, day in enumerate(days, 1)))
    assert Pass(path, full=True, created_from=parse("2026-01-02")).ids == [2, 3]
    assert Pass(path, full=True, created_from=parse("2026-01-02") + 1).ids == [3]
    assert Pass(path, full=True).ids == [1, 2, 3]
    assert Pass(path).ids == [1, 2, 3]


def test_a_damaged_order_is_read_as_far_as_it_is_needed(tmp_path):
    """Single orders are read whole; one with a damaged field as far as rules and a request need it."""
    path = write(tmp_path / "orders.jsonl", line(1) + line(2, grand_total="a lot", customer_firstname="Kim"))
    found = FileSource("default", path, uses=frozenset)
    assert found.by_ids([1]).keys() == {1}
    assert found.by_ids([2])[2].contact.first_name == "Kim"
    assert source(path).by_ids([1, 2]).keys() == {1}
