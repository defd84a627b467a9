"""The pages are up to date with the program, and their examples are valid."""

from __future__ import annotations

import re

import pytest
from docs_blocks import DOCS, blocks
from docs_commands import check_flags
from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match
from project_support import Project

from ekomi_reconcile.config import yaml
from ekomi_reconcile.config.models import schema
from tools.file_reference import places

MINIMAL = "version: 1\norders: {file: orders.jsonl}\n"
GUIDES = [
    page
    for page in sorted((DOCS / "how-to").glob("*.md"))
    if any(block.title and block.title.startswith(("accounts.d/", "ekomi-")) for block in blocks(page))
]
NEEDED = {
    "account": {"name": "A", "interface_id": "1", "interface_password": "${env:A}"},
    "project": {"version": 1},
}
"""What no document may lack."""
ELSEWHERE = {
    "AccountDefaults",
    "CategoryTest",
    "Condition",
    "Exclude",
    "FieldTest",
    "FlagTest",
    "ItemCondition",
    "NumberTest",
    "SumTest",
    "TextTest",
}
"""Parts of the schema that are described on another page."""


@pytest.mark.parametrize("kind", ["account", "project"])
def test_every_key_has_a_heading_and_a_valid_example(kind):
    """The reference has each key once, with type and default, and an example that the schema accepts."""
    page = DOCS / "reference" / f"{kind}.md"
    headings = re.findall(r"^#{2,4} (\S+)$", page.read_text("utf-8"), re.MULTILINE)
    assert headings == places(kind)
    assert len(headings) == len(set(headings))
    whole = schema(kind)
    validator = Draft202012Validator(whole)
    shown = [block.text for block in blocks(page)]
    assert len(shown) == len(headings)
    for place, text in zip(headings, shown, strict=True):
        (document,), problems = yaml.read("example.yaml", text.encode())
        assert problems == []
        problem = best_match(validator.iter_errors({**NEEDED[kind], **document.data}))
        assert problem is None, f"{text}{problem and problem.message}"
        assert place in paths(document.data), text


def test_no_key_of_the_schemas_is_left_out():
    """Every key of the project file and of an account has a heading, conditions aside."""
    keys = {place.rpartition(".")[2] for kind in NEEDED for place in places(kind)}
    for kind in NEEDED:
        whole = schema(kind)
        parts = [whole, *(each for name, each in whole["$defs"].items() if name not in ELSEWHERE)]
        assert {key for part in parts for key in part.get("properties", {})} <= keys


def paths(value, path=""):
    """The paths of all keys; entries of a list, and the fields of `columns`, have none of their own."""
    if isinstance(value, list):
        return set().union(*(paths(each, path) for each in value))
    if not isinstance(value, dict):
        return set()
    found = set()
    for key, each in value.items():
        place = f"{path}.{key}".lstrip(".")
        fields = each.values() if place == "orders.columns" else [each]
        found |= {place}.union(*(paths(field, place) for field in fields))
    return found


@pytest.mark.parametrize("page", GUIDES, ids=lambda page: page.stem)
def test_the_files_of_a_guide_make_a_project(page, tmp_path, capsys):
    """The titled files of a page, put where they belong, have no errors, no warnings, and are in form."""
    project = Project(tmp_path)
    (tmp_path / "accounts.d").mkdir()
    project.settings(MINIMAL)
    titled = [block for block in blocks(page) if block.title and block.language in ("yaml", "text")]
    for block in titled:
        (tmp_path / block.title).parent.mkdir(exist_ok=True)
        (tmp_path / block.title).write_text(block.text, encoding="utf-8")
    assert project.cli("validate", "--strict") == 0, capsys.readouterr().err
    assert project.cli("fmt", "--check") == 0, project.cli("fmt", "--diff")


def test_the_features_begin_with_those_of_terraform():
    """Each of Terraform's has an answer whose commands exist; each of ours a link; no internal codes."""
    lead, _, rest = (DOCS / "reference" / "features.md").read_text("utf-8").partition("\n## Writing")
    rows = re.findall(r"^\| (.+?) \| (.+?) \| (.*?) \|$", lead, re.MULTILINE)[1:]
    assert len(rows) > 20
    shown = [code for row in rows for code in re.findall(r"`ekomi-reconcile ([^`]+)`", row[1])]
    assert len(shown) > 15
    for line in shown:
        check_flags(line.split())
    ours = re.findall(r"^\| (?!feature|-)(.+?) \| (.+) \| (.*) \|$", rest, re.MULTILINE)
    assert len(ours) > 50
    assert [row[0] for row in ours if "](" not in row[2]] == []
    assert re.findall(r"\b(?:[A-F]\d+|P[01])\b", lead + rest) == []


def test_every_decision_is_told_apart():
    """No two decisions have the same number, and each says what was decided and when."""
    pages = sorted((DOCS / "decisions").glob("0*.md"))
    assert len({page.name[:4] for page in pages}) == len(pages)
    for page in pages:
        text = page.read_text("utf-8")
        assert text.startswith(f"# {int(page.name[:4])}. ")
        assert re.search(r"^\*Accepted, \d{4}-\d\d-\d\d\*$", text, re.MULTILINE)
        assert "**Decision.**" in text
