"""Reading and writing the words of a shell's line."""

import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from required_programs import program

from ekomi_reconcile.cli.completion import Word, escaped, words


@pytest.mark.parametrize(
    ("line", "last"),
    [
        ("sync ", Word("", "")),
        ("sync Gr", Word("Gr", "Gr")),
        (r"sync Great\ B", Word(r"Great\ B", "Great B")),
        ('sync "Great B', Word('"Great B', "Great B", '"')),
        ("sync 'Ole\"s", Word("'Ole\"s", 'Ole"s', "'")),
        (r'sync "a\"b\c', Word(r'"a\"b\c', r'a"b\c', '"')),
        (r"sync 'a\b", Word(r"'a\b", r"a\b", "'")),
        ("sync --target='x y'z", Word("--target='x y'z", "--target=x yz")),
        ("", Word("", "")),
    ],
)
def test_the_last_word_is_read_as_far_as_it_is_written(line, last):
    """Blanks, quotes and backslashes mean what they mean to a shell, also where they are not closed yet."""
    assert words(line)[-1] == last


NAMES = st.text(
    st.characters(min_codepoint=32, max_codepoint=0x2FFF, exclude_categories=["Cs", "Cc"]), min_size=1
)


@given(name=NAMES, quote=st.sampled_from(["", "'", '"']))
def test_what_is_written_is_read_again(name, quote):
    """A name written for a place in the line is, read from there, the same name."""
    written = f"sync {quote}{escaped(name, quote)}{quote}"
    found = words(written)
    assert [each.text for each in found] == ["sync", name]


@settings(max_examples=10, deadline=None)
@given(name=st.text(st.sampled_from("aß é\"'\\$`!;&|<>(){}[]*?~#:,=@%\t"), min_size=1, max_size=40))
def test_a_shell_reads_it_alike(name):
    """Bash itself makes one word of it: nothing is expanded, nothing falls apart."""
    forms = [f"{quote}{escaped(name, quote)}{quote}" for quote in ("", "'", '"')]
    script = f"printf '%s\\0' {' '.join(forms)}"
    done = subprocess.run([program("bash"), "-c", script], capture_output=True, check=True)
    assert done.stdout.decode() == f"{name}\0" * 3
