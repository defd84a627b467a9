"""The container's recipe: there is no engine here, so it is read, and its steps are done by hand."""

import fnmatch
import json
import re
import shlex
import shutil

import pytest
from packaging_support import PROJECT, ROOT, built

from ekomi_reconcile import __version__

RECIPE = (ROOT / "docs" / "deploy" / "Dockerfile").read_text("utf-8")
STEPS = re.findall(
    r"^([A-Z]+) +(.+)$",
    re.sub(r"\\\n", " ", "\n".join(line for line in RECIPE.splitlines() if not line.startswith("#"))),
    re.MULTILINE,
)


def steps(name):
    """The arguments of all instructions of this name."""
    return [rest for each, rest in STEPS if each == name]


def test_it_runs_as_nobody_in_particular():
    """The last USER is a number that is not root; what installs is in a stage that is left behind."""
    last = max(number for number, (name, _) in enumerate(STEPS) if name == "FROM")
    users = [rest for name, rest in STEPS[last:] if name == "USER"]
    assert users
    assert all(each.isdigit() and int(each) > 0 for each in users)
    assert [name for name, _ in STEPS[last:]].index("USER") < [name for name, _ in STEPS[last:]].index(
        "ENTRYPOINT"
    )
    assert not any("pip install" in rest for _, rest in STEPS[last:])


def test_its_base_is_named_exactly():
    """One base for both stages, with a version that this package takes, and room for a digest."""
    (base,) = steps("ARG")
    image, tag = re.fullmatch(r"BASE=([a-z]+):([\w.-]+)", base).groups()
    assert image == "python"
    assert f"Programming Language :: Python :: {tag.partition('-')[0]}" in PROJECT["classifiers"]
    assert [each.split()[0] for each in steps("FROM")] == ["${BASE}", "${BASE}"]
    assert "-c constraints.txt" in " ".join(steps("RUN"))


def test_it_holds_no_secret_and_opens_nothing():
    """No password is built in; nothing listens unless a command says so, and the probe asks loopback only."""
    assert not re.search(r"PASSWORD|TOKEN|SECRET|_KEY", RECIPE)
    assert "0.0.0.0" not in RECIPE
    assert not steps("EXPOSE")
    (probe,) = steps("HEALTHCHECK")
    command = json.loads(probe.partition("CMD ")[2])
    assert command[:2] == ["python", "-c"]
    compile(command[2], "HEALTHCHECK", "exec")
    assert "127.0.0.1" in command[2]


def test_the_probe_asks_a_service(tmp_path):
    """It is content with a healthy service and not with one that is away."""
    import subprocess
    import sys

    from ekomi_reconcile.model import instant
    from ekomi_reconcile.service import Health, Listener, Metrics

    code = json.loads(steps("HEALTHCHECK")[0].partition("CMD ")[2])[2]
    health = Health(every=900, started_at=instant.now())
    with Listener(("127.0.0.1", 0), health=health, metrics=Metrics()) as served:
        here = code.replace("9108", str(served.port))
        assert subprocess.run([sys.executable, "-c", here], check=False, timeout=60).returncode == 0
    away = subprocess.run([sys.executable, "-c", here], check=False, capture_output=True, timeout=60)
    assert away.returncode == 1


@pytest.fixture
def context(tmp_path):
    """The files that a build sees: those that .dockerignore lets through and that are copied."""
    rules = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    seen = {rule[1:] for rule in rules if rule.startswith("!")}
    assert rules[1] == "*"
    copied = [each for rest in steps("COPY") if "--from" not in rest for each in shlex.split(rest)[:-1]]
    assert set(copied) == seen
    target = tmp_path / "context"
    target.mkdir()
    for name in copied:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, target / name, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
        else:
            shutil.copy(source, target / name)
    return target


def test_what_it_copies_is_enough_to_build(context, tmp_path):
    """The wheel can be built from it, its command is the entry point, and the extra is one that exists."""
    (wheel,) = built(context, tmp_path / "dist", "--wheel").glob("*.whl")
    assert fnmatch.fnmatch(wheel.name, f"ekomi_reconcile-{__version__}-*.whl")
    assert json.loads(steps("ENTRYPOINT")[0]) == list(PROJECT["scripts"])
    (extras,) = re.findall(r"'\.\[([\w,]+)\]'", " ".join(steps("RUN")))
    assert set(extras.split(",")) <= set(PROJECT["optional-dependencies"])
    assert f"ekomi-reconcile:{__version__}" in RECIPE


def test_it_compares_revisions(tmp_path, monkeypatch, capsys):
    """Git is in the last stage, and with the image's settings it reads a checkout of somebody else."""
    import subprocess

    from ekomi_reconcile.cli.main import run

    last = max(number for number, (name, _) in enumerate(STEPS) if name == "FROM")
    (install,) = (rest for name, rest in STEPS[last:] if name == "RUN" and "apt-get install" in rest)
    commands = [shlex.split(each) for each in install.split("&&")]
    assert "git" in commands[1]
    (trusts,) = (each for each in commands if each[:3] == ["git", "config", "--system"])
    assert trusts[-1] == steps("WORKDIR")[-1]
    project = tmp_path / "project"
    (project / "accounts.d").mkdir(parents=True)
    (project / "ekomi-reconcile.yaml").write_text("version: 1\norders: {file: orders.jsonl}\n")
    identity = ["-c", "user.name=Kim", "-c", "user.email=kim@example.com"]
    for step in (["init", "-qb", "main"], ["add", "-A"], [*identity, "commit", "-qm", "First"]):
        subprocess.run(["git", "-C", str(project), *step], check=True, timeout=60)
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", str(tmp_path / "gitconfig"))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    assert run(["-C", str(project), "plan", "--base", "main"]) == 1
    assert "safe.directory" in capsys.readouterr().err
    subprocess.run([*trusts[:-1], str(project)], check=True, timeout=60)
    assert run(["-C", str(project), "plan", "--base", "main"]) == 0
