"""The tutorial can be followed word for word."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from docs_blocks import DOCS, ROOT, Block, blocks, check_output
from project_support import PASSWORDS, Project, settings
from required_programs import program

PORT = "8021"
SHELL = ("OLDPWD", "PWD", "SHLVL")
MARK = "-- the folder is now: "


class Reader:
    """Somebody who types what the page says, in one shell after the other."""

    def __init__(self, folder: Path, port: str) -> None:
        self.folder = folder
        self.port = port
        self.environment = {
            "HOME": str(folder),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "LANG": "C.UTF-8",
            "NO_PROXY": "*",
            "GIT_AUTHOR_NAME": "Kim",
            "GIT_AUTHOR_EMAIL": "kim@example.com",
            "GIT_COMMITTER_NAME": "Kim",
            "GIT_COMMITTER_EMAIL": "kim@example.com",
            "GIT_CONFIG_GLOBAL": os.devnull,
        }
        self.background: list[subprocess.Popen[str]] = []

    def words(self, text: str) -> str:
        """The words of the page, at a port that is free here."""
        return text.replace(PORT, self.port)

    def run(self, block: Block) -> str:
        """Type a block; the folder and exported variables last. What it wrote to both streams."""
        script = f"set -e\n{self.words(block.text)}\nprintf '\\n{MARK}%s\\n' \"$PWD\"\nexport -p\n"
        made = subprocess.run(
            [program("bash"), "-c", script],
            check=False,
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
        )
        output, _, rest = made.stdout.partition(f"\n{MARK}")
        assert made.returncode == block.exit_code, f"{block.text}\n{made.stdout}"
        if rest:
            where, _, exported = rest.partition("\n")
            self.folder = Path(where)
            found = re.findall(r'^declare -x (\w+)="(.*)"$', exported, re.MULTILINE)
            self.environment |= {
                name: value for name, value in found if name not in ("OLDPWD", "PWD", "SHLVL")
            }
        return output

    def start(self, block: Block, lines: int) -> str:
        """Type a block in another terminal, and wait for its first lines."""
        command = [program("bash"), "-c", f"exec {self.words(block.text).strip()}"]
        started = subprocess.Popen(
            command, cwd=self.folder, env=self.environment, stdout=subprocess.PIPE, text=True
        )
        self.background.append(started)
        assert started.stdout is not None
        return "".join(started.stdout.readline() for _ in range(lines))

    def close(self) -> None:
        """End what goes on in other terminals."""
        for each in self.background:
            each.terminate()
            each.wait(30)
            if each.stdout is not None:
                each.stdout.close()


@pytest.fixture
def reader(tmp_path):
    """A reader in an empty folder, whose sandbox is at a port of its own."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    made = Reader(tmp_path, port)
    yield made
    made.close()


@pytest.mark.slow
def test_the_tutorial_works_word_for_word(reader, tmp_path):
    """Every command ends as the page says, shows what it says, and leaves a project that is fit for CI."""
    output = ""
    for block in blocks(DOCS / "tutorial.md"):
        if block.remark.startswith("not run"):
            continue
        match block.language:
            case "sh" if block.remark == "background":
                output = reader.start(block, lines=10)
            case "sh":
                output = reader.run(block)
            case "yaml":
                (reader.folder / (block.title or "")).write_text(reader.words(block.text), encoding="utf-8")
            case "console":
                check_output(reader.words(block.text), output)
    project = Project(tmp_path / "reviews")
    assert project.cli("validate", "--strict") == 0
    assert project.cli("fmt", "--check") == 0
    workflow = (project.folder / ".github" / "workflows" / "ekomi-reconcile.yml").read_text("utf-8")
    assert "EKOMI_GERMANY_PASSWORD" in workflow
    assert "plan --base" in workflow
    status = [program("git"), "-C", str(project.folder), "status", "--porcelain"]
    assert subprocess.run(status, check=True, capture_output=True, text=True).stdout == ""


def test_the_first_project_of_the_readme_works_word_for_word(reader, tmp_path, sandbox):
    """From an empty folder to an apply; put in are the address and password of the sandbox, and "yes"."""
    page = (ROOT / "README.md").read_text("utf-8")
    section = page.partition("## A first project of your own")[2].partition("\n## ")[0]
    output = ""
    for block in [each for each in blocks(ROOT / "README.md") if each.text.strip() in section]:
        match block.language:
            case "sh" if block.remark == "asks":
                project = tmp_path / "reviews" / "ekomi-reconcile.yaml"
                ekomi = settings(sandbox.url).splitlines()[-1]
                project.write_text(f"{project.read_text('utf-8')}\n{ekomi}\n", "utf-8")
                reader.environment["EKOMI_DE_PASSWORD"] = PASSWORDS["28374"]
                output = reader.run(replace(block, text=f"{block.text.strip()} --auto-approve"))
            case "sh":
                output = reader.run(block)
            case "yaml":
                (reader.folder / (block.title or "")).write_text(block.text, encoding="utf-8")
            case "console":
                check_output(block.text, output)
    assert "Apply complete. 1 added" in output
    assert "3 scheduled" in output


def test_the_output_of_a_page_is_really_compared():
    """A line that was not written fails, and so does one in the wrong place."""
    check_output("a 1\n…\nb 2 …\n", "a 7\nmore\nb 8 and so on\n")
    for wrong in ("c\n", "b 2 …\na 1\n"):
        with pytest.raises(AssertionError):
            check_output(wrong, "a 7\nmore\nb 8 and so on\n")
