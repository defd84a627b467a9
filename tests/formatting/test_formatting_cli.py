"""fmt: which files it takes, what it writes, and what it tells."""

import io
import stat
import sys
from types import SimpleNamespace

import pytest
from project_support import Project

CROOKED = "interface_id: '1'\nname:   Germany\ninterface_password: ${env:X}\n"
STRAIGHT = 'name: Germany\ninterface_id: "1"\ninterface_password: ${env:X}\n'


@pytest.fixture
def files(tmp_path):
    """A project with one account that is not in canonical form."""
    made = Project(tmp_path)
    made.settings("orders: {file: orders.jsonl}\nversion: 1\n")
    (tmp_path / "accounts.d").mkdir()
    (tmp_path / "accounts.d" / "de.yaml").write_text(CROOKED)
    return made


@pytest.fixture
def pipe(monkeypatch):
    """Gives standard input some bytes."""
    return lambda content: monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(content)))


def account(files):
    """The account's file."""
    return files.folder / "accounts.d" / "de.yaml"


def test_without_a_path_the_whole_project_is_formatted(files, capsys):
    """Project file and accounts are written and listed; a second run changes nothing."""
    assert files.cli("fmt") == 0
    assert account(files).read_text() == STRAIGHT
    names = [line.rpartition("/")[2] for line in capsys.readouterr().out.splitlines()]
    assert names == ["ekomi-reconcile.yaml", "de.yaml"]
    assert files.cli("fmt", "--check") == 0
    assert capsys.readouterr().out == ""


def test_check_lists_and_writes_nothing(files, capsys):
    """Exit 1 where a file would change, and the file is as it was."""
    assert files.cli("fmt", "--check", "accounts.d") == 1
    found = capsys.readouterr()
    assert found.out == f"{account(files)}\n"
    assert found.err == "1 file would be formatted, 0 unchanged.\n"
    assert account(files).read_text() == CROOKED


@pytest.mark.parametrize(("flags", "code"), [(("--diff",), 0), (("--diff", "--check"), 1)])
def test_diff_prints_and_writes_nothing(files, capsys, flags, code):
    """A unified diff on stdout; only --check makes it a failure."""
    assert files.cli("fmt", *flags, "accounts.d/de.yaml") == code
    out = capsys.readouterr().out
    assert out.startswith(f"--- {account(files)}\n+++ {account(files)} (formatted)\n@@")
    assert "\n-name:   Germany\n" in out
    assert "\n+name: Germany\n" in out
    assert account(files).read_text() == CROOKED


def test_standard_input_goes_to_standard_output(files, pipe, capsys):
    """For editors: text in, text out, whatever the folder."""
    pipe(CROOKED.encode())
    assert files.cli("fmt", "-") == 0
    assert capsys.readouterr().out == STRAIGHT
    pipe(CROOKED.encode())
    assert files.cli("fmt", "-", "--check") == 1
    assert capsys.readouterr().out == ""
    pipe(b"name: [\n")
    assert files.cli("fmt", "-") == 1
    found = capsys.readouterr()
    assert (found.out, found.err[:11]) == ("", "<stdin>:2:1")
    assert files.cli("fmt", "-", "accounts.d") == 64


def test_a_broken_file_is_told_and_the_others_go_on(files, capsys):
    """path:line:column on stderr, exit 1, that file untouched, the good one formatted."""
    broken = files.folder / "accounts.d" / "at.yaml"
    broken.write_text("name: Austria\nname: Österreich\n", encoding="utf-8")
    assert files.cli("fmt") == 1
    found = capsys.readouterr()
    assert f"{broken}:2:1: error[duplicate-key]" in found.err
    assert account(files).read_text() == STRAIGHT
    assert files.cli("fmt", "nowhere.yaml") == 1
    assert "nowhere.yaml:1:1: error[unreadable-file]" in capsys.readouterr().err


def test_files_of_other_programs_are_left_alone(files, capsys):
    """In a folder they are passed over, and hidden folders not even looked at; named, they are an error."""
    compose = files.folder / "compose.yaml"
    compose.write_text("services:   {}\nversion: '3'\nvolumes: {}\n")
    hidden = files.folder / ".github" / "x.yaml"
    hidden.parent.mkdir()
    hidden.write_text(CROOKED)
    assert files.cli("fmt", ".") == 0
    assert "1 of other programs" in capsys.readouterr().err
    assert compose.read_text().startswith("services:   {}")
    assert hidden.read_text() == CROOKED
    assert files.cli("fmt", "compose.yaml") == 1
    assert "error[not-ours]" in capsys.readouterr().err


def test_an_account_is_one_by_its_place(files):
    """In the folder of the accounts a file full of misspelt keys is formatted all the same."""
    account(files).write_text("nmae:   x\nintreface_id: '1'\nname: y\n")
    assert files.cli("fmt") == 0
    assert account(files).read_text() == 'name: y\nnmae: x\nintreface_id: "1"\n'


def test_mode_and_links_stay(files):
    """The file behind a link is written, once; its mode is kept, and no draft is left behind."""
    target = files.folder / "real.yaml"
    account(files).rename(target)
    target.chmod(0o640)
    account(files).symlink_to(target)
    assert files.cli("fmt", "accounts.d", "real.yaml") == 0
    assert account(files).is_symlink()
    assert target.read_text() == STRAIGHT
    assert stat.S_IMODE(target.stat().st_mode) == 0o640
    assert len(list(files.folder.rglob("*"))) == 4


def test_a_literal_secret_is_not_shown(files, capsys):
    """A password that stands in the file by mistake is in no diff, and stays in the file."""
    account(files).write_text(CROOKED.replace("${env:X}", "'pa55 w0rd'"))
    assert files.cli("fmt", "--diff") == 0
    out = capsys.readouterr().out
    assert "pa55" not in out
    assert "interface_password: '(sensitive)'" in out
    assert files.cli("fmt") == 0
    assert "pa55 w0rd" in account(files).read_text()


def test_without_a_project_a_path_is_needed(tmp_path, capsys):
    """No project file is an error that says what to do; files can be formatted without one."""
    (tmp_path / "a.yaml").write_text(CROOKED)
    assert Project(tmp_path).cli("fmt") == 1
    assert "no project file" in capsys.readouterr().err
    assert Project(tmp_path).cli("fmt", "a.yaml") == 0
    assert (tmp_path / "a.yaml").read_text() == STRAIGHT
