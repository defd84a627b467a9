"""Repositories, workflows and a stand-in for GitHub, for the tests of what happens on a pull request."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from project_support import Project
from required_programs import program

ROOT = Path(__file__).parent.parent.parent
ACTION = ROOT / "action.yml"
GITHUB = ROOT / "ekomi_reconcile" / "scaffold" / "ci" / "github.yml"
GITLAB = ROOT / "ekomi_reconcile" / "scaffold" / "ci" / "gitlab.yml"
PACKAGE = "ekomi-reconcile[postgres] @ git+https://git.example.com/tools/ekomi-reconcile@v0.1.0"
"""What the workflows are told to install."""

GIT_ENVIRONMENT = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
    "GIT_AUTHOR_NAME": "Kim Example",
    "GIT_AUTHOR_EMAIL": "kim@example.com",
    "GIT_COMMITTER_NAME": "Kim Example",
    "GIT_COMMITTER_EMAIL": "kim@example.com",
}


@dataclass(frozen=True)
class Repository:
    """A git repository with a project in it. The project may lie in a folder of it."""

    folder: Path
    project: Project

    def git(self, *arguments: str) -> str:
        """What git says."""
        run = [program("git"), "-C", str(self.folder), *arguments]
        return subprocess.run(run, check=True, capture_output=True, text=True).stdout.strip()

    def commit(self, message: str = "change") -> str:
        """Commit everything; returns the commit."""
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD")


def repository(folder: Path, inner: str = ".") -> Repository:
    """A repository on the branch main with one commit: a project with the account Germany."""
    made = Repository(folder, Project(folder / inner))
    (folder / inner).mkdir(parents=True, exist_ok=True)
    subprocess.run([program("git"), "init", "-q", "-b", "main", str(folder)], check=True)
    made.project.settings("version: 1\norders: {file: nowhere.jsonl}\n")
    made.project.account("Germany", "28374")
    made.commit("first")
    return made


# What a runner of workflows does -------------------------------------------------------------------------


@dataclass
class Runner:
    """Runs the shell steps of one job, as the runner of GitHub does, in ``workspace``.

    Expressions are looked up in ``contexts``; ``variables`` are those of the workflow; ``outputs`` are of the
    steps that ran.
    """

    home: Path
    workspace: Path
    contexts: dict[str, str]
    path: Path
    variables: dict[str, str] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)
    log: str = ""

    def run(self, step: Mapping[str, Any], defaults: Mapping[str, str] | None = None) -> int | None:
        """The exit code of a step; ``None`` where its condition does not hold."""
        condition = step.get("if")
        if condition is not None and not self.value(str(condition).removeprefix("${{").removesuffix("}}")):
            return None
        output, script = self.home / "output", self.home / "script.sh"
        output.write_text("")
        script.write_text(step["run"])
        where = {**(defaults or {}), **step}.get("working-directory", ".")
        done = subprocess.run(
            [program("bash"), "--noprofile", "--norc", "-eo", "pipefail", str(script)],
            cwd=self.workspace / self.filled(where),
            env={**self._environment(output), **self.variables, **self._given(step)},
            capture_output=True,
            text=True,
            check=False,
        )
        self.log += done.stdout + done.stderr
        for line in output.read_text().splitlines():
            name, _, value = line.partition("=")
            self.outputs[f"steps.{step.get('id')}.outputs.{name}"] = value
        return done.returncode

    def _environment(self, output: Path) -> dict[str, str]:
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith("GITHUB_")},
            "PATH": f"{self.path}:{os.environ['PATH']}",
            "RUNNER_TEMP": str(self.home),
            "GITHUB_ACTION_PATH": str(ROOT),
            "GITHUB_EVENT_NAME": self.contexts.get("github.event_name", "pull_request"),
            "GITHUB_OUTPUT": str(output),
            "GITHUB_REPOSITORY": "example/shop",
            "GITHUB_RUN_ID": "77",
            "GITHUB_SERVER_URL": "https://github.com",
            "GITHUB_STEP_SUMMARY": str(self.home / "summary.md"),
            "GITHUB_WORKSPACE": str(self.workspace),
            "CI": "true",
        }

    def _given(self, step: Mapping[str, Any]) -> dict[str, str]:
        return {name: self.filled(str(value)) for name, value in step.get("env", {}).items()}

    def filled(self, text: str) -> str:
        """The text with the values of its expressions."""
        return re.sub(r"\$\{\{(.*?)\}\}", lambda found: str(self.value(found[1])), text)

    def value(self, expression: str) -> str | bool:
        """An expression of ``||``, ``&&``, ``==``, names and quoted texts."""
        known = {**self.contexts, **self.outputs}

        def looked_up(found: re.Match[str]) -> str:
            return found[0] if found[0].startswith("'") else repr(known.get(found[0], ""))

        text = expression.replace("!cancelled()", "'true'").replace("always()", "'true'").strip()
        text = re.sub(r"'[^']*'|[A-Za-z_][\w.-]*", looked_up, text)
        return eval(text.replace("&&", " and ").replace("||", " or ").replace("!", " not "))

    @property
    def summary(self) -> str:
        """The summary of the job."""
        file = self.home / "summary.md"
        return file.read_text() if file.exists() else ""


def executable(path: Path, text: str) -> Path:
    """Write a program."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


