"""On a terminal: tables within its width, times near and far, progress; in a pipe none of it."""

import contextlib
import os
import pty
import re
import subprocess
import sys
import threading

import pytest
from machine_support import make_project, written
from project_support import PASSWORDS, order
from rich.cells import cell_len

from ekomi_reconcile.sandbox.server import SandboxServer

WIDE = "日本のとても長い名前のオンラインショップ東京本店"
LONG = "A shop with a name so long that nobody would ever write it on a sign, but somebody did"
LISTS = (
    ("accounts", "list"),
    ("invitations", "list"),
    ("invitations", "history", "1"),
    ("reviews", "list", "--limit", "20"),
    ("errors",),
    ("state", "history"),
    ("suppress", "list"),
)
ESCAPES = re.compile(rb"\x1b\[[0-9;?]*[A-Za-z]")
RELATIVE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d \((?:in .+?|.+? ago|just now)\)")


@contextlib.contextmanager
def terminal(monkeypatch, columns):
    """stdout is a terminal of this width; what is written to it can be read afterwards."""
    side, child = pty.openpty()
    shown = []

    def read():
        with contextlib.suppress(OSError):
            while piece := os.read(side, 65_536):
                shown.append(piece)

    reader = threading.Thread(target=read)
    reader.start()
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("TERM", "xterm")
    try:
        with os.fdopen(child, "w", encoding="utf-8") as out, contextlib.redirect_stdout(out):
            yield shown
    finally:
        reader.join()
        os.close(side)


@pytest.fixture(scope="module")
def lived(tmp_path_factory):
    """A project with long and wide names that has applied, and failed in part."""
    with pytest.MonkeyPatch.context() as patch, SandboxServer() as server:
        patch.setenv("NO_PROXY", "*")
        for interface_id, password in PASSWORDS.items():
            patch.setenv(f"PASSWORD_{interface_id}", password)
        patch.setenv("PASSWORD_28376", "not-the-password")
        project = make_project(tmp_path_factory.mktemp("wide"), server.url)
        project.account(f'"{WIDE}"', "28374", "pending_period: 0\nstore_views: [de]")
        project.account(f'"{LONG}"', "28375", "pending_period: 20\nstore_views: [fr]")
        assert project.cli("apply", "--auto-approve", "--no-send") == 1
        assert project.cli("suppress", "add", "customer1@example.com", f"@{'long.' * 20}example") == 0
    return project


@pytest.mark.sampled(3)
@pytest.mark.parametrize("command", LISTS, ids=" ".join)
def test_every_list_fits_eighty_columns(lived, monkeypatch, command):
    """No line of a table is wider than the terminal, whatever stands in it, and nothing is lost."""
    with terminal(monkeypatch, 80) as shown:
        assert lived.cli(*command) == 0
    text = ESCAPES.sub(b"", b"".join(shown)).decode().replace("\r\n", "\n")
    table = [line for line in text.splitlines() if not line.startswith("failed: ")]
    assert len(table) > 1
    assert max(map(cell_len, table)) <= 80
    piped = written(lived, *command)[1]
    letters = re.sub(r"\s", "", piped)
    bare = re.sub(r"\s", "", RELATIVE.sub(lambda found: found.group()[:16], text))
    assert sorted(bare) == sorted(letters)


@pytest.mark.sampled(2)
@pytest.mark.parametrize("command", LISTS, ids=" ".join)
def test_a_pipe_gets_every_row_on_one_line(lived, monkeypatch, command):
    """Full width, nothing cut, absolute times only, and the same again whatever COLUMNS says."""
    _, piped = written(lived, *command)
    monkeypatch.setenv("COLUMNS", "40")
    assert written(lived, *command)[1] == piped
    assert "\x1b" not in piped
    assert not RELATIVE.search(piped)


@pytest.mark.parametrize("command", [("accounts", "list"), ("invitations", "list")], ids=" ".join)
def test_a_wide_terminal_says_how_far_away_a_time_is(lived, monkeypatch, command):
    """Where there is room a time has its distance beside it: in 17 days, 3 days ago."""
    with terminal(monkeypatch, 400) as shown:
        assert lived.cli(*command) == 0
    text = ESCAPES.sub(b"", b"".join(shown)).decode()
    assert RELATIVE.search(text)
    assert "(UTC)" in text


BARS = [b"Reading orders", b"Changing accounts", b"Writing the queue", b"Sending"]


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    ("command", "words"),
    [(("apply", "--auto-approve"), BARS), (("sync",), [b"Fetching from eKomi"])],
    ids=["apply", "sync"],
)
def test_long_work_shows_how_far_it_is(project, command, words):
    """Every part of a run has its bar on a terminal; stdout, which is a pipe here, has none of it."""
    for interface_id in ("28374", "28375", "28376"):
        project.account(f"Shop {interface_id}", interface_id, "pending_period: 0")
    project.orders(order(number) for number in range(1, 40))
    if command == ("sync",):
        assert project.cli("apply", "--auto-approve", "--no-send") == 0
    side, child = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "ekomi_reconcile", *command],
        cwd=project.folder,
        env={**os.environ, "TERM": "xterm", **{f"PASSWORD_{key}": each for key, each in PASSWORDS.items()}},
        stdout=subprocess.PIPE,
        stderr=child,
    )
    os.close(child)
    shown = b""
    with contextlib.suppress(OSError):
        while piece := os.read(side, 65_536):
            shown += piece
    out, _ = process.communicate()
    os.close(side)
    assert process.returncode == 0
    assert [word for word in words if word not in shown] == []
    assert not any(word in out for word in words)
    assert b"\x1b" not in out
