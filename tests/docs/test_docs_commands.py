"""Every command that the documentation shows can be typed, and ends as it should."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest
from docs_blocks import DOCS, ROOT, Block, blocks
from docs_commands import Command, check_flags, commands, inline_commands
from project_support import PASSWORDS, Project, order, settings
from required_programs import program

from ekomi_reconcile.cli.options import PREFIX
from ekomi_reconcile.sandbox.server import SandboxServer
from ekomi_reconcile.sandbox.shops import Fault

PAGES = [
    page
    for page in (ROOT / "README.md", *sorted(DOCS.rglob("*.md")))
    if page.parent.name not in ("commands", "decisions")
]

ACCOUNTS = {
    "28374": ("Germany", "de"),
    "28375": ("France", "fr"),
    "28376": ("Norway", "no"),
    "10001": ("Brand A", "brand_a"),
    "10002": ("Great Britain", "brand_b"),
}
"""Names and store views, by interface id."""

MAIN = "refs/remotes/origin/main"

NOT_RUN = {
    "demo": "a test of its own, in tests/cli",
    "run": "goes on until it is stopped; tests of its own, in tests/service",
    "sandbox": "goes on until it is stopped; the tutorial's test runs it",
}
"""Commands that are not run here, and why; their flags are looked at."""

ASKS = ("apply",)
"""Commands that ask on a terminal: here the reader says yes."""

ELSEWHERE = {
    "/srv/www/reviews": "www",
    "/var/lib/node_exporter/ekomi.prom": "ekomi.prom",
    "{}": "100000003",
    "100000123": "100000001",
}
"""What a word of the page is here."""


STAGED = {"tutorial", "incidents", "restoring", "staging-beside-production", "stop-sending-now", "upgrading"}
"""Pages that tests of their own follow from top to bottom."""


def _staged(block: Block) -> bool:
    return Path(block.page).stem in STAGED


def _runs(block: Block) -> bool:
    return not block.remark.startswith("not run") and not _staged(block)


BLOCKS = [block for page in PAGES for block in blocks(page) if list(commands(block))]
RUN = [block for block in BLOCKS if _runs(block)]


@pytest.fixture(scope="module")
def ekomi():
    """One eKomi for all commands of the documentation."""
    with SandboxServer() as server:
        yield server


@pytest.fixture(scope="module")
def example(tmp_path_factory, ekomi):
    """A project as the pages speak of it: five accounts, one invitation of each kind that needs a person."""
    project = Project(tmp_path_factory.mktemp("documented"))
    with pytest.MonkeyPatch.context() as patch:
        environment(patch)
        prepare(project, ekomi)
    return project


def environment(patch: pytest.MonkeyPatch) -> None:
    """Secrets, and nothing of the person who runs the tests."""
    for interface_id, password in PASSWORDS.items():
        patch.setenv(f"PASSWORD_{interface_id}", password)
    for name in [each for each in os.environ if each.startswith(PREFIX) or each == "CI"]:
        patch.delenv(name)
    patch.setenv("NO_PROXY", "*")
    patch.setenv("GIT_CONFIG_GLOBAL", os.devnull)


def prepare(project: Project, ekomi: SandboxServer) -> None:
    """Accounts, an unknown, a pending and a failed invitation, a saved plan, and a branch to compare with."""
    project.settings(settings(ekomi.url, "privacy: {suppress: suppressed.txt}\n"))
    for key, (name, view) in ACCOUNTS.items():
        project.account(
            name, key, rules=f"store_views: [{view}]\npending_period: 7", more="tags: [international]"
        )
    (project.folder / "invited.csv").write_text("order,sent_at\n100000001,2026-11-01\n100000002,\n")
    (project.folder / "orders.csv").write_text(
        "entity_id,increment_id,status,store_code,created_at,customer_email\n"
        "7,100000007,complete,de,2026-11-01 10:00:00,kim@example.com\n"
    )
    (project.folder / "suppressed.txt").touch()
    (project.folder / "schemas").mkdir()
    lately = order(6, age_days=2, customer_email="kim@example.com")
    orders = [order(1, age_days=1), order(2, age_days=1), order(4), lately]
    refused = {"kind": "status", "status": 200, "body": '{"status": "error", "message": "Invalid email"}'}
    for number, answer in ((3, {"kind": "cut_after"}), (5, refused)):
        orders.append(order(number, age_days=10))
        project.orders(orders)
        ekomi.world.faults.add(Fault(match="add-recipient", **answer))
        assert project.cli("apply", "--auto-approve", "-q") == 1
        ekomi.world.faults.clear()
    assert project.cli("plan", "--out", "plan.json", "-q") == 0
    kim = ("-c", "user.name=Kim", "-c", "user.email=kim@example.com")
    steps = (("init", "-qb", "main"), ("add", "-A"), ("commit", "-qm", "."), ("update-ref", MAIN, "HEAD"))
    for words in steps:
        subprocess.run([program("git"), "-C", str(project.folder), *kim, *words], check=True)


@pytest.mark.sampled(12)
@pytest.mark.parametrize("block", RUN, ids=lambda block: f"{block.page}-{block.text.splitlines()[0][:40]}")
def test_a_block_of_commands_works(block, example, tmp_path, monkeypatch, capsys):
    """Typed one after the other in a project, the commands of a block end with 0, or as documented."""
    environment(monkeypatch)
    project = Project(tmp_path / "project")
    shutil.copytree(example.folder, project.folder)
    for command in commands(block):
        if command.arguments[0] not in NOT_RUN:
            code = type_command(project, command, monkeypatch)
            told = capsys.readouterr()
            assert code == block.exit_code, f"{command}\n{told.out}{told.err}"


def type_command(project: Project, command: Command, monkeypatch: pytest.MonkeyPatch) -> int:
    words = [ELSEWHERE.get(word, word) for word in command.arguments]
    if words[0] in ASKS and "--auto-approve" not in words:
        words.append("--auto-approve")
    if words[0] == "init":
        project = Project(project.folder / "new")
        project.folder.mkdir()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(command.typed.encode())))
    return project.cli(*words)


def test_every_flag_that_is_shown_exists():
    """Also in what is not run, and in the prose: a command, and its flags, are those of the program."""
    unknown = []
    for page in PAGES:
        shown = [each for block in blocks(page) for each in commands(block)]
        for each in (*shown, *inline_commands(page.read_text("utf-8"))):
            try:
                check_flags(each.arguments)
            except click.UsageError as error:
                unknown.append(f"{page.relative_to(ROOT)}: {each}: {error.message}")
    assert unknown == []


def test_what_is_not_run_says_why():
    """A block is run, or has a reason beside it; and most of them are run."""
    left_out = [block for block in BLOCKS if not _runs(block) and not _staged(block)]
    assert all(len(block.remark.removeprefix("not run:").strip()) > 3 for block in left_out)
    assert len(RUN) > 4 * len(left_out)
    shown = {command.arguments[0] for block in RUN for command in commands(block)}
    assert {"plan", "apply", "invitations", "reviews", "explain", "doctor", "state", "privacy"} <= shown


@pytest.mark.parametrize(
    "wrong", ["plan --no-such-flag", "invitations forget 1", "nothing", "apply --allow-delete 3 --x"]
)
def test_a_wrong_command_is_noticed(wrong):
    """Commands and flags that do not exist are told apart from those that do."""
    with pytest.raises(click.UsageError):
        check_flags(wrong.split())


def test_commands_are_found_in_lines():
    """Prompts, variables, pipes, redirections and comments are understood as a shell would."""
    text = (
        "$ ekomi-reconcile sync 'Brand A'\nanswer\n"
        "$ A=1 ekomi-reconcile plan --out x.json && ekomi-reconcile apply x.json > log  # why\n"
        "$ echo kim@example.com | ekomi-reconcile suppress add -\n"
    )
    found = list(commands(Block(page="", language="console", title=None, remark="", text=text)))
    assert [each.arguments for each in found] == [
        ("sync", "Brand A"),
        ("plan", "--out", "x.json"),
        ("apply", "x.json"),
        ("suppress", "add", "-"),
    ]
    assert found[-1].typed == "kim@example.com\n"
