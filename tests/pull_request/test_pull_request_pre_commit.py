"""The hooks of pre-commit, run by pre-commit itself."""

import os
import re
import shutil
import subprocess
import sys
import sysconfig

import pytest
import yaml
from project_support import Project
from pull_request_support import ROOT, Repository, repository
from required_programs import program

FILES = (".pre-commit-hooks.yaml", "pyproject.toml", "README.md", "LICENSE")
FOLDERS = ("accounts.d", "schemas", "ekomi_reconcile")


def hooks(folder):
    """A repository with the hooks, as pre-commit clones it."""
    made = Repository(folder, Project(folder))
    folder.mkdir()
    for name in FILES:
        shutil.copy(ROOT / name, folder / name)
    for name in FOLDERS:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    subprocess.run([program("git"), "init", "-q", "-b", "main", str(folder)], check=True)
    made.commit()
    return made


@pytest.fixture
def committed(tmp_path):
    """A project whose commits pass the hooks, and a way to run them without any network."""
    source, made = hooks(tmp_path / "hooks"), repository(tmp_path / "repo")
    made.project.account("Germany", "28374", more="tags: [digital]")
    made.project.cli("fmt")
    ids = [{"id": each["id"]} for each in yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())]
    repo = {"repo": str(source.folder), "rev": source.git("rev-parse", "HEAD"), "hooks": ids}
    (made.folder / ".pre-commit-config.yaml").write_text(yaml.safe_dump({"repos": [repo]}))
    environment = {
        **os.environ,
        "PRE_COMMIT_HOME": str(tmp_path / "home"),
        "PIP_NO_INDEX": "1",
        "PIP_NO_DEPS": "1",
        "PIP_NO_BUILD_ISOLATION": "0",  # pip's way to write: without isolation
        "PYTHONPATH": sysconfig.get_path("purelib"),
    }

    def run():
        made.git("add", "-A")
        command = [sys.executable, "-m", "pre_commit", "run", "--all-files", "--verbose"]
        return subprocess.run(
            command, cwd=made.folder, env=environment, capture_output=True, text=True, check=False
        )

    return made, run


@pytest.mark.slow
def test_the_hooks_let_pass_what_is_right_and_stop_what_is_wrong(committed):
    """Good files pass. A wrong line is named; what is badly formatted is put right, which stops, too."""
    made, run = committed
    good = run()
    assert good.returncode == 0, good.stdout + good.stderr
    assert "Valid: 1 account, 0 warnings." in good.stdout
    account = made.folder / "accounts.d" / "28374.yaml"
    account.write_text(account.read_text().replace("name: Germany", "name:    Germany") + "surprise: 1\n")
    bad = run()
    assert bad.returncode == 1
    verdicts = re.findall(r"^ekomi-reconcile (\w+)\.+(\w+)", bad.stdout, re.MULTILINE)
    assert verdicts == [("validate", "Failed"), ("fmt", "Failed"), ("test", "Failed")]
    assert re.search(r"28374\.yaml:\d+:1: error\[unknown-key\] surprise", bad.stdout)
    assert "files were modified by this hook" in bad.stdout
    assert account.read_text().startswith("name: Germany\n")


def test_the_manifest_is_one(tmp_path):
    """pre-commit reads the list of hooks."""
    check = [sys.executable, "-m", "pre_commit", "validate-manifest", str(ROOT / ".pre-commit-hooks.yaml")]
    environment = {**os.environ, "PRE_COMMIT_HOME": str(tmp_path)}
    assert subprocess.run(check, check=False, env=environment, capture_output=True).returncode == 0
