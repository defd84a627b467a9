"""The pages are up to date with the program, and their examples are valid."""

from __future__ import annotations

import re

import pytest
from docs_blocks import DOCS, blocks
from project_support import Project

from ekomi_reconcile.config.models import schema
from tools.file_reference import reference
from tools.generate import COMMAND

MINIMAL = "version: 1\norders: {file: orders.jsonl}\n"
GUIDES = [
    page
    for page in sorted((DOCS / "how-to").glob("*.md"))
    if any(block.title and block.title.startswith(("accounts.d/", "ekomi-")) for block in blocks(page))
]
ROWS = {
    *(f"A{number}" for number in (1, 2, 3, 4, 5, 6, 7, 8, 9, 11)),
    *(f"B{number}" for number in range(1, 15)),
    *(f"C{number}" for number in range(1, 11)),
    *(f"D{number}" for number in range(1, 9)),
    *(f"E{number}" for number in range(1, 12)),
    *(f"F{number}" for number in range(1, 8)),
}
"""What is expected of a tool of this kind, by its number."""
CONDITIONS = {
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
"""Parts of the schema that stand on a page of their own."""


def test_the_reference_of_the_files_is_up_to_date():
    """docs/reference/configuration.md is what the schemas say."""
    committed = (DOCS / "reference" / "configuration.md").read_text("utf-8")
    assert committed == reference(), f"run: {COMMAND}"


def test_the_reference_names_every_key():
    """Every key of the project file and of an account has a row, conditions aside."""
    text = reference()
    for kind in ("account", "project"):
        whole = schema(kind)
        parts = [whole, *(each for name, each in whole["$defs"].items() if name not in CONDITIONS)]
        missing = [key for part in parts for key in part.get("properties", {}) if f"| `{key}`" not in text]
        assert missing == []


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


def test_every_expected_feature_has_a_row():
    """reference/features.md says of each how it is met, with a link to where that is shown."""
    text = (DOCS / "reference" / "features.md").read_text("utf-8")
    rows = re.findall(
        r"^\| ([A-F]\d+) \| (P[01](?:, P1)?) \| (.+?) \| (.+) \| (.*\]\(.+\)) \|$", text, re.MULTILINE
    )
    assert [row[0] for row in rows] == sorted(ROWS, key=lambda row: (row[0], int(row[1:])))
    assert all(len(row[3]) > 12 for row in rows)


def test_every_decision_is_told_apart():
    """No two decisions have the same number, and each says what was decided and when."""
    pages = sorted((DOCS / "decisions").glob("0*.md"))
    assert len({page.name[:4] for page in pages}) == len(pages)
    for page in pages:
        text = page.read_text("utf-8")
        assert text.startswith(f"# {int(page.name[:4])}. ")
        assert re.search(r"^\*Accepted, \d{4}-\d\d-\d\d\*$", text, re.MULTILINE)
        assert "**Decision.**" in text
