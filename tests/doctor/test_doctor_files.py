"""The self-test of files, state and secrets."""

import json
import os

import pytest
from project_support import order, settings

from ekomi_reconcile.model import instant
from ekomi_reconcile.model.instant import HOUR
from ekomi_reconcile.state.engine.lock import WriterLock


def snapshot(folder):
    """Every file below a folder, with its content."""
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_healthy_project_passes_everything(clinic):
    """With a state, orders and credentials in order nothing fails, and nothing is worth a look."""
    clinic.project.orders(order(number) for number in range(1, 4))
    with clinic.state():
        pass
    found = clinic.examine()
    assert [each for notes in found.values() for each in notes if each["status"] != "pass"] == []
    assert {"configuration", "credentials", "order-source", "queue-stuck"} <= set(found)


def test_errors_of_the_files_fail_with_their_places(clinic):
    """Every error is a failure with its place; what needs the files says that it was not checked."""
    clinic.project.account("Germany", "28374", "pending_period: -1\nstore_view: [de]")
    found = clinic.examine()
    assert [each["status"] for each in found["configuration"]] == ["fail", "fail"]
    assert all("28374.yaml:" in each["message"] and each["hint"] for each in found["configuration"])
    assert found["credentials"][0]["status"] == "warn"
    assert found["credentials"][0]["message"].startswith("not checked: the files have errors")


def test_a_missing_project_file_fails(clinic):
    """Without a project file the self-test still answers, and says how to go on."""
    (clinic.project.folder / "ekomi-reconcile.yaml").unlink()
    (only,) = clinic.examine()["configuration"]
    assert only["status"] == "fail"
    assert "-C DIR" in only["hint"]


def test_warnings_are_counted_and_overlaps_are_named(clinic):
    """Lint is one line with the rules' names; accounts that compete for orders are told one by one."""
    clinic.project.account("France", "28375", "pending_period: 3\nstore_views: [de, fr]")
    found = clinic.examine("--offline")
    (counted,) = found["configuration"]
    assert counted["status"] == "warn"
    assert "1 warning(s) about the files: short-pending-period" in counted["message"]
    assert [(each["status"], each["account"]) for each in found["overlapping-rules"]] == [("warn", "France")]


@pytest.mark.parametrize(("content", "status"), [(None, "fail"), ("# none\n@example.com\n", "pass")])
def test_the_suppression_list(clinic, sandbox, content, status):
    """A list that is asked for and not there fails: nobody may be asked on the strength of it."""
    clinic.project.settings(settings(sandbox.url, "privacy: {suppress: suppressed.txt}\n"))
    if content is not None:
        (clinic.project.folder / "suppressed.txt").write_text(content)
    assert clinic.told("suppression-list", "--offline") == [(status, None)]


def test_a_first_run_has_no_state(clinic):
    """Before the first apply a missing state is a warning, and the self-test makes none."""
    before = snapshot(clinic.project.folder)
    found = clinic.examine()
    assert found["state"][0]["status"] == "warn"
    assert found["queue-stuck"][0]["message"] == "not checked: the state does not exist or cannot be read"
    assert snapshot(clinic.project.folder) == before
    assert not clinic.project.state.parent.exists()


def test_a_missing_state_fails_where_one_is_required(clinic, monkeypatch):
    """Where a state must be there, a missing one is an accident."""
    monkeypatch.setenv("EKOMI_RECONCILE_REQUIRE_STATE", "1")
    assert clinic.told("state") == [("fail", None)]


def test_nothing_is_written(clinic):
    """A self-test with a state leaves every file as it was."""
    clinic.project.orders([order(1)])
    with clinic.state() as state:
        clinic.queue(state, 1, due_in=-1)
    before = snapshot(clinic.project.folder)
    clinic.examine()
    assert snapshot(clinic.project.folder) == before


@pytest.mark.parametrize("damage", ["foreign", "newer", "torn"])
def test_an_unusable_state_fails(clinic, damage):
    """A file that is no state, of a newer format or damaged is a failure, never a traceback."""
    with clinic.state():
        pass
    if damage == "foreign":
        clinic.project.state.write_bytes(b"not a database, but long enough to be one" * 100)
    elif damage == "newer":
        clinic.sql("UPDATE meta SET value = '99' WHERE key = 'format_version'")
    else:
        clinic.sql("DROP TABLE meta")
    found = clinic.examine("--offline")
    assert found["state"][0]["status"] == "fail"
    assert found["queue-failed"][0]["message"] == "not checked: the state does not exist or cannot be read"


