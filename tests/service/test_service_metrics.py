"""apply --metrics-out: the figures of a run in a file for the textfile collector."""

import os
import stat

import click
import pytest
from project_support import order, settings
from prometheus_client.parser import text_string_to_metric_families

from ekomi_reconcile.cli.main import app
from ekomi_reconcile.cli.run import MetricsFile
from ekomi_reconcile.model.diagnostic import Incident
from ekomi_reconcile.model.errors import ReconcileError

RUN = ("apply", "--auto-approve", "--metrics-out", "ekomi.prom")
SUCCESS = "ekomi_reconcile_last_success_timestamp_seconds"


@pytest.fixture
def begun(project):
    """An account with one order that is due and one that waits."""
    project.account("Germany", "28374", "pending_period: 2")
    project.orders([order(1), order(2, age_days=1)])
    return project


def figures(project):
    """The samples in the file: by name, and where there are labels by their values, too."""
    text = (project.folder / "ekomi.prom").read_text("utf-8")
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return {" ".join((each.name, *each.labels.values())): each.value for each in samples}


def test_a_run_leaves_its_figures(begun):
    """How it ended, what it did, what waits; the file is readable to others and nothing lies beside it."""
    before = os.umask(0o077)
    try:
        assert begun.cli(*RUN) == 0
    finally:
        os.umask(before)
    found = figures(begun)
    assert found["ekomi_reconcile_cycle_outcome ok"] == 1
    assert found["ekomi_reconcile_cycle_outcome failed"] == 0
    assert found["ekomi_reconcile_cycle_steps sent"] == 1
    assert found["ekomi_reconcile_cycle_failures"] == 0
    assert found["ekomi_reconcile_queue Germany pending"] == 1
    assert found["ekomi_reconcile_oldest_due_seconds"] == 0
    assert found[SUCCESS] == found["ekomi_reconcile_last_cycle_timestamp_seconds"] > 0
    assert stat.S_IMODE((begun.folder / "ekomi.prom").stat().st_mode) == 0o644
    assert [each.name for each in begun.folder.iterdir() if "prom" in each.name] == ["ekomi.prom"]


def test_a_failed_run_says_so_and_keeps_the_last_success(begun, sandbox):
    """Where the files are wrong, where something failed, where a guard refuses: the file is written anew."""
    assert begun.cli(*RUN) == 0
    success = figures(begun)[SUCCESS]
    begun.settings("version: 2\n")
    assert begun.cli(*RUN) == 1
    found = figures(begun)
    assert (found["ekomi_reconcile_cycle_outcome failed"], found[SUCCESS]) == (1, success)
    assert "ekomi_reconcile_queue Germany pending" not in found
    begun.settings(settings(sandbox.url))
    begun.account("Elsewhere", "99999")
    assert begun.cli(*RUN) == 1
    found = figures(begun)
    assert (found["ekomi_reconcile_cycle_outcome incomplete"], found[SUCCESS]) == (1, success)
    assert found["ekomi_reconcile_cycle_failures"] >= 1


def test_nobody_to_ask_is_a_failed_run(begun):
    """A scheduled run that forgot --auto-approve does nothing, and that is to be seen."""
    assert begun.cli("apply", "--metrics-out", "ekomi.prom") == 1
    assert figures(begun)["ekomi_reconcile_cycle_outcome failed"] == 1


def test_a_place_that_cannot_be_used_is_refused_before_anything_is_done(begun, sandbox, capsys):
    """A file of somebody else stays as it is; a folder that is not there is told."""
    (begun.folder / "ekomi.prom").write_text("node_load1 0.3\n")
    assert begun.cli(*RUN) == 1
    assert "holds something else than figures" in capsys.readouterr().err
    assert (begun.folder / "ekomi.prom").read_text() == "node_load1 0.3\n"
    assert begun.cli("apply", "--auto-approve", "--metrics-out", "nowhere/ekomi.prom") == 1
    assert "choose another place for --metrics-out" in capsys.readouterr().err
    assert list(sandbox.world.outbox.entries()) == []


def test_losing_the_file_stops_nothing(tmp_path, capsys):
    """Where the folder is gone in the end the run still counts, but its exit code is an error."""
    folder = tmp_path / "figures"
    folder.mkdir()
    with click.Context(app):
        file = MetricsFile(folder / "ekomi.prom")
    folder.rmdir()
    with pytest.raises(ReconcileError, match="eKomi is away"), file:
        raise ReconcileError("eKomi is away")
    assert "figures cannot be written to" in capsys.readouterr().err
    assert [file.judge(code) for code in (0, 1, 130)] == [1, 1, 130]


def test_incidents_are_named(begun, sandbox, monkeypatch):
    """Each known incident has a figure, by the id of its guide: 1 after a run that showed it."""
    assert begun.cli(*RUN) == 0
    names = {each.value for each in Incident}
    assert {name for name in names if figures(begun)[f"ekomi_reconcile_incident {name}"] == 0} == names
    monkeypatch.setenv("PASSWORD_28374", "of-another-account")
    assert begun.cli(*RUN) == 1
    assert figures(begun)["ekomi_reconcile_incident wrong-password"] == 1
    begun.state.unlink()
    assert begun.cli(*RUN) == 1
    found = figures(begun)
    assert {name for name in names if found[f"ekomi_reconcile_incident {name}"]} == {"state-lost"}
