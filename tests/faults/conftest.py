"""A project that is in step with its eKomi, right before something goes wrong."""

from itertools import count

import pytest

_NUMBERS = count(1)


@pytest.fixture
def trial(project, sandbox, monkeypatch):
    """Germany sends by e-mail, France makes links; both exist, nothing is due yet, all data are canaries."""
    from faults_support import Trial

    return _in_step(Trial(project, sandbox), monkeypatch)


@pytest.fixture
def shared(project, sandbox, monkeypatch, server):
    """The same with its state on PostgreSQL."""
    from faults_support import Trial

    made = Trial(project, sandbox, server, f"faults{next(_NUMBERS)}")
    monkeypatch.setenv("STATE_URL", server.url(schema=made.schema))
    monkeypatch.setenv("STATE_KEY", "k" * 32)
    return _in_step(made, monkeypatch)


@pytest.fixture(params=["trial", "shared"], ids=["file", "postgres"])
def anywhere(request):
    """The same on each kind of store."""
    return request.getfixturevalue(request.param)


def _in_step(made, monkeypatch):
    from faults_support import PASSWORD

    made.sandbox.world.shops["28374"].password = PASSWORD
    monkeypatch.setenv("PASSWORD_28374", PASSWORD)
    made.settings()
    made.accounts()
    assert made.project.cli("-q", "apply", "--auto-approve") == 0
    return made
