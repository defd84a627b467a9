"""Tables: complete in a pipe, within the width on a terminal, the same without colour."""

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from render_support import drawn
from rich.cells import cell_len

from ekomi_reconcile.render.tables import (
    ROWS_PER_PAGE,
    Cell,
    Column,
    Paint,
    Tone,
    cell,
    table_text,
    time_cell,
)

LAYOUT = (
    (Column("ID", right=True),),
    (Column("Name", whole=False), Column("Also", whole=False)),
    (Column("Text", whole=False),),
)


def rows(*texts):
    """Rows whose cells are these texts."""
    return [[cell(each) for each in row] for row in texts]


def test_columns_are_aligned_and_figures_stand_right():
    """Without a terminal each row is one line, columns two blanks apart, nothing blank at the end."""
    text = drawn(LAYOUT, rows(("1", "Köln", None, "x"), ("100", "A", "beside", None)))
    assert text == " ID  Name  Also    Text\n  1  Köln          x\n100  A     beside\n"


def test_without_rows_there_is_no_table():
    """An empty list has no heading either."""
    assert drawn(LAYOUT, []) == ""


def test_nothing_is_cut_in_a_pipe():
    """A value of any length stays whole on its line."""
    text = drawn(LAYOUT, rows(("1", "n" * 500, "a", "t" * 5_000)))
    assert "t" * 5_000 in text
    assert len(text.splitlines()) == 2


@pytest.mark.parametrize("width", [72, 80, 100])
def test_what_does_not_fit_goes_below(width):
    """On a terminal no line is longer than it is wide, and every value is still there."""
    words = ("123", "A name that is long " * 3, "https://example.com/" + "a" * 90, "word " * 40)
    text = drawn(LAYOUT, rows(words), width=width)
    assert max(map(cell_len, text.splitlines())) <= width
    assert "123" in text
    assert "Also" in text.splitlines()[1]
    for char in set("".join(words)) - {" "}:
        assert text.count(char) >= sum(word.count(char) for word in words)


def test_a_table_that_fits_a_terminal_is_the_table_of_a_pipe():
    """Only what does not fit is drawn in another way."""
    found = rows(("1", "a", "b", "c"))
    assert drawn(LAYOUT, found, width=80) == drawn(LAYOUT, found)


@given(
    st.lists(st.tuples(*[st.text(max_size=30)] * 4), min_size=1, max_size=5),
    st.one_of(st.none(), st.integers(72, 120)),
)
def test_any_text_is_shown_whole_and_harmless(texts, width):
    """Whatever the values hold: no control characters, lines within the width, in a pipe one per row."""
    text = drawn(LAYOUT, rows(*texts), width=width)
    assert not [char for char in text if unicodedata.category(char) == "Cc" and char != "\n"]
    lines = text.split("\n")
    assert lines.pop() == ""
    if width is None:
        assert len(lines) == len(texts) + 1
    else:
        assert max(map(cell_len, lines)) <= max(width, 72)


def test_colour_only_adds():
    """Without its escape codes a coloured table is the plain one, side by side and below each other."""
    found = [[Cell("1"), Cell("yes", Tone.ADD), Cell(""), Cell("word " * n, Tone.REMOVE)] for n in (1, 30)]
    for width in (None, 80):
        coloured = drawn(LAYOUT, found, width, colour=True)
        assert "\033[" in coloured
        plain = re.sub(r"\033\[[0-9;]*m", "", coloured)
        assert [line.rstrip() for line in plain.splitlines()] == drawn(LAYOUT, found, width).splitlines()


def test_a_long_list_comes_in_pages_with_one_heading():
    """Rows are drawn as they come, not when the last is known."""
    taken = []

    def endless():
        for number in range(10**9):
            taken.append(number)
            yield rows((str(number), "name", "also", "text"))[0]

    pieces = table_text(LAYOUT, endless(), width=None, paint=Paint())
    first, second = next(pieces), next(pieces)
    assert len(taken) == 2 * ROWS_PER_PAGE
    assert first.splitlines()[0].split() == ["ID", "Name", "Also", "Text"]
    assert "Name" not in second


def test_a_later_page_that_is_too_wide_is_stacked_with_its_heading():
    """Where the form changes, the heading comes again."""
    found = rows(*[("1", "a", "b", "c")] * ROWS_PER_PAGE, ("2", "a", "b", "word " * 50))
    first, second = table_text(LAYOUT, found, width=80, paint=Paint())
    assert first.splitlines()[0] == "ID  Name  Also  Text"
    assert second.splitlines()[0].split() == ["ID", "Name", "Text"]


def test_wide_characters_count_twice():
    """Columns are aligned by what a terminal shows, not by the number of characters."""
    text = drawn(LAYOUT, rows(("1", "日本", "x", "y"), ("2", "abcd", "x", "y")))
    first, second = text.splitlines()[1:]
    assert cell_len(first.partition("x")[0]) == cell_len(second.partition("x")[0])


def test_markup_in_a_value_is_text():
    """What looks like markup of the drawing library is shown as it is."""
    text = drawn(LAYOUT, rows(("1", "[red]x[/red]", "word " * 30, ":smile:")), width=80)
    assert "[red]x[/red]" in text
    assert ":smile:" in text


def test_times_are_to_the_minute():
    """Instants are shown in UTC to the minute; an absent one is empty."""
    assert time_cell(0).text == "1970-01-01 00:00"
    assert time_cell(None).text == ""
