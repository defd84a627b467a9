"""A webhook for every test that wants one."""

import pytest
from notify_support import Served


@pytest.fixture
def hook():
    """A served webhook."""
    with Served() as served:
        yield served
