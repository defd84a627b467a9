"""validate: offline, complete, and clear."""

import json

import pytest


def test_a_good_project_is_valid(project, capsys):
    """Accounts and warnings are counted, exit 0."""
    project.account("Germany", "28374", more="tags: [digital]")
    assert project.cli("validate") == 0
    assert capsys.readouterr().out == "Valid: 1 account, 0 warnings.\n"


def test_it_needs_no_secret_no_order_and_no_state(project, monkeypatch, capsys):
    """Nothing but the files is looked at."""
    project.account("Germany", "28374", more="tags: [digital]")
    monkeypatch.delenv("PASSWORD_28374")
    (project.folder / "orders.jsonl").unlink()
    assert project.cli("validate") == 0
    assert not project.state.parent.exists()


def test_all_errors_of_all_files_come_in_one_run(project, capsys):
    """Three files with one mistake each are three diagnostics with place, rule and hint."""
    for number, line in enumerate(("pending_period: 1.5", "stor_views: [de]", "order_statuses: []"), start=1):
        project.account(f"A{number}", f"2837{number}", line)
    assert project.cli("validate") == 1
    found = capsys.readouterr()
    assert "\nInvalid: 3 errors" in found.out
    for number in (1, 2, 3):
        assert f"accounts.d/2837{number}.yaml:6:" in found.out
    assert (found.out.count("hint:") >= 3, found.err) == (True, "")


def test_json_has_everything_and_the_same_exit_code(project, capsys):
    """The JSON form has counts, rule ids, key paths and ranges."""
    project.account("Germany", "28374", "pending_period: 400")
    assert project.cli("validate", "--format", "json") == 1
    found = json.loads(capsys.readouterr().out)
    assert (found["valid"], found["error_count"]) == (False, 1)
    (each,) = [each for each in found["diagnostics"] if each["severity"] == "error"]
    assert each["rule"] == "out-of-range"
    assert each["key"] == "invitations.pending_period"
    assert each["range"]["start"]["line"] == 6
    assert each["hint"]


@pytest.mark.parametrize(("flags", "code"), [((), 0), (("--strict",), 1)])
def test_strict_fails_on_warnings(project, flags, code):
    """A warning passes, unless --strict."""
    project.account("Germany", "28374", "pending_period: 3")
    assert project.cli("validate", *flags) == code


def test_an_empty_folder_of_accounts_is_valid(project):
    """No account is a valid wish; what it would delete is for a guard to judge."""
    assert project.cli("validate") == 0


def test_an_invalid_project_stops_plan_with_the_same_findings(project, capsys):
    """plan and apply show what validate would show, and exit 1."""
    project.account("Germany", "28374", "pending_period: 400")
    assert project.cli("plan") == 1
    assert "out-of-range" in capsys.readouterr().err
