"""Reading YAML: the core schema, bounds, positions, and any bytes whatever."""

import time

import pytest
from config_files import ACCOUNT, PROJECT, account, checked, loaded, rules
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tiers import examples

from ekomi_reconcile.config.source import MAX_BYTES
from ekomi_reconcile.config.yaml import read
from ekomi_reconcile.config.yaml_nodes import (
    MAX_DEPTH,
    MAX_NODES,
    CountingComposer,
    NotANumber,
    composer,
    plain,
)
from ekomi_reconcile.model.diagnostic import Diagnostic


@pytest.mark.parametrize(
    "text",
    [
        "no",
        "on",
        "off",
        "yes",
        "y",
        "n",
        "No",
        "YES",
        "0123",
        "-007",
        "12:30",
        "1_000",
        "2026-01-01",
        "0b11",
        "0x",
        "0o8",
        "1e",
        "1.2.3",
        "+-1",
        ".",
        "..",
        "-",
        "nUll",
        "TRue",
        "=",
    ],
)
def test_words_of_yaml_1_1_are_text(text: str) -> None:
    """What YAML 1.1 would turn into a boolean, a date or an odd number stays the text it is."""
    assert plain(text) == text


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (f"{ACCOUNT}tags:\n<<<<<<< HEAD\n  - a\n=======\n  - b\n>>>>>>> feature/x\n", 5),
        (f"<<<<<<< HEAD\n{ACCOUNT}=======\n{ACCOUNT}>>>>>>> feature/x\n", 1),
        (f"{ACCOUNT}>>>>>>> feature/x\n", 4),
        (f"{ACCOUNT}=======\n", 4),
        (f"{ACCOUNT}||||||| 1f0c2a3\n", 4),
        (f"{ACCOUNT}<<<<<<<\n", 4),
        (f"# x\r\n{ACCOUNT}<<<<<<< HEAD\r\n=======\r\n>>>>>>> x\r\n", 5),
    ],
)
@pytest.mark.parametrize("of_project", [False, True])
def test_conflict_markers_are_named_at_their_line(text: str, line: int, of_project: bool) -> None:
    """A merge that was not finished is one error, at the first marker, in accounts and project files."""
    if of_project:
        _, diagnostics = checked(project=text.replace(ACCOUNT, PROJECT + "timezone: UTC\n"))
    else:
        _, diagnostics = checked(text)
    (found,) = (each for each in diagnostics if each.rule != "unused-default")
    assert (found.rule, found.message) == ("git-conflict", "git conflict markers: resolve them")
    assert found.place is not None
    assert found.place.line == line


@pytest.mark.parametrize("text", ["# <<<<<<< HEAD\n", "tags: [<<<<<<< HEAD]\n", "tags: ['=======']\n"])
def test_what_only_looks_like_a_marker_is_none(text: str) -> None:
    """In a comment, a list or a string these signs mean nothing."""
    loaded(ACCOUNT + text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("~", None),
        ("null", None),
        ("NULL", None),
        ("true", True),
        ("TRUE", True),
        ("False", False),
        ("0", 0),
        ("-0", 0),
        ("+12", 12),
        ("0o17", 15),
        ("0x1F", 31),
        ("1.5", 1.5),
        (".5", 0.5),
        ("14.0", 14),
        ("1e3", 1000),
        ("-2.5E-1", -0.25),
    ],
)
def test_core_schema_values(text: str, value: object) -> None:
    """The YAML 1.2 core schema is followed; a whole number is an int however it is written."""
    assert plain(text) == value
    assert type(plain(text)) is type(value)


@pytest.mark.parametrize("text", [".inf", "-.INF", "+.Inf", ".nan", ".NaN", "1e999", "1" * 19])
def test_numbers_that_do_not_exist(text: str) -> None:
    """Infinity, not-a-number and identifiers without quotes are refused, not rounded."""
    with pytest.raises(NotANumber):
        plain(text)


def test_byte_order_mark_and_crlf() -> None:
    """A byte order mark and Windows line ends are fine, and positions stay right."""
    content = b"\xef\xbb\xbfname: x\r\n# remark\r\ntags: [no, '0123']\r\n"
    documents, problems = read("f.yaml", content)
    assert (documents[0].data, problems) == ({"name": "x", "tags": ["no", "0123"]}, [])
    assert str(documents[0].place(("tags", 1))) == "f.yaml:3:12"
    assert str(documents[0].place(("name",), "key")) == "f.yaml:1:1"


