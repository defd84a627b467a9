"""A project that is in step with its eKomi, right before something goes wrong."""

import pytest


@pytest.fixture
def trial(project, sandbox, monkeypatch):
    """Germany sends by e-mail, France makes links; both exist, nothing is due yet, all data are canaries."""
    from faults_support import PASSWORD, Trial

    sandbox.world.shops["28374"].password = PASSWORD
    monkeypatch.setenv("PASSWORD_28374", PASSWORD)
    made = Trial(project, sandbox)
    made.settings()
    made.accounts()
    assert project.cli("-q", "apply", "--auto-approve") == 0
    return made
