"""The commands that take care of the state: their outputs, the lock, the journal, the serial."""

import json
import stat

import pytest
from project_support import order

from ekomi_reconcile.model.invitation import Status
from ekomi_reconcile.state import FORMAT_VERSION
from ekomi_reconcile.state.engine.lock import WriterLock
from ekomi_reconcile.state.maintenance.backup import copy_now_and_then
from ekomi_reconcile.state.maintenance.table_dump import StoredContent
from ekomi_reconcile.state.opening import Mode, open_state


@pytest.fixture
def applied(project, capsys):
    """A project with two accounts, one row that was sent and one that waits."""
    project.account("Germany", "28374", "store_views: [de]\npending_period: 2", more="tags: [digital]")
    project.account("France", "28375", "store_views: [fr]\npending_period: 9")
    project.orders([order(1, age_days=4), order(2, store_code="fr")])
    assert project.cli("apply", "--auto-approve") == 0
    capsys.readouterr()
    return project


def shown(project, capsys, *arguments):
    """What a command says in JSON, beside the version of its format."""
    assert project.cli(*arguments, "--format", "json") == 0
    found = json.loads(capsys.readouterr().out)
    assert isinstance(found, list) or found.pop("format_version") == "1.0"
    return found


def look(project, mode=Mode.READ):
    """The state of the project."""
    return open_state(str(project.state), root=project.folder, mode=mode)


def journal(project):
    """Action, subject and outcome of the latest entry, and the serial."""
    with look(project) as state:
        entry = state.journal.entries()[0]
        return entry.action, entry.subject, entry.outcome, state.meta.read().serial


def test_backup_and_restore(applied, capsys):
    """A copy beside the state, named by the time; bringing it back is told in numbers."""
    made = shown(applied, capsys, "state", "backup")
    with look(applied) as state:
        assert (made["serial"], made["lineage"]) == (state.meta.read().serial, state.meta.read().lineage)
        serial = state.meta.read().serial
    assert journal(applied)[0] == "state backup"
    assert applied.cli("state", "rm", "France") == 0
    capsys.readouterr()
    done = shown(applied, capsys, "state", "restore", made["path"])
    assert set(done) == {
        "serial",
        "accounts",
        "invitations",
        "replaced",
        "closed_since",
        "lost_since",
        "key_fits",
    }
    assert (done["accounts"], done["invitations"], done["closed_since"]) == (2, 2, 0)
    assert done["serial"] == serial + 2
    assert journal(applied)[::3] == ("state restore", serial + 2)
    assert applied.cli("plan", "--detailed-exitcode") == 0
    capsys.readouterr()
    assert applied.cli("state", "restore", made["path"]) == 0
    text = capsys.readouterr().out
    assert "eKomi is unchanged" in text
    assert "The state before is kept: " in text


def test_a_backup_goes_where_it_is_told_and_over_nothing(applied, capsys):
    """--out is relative to where the command runs; a file that exists is refused; the mode is private."""
    target = applied.folder / "copy.db"
    assert applied.cli("state", "backup", "--out", "copy.db") == 0
    assert capsys.readouterr().out == f"{target}\n"
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert applied.cli("state", "backup", "--out", "copy.db") == 1
    assert "exists already" in capsys.readouterr().err


def test_a_lost_state_is_restored_with_a_warning(applied, capsys):
    """What was sent since is not known then: the way out is named."""
    applied.cli("state", "backup", "--out", "copy.db")
    applied.state.unlink()
    capsys.readouterr()
    assert applied.cli("state", "restore", "copy.db") == 0
    assert "mark-sent" in capsys.readouterr().out


def test_pull_edit_push(applied, capsys):
    """What was edited arrives; the same file a second time is out of date, but for --force."""
    assert applied.cli("state", "pull") == 0
    whole = json.loads(capsys.readouterr().out)
    account = whole["accounts"][1]
    account["name"] = account["desired"]["name"] = "Frankreich"
    (applied.folder / "edited.json").write_text(json.dumps(whole, indent=2))
    done = shown(applied, capsys, "state", "push", "edited.json")
    assert done["serial"] == whole["serial"] + 1
    assert journal(applied)[0] == "state push"
    assert applied.cli("state", "list") == 0
    assert "Frankreich" in capsys.readouterr().out
    assert applied.cli("state", "push", "edited.json") == 1
    assert "--force" in capsys.readouterr().err
    assert applied.cli("state", "push", "edited.json", "--force") == 0


@pytest.mark.sampled(3)
@pytest.mark.parametrize("name", ["France", 'account["France"]', "28375"])
def test_rename_in_the_state(name, applied, capsys):
    """Files that were renamed too then need no change; dry it changes nothing."""
    dry = shown(applied, capsys, "state", "mv", name, "Frankreich", "--dry-run")
    assert dry == {
        "address": 'account["France"]',
        "new_address": 'account["Frankreich"]',
        "interface_id": "28375",
        "dry_run": True,
    }
    before = journal(applied)
    assert shown(applied, capsys, "state", "mv", name, "Frankreich")["dry_run"] is False
    action, subject, _, serial = journal(applied)
    assert (action, subject, serial) == ("state mv", 'account["France"]', before[3] + 1)
    applied.account("Frankreich", "28375", "store_views: [fr]\npending_period: 9")
    assert applied.cli("plan", "--detailed-exitcode") == 0


@pytest.mark.sampled(8)
@pytest.mark.parametrize("flags", [(), ("--dry-run",)])
@pytest.mark.parametrize("name", ["germany", "", "   ", "x" * 256])
def test_an_impossible_name_is_refused(name, flags, applied, capsys):
    """Taken in whatever letter case, empty, or too long."""
    before = journal(applied)
    assert applied.cli("state", "mv", "France", name, *flags) == 1
    assert journal(applied) == before


