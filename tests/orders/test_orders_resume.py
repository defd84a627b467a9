"""The file source over time: unchanged, grown, rewritten files, and positions in them."""

import json
import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from orders_support import Pass, aged, line, record, source
from tiers import examples

from ekomi_reconcile.model.diagnostic import Severity
from ekomi_reconcile.model.errors import OrderSourceError
from ekomi_reconcile.model.instant import parse
from ekomi_reconcile.orders.source import Wanted


@pytest.fixture
def path(tmp_path):
    """A file of three orders, written a while ago."""
    found = tmp_path / "orders.jsonl"
    found.write_text(line(1) + line(2) + line(3))
    aged(found)
    return found


def append(path, text):
    with path.open("a") as file:
        file.write(text)
    aged(path)


def test_an_unchanged_file_is_not_read(path):
    """Same size, time and inode: no order, the same position and no look inside."""
    before = Pass(path)
    keep = path.stat()
    with path.open("r+b") as file:
        file.write(b"garbage")
    os.utime(path, ns=(keep.st_atime_ns, keep.st_mtime_ns))
    after = Pass(path, before.cursor)
    assert (after.ids, after.problems, after.cursor) == ([], [], before.cursor)


def test_a_grown_file_gives_its_new_lines(path):
    """Also orders seen before, in their new version."""
    before = Pass(path)
    append(path, line(4) + line(2, status="closed"))
    after = Pass(path, before.cursor)
    assert after.statuses == {4: "complete", 2: "closed"}
    assert Pass(path, after.cursor).ids == []


def test_what_stands_before_the_position_is_not_read_again(path):
    """The cost follows the new lines: damage far before them goes unnoticed."""
    padding = "".join(line(each) for each in range(100, 400))
    append(path, padding)
    before = Pass(path)
    middle = path.stat().st_size // 2
    with path.open("r+b") as file:
        file.seek(middle)
        file.write(b"garbage")
    append(path, line(4))
    assert Pass(path, before.cursor).ids == [4]


@pytest.mark.parametrize("place", ["head", "tail"])
def test_a_rewritten_beginning_is_noticed(path, place):
    """A file that has grown but begins otherwise, or whose last known bytes differ, is read whole."""
    before = Pass(path)
    text = path.read_text()
    changed = text.replace("complete", "cOmplete", 1) if place == "head" else text[:-20] + text[-20:].upper()
    with path.open("r+") as file:
        file.write(changed + line(4))
    aged(path)
    assert 4 in Pass(path, before.cursor).ids
    assert 2 in Pass(path, before.cursor).ids


def test_a_replaced_file_is_read_whole(path, tmp_path):
    """Another inode is another file, even where it begins like the old one."""
    before = Pass(path)
    other = tmp_path / "new"
    other.write_text(path.read_text() + line(4))
    other.replace(path)
    assert Pass(path, before.cursor).ids == [1, 2, 3, 4]


def test_a_touched_or_shortened_file_is_read_whole(path):
    """Same size with another time, or fewer bytes: no position in it holds."""
    before = Pass(path)
    os.utime(path, (1, 1))
    assert Pass(path, before.cursor).ids == [1, 2, 3]
    path.write_text(line(1))
    assert Pass(path, before.cursor).ids == [1]


def test_a_file_changed_a_moment_ago_is_read_again(tmp_path):
    """A second write in the same tick of the clock leaves size and time alone, so they are not trusted."""
    path = tmp_path / "orders.jsonl"
    path.write_text(line(1, status="one"))
    before = Pass(path)
    keep = path.stat()
    path.write_text(line(1, status="two"))
    os.utime(path, ns=(keep.st_atime_ns, keep.st_mtime_ns))
    assert Pass(path, before.cursor).statuses == {1: "two"}


def test_the_meaning_of_ids_belongs_to_the_position(path):
    """With other store views the same lines are other orders."""
    path.write_text(line(1, store_id=1))
    aged(path)
    before = Pass(path)
    reading = source(path, stores={1: "de"}).read(Wanted(cursors=frozenset({before.cursor})))
    assert [each.store_view for batch in reading.batches() for each in batch] == ["de"]


@pytest.mark.parametrize("foreign", ["", "{}", "not json", "\ud800", '{"layout": "jsonl"}'])
def test_a_foreign_position_means_reading_whole(path, foreign):
    """What cannot be understood is no reason to miss an order, nor to fail."""
    assert Pass(path, foreign).ids == [1, 2, 3]
    assert Pass(path, Pass(path).cursor, foreign).ids == [1, 2, 3]


def test_the_earliest_of_several_positions_counts(path):
    """Accounts left out keep their old position; what changed since then is wanted."""
    first = Pass(path)
    append(path, line(4))
    second = Pass(path, first.cursor)
    append(path, line(5))
    assert Pass(path, second.cursor).ids == [5]
    assert Pass(path, first.cursor, second.cursor).ids == [4, 5]


def test_a_full_pass_adds_what_changed_to_what_is_young_enough(path):
    """An old order in a new line is wanted by those who had seen the file before."""
    path.write_text(line(1, created_at="2020-01-01") + line(2))
    aged(path)
    before = Pass(path)
    append(path, line(3, created_at="2020-01-01"))
    since = parse("2026-01-01")
    assert Pass(path, before.cursor, full=True, created_from=since).ids == [2, 3]
    assert Pass(path, full=True, created_from=since).ids == [2]
    assert Pass(path, "lost", full=True, created_from=since).ids == [1, 2, 3]


