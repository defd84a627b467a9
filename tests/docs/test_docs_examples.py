"""The examples on the pages of the commands print what the pages show."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
from getpass import getuser

import click
import pytest
import yaml
from docs_blocks import Block
from docs_commands import check_flags, commands
from golden import UPDATE
from project_support import Project, order
from test_docs_commands import (
    ekomi,  # noqa: F401 - a fixture
    environment,
    prepare,
    type_command,
)

from tools import command_reference
from tools.command_reference import OUTPUTS, outputs, texts

EXAMPLES = [(name, shown) for name, entry in texts()["commands"].items() for shown in entry["examples"]]
RUN = [(name, shown) for name, shown in EXAMPLES if "not run" not in shown]
WIDEST = 160
"""A longer line is cut on the page."""

TESTS = """\
name: Germany invites a week after an order is complete
order: {store_code: de}
expect: {invited: true, account: Germany, scheduled_at: 2026-01-12T10:00:00Z}
---
name: Other store views get no invitation
order: {store_code: it}
expect: {invited: false, account: Germany, reason: store_view}
"""


@pytest.fixture(scope="module")
def example(tmp_path_factory, ekomi):  # noqa: F811
    """The project of the documentation, with two invitations that were sent, formatted, and with tests."""
    project = Project(tmp_path_factory.mktemp("examples"))
    with pytest.MonkeyPatch.context() as patch:
        environment(patch)
        prepare(project, ekomi)
        orders = (project.folder / "orders.jsonl").read_text("utf-8")
        late = [json.dumps(order(number, age_days=10)) for number in (8, 9)]
        (project.folder / "orders.jsonl").write_text(orders + "\n".join(late) + "\n", encoding="utf-8")
        (project.folder / "tests.d").mkdir()
        (project.folder / "tests.d" / "germany.yaml").write_text(TESTS, encoding="utf-8")
        assert project.cli("fmt", "-q") == 0
        assert project.cli("apply", "--auto-approve", "-q") == 0
        assert project.cli("plan", "--out", "plan.json", "-q") == 0
    return project


def calls(line):
    """The commands of a line."""
    return list(commands(Block(page="", language="sh", title=None, remark="", text=line)))


def anonymous(text, folder):
    """What was printed, without the folder, the user and the machine of the test."""
    text = re.sub(re.escape(str(folder)) + "/?", "", text)
    return re.sub(rf"\b{re.escape(socket.gethostname())}\b", "ci-7", re.sub(rf"\b{getuser()}\b", "kim", text))


def loosely(text):
    """The lines without what differs from day to day: figures, times, random ids, bars, columns."""
    text = re.sub(r"\b(?=\w*\d)[0-9a-f]{8,}(-[0-9a-f]{4,})*\b", "0", text)
    return [
        re.sub(r"[\u2581-\u258f\s]+", "", re.sub(r"\d+", "0", line))
        for line in text.splitlines()
        if line.strip()
    ]


def missing(shown, real):
    """Lines that the page shows and that were not printed; ``…`` stands for anything."""
    printed = set(loosely(real))
    patterns = {
        line: re.compile(re.escape(line).replace("…", ".*")) for line in loosely(shown) if line != "…"
    }
    return [
        line
        for line, pattern in patterns.items()
        if line not in printed and not any(map(pattern.fullmatch, printed))
    ]


def abridged(text, lines):
    """What the page shows: the first lines and the last one."""
    shown = text.rstrip("\n").splitlines()
    if lines is not None and len(shown) > lines:
        shown = [*shown[: lines - 2], "…", shown[-1]]
    cut = [line if len(line) <= WIDEST else f"{line[: WIDEST - 1]}…" for line in map(str.rstrip, shown)]
    return "".join(f"{line}\n" for line in cut)


@pytest.mark.sampled(16)
@pytest.mark.parametrize(
    ("name", "shown"), RUN, ids=lambda part: part if isinstance(part, str) else part["run"]
)
def test_an_example_prints_what_its_page_shows(name, shown, example, tmp_path, monkeypatch, capsys):
    """Typed in a project, it ends as the page says, and prints those lines, figures and times aside."""
    environment(monkeypatch)
    project = Project(tmp_path / "reviews")
    shutil.copytree(example.folder, project.folder)
    monkeypatch.chdir(project.folder)
    for path, (before, after) in shown.get("edit", {}).items():
        written = (project.folder / path).read_text("utf-8")
        assert before in written
        (project.folder / path).write_text(written.replace(before, after), encoding="utf-8")
    text = ""
    for part in (parts := shown["run"].split(" && ")):
        (call,) = calls(part)
        code = type_command(project, call, monkeypatch)
        printed = capsys.readouterr()
        assert code == (shown.get("exit", 0) if part == parts[-1] else 0), printed.out + printed.err
        _, _, file = part.partition(" > ")
        if file:
            (project.folder / file).write_text(printed.out, encoding="utf-8")
        text = "" if file else printed.out or printed.err
    real = anonymous(text, project.folder)
    if os.environ.get(UPDATE):
        refresh(shown, real)
    assert missing(outputs().get(shown["run"], ""), real) == []


def refresh(shown, real):
    """Record what was printed, if it differs in more than figures and times."""
    line, short = shown["run"], abridged(real, shown.get("lines"))
    if missing(outputs().get(line, ""), real) or missing(short, outputs().get(line, "")):
        outputs()[line] = short
    kept = {shown["run"]: outputs().get(shown["run"], "") for _, shown in RUN}
    OUTPUTS.write_text(
        "# What the examples of commands.yaml printed, written by\n"
        "# UPDATE_GOLDEN=1 SLOW_TESTS=1 python -m pytest tests/docs/test_docs_examples.py\n"
        + yaml.dump(kept, Dumper=Literal, allow_unicode=True, width=1000),
        encoding="utf-8",
    )


class Literal(yaml.SafeDumper):
    """Texts of several lines as they are."""


Literal.add_representer(
    str,
    lambda dumper, text: dumper.represent_scalar(
        "tag:yaml.org,2002:str", text, style="|" if "\n" in text else None
    ),
)


def test_every_command_has_two_examples_with_flags_that_exist():
    """Also of commands that are not run here; each names the command of its page."""
    assert set(texts()["commands"]) == set(command_reference.commands())
    for name, entry in texts()["commands"].items():
        assert len(entry["examples"]) >= 2, name
        for shown in entry["examples"]:
            last = calls(shown["run"])[-1]
            assert f" {name}" in f" {' '.join(last.arguments)}", shown
            check_flags(last.arguments)


def test_every_group_of_commands_exists():
    """The overview lists commands that exist, each once."""
    listed = [name for _, names in command_reference.grouped() for name in names]
    assert sorted(listed) == sorted(command_reference.commands())
    root = {name.split()[0] for name in listed}
    assert {name for names in texts()["groups"].values() for name in names} == root
    assert root == set(command_reference.app.list_commands(click.Context(command_reference.app)))
