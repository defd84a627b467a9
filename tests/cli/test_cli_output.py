"""Output that cannot be encoded or written: the work is done, characters are replaced, errors are named."""

import contextlib
import io
import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from project_support import Project, order

from ekomi_reconcile.cli.main import run

FULL = Path("/dev/full")
needs_full = pytest.mark.skipif(not FULL.exists(), reason="a system without /dev/full")
NAME = "Köln → 日本 😀"


def ran(project, *arguments, redirect="", **environment):
    """The finished process of a command line, run by a shell that redirects its streams."""
    command = ["sh", "-c", f'exec "$0" -m ekomi_reconcile "$@" {redirect}', sys.executable]
    return subprocess.run(
        [*command, "-C", str(project.folder), *arguments],
        capture_output=True,
        stdin=subprocess.DEVNULL,
        env={**os.environ, **environment},
        check=False,
    )


def written(project, *arguments, encoding, errors="strict"):
    """The exit code, and the bytes on stdout and stderr, of a command line in this process."""
    streams = [io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors=errors) for _ in range(2)]
    with contextlib.redirect_stdout(streams[0]), contextlib.redirect_stderr(streams[1]):
        code = run(["-C", str(project.folder), *arguments])
    for each in streams:
        each.flush()
    return code, streams[0].buffer.getvalue(), streams[1].buffer.getvalue()


@pytest.fixture
def full(capsys):
    """A command line in this process with stdout, stderr or both on a full disk, and what else is shown."""

    def ran_full(project, *arguments, out=True, err=False):
        with contextlib.ExitStack() as stack:
            for redirect, wanted in ((contextlib.redirect_stdout, out), (contextlib.redirect_stderr, err)):
                if wanted:
                    stack.enter_context(redirect(stack.enter_context(FULL.open("w"))))
            code = run(["-C", str(project.folder), *arguments])
        return code, capsys.readouterr()

    return ran_full


@pytest.fixture
def offline(tmp_path):
    """A project that is planned without a state, whose account has a name of many scripts."""
    made = Project(tmp_path)
    made.settings("version: 1\n")
    made.account(NAME, "28374")
    return made


LATIN = [("iso8859-1", b"K\xf6ln -> ?? ?"), ("ascii", b"K?ln -> ?? ?"), ("cp1252", b"K\xf6ln -> ?? ?")]


@pytest.mark.parametrize(("encoding", "name"), [*LATIN, ("cp437", b"K\x94ln -> ?? ?")])
@pytest.mark.parametrize("errors", ["strict", "surrogateescape"])
def test_characters_that_the_encoding_lacks_are_replaced(offline, encoding, name, errors):
    """An arrow is spelled out, others become a question mark; the command is as successful as ever."""
    code, out, err = written(offline, "plan", "--offline", encoding=encoding, errors=errors)
    assert (code, err.count(b"rror")) == (0, 0)
    assert name in out


def test_the_encoding_of_the_locale_is_respected(offline):
    """The same in a process of its own, as a scheduled job has it."""
    done = ran(offline, "plan", "--offline", PYTHONIOENCODING="iso8859-1:strict")
    assert (done.returncode, b"K\xf6ln -> ?? ?" in done.stdout) == (0, True)


@pytest.mark.parametrize(
    "arguments",
    [
        ("--help",),
        ("plan", "--help"),
        ("plan", "--offline", "--format", "markdown"),
        ("plan", "--offline", "--concise"),
        ("plan", "--offline", "-vv", "--log-format", "json"),
        ("fmt", "--diff"),
        ("validate", "--format", "github"),
        ("schema", "account"),
        ("completion", "bash"),
        ("validate", "--format", "sarif"),
    ],
)
def test_every_command_gets_by_with_ascii(offline, arguments):
    """Help, diffs, logs, annotations: none of them stops at a character."""
    code, out, err = written(offline, *arguments, encoding="ascii")
    assert (code, out.isascii(), err.isascii()) == (0, True, True)


@pytest.mark.parametrize("encoding", ["ascii", "iso8859-1", "cp437"])
def test_json_is_escaped_and_loses_nothing(offline, encoding):
    """What JSON can say in other words is never replaced."""
    _, out, _ = written(offline, "plan", "--offline", "--format", "json", encoding=encoding)
    assert json.loads(out.decode(encoding))["resource_changes"][0]["name"] == NAME


def test_a_document_that_is_read_again_is_utf_8_everywhere(offline):
    """Formatted YAML on stdout has every character, whatever the locale."""
    text = f"name: {NAME}\ninterface_id: '1'\ninterface_password: ${{env:X}}\n"
    done = subprocess.run(
        [sys.executable, "-m", "ekomi_reconcile", "fmt", "-"],
        input=text.encode(),
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": "ascii:strict", "PYTHONUTF8": "1"},
        check=True,
    )
    assert NAME.encode() in done.stdout


