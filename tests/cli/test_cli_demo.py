"""The demo and the sandbox, as a newcomer meets them."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

import ekomi_reconcile
from ekomi_reconcile.cli.main import run


def test_the_demo_tells_the_whole_loop(tmp_path, capsys, monkeypatch):
    """validate, plan, apply, an empty plan, an edit with what it moves, apply; the folder stays."""
    monkeypatch.delenv("CI", raising=False)
    target = tmp_path / "demo"
    assert run(["demo", "--dir", str(target), "--orders", "200"]) == 0
    shown = capsys.readouterr().out
    parts = [
        "Valid: 5 accounts, 0 warnings.",
        "Plan: 5 to add",
        "Apply complete. 5 added",
        "No changes.",
        " rescheduled\n",
        "pending_period  14 → 7",
        "Apply complete. 0 added, 1 changed",
        "each once",
    ]
    places = [shown.index(part) for part in parts]
    assert places == sorted(places)
    assert (target / "ekomi-reconcile.yaml").exists()
    assert (target / "accounts.d" / "norway.yaml").exists()
    asked = int(re.search(r"asked to invite (\d+) customers", shown)[1])
    sent = [int(each) for each in re.findall(r"(\d+) sent\.", shown)]
    assert asked == sum(sent) > 0


def test_the_demo_runs_in_ci_too(tmp_path, monkeypatch):
    """Its state is always a beginning, wherever it runs; the environment is as before afterwards."""
    monkeypatch.setenv("CI", "true")
    monkeypatch.setenv("EKOMI_RECONCILE_REQUIRE_STATE", "1")
    assert run(["demo", "--dir", str(tmp_path / "demo"), "--orders", "20"]) == 0
    assert os.environ["CI"] == "true"


SCRIPT = Path(sys.executable).with_name("ekomi-reconcile")
MODULE = str(Path(ekomi_reconcile.__file__).with_name("__main__.py"))


@pytest.mark.sampled(2)
@pytest.mark.parametrize("called", [os.path.relpath(SCRIPT), MODULE], ids=["script", "module"])
def test_the_last_lines_of_the_demo_can_be_pasted(tmp_path, capsys, monkeypatch, called):
    """Also where the program is not on the PATH and was called by a relative name, or as a module."""
    monkeypatch.setenv("PATH", os.defpath)
    monkeypatch.setattr(sys, "argv", [called, "demo"])
    assert run(["demo", "--dir", str(tmp_path / "demo"), "--orders", "20"]) == 0
    lines = capsys.readouterr().out.partition("paste these lines")[2].partition("\n\n")[2]
    assert lines.startswith("cd ")
    done = subprocess.run(
        ["bash", "-ec", f"{lines}\nkill $!"], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "No changes." in done.stdout


def test_the_demo_takes_no_folder_that_exists(tmp_path, capsys):
    """Somebody's folder is never written into."""
    assert run(["demo", "--dir", str(tmp_path)]) == 1
    assert "does not exist yet" in capsys.readouterr().err


def test_the_sandbox_serves_until_it_is_told_to_stop():
    """It prints where it is, answers, and ends with SIGTERM as success."""
    process = subprocess.Popen(
        [sys.executable, "-m", "ekomi_reconcile", "sandbox", "--port", "0", "--orders", "5"],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    try:
        lines = iter(process.stdout.readline, "")
        url = next(found[1] for line in lines if (found := re.search(r"orders +(http\S+)", line)))
        assert len(httpx.get(url, trust_env=False).text.splitlines()) == 5
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) == 0
    finally:
        process.kill()
        process.communicate()


def test_a_taken_port_is_told(sandbox, capsys):
    """The port is named, with a way out."""
    port = sandbox.url.rpartition(":")[2]
    assert run(["sandbox", "--port", port]) == 1
    assert "--port 0" in capsys.readouterr().err
