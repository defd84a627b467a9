"""The long tier of the crash tests: hundreds of kills, only where SLOW_TESTS is set."""

import os
from pathlib import Path

import pytest

_HERE = Path(__file__).parent


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
    """A project whose invitations go through the gate."""
    from crash_support import gated_settings
    from project_support import PASSWORDS, Project

    for interface_id, password in PASSWORDS.items():
        monkeypatch.setenv(f"PASSWORD_{interface_id}", password)
    monkeypatch.delenv("CI", raising=False)
    made = Project(tmp_path)
    made.settings(gated_settings(gate))
    made.orders([])
    return made
