"""What the crash tests share."""

from itertools import count

import pytest

_NUMBERS = count(1)


@pytest.fixture(autouse=True)
def _counted(record_property):
    """How many processes a test killed is a figure of the run (``pytest_terminal_summary``)."""
    from crash_support import KILLS

    before = KILLS.total()
    yield
    record_property("kills", KILLS.total() - before)


@pytest.fixture
def gate():
    """An eKomi whose add-recipient a test watches, holds and uses as the moment of a kill."""
    from crash_support import Gate

    with Gate() as made:
        yield made


@pytest.fixture
def gated(tmp_path, monkeypatch, gate):
    """A project whose invitations go through the gate, its state in a file."""
    from crash_support import Gated

    return _prepared(Gated(tmp_path), gate, monkeypatch)


@pytest.fixture
def shared(tmp_path, monkeypatch, gate, server):
    """The same with its state on PostgreSQL."""
    from crash_support import Gated

    project = Gated(tmp_path / "project", server, f"crash{next(_NUMBERS)}")
    project.folder.mkdir()
    monkeypatch.setenv("STATE_URL", server.url(schema=project.schema))
    monkeypatch.setenv("STATE_KEY", "k" * 32)
    return _prepared(project, gate, monkeypatch)


@pytest.fixture(params=["file", "postgres"])
def anywhere(request):
    """The same on each kind of store."""
    return request.getfixturevalue("gated" if request.param == "file" else "shared")


def _prepared(project, gate, monkeypatch):
    from crash_support import gated_settings
    from project_support import PASSWORDS

    for interface_id, password in PASSWORDS.items():
        monkeypatch.setenv(f"PASSWORD_{interface_id}", password)
    monkeypatch.delenv("CI", raising=False)
    project.settings(gated_settings(gate))
    project.orders([])
    return project
