"""Places for states of every kind, shared with the tests of the state itself."""

from itertools import count

import pytest
from state_support import KEY, Store

_NUMBERS = count(1)


@pytest.fixture
def place(request, tmp_path):
    """Makes a place without a state, by its kind."""

    def make(kind):
        number = next(_NUMBERS)
        if kind == "file":
            return Store(f"state{number}.db", tmp_path)
        server = request.getfixturevalue("server")
        return Store(server.url(schema=f"care{number}"), tmp_path, KEY)

    return make


@pytest.fixture(params=["file", "postgres"])
def store(request, place):
    """A place without a state, of each kind."""
    return place(request.param)