def test_columns_count_characters() -> None:
    """Columns count characters, not bytes or UTF-16 units."""
    documents, _ = read("f.yaml", "äöü: {é𝒳: [ü, b]}\n".encode())
    assert str(documents[0].place(("äöü", "é𝒳", 1))) == "f.yaml:1:15"


def test_positions_in_later_documents() -> None:
    """Positions hold in every document of a file, also in indented and in flow ones."""
    documents, _ = read("f.yaml", b"a: 1\n---\n  b:\n    c: [1, 2]\n  d: 3\n--- {e: 5,\n f: 6}\n--- # end\n")
    assert [each.data for each in documents] == [{"a": 1}, {"b": {"c": [1, 2]}, "d": 3}, {"e": 5, "f": 6}]
    assert str(documents[1].place(("b", "c", 1))) == "f.yaml:4:12"
    assert str(documents[1].place(("d",), "key")) == "f.yaml:5:3"
    assert str(documents[2].place(("e",))) == "f.yaml:6:9"
    assert str(documents[2].place(("f",))) == "f.yaml:7:5"


def test_place_of_what_is_absent() -> None:
    """What is not there is found at the nearest thing that is."""
    documents, _ = read("f.yaml", b"a:\n  b: {c: 1}\n")
    assert str(documents[0].place(("a", "b", "x", "y"))) == "f.yaml:2:6"
    assert str(documents[0].place(("x",))) == "f.yaml:1:1"


@pytest.mark.parametrize(
    "content", [b"", b"# only a remark\n", b"---\n---\n", b"---\n# x\n...\n", b"\xef\xbb\xbf"]
)
def test_empty_documents_are_nothing(content: bytes) -> None:
    """An empty file or document is no account and no mistake."""
    assert read("f.yaml", content) == ([], [])


def test_aliases_are_values() -> None:
    """An alias stands for the value of its anchor."""
    documents, problems = read("f.yaml", b"a: &x [1, 2]\nb: *x\n")
    assert (documents[0].data, problems) == ({"a": [1, 2], "b": [1, 2]}, [])


def test_tags_of_the_core_schema() -> None:
    """A core tag that fits its value is accepted."""
    documents, problems = read(
        "f.yaml", b"a: !!str 12\nb: !!int 12\nc: !!seq [x]\nd: !!float 1\n!!str f: 1\n"
    )
    assert (documents[0].data, problems) == ({"a": "12", "b": 12, "c": ["x"], "d": 1, "f": 1}, [])


def test_whole_numbers_as_keys_are_text() -> None:
    """Ids of stores are written as numbers and are the keys they would be in JSON."""
    documents, problems = read("f.yaml", b"stores: {1: de, 02: at, '3': fr}\n")
    assert (documents[0].data, problems) == ({"stores": {"1": "de", "02": "at", "3": "fr"}}, [])


