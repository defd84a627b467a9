"""Exit codes: each row of the table, and the table itself wherever it stands."""

import re
from pathlib import Path

import pytest
from project_support import order

from ekomi_reconcile.cli.main import MEANINGS, Exit, run

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "exit-codes.md"


def test_the_page_has_the_table():
    """docs/reference/exit-codes.md says of each code what the program says."""
    rows = re.findall(r"^\| (\d+) \| (.+?) \|", PAGE.read_text("utf-8"), re.MULTILINE)
    assert [(int(code), meaning) for code, meaning in rows] == [
        (code.value, meaning) for code, meaning in MEANINGS.items()
    ]


def test_help_has_the_table(capsys):
    """--help names every code with its meaning."""
    assert run(["--help"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert all(f"{code.value} {meaning}" in shown for code, meaning in MEANINGS.items())
    assert set(MEANINGS) == set(Exit)


@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.parametrize(
    ("code", "arguments"),
    [
        (0, ("plan",)),
        (2, ("plan", "--detailed-exitcode")),
        (1, ("plan", "--config", "missing.yaml")),
        (64, ("plan", "--no-such-flag")),
        (64, ("plan", "--target", "a", "--exclude", "b")),
    ],
)
def test_each_code_in_each_form(project, form, code, arguments):
    """The code is the same whether people or programs read the output."""
    project.account("Germany", "28374")
    assert project.cli(*arguments, "--format", form) == code


def test_what_was_to_be_done_and_was_not_is_an_error(project, capsys):
    """Without somebody to ask, an apply with changes is 1, and does nothing."""
    project.account("Germany", "28374", "pending_period: 0")
    project.orders([order(1)])
    assert project.cli("apply") == Exit.ERROR
    assert project.cli("plan", "--detailed-exitcode") == Exit.CHANGES
    assert project.cli("apply", "--auto-approve") == Exit.OK
    assert project.cli("plan", "--detailed-exitcode") == Exit.OK