def test_a_name_of_a_file_that_is_no_text_is_shown(offline):
    """Bytes that are not UTF-8 in the name of a file stop nothing."""
    os.rename(  # noqa: PTH104
        os.fsencode(offline.folder / "accounts.d" / "28374.yaml"),
        os.fsencode(offline.folder / "accounts.d") + b"/\xff\xe9.yaml",
    )
    code, _, err = written(offline, "validate", encoding="utf-8")
    assert code in (0, 1)
    assert b"internal error" not in err


@needs_full
@pytest.mark.parametrize(
    "arguments",
    [
        ("plan", "--offline"),
        ("plan", "--offline", "--format", "json"),
        ("plan", "--offline", "--detailed-exitcode"),
        ("validate",),
        ("validate", "--format", "json"),
        ("--help",),
        ("plan", "--help"),
        ("version",),
        ("schema", "account"),
        ("completion", "zsh"),
    ],
)
def test_a_full_disk_is_named(offline, full, arguments):
    """Every command says what could not be written and why, and ends with 1."""
    code, shown = full(offline, *arguments)
    assert code == 1
    assert shown.err.endswith("Error: stdout cannot be written: No space left on device\n")
    assert shown.err.count("Error") == 1


@needs_full
def test_a_full_disk_is_named_once_by_the_process(offline):
    """The interpreter adds nothing of its own when it ends."""
    done = ran(offline, "version", redirect=">/dev/full")
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr == b"Error: stdout cannot be written: No space left on device\n"
    assert ran(offline, "plan", "--offline", redirect="2>/dev/full").returncode == 1


@needs_full
def test_a_wrong_command_line_stays_one(offline, full):
    """Usage errors are 64, and what failed for another reason keeps its error."""
    assert full(offline, "plan", "--nonsense", out=False, err=True)[0] == 64
    assert full(offline, "plan", "--offline", err=True)[0] == 1
    (offline.folder / "ekomi-reconcile.yaml").unlink()
    code, shown = full(offline, "plan")
    assert (code, "no project file" in shown.err) == (1, True)


@pytest.mark.sampled(5)
@pytest.mark.parametrize("redirect", [">&-", "2>&-", "<&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_a_closed_stream_is_as_dev_null(offline, redirect):
    """Nothing is to be written, so nothing fails."""
    done = ran(offline, "validate", redirect=redirect)
    assert done.returncode == 0
    assert b"rror" not in done.stderr
    assert bool(done.stdout) == (">&- " not in f"{redirect} ".replace("2>&-", ""))


@pytest.mark.slow
def test_a_closed_stream_is_never_the_state(project):
    """With stdout and stderr closed no file gets their descriptors, so nothing is written into the state."""
    project.account("Germany", "28374")
    assert ran(project, "apply", "--auto-approve", redirect=">&- 2>&-").returncode == 0
    assert ran(project, "state", "check").returncode == 0


@needs_full
@pytest.mark.parametrize("saved", [False, True])
def test_apply_does_its_work_whatever_becomes_of_the_output(project, full, capsys, saved):
    """Invitations are sent and recorded, the exit code is 1, and the next run has nothing to do."""
    due(project)
    flags = ("apply", "--auto-approve", "-v")
    if saved:
        assert project.cli("apply", "--auto-approve", "--no-send") == 0
        assert project.cli("plan", "--out", "plan.json") == 0
        flags = ("apply", "plan.json", "-v")
    code, shown = full(project, *flags)
    assert (code, "Error: stdout cannot be written" in shown.err) == (1, True)
    assert_sent(project, capsys)


@needs_full
def test_apply_does_its_work_without_any_output(project, capsys):
    """The same with nothing that can be written at all."""
    due(project)
    assert ran(project, "apply", "--auto-approve", redirect=">/dev/full 2>/dev/full").returncode == 1
    assert_sent(project, capsys)


def due(project):
    """Three orders that are sent at once."""
    project.account("Germany", "28374", "pending_period: 0", more="tags: [digital]")
    project.orders(order(number) for number in (1, 2, 3))


def assert_sent(project, capsys):
    """All three are sent and recorded."""
    capsys.readouterr()
    project.cli("invitations", "list", "--status", "sent", "--format", "json")
    assert len(json.loads(capsys.readouterr().out)) == 3
    project.cli("plan")
    assert "No changes" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("term", "flags", "coloured"),
    [("xterm", (), True), ("dumb", (), False), ("unknown", (), False), ("dumb", ("--color", "always"), True)],
)
def test_a_dumb_terminal_gets_no_escape_sequences(offline, monkeypatch, term, flags, coloured):
    """TERM=dumb is as a stream that is no terminal; whoever asks for colour gets it."""
    monkeypatch.setenv("TERM", term)
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    master, slave = pty.openpty()
    with os.fdopen(slave, "w") as terminal, contextlib.redirect_stdout(terminal):
        assert run([*flags, "-C", str(offline.folder), "plan", "--offline", "--concise"]) == 0
        shown = os.read(master, 65536)
    os.close(master)
    assert (b"\x1b" in shown) == coloured
