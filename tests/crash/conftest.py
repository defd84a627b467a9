"""The long tier of the crash tests: hundreds of kills, only where SLOW_TESTS is set."""

import os
from itertools import count
from pathlib import Path

import pytest

_HERE = Path(__file__).parent
_NUMBERS = count(1)


def pytest_configure(config):
    """Register the marker of the long tier."""
    config.addinivalue_line("markers", "slow: minutes of kills; runs only where SLOW_TESTS is set")


def pytest_collection_modifyitems(items):
    """Leave the long tier out unless it is asked for."""
    if os.environ.get("SLOW_TESTS"):
        return
    for item in items:
        if _HERE in item.path.parents and item.get_closest_marker("slow"):
            item.add_marker(pytest.mark.skip(reason="set SLOW_TESTS=1 for the long tier"))


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
