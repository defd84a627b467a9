"""Values without quotes where they need none, and never with another meaning."""

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from tiers import examples

from ekomi_reconcile.config.yaml import read
from ekomi_reconcile.formatting.canonical import canonical
from ekomi_reconcile.formatting.emit import Scalar, key_text, quoted, text

WORDS = st.sampled_from(
    ["no", "true", "~", "1", "007", "1e3", "- ", "? ", ": ", " #", "---", "{", ",", "\u00a0", "é"]
)
OTHERS = [
    "y",
    "Y",
    "n",
    "N",
    "no",
    "On",
    "OFF",
    "Yes",
    "TRUE",
    "false",
    "null",
    "~",
    "12:30",
    "1_000",
    "0b101",
    "017",
    "0o17",
    "0x_1F",
    "1:30:00.5",
    ".inf",
    "1e3",
    "190:20:30",
    "685_230.15",
    "2024-01-01",
    "2026-11-30T12:00:00Z",
    "=",
    "<<",
]
"""Words that YAML 1.1 or the core schema of YAML 1.2 reads as something other than text."""
TEXTS = st.lists(WORDS | st.text(st.characters(codec="utf-8"), max_size=4), max_size=4).map("".join)


def _read(line):
    (document,), problems = read("x.yaml", f"{line}\n".encode())
    assert problems == []
    return document.data


@settings(max_examples=examples(400), deadline=None)
@given(value=TEXTS)
def test_every_text_is_read_back(value):
    """Whatever the text: in a block, in brackets and as a key it is read as the same text again."""
    assert _read(f"k: {text(value, in_flow=False)}") == {"k": value}
    assert _read(f"k: [a, {text(value, in_flow=True)}, b]") == {"k": ["a", value, "b"]}
    assert _read(f"k: {{{key_text(Scalar(value, True, 0), in_flow=True)}: 1}}") == {"k": {value: 1}}
    assert _read(f"{key_text(Scalar(value, True, 0), in_flow=False)}: 1") == {value: 1}
    assert _read(f"k: {quoted(value)}") == {"k": value}


@pytest.mark.parametrize(
    "value", ["no", "on", "y", "12:30", "1_000", "2026-01-01", "STAFF-*", "a#b", "-x", "a b"]
)
def test_what_is_text_anyway_has_no_quotes(value):
    """Words that were special in YAML 1.1 only are plain, everywhere."""
    assert text(value, in_flow=False) == text(value, in_flow=True) == value


@pytest.mark.parametrize("value", OTHERS)
@pytest.mark.parametrize("mark", ["'", '"'])
def test_quotes_around_what_yaml_1_1_reads_otherwise_stay(value, mark):
    """Whoever wrote them had another reader in mind; without quotes the file keeps none."""
    quotes = f"name: x\ntags: [{mark}{value}{mark}, a]\nlinks: {{}}\n"
    formatted = canonical("x.yaml", quotes.encode(), kind="account").decode()
    assert f'tags: ["{value}", a]\n' in formatted
    assert canonical("x.yaml", formatted.encode(), kind="account").decode() == formatted
    assert yaml.safe_load(formatted)["tags"] == [value, "a"]


@settings(max_examples=examples(100), deadline=None)
@given(value=TEXTS | st.from_regex(r"[-+0-9:._eTZ]{1,12}", fullmatch=True))
def test_quoted_texts_mean_the_same_to_yaml_1_1_afterwards(value):
    """Any text that was quoted is read by PyYAML as the same text after formatting."""
    written = f"name: x\ntags: [{quoted(value)}]\ninvitations: {{store_views: [{quoted(value)}]}}\n"
    formatted = canonical("x.yaml", written.encode(), kind="account").decode()
    assert yaml.load(formatted, yaml.CSafeLoader) == yaml.load(written, yaml.CSafeLoader)


def test_quotes_around_plain_words_go():
    """What every reader takes for text has no quotes, whoever wrote some."""
    assert (
        canonical("x.yaml", b"name: 'x y'\ntags: [\"nope\"]\n", kind="account")
        == b"name: x y\ntags: [nope]\n"
    )


@pytest.mark.parametrize("value", ["${env:X}", "https://shop.example.com/?a=[b]", "a, b"])
def test_brackets_and_commas_need_quotes_only_inside_brackets(value):
    """The same text is plain on a line of its own and quoted between brackets."""
    assert text(value, in_flow=False) == value
    assert text(value, in_flow=True) == f'"{value}"'


@pytest.mark.parametrize("value", ["14", "1.0", "0x1F", "true", "NULL", "~", "", ".inf", "9" * 30])
def test_what_would_be_another_value_has_quotes(value):
    """Numbers, yes/no, null: as text they are quoted."""
    assert text(value, in_flow=False) == f'"{value}"'


@pytest.mark.parametrize("value", ["007", "01067", "1e3", "00.5"])
def test_numbers_of_other_readers_have_quotes(value):
    """007 is text to us, and a number to an editor: quotes make them agree."""
    assert text(value, in_flow=False) == f'"{value}"'


def test_quotes_are_double_unless_only_single_ones_need_no_escapes():
    """Backslashes and double quotes stay readable; invisible characters are spelled out."""
    assert quoted("it's") == '"it\'s"'
    assert quoted('say "x"') == "'say \"x\"'"
    assert quoted("C:\\dir") == "'C:\\dir'"
    assert quoted("a\tb\ufeff\u2028") == '"a\\tb\\ufeff\\u2028"'