def test_forget_an_account(applied, capsys):
    """Its rows stay; a new apply makes it anew, and asks nobody a second time."""
    dry = shown(applied, capsys, "state", "rm", "Germany", "--dry-run")
    assert dry == {
        "address": 'account["Germany"]',
        "interface_id": "28374",
        "cancelled": 0,
        "kept": 1,
        "dry_run": True,
    }
    with look(applied) as state:
        assert len(state.accounts.read()) == 2
    assert shown(applied, capsys, "state", "rm", "Germany")["kept"] == 1
    assert shown(applied, capsys, "state", "rm", "France")["cancelled"] == 1
    assert journal(applied)[:3] == ("state rm", 'account["France"]', "forgotten")
    assert applied.cli("apply", "--auto-approve") == 0
    with look(applied) as state:
        rows = {row.order_id: row.status for row in state.invitations.search()}
    assert rows == {1: Status.SENT, 2: Status.PENDING}


def test_a_protected_account_is_not_forgotten(applied, capsys):
    """Not even dry; the message says what lifts the protection."""
    applied.account("France", "28375", "store_views: [fr]\npending_period: 9", more="protect: true")
    assert applied.cli("apply", "--auto-approve") == 0
    assert applied.cli("state", "rm", "France") == 1
    assert "protect: false" in capsys.readouterr().err


def test_check(applied, capsys):
    """A sound state is 0, a damaged one 1 with what is wrong."""
    assert shown(applied, capsys, "state", "check") == {"ok": True, "problems": []}
    with look(applied, Mode.WRITE) as state, state.transaction():
        state.session.connection.exec_driver_sql(
            "UPDATE account SET desired = '[]' WHERE interface_id = '28375'"
        )
    assert applied.cli("state", "check", "--format", "json") == 1
    found = json.loads(capsys.readouterr().out)
    assert found["ok"] is False
    assert "28375" in found["problems"][0]


def test_move_to_another_file(applied, capsys):
    """Table by table with numbers and digests; the project then works with the new place."""
    done = shown(applied, capsys, "state", "migrate", "sqlite:///moved/state.db")
    assert {each["table"]: each["rows"] for each in done["tables"]}["invitation"] == 2
    assert all(each["digest"].startswith("sha256:") for each in done["tables"])
    assert done["to"] == str(applied.folder / "moved/state.db")
    assert applied.cli("plan", "--detailed-exitcode", "--state", "moved/state.db") == 0
    assert applied.cli("state", "migrate", "moved/state.db") == 1
    assert "already" in capsys.readouterr().err
    assert applied.cli("state", "migrate", ".ekomi-reconcile/state.db") == 1
    assert "already" in capsys.readouterr().err
    assert applied.cli("state", "migrate", "mysql://x") == 1


def test_migrate_without_a_place_brings_the_format_up_to_date(applied, capsys):
    """It says which format there is now."""
    assert shown(applied, capsys, "state", "migrate") == {"state_format": str(FORMAT_VERSION)}


def test_force_unlock(applied, capsys):
    """Only the id that `lock show` tells breaks the lock; that is journaled."""
    lock = WriterLock(applied.state.with_name("state.db.lock"), operation="apply")
    info = lock.acquire()
    assert applied.cli("force-unlock", "nonsense") == 1
    assert info.ID in capsys.readouterr().err
    assert shown(applied, capsys, "force-unlock", info.ID)["id"] == info.ID
    assert journal(applied)[:2] == ("force-unlock", f"lock {info.ID}")
    assert shown(applied, capsys, "lock", "show")["held"] is False
    assert applied.cli("force-unlock", info.ID) == 1
    lock.release()


WRITERS = (
    ("state", "backup"),
    ("state", "restore", "copy.db"),
    ("state", "push", "pulled.json"),
    ("state", "mv", "France", "Frankreich"),
    ("state", "rm", "France"),
    ("state", "migrate", "new.db"),
    ("invitations", "mark-sent", "past.csv"),
    ("privacy", "erase", "customer1@example.com"),
)


@pytest.mark.sampled(8)
@pytest.mark.parametrize("arguments", WRITERS, ids=lambda each: "-".join(each[:2]))
def test_writers_wait_for_the_lock(arguments, applied, capsys):
    """While somebody writes, each is refused and says who it is; the state stays as it is."""
    assert applied.cli("state", "backup", "--out", "copy.db") == 0
    capsys.readouterr()
    applied.cli("state", "pull")
    (applied.folder / "pulled.json").write_text(capsys.readouterr().out)
    (applied.folder / "past.csv").write_text("order_id\n2\n")
    with look(applied) as state:
        before = StoredContent(state).digests()
    with WriterLock(applied.state.with_name("state.db.lock"), operation="apply"):
        assert applied.cli(*arguments) == 1
    assert "another process is writing the state: apply by" in capsys.readouterr().err
    with look(applied) as state:
        assert StoredContent(state).digests() == before


def test_an_apply_makes_a_copy_now_and_then(applied, capsys):
    """After so many runs that did something; runs with nothing to do do not count."""
    with look(applied, Mode.WRITE) as state:
        for _ in range(18):
            assert copy_now_and_then(state) is None
    assert applied.cli("apply", "--auto-approve") == 0
    assert not list(applied.state.parent.glob("*.backup"))
    applied.orders([order(number, age_days=1) for number in (3, 4)])
    assert applied.cli("apply", "--auto-approve") == 0
    (copy,) = applied.state.parent.glob("*.backup")
    assert copy.name == "state.db.apply-00000020.backup"
    with open_state(str(copy), root=applied.folder, mode=Mode.READ) as found, look(applied) as state:
        assert list(found.invitations.search()) == list(state.invitations.search())
