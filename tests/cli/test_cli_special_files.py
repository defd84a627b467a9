"""Named pipes and devices in the place of files: refused at once, never waited for."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def _impatient():
    """Waiting for the other end of a pipe fails instead of hanging."""

    def give_up(number, frame):
        raise AssertionError("a pipe was waited for")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(20)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture(params=["pipe", "device", "link"])
def special(request, project):
    """The name of a file in the project's folder that is none."""
    path = project.folder / "special"
    if request.param == "device":
        path.symlink_to("/dev/zero")
    elif request.param == "pipe":
        os.mkfifo(path)
    else:
        os.mkfifo(project.folder / "elsewhere")
        path.symlink_to("elsewhere")
    return path.name


@pytest.mark.sampled(3)
@pytest.mark.parametrize(
    "arguments",
    [
        ("apply", "special", "--auto-approve"),
        ("mark-sent", "special"),
        ("state", "push", "special"),
        ("fmt", "special"),
        ("orders", "inspect", "special"),
        ("test", "special"),
        ("--state", "special", "plan"),
        ("--config", "special", "validate"),
    ],
    ids=lambda arguments: arguments[0],
)
def test_a_file_on_the_command_line(project, special, arguments):
    """Plans, lists, states, project files: an error, at once."""
    project.account("Germany", "28374")
    command = ("invitations", *arguments) if arguments[0] == "mark-sent" else arguments
    assert project.cli(*command) == 1


@pytest.mark.sampled(12)
@pytest.mark.parametrize(
    "settings",
    [
        "orders: {file: special}\n",
        "privacy: {suppress: special}\n",
        "privacy: {key: '${file:special}'}\n",
        "accounts: special\n",
    ],
)
def test_a_file_of_the_project(project, special, settings):
    """Orders, opt-outs, keys, accounts: an error, at once."""
    project.account("Germany", "28374")
    project.settings(f"version: 1\n{settings}")
    assert project.cli("apply", "--auto-approve") == 1


def test_a_password_in_a_pipe(project, special):
    """A secret is read from a file that can be read again."""
    path = project.account("Germany", "28374")
    path.write_text(
        path.read_text().replace("${env:PASSWORD_28374}", f"${{file:{project.folder / special}}}")
    )
    assert project.cli("accounts", "check") == 1


def test_a_pipe_that_the_shell_has_opened_is_read(project):
    """`<(…)` has a writer: nothing would be waited for in vain."""
    if not Path("/dev/fd").exists():
        pytest.skip("a system without /dev/fd")
    reader, writer = os.pipe()
    os.write(writer, b'{"format_version": "0"}')
    os.close(writer)
    done = subprocess.run(
        [sys.executable, "-m", "ekomi_reconcile", "apply", f"/dev/fd/{reader}"],
        cwd=project.folder,
        pass_fds=(reader,),
        capture_output=True,
        check=False,
    )
    os.close(reader)
    assert done.returncode == 1
    assert b"regular file" not in done.stderr
