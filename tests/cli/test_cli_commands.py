"""The command line itself: help, options, environment names, exit codes."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest
from project_support import order

from ekomi_reconcile import __version__
from ekomi_reconcile.cli.completion import FORMATS
from ekomi_reconcile.cli.main import MEANINGS, Exit, app, run
from ekomi_reconcile.cli.options import FilePath, common, env_name, options
from ekomi_reconcile.plan.plan import FORMAT_VERSION as PLAN_FORMAT
from ekomi_reconcile.state import FORMAT_VERSION as STATE_FORMAT

ROOT = Path(__file__).parent.parent.parent
NO_ENVIRONMENT = {
    "--target",
    "--exclude",
    "--tag",
    "--changed-since",
    "--replace",
    "--allow-deletes",
    "--allow-schedules",
    "--allow-sends",
    "--new-state",
    "--auto-approve",
    "--at",
    "--where",
    "--expect",
    "--now",
    "--accept-clock",
    "--force",
}
NO_ENVIRONMENT_HERE = {(("state", "accept-loss"), "--since")}
"""What it selects is not sent any more: not to be taken from the environment of a list."""
COMMON = {"--chdir", "--config", "--state", "--verbose", "--quiet", "--color", "--log-format"}


def commands(group=app, prefix=()):
    """Every command with its path."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from commands(command, (*prefix, name))
        else:
            yield (*prefix, name), command


ALL = dict(commands())


def flags(command):
    """The long flags of a command with their options."""
    for each in command.params:
        if isinstance(each, click.Option):
            yield next(name for name in each.opts if name.startswith("--")), each


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_every_command_helps(path, capsys):
    """--help of every command exits with 0 and says what the command does."""
    assert run([*path, "--help"]) == 0
    assert capsys.readouterr().out.startswith(f"Usage: ekomi-reconcile {' '.join(path)}")


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_every_command_takes_the_common_options(path):
    """-C, --config, --state, -v, -q, --color and --log-format are accepted after every command."""
    assert {name for name, _ in flags(ALL[path])} >= COMMON


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_every_flag_has_its_environment_name(path):
    """Each flag is also EKOMI_RECONCILE_<FLAG>, but for selections and overrides."""
    for name, option in flags(ALL[path]):
        if name in COMMON or name in ("--help",):
            continue
        has_none = name in NO_ENVIRONMENT or (path, name) in NO_ENVIRONMENT_HERE
        assert option.envvar == (None if has_none else env_name(name)), name


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_every_path_is_checked(path):
    """A file on the command line is looked at for hidden characters, and its ``~`` is expanded."""
    paths = [each.type for each in ALL[path].params if isinstance(each.type, click.Path)]
    assert all(isinstance(each, FilePath) for each in paths)


def test_common_options_have_environment_names_at_the_root():
    """The common options are read from the environment once, so that a flag anywhere wins."""
    found = {name: option.envvar for name, option in flags(app) if name != "--version"}
    assert found == {name: env_name(name) for name in COMMON}


def test_the_list_of_commands_is_the_help_of_each():
    """The lines of --help are those of the commands; nothing is imported to print them."""
    for name, (_, line) in app.lazy.items():
        command = app.get_command(click.Context(app), name)
        assert command.get_short_help_str(200) == line, name


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["nonsense"],
        ["plan", "--nonsense"],
        ["plan", "--target", "a", "--exclude", "b"],
        ["plan", "--at", "soon"],
        ["apply", "plan.json", "--target", "a"],
        ["schema", "nothing"],
        ["--color", "sometimes", "version"],
    ],
)
def test_a_wrong_command_line_is_64(arguments, capsys):
    """Usage errors are told apart from changes and from failures."""
    assert run(arguments) == Exit.USAGE
    assert capsys.readouterr().out == ""


def test_a_misspelt_command_is_answered_with_the_nearest(capsys):
    """Did you mean."""
    assert run(["aply"]) == Exit.USAGE
    assert "Did you mean apply?" in capsys.readouterr().err


def test_exit_codes_stand_in_the_help(capsys):
    """The table of exit codes is part of --help."""
    run(["--help"])
    text = re.sub(r"\s+", " ", capsys.readouterr().out)
    for code, meaning in MEANINGS.items():
        assert f"{code.value} {meaning}" in text


def test_a_missing_project_is_an_error_that_says_where_to_look(tmp_path, capsys):
    """Without a project file: exit 1, the place looked at and a way out."""
    assert run(["-C", str(tmp_path), "plan"]) == Exit.ERROR
    error = capsys.readouterr().err
    assert "ekomi-reconcile.yaml" in error
    assert "-C DIR" in error


def test_options_work_before_and_after_the_command(project, capsys):
    """The same option is taken at either side, and the one behind the command wins."""
    assert run(["-C", str(project.folder), "validate", "-q"]) == 0
    assert run(["-q", "validate", "-C", str(project.folder)]) == 0
    assert run(["-C", "/nonexistent-folder", "validate", "-C", str(project.folder)]) == Exit.USAGE


def test_the_environment_gives_options(project, monkeypatch, capsys):
    """EKOMI_RECONCILE_FORMAT, _CHDIR and _STATE stand in for their flags."""
    monkeypatch.setenv("EKOMI_RECONCILE_CHDIR", str(project.folder))
    monkeypatch.setenv("EKOMI_RECONCILE_FORMAT", "json")
    assert run(["plan"]) == 0
    assert json.loads(capsys.readouterr().out)["summary"]["add"] == 0
    monkeypatch.setenv("EKOMI_RECONCILE_STATE", "elsewhere/s.db")
    project.account("Germany", "28374")
    assert run(["apply", "--auto-approve"]) == 0
    assert (project.folder / "elsewhere" / "s.db").exists()
    assert not project.state.exists()


