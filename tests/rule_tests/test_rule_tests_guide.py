"""The how-to about rule tests can be followed word for word."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest
from project_support import Project, order

sys.path.append(str(Path(__file__).parent.parent / "docs"))

from docs_blocks import DOCS, blocks
from test_docs_tutorial import Reader, check_output

SETTINGS = "version: 1\norders: {file: orders.jsonl}\n"


@pytest.mark.slow
def test_the_guide_works_word_for_word(tmp_path):
    """Each command ends as the page says and shows what it says; a block with a title is a file."""
    Project(tmp_path).settings(SETTINGS)
    Project(tmp_path).orders([order(123)])
    reader, output = Reader(tmp_path, "0"), ""
    for block in blocks(DOCS / "how-to" / "test-rules.md"):
        match block.language:
            case "yaml" if block.title:
                (tmp_path / block.title).parent.mkdir(exist_ok=True)
                (tmp_path / block.title).write_text(block.text, encoding="utf-8")
            case "sh":
                fails = block.remark.endswith("fails")
                output = reader.run(replace(block, remark="exit: 1" if fails else ""))
            case "console":
                check_output(block.text, output)
