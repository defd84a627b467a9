"""Paths from outside: flags, environment and files are checked by one rule, and ``~`` is the home folder."""

from pathlib import Path

import pytest
from project_support import order, settings

from ekomi_reconcile.config.configuration import resolve
from ekomi_reconcile.model.errors import SecretError
from ekomi_reconcile.state.engine.mark import read_key

ENDS = {"\r": "carriage return", "\n": "line feed", " ": "space", "\u00a0": "no-break space"}
FLAGS = {
    "--config": ("--config", "ekomi-reconcile.yaml{}", "plan"),
    "-C": ("-C", "{}", "plan"),
    "plan --out": ("plan", "--out", "plan.json{}"),
    "apply PLAN": ("apply", "plan.json{}"),
    "--metrics-out": ("apply", "--auto-approve", "--metrics-out", "m.prom{}"),
    "--json-events": ("apply", "--auto-approve", "--json-events", "e.jsonl{}"),
    "report --out": ("report", "--out", "report{}"),
    "state backup --out": ("state", "backup", "--out", "copy.db{}"),
    "state restore": ("state", "restore", "copy.db{}"),
    "mark-sent": ("invitations", "mark-sent", "past.csv{}"),
    "orders inspect": ("orders", "inspect", "orders.csv{}"),
    "test": ("test", "tests.d{}"),
}
SETTINGS = {
    "state": ("state: {}\n", "x.db"),
    "state.location": ("state: {{location: {}, lineage: 1f0c6a52-9b1e-4d0f-8a57-3c2f5f0e7b11}}\n", "x.db"),
    "accounts": ("accounts: {}\n", "accounts.d"),
    "privacy.suppress": ("privacy: {{suppress: {}}}\n", "gone.txt"),
    "privacy.key": ("privacy: {{key: {}}}\n", "${file:a.key}"),
}


@pytest.fixture
def shop(project):
    """A project with an account and an order to invite."""
    project.account("Germany", "28374", "pending_period: 0")
    project.orders([order(1)])
    return project


@pytest.mark.parametrize(("end", "said"), ENDS.items(), ids=ENDS.values())
@pytest.mark.parametrize("arguments", FLAGS.values(), ids=FLAGS)
def test_a_flag_with_a_hidden_character_is_refused(shop, monkeypatch, capsys, arguments, end, said):
    """The character is named; nothing is read or written under the other name."""
    monkeypatch.chdir(shop.folder)
    assert shop.cli(*(each.format(end) for each in arguments)) == 64
    assert said in capsys.readouterr().err
    assert not [each for each in shop.folder.rglob("*") if each.name != each.name.strip()]


@pytest.mark.parametrize(
    "name", ["EKOMI_RECONCILE_STATE", "EKOMI_RECONCILE_CONFIG", "EKOMI_RECONCILE_METRICS_OUT"]
)
def test_an_environment_file_with_windows_line_ends(shop, sandbox, monkeypatch, capsys, name):
    """What is sourced from it ends in a carriage return: refused, and nobody is invited."""
    monkeypatch.setenv(name, ".ekomi-reconcile/state.db\r")
    assert shop.cli("apply", "--auto-approve") in (1, 64)
    assert "carriage return (U+000D)" in capsys.readouterr().err
    assert sandbox.world.outbox.entries() == []


@pytest.mark.parametrize("text", [" ", "x.db ", "\tx.db", "x.db\n"])
def test_a_state_flag_with_a_hidden_character(shop, capsys, text):
    """The same for --state, which may be a URL."""
    assert shop.cli("--state", text, "apply", "--auto-approve") == 1
    assert "the location of the state" in capsys.readouterr().err


@pytest.mark.parametrize("place", [0, 2])
def test_an_empty_state_flag_is_refused(shop, capsys, place):
    """A variable that is not set in a script must not lead to the state of the project file."""
    arguments = ["apply", "--auto-approve"]
    arguments[place:place] = ["--state", ""]
    assert shop.cli(*arguments) == 64
    assert "--state is empty" in capsys.readouterr().err
    assert not shop.state.exists()


@pytest.mark.sampled(2)
@pytest.mark.parametrize(("key", "value"), SETTINGS.values(), ids=SETTINGS)
@pytest.mark.parametrize("end", [" ", "\\r", "\\n", "\\u00a0"])
def test_a_setting_with_a_hidden_character(shop, sandbox, capsys, key, value, end):
    """validate names the place; apply does nothing."""
    value = value.replace("}", f"{end}}}") if value.startswith("$") else f"{value}{end}"
    shop.settings(settings(sandbox.url, key.format(f'"{value}"')))
    assert shop.cli("validate") == 1
    found = capsys.readouterr()
    assert "ekomi-reconcile.yaml:4:" in found.out + found.err
    assert shop.cli("apply", "--auto-approve") == 1


def test_home_folders_are_expanded(shop, sandbox, monkeypatch, tmp_path_factory):
    """State, accounts, orders, suppression list, secrets and flags: ``~`` is the home folder everywhere."""
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(home))
    (shop.folder / "accounts.d").rename(home / "accounts")
    (shop.folder / "orders.jsonl").rename(home / "orders.jsonl")
    (home / "none.txt").touch()
    (home / "a.key").write_text("k" * 40)
    text = settings(sandbox.url).replace("file: orders.jsonl", "file: ~/orders.jsonl")
    more = "privacy: {suppress: ~/none.txt, key: '${file:~/a.key}'}\n"
    shop.settings(f"{text}accounts: ~/accounts\nstate: ~/state.db\n{more}")
    assert shop.cli("apply", "--auto-approve", "--metrics-out", "~/m.prom") == 0
    assert len(sandbox.world.outbox.entries()) == 1
    assert {"state.db", "m.prom"} <= {each.name for each in home.iterdir()}
    assert not (shop.folder / "~").exists()


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_a_byte_order_mark_in_a_secret_file_is_removed(tmp_path, end):
    """Editors put it there, and nobody sees it; the same in the key beside a state."""
    (tmp_path / "password").write_bytes(b"\xef\xbb\xbfx-value" + end.encode())
    assert resolve("${file:password}", root=tmp_path).reveal() == "x-value"
    (tmp_path / "key").write_bytes(b"\xef\xbb\xbf" + b"ab" * 32 + end.encode())
    assert read_key(tmp_path / "key") == b"\xab" * 32


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_other_byte_order_marks_are_named(tmp_path: Path, monkeypatch, encoding):
    """UTF-16, as PowerShell writes it, and a mark in a variable."""
    text = "x-value" if encoding == "utf-16" else "\ufeffx-value"
    (tmp_path / "password").write_bytes(text.encode(encoding))
    with pytest.raises(SecretError, match="byte order mark of UTF-16"):
        resolve("${file:password}", root=tmp_path)
    monkeypatch.setenv("A_SECRET", "\ufeffx-value")
    with pytest.raises(SecretError, match="byte order mark"):
        resolve("${env:A_SECRET}")
