"""Completion in the real shells."""

import subprocess

import pytest
from completion_support import BRITAIN, QUOTED, Terminal, environment, make_project
from required_programs import program


@pytest.fixture
def folder(tmp_path, capsys):
    """A project, and the script of every shell."""
    make_project(tmp_path, capsys)
    return tmp_path


def begun(folder, *command, setting_up):
    """An interactive shell with the script loaded."""
    terminal = Terminal(folder, *command)
    terminal.run(f"{setting_up}; echo _E''ND_")
    return terminal


LINES = [
    ("ekomi-reconcile versi", ["ekomi-reconcile", "version"]),
    ("ekomi-reconcile sync Great", ["ekomi-reconcile", "sync", BRITAIN]),
    ("ekomi-reconcile sync 'Great B", ["ekomi-reconcile", "sync", BRITAIN]),
    ("ekomi-reconcile accounts show \"Ole's", ["ekomi-reconcile", "accounts", "show", QUOTED]),
    (
        "ekomi-reconcile reviews list --account Ole",
        ["ekomi-reconcile", "reviews", "list", "--account", QUOTED],
    ),
    ("ekomi-reconcile plan --target=Great\\ B", ["ekomi-reconcile", "plan", f"--target={BRITAIN}"]),
    (
        "ekomi-reconcile apply --json-events=accounts.d/al",
        ["ekomi-reconcile", "apply", "--json-events=accounts.d/all.yaml"],
    ),
]


@pytest.mark.slow
def test_bash(folder):
    """Tab in bash makes one word of a name, in quotes and without."""
    setting_up = "PS1='$ '; bind 'set enable-bracketed-paste off'; source completion.bash"
    terminal = begun(folder, program("bash"), "--norc", "--noprofile", "-i", setting_up=setting_up)
    try:
        assert [terminal.words(line) for line, _ in LINES] == [words for _, words in LINES]
    finally:
        terminal.close()


@pytest.mark.slow
def test_zsh(folder):
    """Tab in zsh makes one word of a name, in quotes and without."""
    setting_up = "PS1='$ '; bindkey -e; autoload -U compinit; compinit -D -u; source completion.zsh"
    terminal = begun(folder, program("zsh"), "-f", "-i", setting_up=setting_up)
    try:
        assert [terminal.words(line) for line, _ in LINES] == [words for _, words in LINES]
    finally:
        terminal.close()


@pytest.mark.sampled(4)
@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("ekomi-reconcile versi", ["version"]),
        ("ekomi-reconcile sync Gr", [BRITAIN, "Grönland"]),
        ("ekomi-reconcile sync 'Ole", [QUOTED]),
        ("ekomi-reconcile plan --target=Great", [f"--target={BRITAIN}"]),
    ],
)
def test_fish(folder, line, found):
    """Fish offers whole names; it quotes them by itself."""
    script = "source completion.fish; complete -C $argv[1]"
    done = subprocess.run(
        [program("fish"), "--no-config", "-c", script, line],
        cwd=folder,
        env=environment(folder),
        capture_output=True,
        check=True,
        text=True,
        timeout=60,
    )
    assert done.stderr == ""
    assert [each.split("\t")[0] for each in done.stdout.splitlines()] == found
