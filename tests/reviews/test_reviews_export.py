"""``reviews export``: CSV, JSON lines and Parquet for other programs."""

import csv
import io
import json
import stat
import sys
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st
from project_support import Project

from ekomi_reconcile.model.account import Account
from ekomi_reconcile.model.review import RecordedReview, Review
from ekomi_reconcile.render.reviews import COLUMNS, ListedReview, csv_text, harmless, json_lines
from ekomi_reconcile.state.opening import Mode, open_state

AWKWARD = 'Fein, "sehr" gut;\n=HYPERLINK("https://evil.example.com") - 20 € ; -1'
FIRST = Review(order_id="=1+1", submitted_at=1_700_000_000, rating=4.5, title="@SUM(A1)", text=AWKWARD)
SECOND = Review(order_id="100000002", submitted_at=1_700_000_001, rating=1.0, comment="ok", product_id="P1")


@pytest.fixture
def recorded(tmp_path):
    """A project with two reviews, one of them of a product."""
    project = Project(tmp_path)
    project.settings("version: 1\n")
    (tmp_path / "accounts.d").mkdir()
    with open_state(".ekomi-reconcile/state.db", root=tmp_path, mode=Mode.CREATE) as state:
        account = Account(name="-Germany", interface_id="28374", interface_password="${env:X}")
        state.accounts.save(account, now=1)
        state.reviews.save_import("28374", [FIRST, SECOND], full=True, now=1_700_000_100)
    return project


def test_csv_is_rfc_4180(recorded, capsysbinary):
    """A header, commas, CRLF, quotes doubled, line breaks within quotes; a reader gets every value back."""
    assert recorded.cli("reviews", "export", "--format", "csv") == 0
    text = capsysbinary.readouterr().out.decode("utf-8")
    assert text.endswith('"\r\n')
    header, first, second = csv.reader(io.StringIO(text, newline=""), strict=True)
    assert tuple(header) == COLUMNS
    assert first[:3] == ["'-Germany", "28374", "'=1+1"]
    assert first[8:10] == ["'@SUM(A1)", AWKWARD.replace("=H", "'=H").replace("; -1", ";' -1")]
    assert second[2:8] == ["100000002", "P1", "", "", "2023-11-14T22:13:21Z", "1.0"]


def test_json_lines_are_what_the_list_tells(recorded, capsys):
    """Object by object the same as ``reviews list --format json``, and every text as it is."""
    assert recorded.cli("reviews", "export", "--format", "jsonl") == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert recorded.cli("reviews", "list", "--format", "json") == 0
    assert lines == json.loads(capsys.readouterr().out)[::-1]
    assert tuple(lines[0]) == COLUMNS
    assert (lines[0]["order"], lines[0]["text"]) == ("=1+1", AWKWARD)


def test_parquet(recorded):
    """The same columns, with times as times and absent values as null."""
    import pyarrow.parquet as pq

    assert recorded.cli("reviews", "export", "--format", "parquet", "--out", "reviews.parquet") == 0
    table = pq.read_table(recorded.folder / "reviews.parquet")
    assert tuple(table.column_names) == COLUMNS
    first, second = table.to_pylist()
    assert (first["text"], first["product_id"], first["gone_at"]) == (AWKWARD, None, None)
    assert int(second["submitted_at"].timestamp()) == 1_700_000_001
    assert (second["product_id"], second["rating"]) == ("P1", 1.0)


def test_files_are_private_and_whole(recorded):
    """Mode 0600 from the start; what was there before stays when writing fails, and no draft is left."""
    out = recorded.folder / "reviews.csv"
    out.write_text("before")
    assert recorded.cli("reviews", "export", "--format", "csv", "--out", "reviews.csv", "--bom") == 0
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert out.read_bytes().startswith(b'\xef\xbb\xbf"account"')
    before = out.read_bytes()
    recorded.state.write_bytes(recorded.state.read_bytes()[:8192] + b"\0" * 50_000)
    assert recorded.cli("reviews", "export", "--format", "csv", "--out", "reviews.csv") == 1
    assert out.read_bytes() == before
    assert not list(recorded.folder.glob(".reviews.csv*"))
    assert recorded.cli("reviews", "export", "--format", "csv", "--out", "no/such/folder.csv") == 1


def test_without_pyarrow_it_says_how_to_get_it(recorded, monkeypatch, capsys):
    """No Parquet without the extra, and no file either."""
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert recorded.cli("reviews", "export", "--format", "parquet", "--out", "r.parquet") == 1
    assert "pip install 'ekomi-reconcile[parquet]'" in capsys.readouterr().err
    assert not (recorded.folder / "r.parquet").exists()


@pytest.mark.parametrize(
    "arguments", [("--format", "parquet"), ("--format", "jsonl", "--bom"), ("--format", "xml"), ()]
)
def test_wrong_ways_to_ask(recorded, arguments):
    """Parquet needs a file, a byte order mark is for CSV, and a format must be named."""
    assert recorded.cli("reviews", "export", *arguments) == 64


TEXTS = st.text(st.sampled_from("=+-@\t\r\n ,;|\"'aé\uff1d"), max_size=12)


@given(TEXTS)
def test_no_cell_is_a_formula_whatever_the_separator(text):
    """Read with comma, semicolon, tab or bar, with quotes or without: no cell begins with a sign."""
    piece = f'"x","{harmless(text).replace(chr(34), chr(34) * 2)}","y"'
    for separator in ",;\t|":
        for quoting in (csv.QUOTE_MINIMAL, csv.QUOTE_NONE):
            for row in csv.reader(io.StringIO(piece, newline=""), delimiter=separator, quoting=quoting):
                for cell in row:
                    assert not cell.strip(' "').startswith(("=", "+", "-", "@", "\uff1d")), (cell, piece)


@given(TEXTS)
def test_being_harmless_is_lasting(text):
    """What is harmless stays as it is, and only apostrophes are added."""
    once = harmless(text)
    assert harmless(once) == once
    assert once.replace("'", "") == text.replace("'", "")


def listed(count):
    """So many reviews, made one at a time."""
    for number in range(count):
        review = Review(
            order_id=str(number), submitted_at=number + 1, rating=5.0, text="Alles bestens. " * 20
        )
        recorded = RecordedReview(interface_id="1", review=review, first_seen_at=1, changed_at=1)
        yield ListedReview("Germany", recorded)


@pytest.mark.sampled(2)
@pytest.mark.parametrize("write", [csv_text, json_lines])
def test_memory_does_not_grow_with_the_reviews(write):
    """Eight times as many reviews need no more memory: they go through a piece at a time."""
    peaks = []
    for count in (1_000, 8_000):
        tracemalloc.start()
        written = sum(len(piece) for piece in write(listed(count)))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert written > count * 300
    assert peaks[1] < peaks[0] * 1.2
