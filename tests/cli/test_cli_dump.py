"""dump: files that were lost, rebuilt from the state."""

import shutil

import pytest
from project_support import order


@pytest.fixture
def applied(project, capsys):
    """Three accounts, one of them with everything there is, applied."""
    more = "tags: [dach, 'no']\npriority: 3\nprotect: true\nlinks: {webshop_url: https://shop.example.com/a}"
    rules = (
        "pending_period: 3\nspread: 12h\nskip_orders_older_than: 90\nstore_views: {exclude: ['no']}\n"
        "customer_groups: [General, 'NOT LOGGED IN']\norder_statuses: [complete, shipped]\n"
        "cancel_statuses: [returned]\nskip_refunded: false\ndeliver: link\n"
        "conditions: {any: [{grand_total: {between: [5, 90.5]}}, {any_item: {sku: {starts_with: BK-}}}]}"
    )
    project.account("Germany 'Süd'", "28374", rules, more)
    project.account("France", "28375", "store_views: [fr]")
    project.account("Norway", "28376")
    project.orders([order(1), order(2, store_code="fr")])
    assert project.cli("apply", "--auto-approve") == 0
    capsys.readouterr()
    return project


def test_a_lost_folder_is_rebuilt(applied, capsys):
    """The dump of all accounts in an empty folder: the next plan has nothing to do, and fmt neither."""
    shutil.rmtree(applied.folder / "accounts.d")
    assert applied.cli("dump") == 0
    text = capsys.readouterr().out
    assert text.count("---\n") == 2
    assert "sandbox-de" not in text
    assert "${env:PASSWORD_28374}" in text
    (applied.folder / "accounts.d").mkdir()
    (applied.folder / "accounts.d" / "all.yaml").write_text(text, encoding="utf-8")
    assert applied.cli("fmt", "--check", str(applied.folder / "accounts.d")) == 0
    capsys.readouterr()
    assert applied.cli("plan", "--detailed-exitcode") == 0
    assert capsys.readouterr().out == "No changes. The state matches the files, and nothing is due.\n"


def test_some_accounts_by_name(applied, capsys):
    """Names, interface ids and patterns; files that are broken do not matter; what is unknown is an error."""
    (applied.folder / "accounts.d" / "28375.yaml").write_text("[")
    assert applied.cli("dump", "28376", "F*") == 0
    out = capsys.readouterr().out
    assert [line for line in out.splitlines() if line.startswith("name:")] == ["name: France", "name: Norway"]
    assert applied.cli("dump", "Germny") == 1
    assert 'unknown account "Germny"' in capsys.readouterr().err


def test_defaults_that_came_later_are_told(applied, capsys):
    """What cannot be said over them is a warning and exit code 1; the rest is printed all the same."""
    settings = applied.folder / "ekomi-reconcile.yaml"
    settings.write_text(settings.read_text() + "defaults: {invitations: {store_views: [de]}}\n")
    assert applied.cli("dump", "Norway") == 1
    found = capsys.readouterr()
    assert "name: Norway" in found.out
    assert "Warning: Norway was applied without 1 value (invitations.store_views)" in found.err


def test_without_a_state_there_is_nothing_to_dump(project, capsys):
    """It says so instead of printing nothing."""
    assert project.cli("dump") == 1
    assert capsys.readouterr().out == ""


def test_rule_keys_that_the_defaults_got_later_are_told(applied, capsys):
    """An account that invites no refunded orders still says so over other defaults; no list is no text."""
    settings = applied.folder / "ekomi-reconcile.yaml"
    later = "defaults: {invitations: {skip_refunded: false, cancel_statuses: [lost]}}\n"
    settings.write_text(settings.read_text() + later)
    assert applied.cli("dump", "Norway") == 1
    found = capsys.readouterr()
    assert "skip_refunded: true" in found.out
    assert "(invitations.cancel_statuses)" in found.err
