"""What holds for every command that only reads."""

import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios

import pytest
from recorded_support import READS, opened

from ekomi_reconcile.state.opening import Mode

JSON = [each for each in READS if each[:2] not in (("accounts", "open"), ("state", "pull"))]
LISTS = [each for each in JSON if each[1:2] != ("show",)]


def ids(arguments):
    """A test's name."""
    return "-".join(arguments[:2])


@pytest.mark.sampled(2)
@pytest.mark.parametrize("arguments", READS, ids=ids)
def test_reading_needs_no_secret(arguments, recorded, capsys):
    """No variable of any secret is set, not even that of the key, and the answer is there."""
    path = recorded.folder / "ekomi-reconcile.yaml"
    path.write_text(path.read_text() + "privacy: {key: '${env:NOBODY_SET_THIS}'}\n")
    assert recorded.cli(*arguments) == 0
    assert capsys.readouterr().out


@pytest.mark.parametrize("arguments", READS, ids=ids)
def test_reading_makes_no_state(arguments, recorded, capsys):
    """Without a state it is an error that says so, and there still is none afterwards."""
    recorded.state.unlink()
    assert recorded.cli(*arguments) == 1
    output = capsys.readouterr()
    assert output.out == ""
    assert "no state at" in output.err
    assert not recorded.state.exists()


@pytest.mark.sampled(2)
@pytest.mark.parametrize("arguments", READS, ids=ids)
def test_reading_goes_on_while_somebody_writes(arguments, recorded, capsys):
    """A held writer lock and an open transaction are in nobody's way."""
    lock = recorded.state.with_name("state.db.lock")
    with lock.open("w") as held, opened(recorded.folder, Mode.WRITE) as writer:
        fcntl.flock(held, fcntl.LOCK_EX)
        with writer.transaction():
            writer.meta.bump_serial()
            assert recorded.cli(*arguments) == 0
    assert capsys.readouterr().out


@pytest.mark.parametrize("arguments", READS, ids=ids)
def test_reading_changes_nothing(arguments, recorded, capsys):
    """The state is the same afterwards, byte by byte."""
    before = recorded.state.read_bytes()
    recorded.cli(*arguments)
    assert recorded.state.read_bytes() == before


@pytest.mark.sampled(2)
@pytest.mark.parametrize("arguments", [each for each in READS if each != ("state", "pull")], ids=ids)
def test_nothing_that_stands_for_a_customer_or_a_password_is_shown(arguments, recorded, capsys):
    """Keyed digests stay in the state (and in its export)."""
    for form in ([], ["--format", "json"] if arguments in JSON else []):
        recorded.cli(*arguments, *form)
        output = capsys.readouterr().out
        assert "c0ffee" not in output
        assert "d1d1" not in output


@pytest.mark.sampled(2)
@pytest.mark.parametrize("arguments", JSON, ids=ids)
def test_json_is_json(arguments, recorded, capsys):
    """Lists are arrays of objects with the same keys each, single things are objects."""
    assert recorded.cli(*arguments, "--format", "json") == 0
    found = json.loads(capsys.readouterr().out)
    if arguments in LISTS:
        assert found
        assert len({tuple(each) for each in found}) == 1
    else:
        assert isinstance(found, dict)


@pytest.mark.parametrize("arguments", LISTS, ids=ids)
def test_limits_cut_lists(arguments, recorded, capsys):
    """--limit 1 leaves the first row."""
    recorded.cli(*arguments, "--format", "json")
    everything = json.loads(capsys.readouterr().out)
    recorded.cli(*arguments, "--format", "json", "--limit", "1")
    assert json.loads(capsys.readouterr().out) == everything[:1]


@pytest.mark.sampled(2)
@pytest.mark.parametrize("arguments", LISTS, ids=ids)
def test_colour_is_asked_for(arguments, recorded, capsys, monkeypatch):
    """In a pipe there is none; with --color always there is; the words are the same."""
    recorded.cli(*arguments)
    plain = capsys.readouterr().out
    assert "\033" not in plain
    monkeypatch.setenv("FORCE_COLOR", "1")
    recorded.cli(*arguments)
    coloured = capsys.readouterr().out
    monkeypatch.setenv("NO_COLOR", "1")
    recorded.cli(*arguments)
    assert capsys.readouterr().out == plain
    if arguments != ("state", "list"):
        assert "\033[" in coloured


@pytest.mark.sampled(2)
@pytest.mark.parametrize("arguments", [each for each in LISTS if len(each) < 3], ids=ids)
def test_an_empty_state_is_no_error(arguments, recorded, capsys):
    """Nothing on stdout but an empty array where JSON was asked for."""
    for each in recorded.state.parent.glob("state.db*"):
        each.unlink()
    with opened(recorded.folder, Mode.CREATE) as state:
        state.meta.bump_serial()
    assert recorded.cli(*arguments) == 0
    assert capsys.readouterr().out == ""
    assert recorded.cli(*arguments, "--format", "json") == 0
    assert json.loads(capsys.readouterr().out) == []


@pytest.mark.slow
def test_a_reader_that_goes_away_is_no_fault(recorded):
    """`… | head -1` ends without a complaint."""
    command = f"{sys.executable} -m ekomi_reconcile -C {recorded.folder} state pull | head -c 1"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.stderr) == ("{", "")


@pytest.mark.slow
def test_a_terminal_gets_what_fits_it(recorded):
    """On a terminal of 80 columns no line is longer, headings are bold, and every row is there."""
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    command = [sys.executable, "-m", "ekomi_reconcile", "-C", str(recorded.folder), "invitations", "list"]
    with os.fdopen(leader, "rb", buffering=0) as terminal:
        done = subprocess.run(command, stdout=follower, timeout=60, check=True)
        text = terminal.read(65_536).decode()
        os.close(follower)
    assert done.returncode == 0
    assert "\033[1m" in text
    lines = re.sub(r"\033\[[0-9;]*m", "", text).splitlines()
    assert max(map(len, lines)) <= 80
    assert sum(bool(re.match(r" *[0-9]+  1000000", line)) for line in lines) == 8