BROKEN = {
    "undefined alias": (b"a: *b\n", "yaml-syntax", 1, 4),
    "tab": (b"a:\n\tb: 1\n", "yaml-syntax", 2, 1),
    "open bracket": (b"a: [1, 2\nb: 3\n", "yaml-syntax", 2, 2),
    "open quote": (b"a: 'x\n", "yaml-syntax", 2, 1),
    "two colons": (b"a: b: c\n", "yaml-syntax", 1, 5),
    "bad escape": (b'a: "\\q"\n', "yaml-syntax", 1, 5),
    "second document": (b"a: 1\n---\nb: [\n", "yaml-syntax", 4, 1),
    "duplicate key": (b"a: 1\nb: 2\na: 3\n", "duplicate-key", 3, 1),
    "inner duplicate": (b"a:\n  b: 1\n  'b': 2\n", "duplicate-key", 3, 3),
    "merge key": (b"a: &x {b: 1}\nc:\n  <<: *x\n", "yaml-merge-key", 3, 3),
    "boolean key": (b"a: 1\ntrue: 2\n", "yaml-key", 2, 1),
    "null key": (b"~: 2\n", "yaml-key", 1, 1),
    "list key": (b"? [a, b]\n: 1\n", "yaml-key", 1, 3),
    "tagged key": (b"!x a: 1\n", "yaml-key", 1, 1),
    "unknown tag": (b"a: !secret x\n", "yaml-tag", 1, 4),
    "python tag": (b"a: !!python/object:os.system [x]\n", "yaml-tag", 1, 4),
    "tag that does not fit": (b"a: !!int x\n", "yaml-tag", 1, 4),
    "collection tag": (b"a: !!set {b}\n", "yaml-tag", 1, 4),
    "infinity": (b"a: .inf\n", "yaml-number", 1, 4),
    "long number": (b"a: 12345678901234567890\n", "yaml-number", 1, 4),
    "self reference": (b"a: &x [1, *x]\n", "yaml-recursion", 1, 4),
    "mutual reference": (b"a: &x {b: &y {c: *x, d: *y}}\n", "yaml-recursion", 1, 4),
    "list on top": (b"- a\n- b\n", "not-a-mapping", 1, 1),
    "text on top": (b"\n\n  hello\n", "not-a-mapping", 3, 3),
    "null on top": (b"--- null\n", "not-a-mapping", 1, 5),
    "NUL": (b"a: 1\nb: \x00\n", "yaml-control-character", 2, 4),
    "bell": (b"a: \x07\n", "yaml-control-character", 1, 4),
    "next line character": ("a: x\u0085y\n".encode(), "yaml-control-character", 1, 5),
    "UTF-16": ("a: 1\n".encode("utf-16"), "yaml-encoding", 1, 1),
    "Latin-1": (b"ok: 1\na: \xfcb\n", "yaml-encoding", 2, 4),
    "half a character": (b"a: \xc3", "yaml-encoding", 1, 4),
}


@pytest.mark.parametrize(("content", "rule", "line", "column"), BROKEN.values(), ids=BROKEN)
def test_broken_yaml(content: bytes, rule: str, line: int, column: int) -> None:
    """Every mistake has its rule, its place and a way to hint it."""
    _, problems = read("f.yaml", content)
    assert [(each.rule, str(each.place)) for each in problems] == [(rule, f"f.yaml:{line}:{column}")]
    assert problems[0].hint
    assert problems[0].is_error


@pytest.mark.parametrize("token", ["[", "- ", "? ", "{a: ", "[a, ", "- ? ", "[{", "!!seq ["])
def test_deep_nesting_does_not_exhaust_the_stack(token: str) -> None:
    """100,000 levels are an error that says so, in no time, and not a crash of the interpreter."""
    started = time.perf_counter()
    _, problems = read("f.yaml", token.encode() * 100_000)
    assert [each.rule for each in problems] == ["yaml-too-deep"]
    assert time.perf_counter() - started < 5


def test_deep_block_nesting() -> None:
    """Nesting by indentation is bounded too, also where each line is short."""
    lines = "".join(f"{' ' * depth}a:\n" for depth in range(180)).encode()
    _, problems = read("f.yaml", lines)
    assert [each.rule for each in problems] == ["yaml-too-deep"]


def test_nesting_at_the_bound() -> None:
    """As many levels as allowed are read; one more is refused."""
    flow = b"a: " + b"[" * (MAX_DEPTH - 1) + b"]" * (MAX_DEPTH - 1)
    assert read("f.yaml", flow)[1] == []
    assert [each.rule for each in read("f.yaml", b"a: [" + flow[3:] + b"]")[1]] == ["yaml-too-deep"]


def test_alias_bomb() -> None:
    """Aliases of aliases that expand to a billion values are refused at once."""
    levels = [f"a{each}: &a{each} [{', '.join([f'*a{each - 1}'] * 10)}]" for each in range(1, 9)]
    _, problems = read("f.yaml", "\n".join(["a0: &a0 [x, x, x, x, x, x, x, x, x, x]", *levels]).encode())
    assert [each.rule for each in problems] == ["yaml-too-many"]


def test_mistakes_behind_aliases_are_bounded() -> None:
    """Aliases multiply a mistake, but not without end."""
    content = b"a: &a !x [1]\nb: [" + b"*a, " * 5_000 + b"*a]\n"
    _, problems = read("f.yaml", content)
    assert 1 <= len(problems) <= 100


