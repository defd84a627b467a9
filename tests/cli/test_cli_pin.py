"""state init, and the pin in the project file: no other state is ever used."""

import json
import subprocess
import uuid

import pytest
from project_support import order
from required_programs import program
from test_cli_no_state import ARGUMENTS, commands

from ekomi_reconcile.cli.main import app
from ekomi_reconcile.config.load import load
from ekomi_reconcile.config.models import pinned
from ekomi_reconcile.model.errors import ConfigurationError
from ekomi_reconcile.state.opening import Mode, open_state

ONE = "1f0c6a52-9b1e-4d0f-8a57-3c2f5f0e7b11"
OTHER = "2f0c6a52-9b1e-4d0f-8a57-3c2f5f0e7b22"
WITHOUT_A_STATE = {
    "init", "validate", "fmt", "schema", "completion", "version", "sandbox", "demo", "run", "state init",
    "lock show", "force-unlock", "suppress list", "accounts open", "accounts check", "orders inspect", "test",
    "analyze", "backtest", "help",
}  # fmt: skip
"""Commands that work without any state, or are tested on their own."""


@pytest.fixture
def shop(project):
    """A project with an account and an order to invite."""
    project.account("Germany", "28374", "pending_period: 0")
    project.orders([order(1)])
    (project.folder / "sent.csv").write_text("order\n100000001\n")
    (project.folder / "pulled.json").write_text("{}")
    return project


def pin(project, lineage=ONE, location=".ekomi-reconcile/state.db"):
    """Pin this lineage."""
    path = project.folder / "ekomi-reconcile.yaml"
    path.write_text(f"{path.read_text()}state: {{location: {location}, lineage: {lineage}}}\n")


def lineage(path):
    """The lineage of a state file."""
    with open_state(str(path), root=path.parent, mode=Mode.READ) as state:
        return state.meta.read().lineage


def test_init_creates_exactly_one_state(shop, capsys):
    """Made once, found afterwards; another lineage is an error; --pin writes it into the project file."""
    assert shop.cli("state", "init", "--lineage", ONE, "--format", "json") == 0
    made = json.loads(capsys.readouterr().out)
    assert (made["lineage"], made["created"], made["pinned"]) == (ONE, True, False)
    assert shop.cli("state", "init", "--lineage", ONE.upper(), "--pin", "--format", "json") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["lineage"], found["created"], found["pinned"]) == (ONE, False, True)
    assert load(shop.folder / "ekomi-reconcile.yaml").project.lineage == ONE
    assert shop.cli("state", "init", "--lineage", OTHER) == 1
    assert ONE in capsys.readouterr().err
    assert lineage(shop.state) == ONE


def test_init_takes_the_pinned_lineage(shop, monkeypatch):
    """A project file made for an environment says which state it is; init creates that one."""
    pin(shop, "'${env:STATE_LINEAGE}'")
    monkeypatch.setenv("STATE_LINEAGE", ONE)
    assert shop.cli("state", "init") == 0
    assert lineage(shop.state) == ONE
    assert shop.cli("apply", "--auto-approve") == 0


@pytest.mark.parametrize("value", [None, "", "x", f"{ONE}\r", f" {ONE}"])
def test_a_variable_without_a_lineage_is_an_error(shop, monkeypatch, capsys, value):
    """Never taken for "not pinned"."""
    pin(shop, "'${env:STATE_LINEAGE}'")
    if value is not None:
        monkeypatch.setenv("STATE_LINEAGE", value)
    assert shop.cli("plan") == 1
    assert "STATE_LINEAGE" in capsys.readouterr().err


NEEDS_A_STATE = [each for each in commands(app) if each not in WITHOUT_A_STATE]


