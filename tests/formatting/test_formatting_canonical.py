"""The canonical form: one for all ways to write the same, idempotent, and never with another meaning."""

import re
from pathlib import Path

import pytest
from formatting_texts import files
from hypothesis import assume, given, settings
from tiers import examples

from ekomi_reconcile.config.yaml import read
from ekomi_reconcile.formatting.canonical import canonical
from ekomi_reconcile.model.errors import ConfigurationInvalid

EXAMPLES = sorted((Path(__file__).parents[2] / "accounts.d").glob("*.yaml"))


def formatted(text, kind="account"):
    """The canonical form of a text."""
    return canonical("x.yaml", text.encode(), kind=kind).decode()


def _refusal(text):
    with pytest.raises(ConfigurationInvalid) as caught:
        canonical("x.yaml", text.encode())
    return [each.rule for each in caught.value.diagnostics]


@settings(max_examples=examples(80), deadline=None)
@given(text=files())
def test_meaning_and_comments_stay_and_a_second_time_changes_nothing(text):
    """Whatever the style, indentation and comments: the same data, the same comments, one fixed point."""
    before, problems = read("x.yaml", text.encode())
    assume(not problems)
    once = formatted(text)
    after, problems = read("x.yaml", once.encode())
    assert problems == []
    assert [each.data for each in after] == [each.data for each in before]
    assert sorted(re.findall("# (?:about|beside|far|own|in)", once)) == sorted(
        re.findall("# (?:about|beside|far|own|in)", text)
    )
    assert formatted(once) == once


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_examples_keep_their_comments_and_alignment(path):
    """Of the example accounts only the order of keys and needless quotes may change."""
    before = path.read_text(encoding="utf-8")
    after = formatted(before)
    columns = {line.index("# ") for line in after.splitlines() if " # " in line}
    assert columns == {line.index("# ") for line in before.splitlines() if " # " in line}
    assert sorted(re.findall("#.*", after)) == sorted(re.findall("#.*", before))


def test_keys_come_in_the_order_of_the_schema():
    """Of accounts, of the project and of conditions; keys nobody knows follow as they were written."""
    found = formatted(
        "zzz: 1\ninvitations: {deliver: link, enabled: true}\naaa: 2\ninterface_id: '1'\nname: x\n"
    )
    assert re.findall("^[a-z_]+", found, re.MULTILINE) == [
        "name",
        "interface_id",
        "invitations",
        "zzz",
        "aaa",
    ]
    assert "{enabled: true, deliver: link}" in found
    assert formatted("orders: {file: x}\nversion: 1\n", "project") == "version: 1\norders: {file: x}\n"
    found = formatted("orders: {us: {stores: {2: b, 1: a}, file: x}, eu: {file: y}}\nversion: 1\n", "project")
    assert found == "version: 1\norders: {us: {file: x, stores: {2: b, 1: a}}, eu: {file: y}}\n"
    rule = "invitations:\n  conditions:\n    sum_items:\n"
    found = formatted(f"{rule}      gte: 2\n      where: {{sku: {{eq: a}}}}\n      of: qty\n")
    assert found == f"{rule}      of: qty\n      where: {{sku: {{eq: a}}}}\n      gte: 2\n"


def test_an_alias_never_comes_before_its_anchor():
    """Where the order would break an alias, keys stay as they were; anchors and aliases are kept."""
    text = "tags: &t [a]\nname: x\n"
    assert formatted(text) == "name: x\ntags: &t [a]\n"
    text = "invitations:\n  store_views: &t [a]\ntags: *t\nname: x\n"
    assert formatted(text) == text


def test_quotes_of_an_interface_id_stay():
    """An interface id is always in quotes, also where YAML would not need them."""
    assert formatted("interface_id: 'a1'\n") == 'interface_id: "a1"\n'
    assert formatted("interface_id: '0123'\n") == 'interface_id: "0123"\n'


def test_indentation_brackets_and_spaces_have_one_form():
    """Two blanks, lists below their key indented, brackets on one line without inner blanks if it fits."""
    text = "tags:\n- a\n-   b\nlinks:   {   submit_url:   x,\n   webshop_url: y }\n"
    text += "invitations:\n      enabled: True\n"
    assert formatted(text) == (
        "links: {webshop_url: y, submit_url: x}\ntags:\n  - a\n  - b\ninvitations:\n  enabled: true\n"
    )


def test_brackets_that_are_too_long_become_lines():
    """A line of more than 100 columns is broken up, and the result stays."""
    words = [f"store_view_{number}" for number in range(9)]
    found = formatted(f"invitations:\n  store_views: [{', '.join(words)}]\n")
    assert found.count("\n    - store_view_") == 9
    assert formatted(found) == found


def test_several_documents_stay_and_needless_marks_go():
    """`---` stands between documents only; directives and end marks say nothing and go."""
    text = "%YAML 1.2\n---\nname: x\n...\n---\n---\nname: y\n"
    assert formatted(text) == "name: x\n---\nname: y\n"


def test_blocks_of_text_stay_blocks():
    """Literal and folded text keeps its lines; the header says what is needed, no more."""
    text = "name: |\n     a\n       b\ntags:\n- >-\n  folded\n  text\nlinks: |+\n  x\n\n\n"
    found = formatted(text)
    assert found == "name: |\n  a\n    b\nlinks: |+\n  x\n\n\ntags:\n  - >-\n    folded\n    text\n"
    assert formatted("name: |2\n   x") == "name: |2-\n   x\n"


@pytest.mark.parametrize(("ending", "other"), [("\n", "\r\n"), ("\r\n", "\n")])
def test_line_breaks_stay_as_the_first_is(ending, other):
    """A checkout with CRLF is not changed by it; mixed endings become one, a byte order mark goes."""
    content = f"\ufeffname: x{ending}tags: [a]{other}\n".encode()
    assert canonical("x.yaml", content) == f"name: x{ending}tags: [a]{ending}".encode()


def test_empty_files_stay_empty_and_comments_alone_stay():
    """There is nothing to format, and nothing is lost."""
    assert formatted("") == ""
    assert formatted("\n\n# a\n\n\n  # b\n") == "# a\n\n# b\n"


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("name: [\n", "yaml-syntax"),
        ("name: x\nname: y\n", "duplicate-key"),
        ("links: &l {}\n<<: *l\n", "yaml-merge-key"),
        ("- a\n", "not-a-mapping"),
        ("services: {}\nversion: '3'\nnetworks: {}\n", "not-ours"),
        ("on: push\nname: x\njobs: {}\n", "not-ours"),
    ],
)
def test_what_cannot_be_formatted_is_refused_with_its_place(text, rule):
    """YAML that this format does not allow, and files of other programs, are diagnostics."""
    assert _refusal(text) == [rule]