def test_a_place_that_cannot_be_written_fails(clinic):
    """A state below something that is no folder could never be made."""
    (clinic.project.folder / "file").write_text("")
    told = clinic.examine("--offline", "--state", "file/state.db")
    assert "fail" in {told["state"][0]["status"], told["state-writable"][0]["status"]}
    assert clinic.told("state-writable", "--offline") == [("pass", None)]


def test_integrity(clinic):
    """A row that refers to nothing is found."""
    with clinic.state():
        pass
    assert clinic.told("state-integrity", "--offline") == [("pass", None)]
    clinic.sql("INSERT INTO position VALUES (99, '', '', '', 0)")
    assert clinic.told("state-integrity", "--offline") == [("fail", None)]


@pytest.mark.parametrize("loss", ["lost", "another", "unset"])
def test_the_key(clinic, sandbox, monkeypatch, loss):
    """A key that is lost, is another one than before, or cannot be had is a failure."""
    with clinic.state():
        pass
    if loss == "lost":
        clinic.project.state.with_name("state.db.key").unlink()
    else:
        clinic.project.settings(settings(sandbox.url, "privacy: {key: '${env:OTHER_KEY}'}\n"))
    if loss == "another":
        monkeypatch.setenv("OTHER_KEY", "quite another key")
    found = clinic.examine("--offline")
    assert found["state-key"][0]["status"] == "fail"
    assert found["state"][0]["status"] == "pass"


def test_the_lock(clinic):
    """The holder of the writer lock is named; one who holds it for hours is worth a look."""
    with clinic.state():
        pass
    path = clinic.project.state.with_name("state.db.lock")
    with WriterLock(path, operation="apply") as lock:
        (told,) = clinic.examine("--offline")["lock"]
        assert told["status"] == "pass"
        assert lock.info.ID in told["message"]
        written = json.loads(path.read_text())
        written["Created"] = instant.iso(instant.now() - 3 * HOUR)
        path.write_text(json.dumps(written))
        assert clinic.told("lock", "--offline") == [("warn", None)]
    assert clinic.told("lock", "--offline") == [("pass", None)]


def test_secrets(clinic, sandbox, monkeypatch):
    """A reference that leads nowhere, and blanks around a secret, fail for their account only."""
    clinic.project.account("France", "28375", "pending_period: 7\nstore_views: [fr]")
    clinic.project.account("Norway", "28376", "pending_period: 7\nstore_views: ['no']")
    monkeypatch.delenv("PASSWORD_28375")
    monkeypatch.setenv("PASSWORD_28376", " sandbox-no")
    found = clinic.examine("--offline")["passwords"]
    assert [(each["account"], each["status"]) for each in found] == [
        ("Germany", "pass"),
        ("France", "fail"),
        ("Norway", "fail"),
    ]
    assert "begins with a space" in found[2]["message"]


@pytest.mark.parametrize(("value", "status"), [(None, "fail"), ("a key of its own", "pass")])
def test_secrets_of_the_project_file(clinic, sandbox, monkeypatch, value, status):
    """The project file's own secrets are looked for too."""
    clinic.project.settings(settings(sandbox.url, "privacy: {key: '${env:OWN_KEY}'}\n"))
    if value is not None:
        monkeypatch.setenv("OWN_KEY", value)
    assert clinic.told("project-secrets", "--offline") == [(status, None)]


def test_nothing_secret_or_personal_is_shown(clinic, monkeypatch, sandbox):
    """Whatever fails, no password, key or customer is in the output."""
    monkeypatch.setenv("PASSWORD_28374", " canary-secret-1 ")
    monkeypatch.setenv("OWN_KEY", "canary-secret-2")
    clinic.project.settings(settings(sandbox.url, "privacy: {key: '${env:OWN_KEY}'}\n"))
    clinic.project.orders(
        [order(1, customer_email="canary@example.com", customer_lastname="Canary", store_code="it")]
    )
    with (clinic.project.folder / "orders.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"entity_id": 2, "customer_email": "canary@example.com", "created_at": "Canary"}\n')
    for form in ("text", "json"):
        clinic.project.cli("doctor", "--format", form)
        shown = "".join(clinic.capsys.readouterr())
        assert "canary" not in shown.lower()
    assert os.environ["OWN_KEY"] == "canary-secret-2"
