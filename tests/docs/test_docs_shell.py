"""The blocks for a shell run in a shell, as they are written: pipes, redirections, several lines, prompts."""

from __future__ import annotations

import os
import pty
import re
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from docs_blocks import DOCS, ROOT, blocks
from project_support import Project
from required_programs import program
from test_docs_commands import (
    STAGED,
    ekomi,  # noqa: F401 - a fixture
    environment,
    prepare,
)

PAGES = [
    page
    for page in sorted(DOCS.rglob("*.md"))
    if page.parent.name != "commands" and page.name != "tutorial.md"
]
SHELL = [
    block
    for page in (ROOT / "README.md", *PAGES)
    for block in blocks(page)
    if block.language in ("sh", "bash", "") and block.text.strip()
]
RUN = [block for block in SHELL if block.language == "sh" and not block.remark]
ELSEWHERE = {
    "backtest.md": "tests/analysis",
    "delays-and-windows.md": "tests/docs/test_docs_delays.py",
    **{f"{page}.md": "test_docs_commands.STAGED" for page in STAGED},
    "index.md": "tests/docs/test_docs_home.py",
    "sandbox-faults.md": "tests/sandbox/test_sandbox_guide.py",
    "test-rules.md": "tests/rule_tests/test_rule_tests_guide.py",
}
"""Pages that make a project of their own, and the tests that run them as a whole."""
HERE = [block for block in RUN if Path(block.page).name not in ELSEWHERE]
PLACES = {
    "/srv/www/reviews": "www",
    "/var/lib/node_exporter": ".",
    "100000123": "100000001",
}
"""What a word of a page is in the folder of the test."""
REASONS = {
    "needs a server of PostgreSQL": r"ekomi-reconcile .*(state|apply)",
    "needs the network": r"\bpip\b|\bpipx\b|\buvx\b",
    "docker": r"\bdocker\b",
    "kubectl": r"\bkubectl\b",
    "promtool": r"\bpromtool\b",
    "systemctl": r"\bsystemctl\b",
    "minutes of kills": r"\bSLOW_TESTS=1\b",
    "minutes of measuring": r"benchmarks/run\.py",
    "goes on until it is stopped": r"ekomi-reconcile run ",
    "installing is tested elsewhere": r"\bpip install\b",
    "pg_dump": "",
    "starts a server": "",
    "stages all incidents": r"\bSLOW_TESTS=1\b",
    "with the version before": r"state\.db|version --json",
    "a test of its own runs this page as a whole": "",
    "a test of its own runs this page as a whole; this block fails": "",
}
"""Why a block may not be run here, and what it must hold for that."""


@pytest.fixture(scope="module")
def example(tmp_path_factory, ekomi):  # noqa: F811
    """The project of the documentation."""
    project = Project(tmp_path_factory.mktemp("typed"))
    with pytest.MonkeyPatch.context() as patch:
        environment(patch)
        prepare(project, ekomi)
    return project


@pytest.mark.slow
@pytest.mark.parametrize("block", HERE, ids=lambda block: f"{block.page}-{block.text.splitlines()[0][:40]}")
def test_a_block_works_as_it_is_written(block, example, tmp_path, monkeypatch):
    """Pasted into a terminal in a fresh folder, the block ends with 0; prompts are answered with yes."""
    environment(monkeypatch)
    for name in re.findall(r"\b(jq|curl)\b", block.text):
        program(name)
    folder = tmp_path / "project"
    if "ekomi-reconcile init" in block.text:
        folder.mkdir()
    else:
        shutil.copytree(example.folder, folder)
    text = block.text
    for word, here in PLACES.items():
        text = text.replace(word, here)
    code, output = pasted(text, folder)
    assert code == 0, f"{block.page}\n{text}\n{output}"


def pasted(text, folder):
    """What a shell on a terminal makes of these lines: its exit code, and all that it printed."""
    ours, terminal = pty.openpty()
    os.write(ours, b"yes\n" * text.count("ekomi-reconcile apply"))
    shell = subprocess.Popen(
        [program("bash"), "-ec", text],
        cwd=folder,
        env={**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "TERM": "dumb"},
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
    )
    os.close(terminal)
    shown = b""
    with suppress(OSError):  # the other end of the terminal is closed: the shell has ended
        while part := os.read(ours, 10_000):
            shown += part
    os.close(ours)
    return shell.wait(60), shown.decode(errors="replace")


def test_every_block_is_run_or_says_why_not():
    """Nothing is left out but what no test can do: installing from elsewhere, other programs, hours."""
    unexplained = []
    for block in SHELL:
        reason = block.remark.removeprefix("not run: ")
        if reason != block.remark and not (reason in REASONS and re.search(REASONS[reason], block.text)):
            unexplained.append(f"{block.page}: {block.remark}: {block.text.splitlines()[0]}")
    assert unexplained == []


def test_commands_that_install_name_extras_and_files_that_exist():
    """What is not run: each extra is one of the project, each file of the repository is there."""
    import tomllib

    declared = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    for block in SHELL:
        for extras in re.findall(r"[.\w)\"]\[([a-z,]+)\]'?\"?", block.text):
            assert set(extras.split(",")) <= set(declared), block.text
        for path in re.findall(r"(?<=[ '])(?:docs|benchmarks|\.ci|tests)/[\w./-]+", block.text):
            assert (ROOT / path).exists(), path
