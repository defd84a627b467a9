"""What the loop's tests share. ``HYPOTHESIS_PROFILE=long`` tries ten times as many examples."""

import os

import pytest
from hypothesis import settings
from support_loop import IDS, Loop, shops

settings.register_profile(
    "long", max_examples=10 * settings.get_profile("default").max_examples, deadline=None
)
if os.environ.get("HYPOTHESIS_PROFILE") == "long":
    settings.load_profile("long")


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
