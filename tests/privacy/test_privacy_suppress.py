"""``suppress``: opting out, and what that does to the queue."""

import io
import json
import stat
import subprocess
import sys

import pytest

from ekomi_reconcile.model.invitation import Status
from ekomi_reconcile.state.opening import Mode, open_state

DIGEST = "0123456789abcdef" * 2


def shown(project, capsys, *arguments):
    """What a command says in JSON, beside the version of its format."""
    assert project.cli("suppress", *arguments, "--format", "json") == 0
    found = json.loads(capsys.readouterr().out)
    assert isinstance(found, list) or found.pop("format_version") == "1.0"
    return found


def text(project):
    """The list as it stands in the file."""
    return (project.folder / "suppressed.txt").read_text()


def rows(project):
    """Status and reason by order."""
    with open_state(str(project.state), root=project.folder, mode=Mode.READ) as state:
        return {row.order_id: (row.status, row.reason) for row in state.invitations.search()}


def test_an_address_becomes_a_digest_and_the_next_apply_cancels_what_waits(shop, address, capsys):
    """The file holds a digest; pending rows are counted, then cancelled before their time comes."""
    found = shown(shop, capsys, "add", f" {address} ")
    assert (found["added"], found["present"], found["pending"]) == (1, 0, 1)
    (entry,) = found["entries"]
    assert text(shop) == f"{entry['entry']}\n"
    assert entry["entry"].startswith("hmac:")
    assert len(entry["entry"]) == 37
    assert rows(shop)[2][0] is Status.PENDING
    assert shop.cli("apply", "--auto-approve") == 0
    assert "1 cancelled" in capsys.readouterr().out
    assert rows(shop) == {
        1: (Status.SENT, None),
        2: (Status.CANCELLED, "suppressed"),
        3: (Status.PENDING, None),
    }
    assert shop.cli("apply", "--auto-approve") == 0
    assert rows(shop)[2] == (Status.CANCELLED, "suppressed")


def test_people_are_told_what_will_happen(shop, address, capsys):
    """In words, with the number of rows that wait."""
    assert shop.cli("suppress", "add", address, "@example.org") == 0
    output = capsys.readouterr().out
    assert "2 added" in output
    assert "1 pending invitation: the next apply cancels them" in output
    assert "@example.org" in output


def test_adding_twice_is_like_adding_once(shop, address, capsys):
    """In any letter case, as digest or plain; domains with or without the @; the file stays as it is."""
    (shop.folder / "suppressed.txt").write_text("example.org  # competitors\nplain@example.net")
    shown(shop, capsys, "add", address)
    before = text(shop)
    assert before.startswith("example.org  # competitors\nplain@example.net\nhmac:")
    found = shown(shop, capsys, "add", address.upper(), "@EXAMPLE.org", "Plain@Example.net", address)
    assert (found["added"], found["present"]) == (0, 3)
    assert text(shop) == before


def test_a_new_list_is_readable_by_everybody(shop, address, capsys):
    """It holds no address, and is kept in git like the other files."""
    (shop.folder / "suppressed.txt").unlink()
    shown(shop, capsys, "add", address)
    assert stat.S_IMODE((shop.folder / "suppressed.txt").stat().st_mode) & 0o755 == 0o644


def test_addresses_from_stdin(shop, address, capsys, monkeypatch):
    """One per line, so that they stand in no shell history."""
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{address}\n\nelse@example.com\n"))
    assert shown(shop, capsys, "add", "-")["pending"] == 2


def test_the_list_shows_no_plain_address(shop, address, capsys):
    """Digests and domains as they are, what somebody wrote plain masked; with line numbers."""
    text = f"# remark\nplain@example.net\n\n@example.org\nhmac:{DIGEST}\n"
    (shop.folder / "suppressed.txt").write_text(text)
    assert shown(shop, capsys, "list") == [
        {"line": 2, "kind": "address", "entry": "p…@example.net"},
        {"line": 4, "kind": "domain", "entry": "@example.org"},
        {"line": 5, "kind": "digest", "entry": f"hmac:{DIGEST}"},
    ]
    assert len(shown(shop, capsys, "list", "--limit", "1")) == 1
    (shop.folder / "suppressed.txt").unlink()
    assert shown(shop, capsys, "list") == []


def test_removing(shop, address, capsys):
    """Whole lines, in either form, and the row comes back; the rest of the file stays, with its rights."""
    path = shop.folder / "suppressed.txt"
    path.write_text("# kept\nElse@Example.com # plain\n@example.org\n")
    path.chmod(0o640)
    shown(shop, capsys, "add", address)
    found = shown(shop, capsys, "remove", address, "else@example.com", "@example.org", "nobody@example.com")
    assert found == {"removed": 3, "missing": 1}
    assert text(shop) == "# kept\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    "wrong", ["canary.kolb", "", "canary.kolb@", "a b@canary.kolb", "a@canary.kolb@b", "#x@y", "@"]
)
def test_what_is_no_address_is_refused_unseen(wrong, shop, capsys):
    """A usage error that tells which one it was by its place."""
    assert shop.cli("suppress", "add", "x@example.com", wrong) == 64
    output = capsys.readouterr()
    assert "number 2 is not an address, @domain or tel:+… number" in output.err
    assert text(shop) == ""


def test_a_project_without_a_list_is_told_how_to_get_one(project, capsys):
    """Nothing is written anywhere."""
    assert project.cli("suppress", "add", "x@example.com") == 1
    assert "privacy: {suppress: suppressed.txt}" in capsys.readouterr().err


def test_without_state_and_key_nobody_can_be_known(shop, capsys, monkeypatch):
    """A digest made with no key would match nobody; a configured key is enough."""
    shop.state.unlink()
    assert shop.cli("suppress", "add", "x@example.com") == 1
    assert "privacy.key" in capsys.readouterr().err
    path = shop.folder / "ekomi-reconcile.yaml"
    path.write_text(path.read_text().replace("{suppress:", "{key: '${env:KEY}', suppress:"))
    monkeypatch.setenv("KEY", "some long text that is the key")
    assert shown(shop, capsys, "add", "x@example.com")["added"] == 1


def test_a_list_that_cannot_be_written_is_told(shop, capsys):
    """With the path and what to do."""
    (shop.folder / "suppressed.txt").unlink()
    (shop.folder / "suppressed.txt").mkdir()
    assert shop.cli("suppress", "add", "x@example.com") == 1
    assert "suppressed.txt" in capsys.readouterr().err


@pytest.mark.parametrize("room", [0, 70])
def test_a_list_without_room_stays_as_it_was(room, tmp_path):
    """On a full disk no half of a line passes for an entry, and no part of a file is left."""
    path = tmp_path / "suppressed.txt"
    path.write_text("@example.org\n")
    code = (
        "import resource, sys; from pathlib import Path\n"
        "from ekomi_reconcile.model.errors import ConfigurationError\n"
        "from ekomi_reconcile.privacy.limits import add_entries\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({room}, {room}))\n"
        "try: add_entries(Path(sys.argv[1]), ['hmac:' + 'a' * 32, 'hmac:' + 'b' * 32])\n"
        "except ConfigurationError: sys.exit(7)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], check=False, timeout=60)
    assert done.returncode == 7
    assert path.read_text() == "@example.org\n"
    assert [each.name for each in tmp_path.iterdir()] == ["suppressed.txt"]
