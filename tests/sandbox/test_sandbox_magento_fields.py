"""The `fields` grammar, and what it leaves of an answer."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ekomi_reconcile.sandbox.magento.document import filtered, parse
from ekomi_reconcile.sandbox.magento.render import Broken

names = st.sampled_from(["items", "a", "b", "total_count", "x_1"])
trees = st.recursive(
    st.dictionaries(names, st.none(), min_size=1, max_size=3),
    lambda inner: st.dictionaries(names, st.none() | inner, min_size=1, max_size=3),
    max_leaves=8,
)
documents = st.recursive(
    st.integers() | st.none() | st.text(max_size=3),
    lambda inner: (
        st.dictionaries(names, inner, max_size=3) | st.lists(st.dictionaries(names, inner), max_size=3)
    ),
    max_leaves=12,
)


def _written(tree: dict[str, Any]) -> str:
    return ",".join(name if inner is None else f"{name}[{_written(inner)}]" for name, inner in tree.items())


@given(trees)
def test_a_tree_written_out_is_read_back(tree: dict[str, Any]) -> None:
    """Writing and parsing are inverse."""
    assert parse(_written(tree)) == tree


@given(st.text(alphabet="ab_1[],", max_size=12))
def test_any_text_is_a_tree_or_malformed(text: str) -> None:
    """No text of the alphabet crashes; more opening than closing brackets is always malformed."""
    tree = parse(text)
    assert tree is None or isinstance(tree, dict)
    if text.count("[") > text.count("]"):
        assert tree is None


@given(st.text(max_size=5), st.sampled_from(" .-+%;äß中\n"), st.text(max_size=5))
def test_other_characters_are_malformed(before: str, odd: str, after: str) -> None:
    """Anything but letters, digits, underscore, brackets and commas gives the answer `[]`."""
    assert parse(before + odd + after) is None
    assert filtered({"a": 1}, before + odd + after) == []


@given(documents, trees)
def test_nothing_is_added_or_changed(document: Any, tree: dict[str, Any]) -> None:
    """Every value that is left was there before, under the same keys."""
    try:
        left = filtered(document, _written(tree))
    except Broken:
        return
    assert _contained(left, document)


def _contained(left: Any, document: Any) -> bool:
    if left in (None, []) or left == document:
        return True
    if isinstance(left, dict):
        return all(key in document and _contained(value, document[key]) for key, value in left.items())
    pairs = zip(left, document, strict=True) if isinstance(left, list) else ()
    return isinstance(left, list) and all(_contained(*pair) for pair in pairs)


ANSWER = {
    "items": [{"entity_id": 1, "status": "new", "street": ["x"]}, {"entity_id": 2, "items": []}],
    "total": 2,
}


@pytest.mark.parametrize(
    ("fields", "left"),
    [
        ("total", {"total": 2}),
        ("items[entity_id]", {"items": [{"entity_id": 1}, {"entity_id": 2}]}),
        ("items[entity_id,],total", {"items": [{"entity_id": 1}, {"entity_id": 2}], "total": 2}),
        ("items[entity_id]],total", {"total": 2}),
        ("items[],total", {"items": [[], []], "total": 2}),
        ("items[entity_id[x]]", {"items": [{"entity_id": 1}, {"entity_id": 2}]}),
        ("items[items[sku]]", {"items": [[], {"items": None}]}),
        ("items[items]", {"items": [[], {"items": []}]}),
        ("items[entity_id", []),
        ("items.entity_id", []),
        ("items[entity_id, status]", []),
        ("nonsense", []),
        ({"0": "items"}, []),
        ("", ANSWER),
        (None, ANSWER),
    ],
)
def test_oddities_are_kept(fields: Any, left: Any) -> None:
    """Each measured oddity of the parameter."""
    assert filtered(ANSWER, fields) == left


def test_lists_keep_their_length() -> None:
    """A plain list is filtered member by member; scalars are never filtered."""
    assert filtered([{"id": 1, "code": "de"}], "id") == [{"id": 1}]
    assert filtered([{"id": 1}], "items[id]") == [[]]
    assert filtered([], "id") is None
    assert filtered("complete", "id") == "complete"
    assert filtered(True, "id") is True


def test_sub_fields_of_plain_values_break_the_shop() -> None:
    """`street[x]` asks for members of text: a 500."""
    with pytest.raises(Broken):
        filtered(ANSWER, "items[street[x]]")