def tool_on(path: Path) -> None:
    """Put this checkout's ekomi-reconcile, a Python and a pip that notes its arguments into a folder."""
    python = shlex.quote(sys.executable)
    executable(
        path / "ekomi-reconcile",
        f'#!/bin/sh\nPYTHONPATH={shlex.quote(str(ROOT))} exec {python} -P -m ekomi_reconcile "$@"\n',
    )
    executable(path / "python", f'#!/bin/sh\nexec {python} "$@"\n')
    executable(path / "pip", f'#!/bin/sh\nprintf "%s\\n" "$*" >> {shlex.quote(str(path))}/pip.log\n')


def setup_python(path: Path) -> Path:
    """A python whose virtual environments hold what ``tool_on`` gives, and take no time."""
    tool_on(path / "tools")
    text = (
        "#!/bin/sh\n"
        '[ "$1 $2 $3" = "-I -m venv" ] || exit 9\n'
        f'mkdir -p "$4/bin" && cp {shlex.quote(str(path))}/tools/* "$4/bin/"\n'
    )
    return executable(path / "python-for-venv", text)


GH = '''#!{python}
"""Comments of a pull request, kept in a file. Knows the calls that are made here, and no others."""
import json, os, pathlib, re, subprocess, sys

store = pathlib.Path({store!r})
world = json.loads(store.read_text())
arguments = sys.argv[1:]
world["calls"].append(list(arguments))
store.write_text(json.dumps(world))
if world["refuse"]:
    sys.exit("HTTP 403: Resource not accessible by integration")
assert os.environ["GH_TOKEN"] and arguments.pop(0) == "api", arguments
options = {{"--method": "GET"}}
place = None
while arguments:
    word = arguments.pop(0)
    if word in ("--paginate", "--silent"):
        continue
    if word.startswith("--"):
        options[word] = arguments.pop(0)
    else:
        place = word
name, _, value = options.get("--field", "body=@/dev/null").partition("=")
assert (name, value[0]) == ("body", "@"), "the text of a comment comes from a file"
body = pathlib.Path(value[1:]).read_text()
one = re.fullmatch(r"repos/example/shop/issues/comments/([0-9]+)", place)
all_ = re.fullmatch(r"repos/example/shop/issues/7/comments([?]per_page=100)?", place)
if options["--method"] == "GET" and all_:
    answer = json.dumps(world["comments"])
    jq = ["jq", "-r", options["--jq"]]
    sys.stdout.write(subprocess.run(jq, input=answer, text=True, capture_output=True, check=True).stdout)
elif options["--method"] == "POST" and all_:
    number = 100 + len(world["comments"])
    world["comments"].append({{"id": number, "user": {{"login": "github-actions[bot]"}}, "body": body}})
elif options["--method"] == "PATCH" and one:
    (found,) = [each for each in world["comments"] if each["id"] == int(one[1])]
    found["body"] = body
else:
    sys.exit(f"unknown call: {{place}}")
store.write_text(json.dumps(world))
'''


@dataclass(frozen=True)
class GitHub:
    """What ``gh`` on the path talks to."""

    store: Path

    @property
    def world(self) -> dict[str, Any]:
        """Comments, and the calls that were made."""
        return json.loads(self.store.read_text())

    @property
    def bodies(self) -> list[str]:
        """The texts of the comments."""
        return [each["body"] for each in self.world["comments"]]

    def change(self, **changes: Any) -> None:
        """Change the world."""
        self.store.write_text(json.dumps({**self.world, **changes}))


def github_on(path: Path) -> GitHub:
    """Put a ``gh`` into a folder of programs."""
    program("jq")
    store = path / "github.json"
    executable(path / "gh", GH.format(python=sys.executable, store=str(store)))
    store.write_text(json.dumps({"comments": [], "calls": [], "refuse": False}))
    return GitHub(store)


def loaded(path: Path) -> dict[str, Any]:
    """A file of a CI system; ``on`` stays text, as these systems read it."""
    text = re.sub(r"^on:", '"on":', path.read_text("utf-8"), flags=re.MULTILINE)
    return yaml.safe_load(text)
