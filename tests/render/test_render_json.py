"""JSON output: valid whatever the values are, and safe to look at."""

import json

from hypothesis import given
from hypothesis import strategies as st

from ekomi_reconcile.render.tables import array_text, export_text, json_text

VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(), inner, max_size=3)),
    max_leaves=10,
)


@given(VALUES)
def test_what_is_written_is_what_is_read(value):
    """Any value comes back as it was."""
    assert json.loads(json_text(value)) == value


def test_characters_that_steer_a_terminal_are_escaped():
    """C1 controls, direction marks and lone surrogates are escaped; letters are not."""
    text = json_text("a\x9b31m\u202e\ud800 Köln")
    assert text == '"a\\u009b31m\\u202e\\ud800 Köln"'


@given(st.lists(st.dictionaries(st.text(), VALUES, max_size=3), max_size=4))
def test_an_array_is_valid_with_any_number_of_objects(items):
    """No object, one, many: always one array, one line per object."""
    text = "".join(array_text(items))
    assert json.loads(text) == items
    assert len(text.splitlines()) == (len(items) + 2 if items else 1)


def test_an_array_does_not_wait_for_its_end():
    """Objects are written as they come."""
    pieces = array_text({"n": number} for number in iter(int, 1))
    assert next(pieces) == '[\n{"n": 0}'


@given(
    st.dictionaries(st.sampled_from("abc"), VALUES),
    st.dictionaries(st.sampled_from("xyz"), st.lists(st.dictionaries(st.text(), VALUES), max_size=2)),
)
def test_an_export_is_one_object(header, tables):
    """Header and tables, empty ones too, make one valid object."""
    text = "".join(export_text(header, tables.items()))
    if header or tables:
        assert json.loads(text) == header | tables
