"""What the loop's tests share."""

import pytest
from support_loop import IDS, Loop, shops


@pytest.fixture(autouse=True)
def _passwords(monkeypatch):
    """The passwords that the account files refer to."""
    for key in IDS:
        monkeypatch.setenv(f"LOOP_PASSWORD_{key}", f"password-{key}")


@pytest.fixture
def loop(tmp_path, sandbox):
    """An empty project beside an eKomi that knows the accounts of these tests."""
    shops(sandbox)
    return Loop(tmp_path / "project", sandbox)
