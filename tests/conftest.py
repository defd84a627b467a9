"""What every test of the project has: a clean environment, and an eKomi of its own if it asks for one."""

import os

import pytest
from hypothesis import settings
from tiers import LONG, left_out

settings.register_profile("push", deadline=None, max_examples=25, derandomize=True)
settings.register_profile("nightly", deadline=None, max_examples=200)
settings.load_profile("nightly" if LONG else "push")
"""A push is judged by the same examples every time, however busy the machine is; nights try new ones."""

PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")


def pytest_configure(config):
    """Register the markers of the tiers (``tiers``)."""
    config.addinivalue_line("markers", "slow: takes minutes; runs only where SLOW_TESTS is set")
    config.addinivalue_line("markers", "sampled(n): every n-th case with a push, all where SLOW_TESTS is set")


def pytest_collection_modifyitems(config, items):
    """Leave out what only the nightly tier runs."""
    left = left_out(items)
    if left:
        config.hook.pytest_deselected(items=left)
        gone = {id(each) for each in left}
        items[:] = [each for each in items if id(each) not in gone]
    for item in items:
        if not LONG and item.get_closest_marker("slow"):
            item.add_marker(pytest.mark.skip(reason="set SLOW_TESTS=1 for the nightly tier"))


def pytest_terminal_summary(terminalreporter):
    """Print how many processes the crash tests killed."""
    reports = [each for found in terminalreporter.stats.values() for each in found]
    kept = [
        dict(getattr(each, "user_properties", ()))
        for each in reports
        if getattr(each, "when", "") == "teardown"
    ]
    kills = sum(each.get("kills", 0) for each in kept)
    if kills:
        terminalreporter.write_line(f"{kills} processes killed by crash tests")


def pytest_xdist_auto_num_workers(config):
    """More workers than processors: tests of faults, kills and browsers wait a good part of their time."""
    return 2 * (os.cpu_count() or 1)


@pytest.fixture(autouse=True, scope="session")
def _clean_environment():
    """No settings of the person who runs the tests, and no proxy between a test and its own server."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith("EKOMI_RECONCILE_") or name.upper() in {*PROXIES, "CI"}:
                patch.delenv(name)
        patch.setenv("NO_PROXY", "*")
        yield


@pytest.fixture
def sandbox():
    """A started sandbox with a fresh world, on a free port of loopback."""
    from ekomi_reconcile.sandbox.server import SandboxServer

    with SandboxServer() as server:
        yield server


@pytest.fixture(scope="session")
def server():
    """A PostgreSQL server, started by the first test that asks for it; each test has schemas of its own."""
    from state_server import running_server

    with running_server() as started:
        yield started


@pytest.fixture
def project(tmp_path, sandbox, monkeypatch):
    """A project folder with an empty order file, an eKomi of its own, and all passwords set."""
    from project_support import PASSWORDS, Project, settings

    for interface_id, password in PASSWORDS.items():
        monkeypatch.setenv(f"PASSWORD_{interface_id}", password)
    monkeypatch.delenv("CI", raising=False)
    made = Project(tmp_path)
    (tmp_path / "accounts.d").mkdir()
    made.settings(settings(sandbox.url))
    made.orders([])
    return made
