"""A repository, and a git that knows nothing of the person who runs the tests."""

import pytest
from pull_request_support import GIT_ENVIRONMENT, repository


@pytest.fixture(autouse=True)
def _own_git(monkeypatch):
    """No settings of git from outside, and no variable of a CI system that runs these tests."""
    for name, value in GIT_ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    for name in ("GITHUB_WORKSPACE", "GITHUB_STEP_SUMMARY", "GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def repo(tmp_path):
    """A repository with one account on main, on a branch of its own."""
    made = repository(tmp_path / "repo")
    made.git("switch", "-q", "-c", "feature")
    return made
