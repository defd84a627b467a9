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
ODD_IN_ERRORS = re.compile(
    ODD.pattern + r"|\bblanks?\b|\bgoodwill\b|\bthe matter\b|\bmay not be (read|written)\b|\bno value here\b"
    r"|\bnot known here\b|\bneither yes nor no\b|\bthe login\b",
    re.IGNORECASE,
)
REPORTS = re.compile(
    r"Error|Refused|Missing|NotFound|Unreadable|Unfit|NotANumber|^(error|warning|failed|warned|passed|note)$"
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


def is_command(function):
    """Is it a command, whose docstring is its help?"""
    return any("command" in ast.unparse(each) for each in function.decorator_list)


def raised(node):
    """Is something raised in this body, outside of functions inside it?"""
    inner = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)
    found = isinstance(node, ast.Raise) and node.exc is not None
    return found or any(raised(each) for each in ast.iter_child_nodes(node) if not isinstance(each, inner))


def public_functions(node):
    """Functions and methods without an underscore, that are no command and no part of a private class."""
    for each in ast.iter_child_nodes(node):
        if isinstance(each, ast.ClassDef) and not each.name.startswith("_"):
            yield from public_functions(each)
        elif isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef) and not each.name.startswith("_"):
            yield each


def test_public_functions_say_what_they_raise():
    """Each that raises has a ``Raises:``, or implements what has one."""
    found = [
        f"{path.relative_to(ROOT)}:{each.lineno}: {each.name}"
        for path in sorted((ROOT / "ekomi_reconcile").rglob("*.py"))
        for each in public_functions(ast.parse(path.read_text("utf-8")))
        if raised(each)
        and not is_command(each)
        and not re.search(r"Raises:|See ``\w+``|Implements ``", ast.get_docstring(each) or "")
    ]
    assert found == []


def errors(path):
    """First argument, second argument and hint of each exception and diagnostic of a module."""
    for call in ast.walk(ast.parse(path.read_text("utf-8"))):
        if not isinstance(call, ast.Call):
            continue
        name = getattr(call.func, "id", getattr(call.func, "attr", ""))
        parts = [word.value for word in call.keywords if word.arg == "hint"]
        if REPORTS.search(name):
            parts += call.args[:2]
        for node in (node for part in parts for node in ast.walk(part)):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.lineno, node.value


def test_no_error_or_hint_has_an_odd_phrase():
    """Errors, hints and results of checks keep to a stricter list than other texts."""
    listed = [
        (f"{path.relative_to(ROOT)}:{line}", text)
        for path in sorted((ROOT / "ekomi_reconcile").rglob("*.py"))
        for line, text in errors(path)
    ]
    assert len(listed) > 500
    odd = [(place, match[0]) for place, text in listed for match in ODD_IN_ERRORS.finditer(text)]
    assert odd == []


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
