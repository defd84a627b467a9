"""Files of mark-sent are read strictly: every line is an entry, reported, blank, or the header."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ekomi_reconcile.model.errors import ReconcileError
from ekomi_reconcile.sent_import import read_past

NOW = 1_800_000_000
HEADER = "order,order_id,account,date"


def read(text):
    """Entries by line, and problems by line."""
    entries, bad = read_past(text.encode() if isinstance(text, str) else text, now=NOW)
    return {each.line: each for each in entries}, {each.line: each.problem for each in bad}


@pytest.mark.parametrize("number", ["1.00E+08", "1,00E+08", "1e8", "100000005.0", "2.02611E+11"])
@pytest.mark.parametrize("column", ["order", "order_id"])
def test_numbers_that_a_spreadsheet_changed_are_reported(number, column):
    """In CSV and JSON lines: marking another order as sent would leave a customer to be invited again."""
    for text in (f"{column};account\n{number};Germany\n", json.dumps({column: number}) + "\n"):
        entries, bad = read(text)
        assert entries == {}
        assert len(bad) == 1
        assert "spreadsheet" in next(iter(bad.values()))


@pytest.mark.parametrize("value", [100000005.0, 1e8, True, [], {}, 1.5])
def test_numbers_of_json_are_whole(value):
    """As for CSV."""
    assert read(json.dumps({"order": value}) + "\n")[0] == {}


@pytest.mark.parametrize(
    "row", ["1", "1,2", "1,2,Germany", "1,2,Germany,2026-01-01,", "1,2,Germany,2026-01-01,x"]
)
def test_rows_of_another_length_are_reported(row):
    """Their cells may stand under the wrong names."""
    entries, bad = read(f"{HEADER}\n{row}\n100,,,\n")
    assert (list(entries), list(bad)) == ([3], [2])


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_any_line_ends(end):
    """Blank lines are passed over, before the header too; line numbers are those of the file."""
    entries, bad = read(end.join(["", HEADER, "1,,,", "", "x,x,", "2,,,"]))
    assert (list(entries), list(bad)) == ([3, 6], [5])
    entries, bad = read(end.join(['{"order": "1"}', "", "x", '{"order": "2"}']))
    assert (list(entries), list(bad)) == ([1, 4], [3])


@pytest.mark.parametrize(
    "text", ["", "\n", "a,b\n1,2\n", "[1]", "order,order\n1,2\n", '"order\n1\n', b"\xff\xfeo\x00", "\x00"]
)
def test_what_is_no_such_file_is_refused(text):
    """One error, not a problem of each line."""
    with pytest.raises(ReconcileError):
        read(text)


_CELL = st.sampled_from(
    ["", " ", "1", "x", "1.0", "1E+8", "2026-01-01", "a b", "é", "\x00", "\u200b", "<a@b.de>", "{"]
)
_ROW = st.lists(_CELL, max_size=6).map(",".join)
_END = st.sampled_from(["\n", "\r\n", "\r"])


@given(st.lists(st.tuples(_ROW, _END).map("".join), max_size=8).map("".join), _END)
def test_every_line_of_csv_is_accounted_for(body, end):
    """Read + reported + blank = lines behind the header."""
    text = HEADER + end + body
    entries, bad = read(text)
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")[1:]
    blank = {number for number, each in enumerate(lines, 2) if not each.replace(",", "").strip()}
    assert not entries.keys() & bad.keys()
    assert entries.keys() | bad.keys() | blank >= {*range(2, len(lines) + 2)}
    assert not entries.keys() & blank


_JSON = st.sampled_from(
    ['{"order": "1"}', '{"order": 1.0}', '{"x": 1}', "{}", "[]", "x", '{"order_id": 5}', "", " "]
)


@given(st.lists(st.tuples(_JSON, _END).map("".join), max_size=8).map("".join))
def test_every_line_of_json_is_accounted_for(body):
    """Read + reported + blank = lines."""
    text = '{"order": "0"}\n' + body
    entries, bad = read(text)
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    filled = {number for number, each in enumerate(lines, 1) if each.strip()}
    assert entries.keys() | bad.keys() == filled
    assert not entries.keys() & bad.keys()


@given(st.binary(max_size=80))
def test_any_bytes_are_read_or_refused(data):
    """Nothing but the one error, whatever a file holds."""
    for text in (data, HEADER.encode() + b"\n" + data, b'{"order": 1}\n' + data):
        try:
            read(text)
        except ReconcileError as error:
            assert error.hint  # noqa: PT017 - any bytes may be fine