def test_a_line_that_is_still_being_written_is_an_error_until_it_is_finished(path):
    """A final newline does not change the verdict; the line is read again when the file has grown."""
    whole = line(4)
    append(path, whole[:30])
    before = Pass(path)
    assert before.ids == [1, 2, 3]
    assert [(each.severity, each.rule) for each in before.problems] == [(Severity.ERROR, "order-unfinished")]
    append(path, whole[30:])
    after = Pass(path, before.cursor)
    assert (after.ids, after.problems) == ([4], [])


def test_a_last_line_without_newline_is_read_and_read_again(path):
    """Many files end so; when something follows, the line is looked at once more."""
    append(path, line(4).rstrip("\n"))
    before = Pass(path)
    assert before.ids == [1, 2, 3, 4]
    assert Pass(path, before.cursor).ids == []
    append(path, "\n" + line(5))
    assert Pass(path, before.cursor).ids == [4, 5]


def test_unreadable_lines_are_remembered_with_the_position(path):
    """A pass that reads nothing tells them again; line numbers go on counting."""
    append(path, "garbage\n" + line(4, created_at="soon"))
    first = Pass(path)
    assert [each.place.line for each in first.problems] == [4, 5]
    again = Pass(path, first.cursor)
    assert (again.ids, again.problems) == ([], first.problems)
    append(path, line(5) + "more\n")
    grown = Pass(path, first.cursor)
    assert [each.place.line for each in grown.problems] == [4, 5, 7]
    append(path, line(4))
    repaired = Pass(path, grown.cursor)
    assert (repaired.ids, [each.place.line for each in repaired.problems]) == ([4], [4, 7])


def test_csv_grows_by_rows(tmp_path):
    """The header counts for rows added later; a cell that nothing closes yet is waited for."""
    path = tmp_path / "orders.csv"
    path.write_text(
        'entity_id,increment_id,created_at,status\n1,a,2026-01-31,complete\n2,b,2026-01-31,"half\n'
    )
    aged(path)
    before = Pass(path)
    assert (before.ids, before.problems[0].rule) == ([1], "order-unfinished")
    append(path, 'done"\n3,c,2026-01-31,x\n')
    after = Pass(path, before.cursor)
    assert after.statuses == {2: "half\ndone", 3: "x"}
    append(path, "nonsense,,\n")
    assert Pass(path, after.cursor).problems[0].place.line == 6


def test_another_header_is_another_file(tmp_path):
    """Columns in another order would give other orders."""
    path = tmp_path / "orders.csv"
    path.write_text("entity_id,increment_id,created_at,status,state\n1,n,2026-01-31,a,b\n")
    aged(path)
    before = Pass(path)
    with path.open("r+") as file:
        file.write("entity_id,increment_id,created_at,state,status\n1,n,2026-01-31,a,b\n2,m,2026-01-31,a,b\n")
    aged(path)
    assert Pass(path, before.cursor).statuses == {1: "b", 2: "b"}


def test_documents_do_not_grow(tmp_path):
    """A JSON document that changed is read whole; unchanged it is not read."""
    path = tmp_path / "orders.json"
    path.write_text(json.dumps([record(1)]))
    aged(path)
    before = Pass(path)
    assert Pass(path, before.cursor).ids == []
    with path.open("r+") as file:
        file.write(json.dumps([record(1), record(2)]))
    aged(path)
    assert Pass(path, before.cursor).ids == [1, 2]


rows = st.builds(
    lambda key, status, kind: {
        "order": line(key, status=status),
        "broken": "broken\n",
        "blank": "\n",
        "open": line(key, status=status)[:-1],
        "half": line(key, status=status)[:40],
    }[kind],
    st.integers(1, 6),
    st.sampled_from("abcdefgh"),
    st.sampled_from(["order"] * 6 + ["broken", "blank", "open", "half"]),
)
steps = st.lists(
    st.tuples(
        st.sampled_from(["append", "append", "append", "rewrite", "replace", "nothing"]),
        st.lists(rows, max_size=4),
    ),
    min_size=1,
    max_size=6,
)


def change(path, how, text):
    if how == "append":
        begun = path.read_text()
        with path.open("a") as file:
            file.write("\n" + text if begun.endswith("}") else text)
    elif how == "rewrite":
        path.write_text(text)
    elif how == "replace":
        (path.parent / "next").write_text(text)
        (path.parent / "next").replace(path)


@settings(max_examples=examples(150), deadline=None)
@given(steps, st.booleans())
def test_following_a_file_ends_where_reading_it_whole_does(changes, old):
    """However a file grows or is rewritten between passes, nothing that changed is missed."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "orders.jsonl"
        path.write_text("")
        followed, cursors = {}, []
        for how, added in changes:
            change(path, how, "".join(added))
            if old:
                aged(path)
            try:
                whole = Pass(path)
            except OrderSourceError:  # no line of it is an order: nothing was read, nothing moves
                continue
            step = Pass(path, *cursors)
            cursors = [step.cursor]
            followed |= step.statuses
            assert {key: followed[key] for key in whole.statuses} == whole.statuses
            if "".join(added).endswith("\n"):
                assert [each.place.line for each in step.problems] == [
                    each.place.line for each in whole.problems
                ]