@pytest.mark.sampled(3)
@pytest.mark.parametrize("command", NEEDS_A_STATE)
def test_another_state_or_none_stops_every_command(shop, monkeypatch, command, capsys):
    """With a pin, neither an empty place nor another state is used; nothing is written to it."""
    monkeypatch.chdir(shop.folder)
    arguments = [*command.split(), *ARGUMENTS.get(command, [])]
    path = shop.folder / "ekomi-reconcile.yaml"
    path.write_text(f"{path.read_text()}privacy: {{suppress: suppressed.txt}}\n")
    (shop.folder / "suppressed.txt").touch()
    pin(shop)
    if command == "state restore":
        arguments += ["nothing.backup"]
    if command == "apply":
        arguments += ["--auto-approve", "--new-state"]
    assert shop.cli(*arguments) == 1
    assert not list(shop.folder.glob(".ekomi-reconcile/state.db*"))
    if command not in {"doctor", "state restore", "state push"}:
        assert f"pins the one with lineage {ONE}" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ("plan",), ("apply", "--auto-approve"), ("apply", "--auto-approve", "--new-state"), ("doctor",),
        ("invitations", "list"), ("state", "show", "Germany"), ("explain", "100000001"),
        ("state", "push", "x"),
        ("state", "migrate"), ("state", "migrate", "new.db"), ("invitations", "mark-sent", "sent.csv"),
        ("state", "init"), ("sync",),
    ],
    ids=" ".join,
)  # fmt: skip
@pytest.mark.sampled(4)
def test_a_wrong_state_is_refused(shop, sandbox, capsys, arguments):
    """The state of another environment, by the environment or a flag: named with both lineages."""
    assert shop.cli("--state", "staging.db", "state", "init", "--lineage", OTHER) == 0
    pin(shop)
    (shop.folder / "x").write_text("{}")
    before = (shop.folder / "staging.db").read_bytes()
    assert shop.cli("--state", "staging.db", *arguments) == 1
    found = capsys.readouterr()
    assert (OTHER in found.err + found.out and ONE in found.err + found.out) or arguments[1:2] == ("push",)
    assert (shop.folder / "staging.db").read_bytes() == before
    assert sandbox.world.outbox.entries() == []


@pytest.mark.parametrize("arguments", [("validate",), ("fmt", "--check"), ("schema", "plan"), ("version",)])
def test_commands_without_a_state_ignore_the_pin(shop, arguments):
    """No state, no variable: they work all the same."""
    pin(shop, "'${env:NOT_SET_HERE}'")
    assert shop.cli("fmt") == 0
    assert shop.cli(*arguments) == 0


@pytest.mark.parametrize("lineage", [OTHER, "'${env:NOT_SET_HERE}'"])
def test_a_comparison_with_a_revision_ignores_the_pin(shop, lineage, capsys):
    """plan --base reads files only: on a fork there is neither the state nor the variable."""
    git = [program("git"), "-C", str(shop.folder), "-c", "user.name=Kim", "-c", "user.email=kim@example.com"]
    pin(shop, lineage)
    subprocess.run([*git, "init", "-q", "-b", "main"], check=True)
    subprocess.run([*git, "add", "-A"], check=True)
    subprocess.run([*git, "commit", "-q", "-m", "one"], check=True)
    shop.account("France", "28375")
    assert shop.cli("plan", "--base", "main") == 0
    assert "1 to add" in capsys.readouterr().out
    assert shop.cli("plan") == 1


def test_the_demo_ignores_the_pin(shop, monkeypatch, tmp_path):
    """It works in a folder of its own, whatever the project here pins and the environment names."""
    pin(shop, OTHER)
    monkeypatch.chdir(shop.folder)
    monkeypatch.delenv("CI", raising=False)
    assert shop.cli("demo", "--dir", "demo", "--orders", "10") == 0
    assert not shop.state.exists()


def test_migrate_keeps_the_lineage(shop):
    """The copy is the pinned state; the project goes on there."""
    assert shop.cli("state", "init", "--lineage", ONE, "--pin") == 0
    assert shop.cli("apply", "--auto-approve", "--no-send") == 0
    assert shop.cli("state", "migrate", "moved/state.db") == 0
    assert lineage(shop.folder / "moved" / "state.db") == ONE
    assert shop.cli("--state", "moved/state.db", "plan") == 0


def test_restore_takes_copies_of_the_pinned_state_only(shop, capsys):
    """A copy of another state is refused before anything is replaced; the right one is taken."""
    for location, which in (("a.db", ONE), ("b.db", OTHER)):
        assert shop.cli("--state", location, "state", "init", "--lineage", which) == 0
        assert shop.cli("--state", location, "state", "backup", "--out", f"{location}.backup") == 0
    pin(shop)
    assert shop.cli("state", "restore", "b.db.backup") == 1
    assert OTHER in capsys.readouterr().err
    assert not shop.state.exists()
    assert shop.cli("state", "restore", "a.db.backup") == 0
    assert lineage(shop.state) == ONE