def test_too_many_values() -> None:
    """More values than a document may have are refused before they fill the memory."""
    _, problems = read("f.yaml", b"a:\n" + b"- x\n" * (MAX_NODES + 1))
    assert [each.rule for each in problems] == ["yaml-too-many"]


def test_large_file_of_small_documents() -> None:
    """The bound counts for each document: a large file with many accounts is fine."""
    documents, problems = read("f.yaml", b"a: [1, 2, 3, 4, 5, 6, 7, 8]\n---\n" * 15_000)
    assert (len(documents), problems) == (15_000, [])


def test_file_too_large() -> None:
    """A file beyond the size limit is refused unread."""
    _, problems = read("f.yaml", b"# " + b"x" * MAX_BYTES)
    assert [each.rule for each in problems] == ["yaml-too-large"]


def test_composer_counts_where_it_must() -> None:
    """Small shallow text takes the quick way, anything else the one that counts."""
    assert type(composer(ACCOUNT)) is not CountingComposer
    assert type(composer("[" * 1_000)) is CountingComposer
    assert type(composer(" " * 1_000 + "a: 1")) is CountingComposer


YAML_LIKE = st.text(
    alphabet=st.sampled_from("abn01.:,-?!&*|>%@`'\"#{}[]<~ \t\n\r\\=é\u2028\ufeff"), max_size=60
)


@settings(max_examples=examples(250), deadline=None)
@given(st.one_of(st.binary(max_size=80), YAML_LIKE.map(str.encode)))
@example(b"? ? a\n: : b")
@example(b"%TAG ! tag:x,2000:\n---\n!a b: !!c d")
@example(b"&a : *a")
@example(b"a: |2-\n  x\n--- >+\n\n")
def test_any_bytes_give_diagnostics(content: bytes) -> None:
    """Whatever the bytes are, the answer is a configuration or diagnostics, never an exception."""
    configuration, diagnostics = checked(content)
    assert (configuration is None) == any(each.is_error for each in diagnostics)
    assert all(_is_complete(each) for each in diagnostics)


@settings(max_examples=examples(150), deadline=None)
@given(st.one_of(st.binary(max_size=80), YAML_LIKE.map(lambda text: f"version: 1\n{text}".encode())))
def test_any_bytes_as_project_file(content: bytes) -> None:
    """The same for the project file."""
    _, diagnostics = checked(ACCOUNT, project=content)
    assert all(_is_complete(each) for each in diagnostics)


@settings(max_examples=examples(150), deadline=None)
@given(st.integers(0, 400), st.binary(max_size=6))
def test_damaged_account_gives_diagnostics(offset: int, damage: bytes) -> None:
    """Bytes thrown into a good file never make anything but diagnostics."""
    good = account(rule="enabled: true, conditions: {all: [{grand_total: {gte: 50}}]}").encode()
    _, diagnostics = checked(good[:offset] + damage + good[offset + 3 :])
    assert all(_is_complete(each) for each in diagnostics)


def test_norway() -> None:
    """The store view `no` and the name "0123" are text all the way."""
    configuration = loaded(account(name='"0123"', rule="enabled: true, store_views: [no, on, y]"))
    assert configuration.accounts[0].name == "0123"
    assert configuration.accounts[0].invitations.store_views.names == {"no", "on", "y"}


def test_all_mistakes_of_all_files_in_one_run() -> None:
    """Mistakes of syntax, of values and across files come together, sorted by file and line."""
    _, diagnostics = checked(
        ACCOUNT, "name: [\n", ACCOUNT + "tags: []\nprotect: maybe\n", project="version: 3\n"
    )
    assert rules(diagnostics) == [
        "duplicate-interface-id",
        "duplicate-name",
        "empty-list",
        "out-of-range",
        "wrong-type",
        "yaml-syntax",
    ]
    places = [(each.place.path, each.place.line) for each in diagnostics if each.place]
    assert places == sorted(places)


def _is_complete(diagnostic: Diagnostic) -> bool:
    place = diagnostic.place
    return bool(
        diagnostic.rule
        and diagnostic.message
        and diagnostic.hint
        and place
        and place.line > 0
        and place.column > 0
    )
