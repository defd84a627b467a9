"""``sync``: shop details and statistics, now."""

import pytest
from recorded_support import opened

from ekomi_reconcile.sandbox.shops import Fault


@pytest.fixture
def applied(project, capsys):
    """A project whose two accounts were created."""
    project.account("Germany", "28374", "store_views: [de]")
    project.account("France", "28375", "store_views: [fr]")
    assert project.cli("apply", "--auto-approve") == 0
    capsys.readouterr()
    return project


def shops(project):
    """Names of the shops as recorded."""
    with opened(project.folder) as state:
        return {each.name: each.shop.account_name for each in state.accounts.read()}


def test_all_accounts_are_fetched_though_none_is_due(applied, sandbox, capsys):
    """What changed at eKomi is in the state; the serial does not move, so no plan gets stale."""
    sandbox.world.shops["28374"].details["name"] = "Renamed"
    with opened(applied.folder) as state:
        serial = state.meta.read().serial
    assert applied.cli("sync") == 0
    assert capsys.readouterr().out == "Sync complete. 2 synced, 0 failed.\n"
    assert shops(applied)["Germany"] == "Renamed"
    with opened(applied.folder) as state:
        assert state.meta.read().serial == serial


def test_only_the_named_accounts_are_fetched(applied, sandbox, capsys):
    """The others are left alone; a name may be an interface id."""
    for shop in sandbox.world.shops.values():
        shop.details["name"] = "Renamed"
    assert applied.cli("sync", "28375", "france") == 0
    assert capsys.readouterr().out == "Sync complete. 1 synced, 0 failed.\n"
    assert shops(applied) == {"Germany": "Germany", "France": "Renamed"}


def test_a_failure_is_told_and_recorded_and_the_others_go_on(applied, sandbox, capsys):
    """Exit 1; the account keeps what it had, its last error and the error log say what happened."""
    sandbox.world.fault(Fault(match="*", kind="status", status=403, shop="28375", body="blocked"))
    assert applied.cli("sync") == 1
    output = capsys.readouterr().out
    assert output.startswith("failed: France: sync: ")
    assert output.endswith("Sync incomplete. 1 synced, 1 failed.\n")
    with opened(applied.folder) as state:
        france = next(each for each in state.accounts.read() if each.name == "France")
        assert france.shop.account_name == "France"
        assert france.last_error.startswith("sync: ")
        assert [each.interface_id for each in state.journal.errors()] == ["28375"]


def test_an_account_without_its_password_fails_alone(applied, capsys, monkeypatch):
    """The message names the reference that cannot be resolved."""
    monkeypatch.delenv("PASSWORD_28375")
    assert applied.cli("sync") == 1
    assert "${env:PASSWORD_28375}" in capsys.readouterr().out


def test_accounts_that_left_the_files(applied, capsys):
    """Without names they are left out; asked for by name it is a failure that says why."""
    (applied.folder / "accounts.d" / "28375.yaml").unlink()
    assert applied.cli("sync") == 0
    assert capsys.readouterr().out == "Sync complete. 1 synced, 0 failed.\n"
    assert applied.cli("sync", "France") == 1
    assert "no longer in the files" in capsys.readouterr().out


def test_an_account_that_is_not_in_the_state_yet(applied, capsys):
    """It has to be applied first."""
    applied.account("Norway", "28376")
    assert applied.cli("sync", "Norway") == 1
    assert "not in the state yet" in capsys.readouterr().err


def test_a_sync_makes_no_state(project, capsys):
    """Without a state there is nothing to sync, and nothing is made."""
    project.account("Germany", "28374")
    assert project.cli("sync") == 1
    assert "no state at" in capsys.readouterr().err
    assert not project.state.exists()


def test_a_sync_waits_for_the_lock(applied, capsys):
    """While somebody writes it is refused, and says who it is."""
    from ekomi_reconcile.state.engine.lock import WriterLock

    with WriterLock(applied.state.with_name("state.db.lock"), operation="apply"):
        assert applied.cli("sync") == 1
    assert "another process is writing the state: apply by" in capsys.readouterr().err
