"""A small part of ``python -m tests.fuzz`` with every push."""

import pytest

from tests.fuzz.__main__ import fuzz
from tests.fuzz.targets import TARGETS, targets


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """All targets."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PASSWORD_28374", "sandbox-de")
        patch.delenv("CI", raising=False)
        with targets(tmp_path_factory.mktemp("fuzz")) as made:
            yield {each.name: each for each in made}


@pytest.mark.sampled(3)
@pytest.mark.parametrize("name", TARGETS)
def test_damaged_documents_are_read_or_refused(found, name):
    """No internal error, whatever is wrong with a document."""
    tally = fuzz(found[name], 40, 7)
    assert tally.faults == []
    assert tally.read + tally.refused == 40