def test_a_format_of_other_commands_is_left_to_them(project, monkeypatch, capsys):
    """A command without the format of the environment writes text; one that no command has is an error."""
    project.account("Germany", "28374", more="tags: [digital]")
    monkeypatch.setenv("EKOMI_RECONCILE_FORMAT", "github")
    for command in (["validate"], ["plan"], ["accounts", "list"], ["analyze"], ["test"]):
        assert project.cli(*command) in (0, 1), command
    assert project.cli("validate", "--format", "github") == 0
    for value, flags in (("nonsense", ()), ("github", ("--format", "github"))):
        monkeypatch.setenv("EKOMI_RECONCILE_FORMAT", value)
        assert project.cli("plan", *flags) == Exit.USAGE
    assert "is not one of 'text', 'json', 'markdown'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("value", "level"), [("true", 1), ("ON", 1), ("1", 1), ("2", 2), ("false", 0), ("no", 0), ("0", 0)]
)
def test_verbose_in_the_environment_is_a_number_or_a_word(monkeypatch, value, level):
    """true counts as once, a number as that often; anything else is an error."""
    found = []
    monkeypatch.setenv("EKOMI_RECONCILE_VERBOSE", value)

    @common(env=True)
    def command():
        found.append(options().verbose)

    click.command()(command).main([], standalone_mode=False)
    assert found == [level]
    monkeypatch.setenv("EKOMI_RECONCILE_VERBOSE", "much")
    assert run(["version"]) == Exit.USAGE


@pytest.mark.parametrize(
    ("environment", "arguments", "coloured"),
    [
        ({}, [], False),
        ({"FORCE_COLOR": "1"}, [], True),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, [], False),
        ({"NO_COLOR": "1"}, ["--color", "always"], True),
        ({"FORCE_COLOR": "1"}, ["--color", "never"], False),
    ],
)
def test_colour_is_where_it_is_wanted(project, monkeypatch, capsys, environment, arguments, coloured):
    """--color decides, then NO_COLOR, then FORCE_COLOR, then whether it is a terminal."""
    project.account("Germany", "28374")
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert project.cli("plan", *arguments) == 0
    assert ("\x1b[" in capsys.readouterr().out) is coloured


def test_version_tells_the_formats(capsys):
    """version --json names the versions of the formats that the modules define."""
    assert run(["version"]) == 0
    assert capsys.readouterr().out == f"ekomi-reconcile {__version__}\n"
    assert run(["version", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["formats"] == FORMATS
    assert FORMATS["plan"] == PLAN_FORMAT
    assert FORMATS["state"] == str(STATE_FORMAT)


@pytest.mark.parametrize("kind", ["account", "project", "plan"])
def test_the_committed_schema_is_the_printed_one(kind, capsys):
    """schemas/ holds exactly what the schema command prints."""
    assert run(["schema", kind]) == 0
    committed = (ROOT / "schemas" / f"{kind}.schema.json").read_text("utf-8")
    assert json.loads(committed) == json.loads(capsys.readouterr().out)


def test_a_reader_that_goes_away_is_no_crash(project):
    """A closed pipe ends the process without a traceback."""
    project.account("Germany", "28374")
    project.orders(order(number) for number in range(2000))
    process = subprocess.Popen(
        [sys.executable, "-m", "ekomi_reconcile", "-C", project.folder, "plan", "--format", "json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ,
    )
    process.stdout.read(10)
    process.stdout.close()
    error = process.stderr.read().decode()
    process.stderr.close()
    assert process.wait() in (Exit.OK, Exit.ERROR)
    assert "Traceback" not in error


def test_starting_imports_nothing_heavy():
    """`version` and `--help` load neither the YAML reader nor the network, the models or the database."""
    heavy = {"yaml", "httpx", "pydantic", "sqlalchemy", "rich", "jsonschema", "msgspec", "starlette"}
    program = (
        "import sys; from ekomi_reconcile.cli.main import run\n"
        "run(['version']); run(['--help'])\n"
        f"print(sorted({heavy!r} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip().endswith("[]")


@pytest.mark.parametrize("id_", ["unknown-key", "outcome-unknown", "state-locked", "max_sends"])
def test_help_explains_what_is_in_brackets(capsys, id_):
    """The id of a finding, a guard or an error: what it means, and what to do."""
    assert run(["help", id_]) == 0
    shown = capsys.readouterr().out.split("\n\n")
    assert shown[0] == id_
    assert len(shown) == 3
    assert run(["help", f"{id_}-nope"]) == 64
    assert "No such command or ID" in capsys.readouterr().err


@pytest.mark.parametrize("names", [(), ("plan",), ("state", "mv")])
def test_help_is_a_command_too(capsys, names):
    """It prints what --help prints; an unknown command is a usage error."""
    assert run(["help", *names]) == 0
    shown = capsys.readouterr().out
    assert run([*names, "--help"]) == 0
    assert capsys.readouterr().out == shown
    assert run(["help", *names, "nope"]) == 64
    assert run(["--version"]) == 0
    assert capsys.readouterr().out == f"ekomi-reconcile {__version__}\n"
