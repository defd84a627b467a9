"""Messages, help and pages avoid the phrases that a reader has to read twice."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ODD = re.compile(
    r"\b(mend(s|ed|ing)?|anew|once more|at hand|in vain|had better|worth a look|so (many|much)|what waits)\b"
    r"|\b(is|are|was) no (?!such\b|longer\b|more\b)[a-z]+\b"
    r"|\b(is|are|be|was) told\b|\btells? (of|that|what|how|which|in|why)\b"
    r"|\bstands? (in|here|for|beside|as|there|above|below|now|against)\b|\bfrom (now|then) on\b",
    re.IGNORECASE,
)
PAGES = [
    *(ROOT / "docs").glob("*.md"),
    *(ROOT / "docs" / "how-to").glob("*.md"),
    *(ROOT / "docs" / "reference").glob("*.md"),
    ROOT / "README.md",
    ROOT / "action.yml",
]


def messages(path):
    """The strings of a module: messages, hints, help and docstrings, with their lines."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value


def test_no_message_has_an_odd_phrase():
    """Errors, hints, help texts and docstrings of the whole package."""
    found = [
        f"{path.relative_to(ROOT)}:{line}: {match[0]}"
        for path in sorted((ROOT / "ekomi_reconcile").rglob("*.py"))
        for line, text in messages(path)
        for match in ODD.finditer(text)
    ]
    assert found == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_page_has_an_odd_phrase(page):
    """README, tutorial, guides, reference and the action."""
    text = page.read_text("utf-8")
    assert [match[0] for match in ODD.finditer(text)] == []


@pytest.mark.parametrize(
    "text", ["that is no time", "From now on it runs", "write it anew", "it is told once"]
)
def test_odd_phrases_are_recognised(text):
    """In any letter case; `is no longer` is fine."""
    assert ODD.search(text)
    assert not ODD.search("it is no longer there, and no more is sent")