def test_a_lost_state_is_not_created_again(shop, capsys):
    """init does not stand in for a state that was here: its key or mark is still there."""
    assert shop.cli("state", "init", "--pin") == 0
    shop.state.unlink()
    assert shop.cli("state", "init") == 1
    assert "restore" in capsys.readouterr().err
    assert not shop.state.exists()


def test_one_project_file_per_environment(shop):
    """Two project files over the same accounts, each with its own state, cannot be mixed up."""
    text = (shop.folder / "ekomi-reconcile.yaml").read_text()
    for name, which in (("production", ONE), ("staging", OTHER)):
        body = f"{text}state: {{location: {name}.db, lineage: {which}}}\n"
        (shop.folder / f"{name}.yaml").write_text(body)
        assert shop.cli("--config", f"{name}.yaml", "state", "init") == 0
        assert shop.cli("--config", f"{name}.yaml", "plan") == 0
    assert shop.cli("--config", "production.yaml", "--state", "staging.db", "plan") == 1


def test_init_on_postgresql(shop, server, monkeypatch, capsys):
    """The same in a database; without a key nothing is made."""
    url = server.url(schema=f"pin_{uuid.uuid4().hex[:8]}")
    monkeypatch.setenv("EKOMI_RECONCILE_STATE", url)
    assert shop.cli("state", "init", "--lineage", ONE) == 1
    assert "key" in capsys.readouterr().err
    text = (shop.folder / "ekomi-reconcile.yaml").read_text()
    shop.settings(f"{text}privacy: {{key: '${{env:DIGEST_KEY}}'}}\n")
    monkeypatch.setenv("DIGEST_KEY", "k" * 40)
    pin(shop)
    assert shop.cli("plan") == 1
    assert shop.cli("state", "init") == 0
    assert shop.cli("state", "init", "--lineage", ONE) == 0
    assert shop.cli("apply", "--auto-approve") == 0
    assert shop.cli("state", "migrate", "moved.db") == 0
    assert lineage(shop.folder / "moved.db") == ONE


FILES = {
    "absent": "# a\nversion: 1 # b\n# c\norders: {file: x}\n",
    "last line": "orders: {file: x}\nversion: 1",
    "plain": "version: 1\nstate: .ekomi-reconcile/state.db   # here\norders: {file: x}\n",
    "quoted": "version: 1\nstate: 'a b.db' # here\n",
    "reference": 'state: "${env:STATE_URL}" # here\nversion: 1\n',
    "url": "version: 1\nstate: sqlite:///x.db\n",
    "comma": 'version: 1\nstate: "a, b.db"\n',
    "first": "state: x.db\nversion: 1\n# the end\n",
    "umlaut": "# Größe\nversion: 1 # ö\nstate: größe.db # ü\n",
    "crlf": "version: 1\r\nstate: x.db\r\norders: {file: x}\r\n",
}


@pytest.mark.parametrize("text", FILES.values(), ids=FILES)
def test_pinning_keeps_everything_else(text):
    """Only the value changes: comments and other lines stay, byte for byte."""
    edited = pinned("x.yaml", text.encode(), ONE).decode()
    kept = [line for line in text.splitlines() if not line.startswith("state:")]
    assert [line for line in edited.splitlines() if not line.startswith("state:")] == kept
    (line,) = [each for each in edited.splitlines() if each.startswith("state:")]
    assert ONE in line
    comment = next((each for each in text.splitlines() if each.startswith("state:") and "#" in each), "")
    assert line.endswith(comment.partition("#")[2])


@pytest.mark.parametrize(
    "text", ["{version: 1, orders: {file: x}}\n", "version: 1\n---\nversion: 1\n", "a: [\n"]
)
def test_what_cannot_be_edited_is_said(text):
    """With the line to write by hand, or what is wrong with the file."""
    with pytest.raises(ConfigurationError) as caught:
        pinned("x.yaml", text.encode(), ONE)
    assert caught.value.hint
