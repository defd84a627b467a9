"""A small shop that is served, for the tests that do not need another one."""

from collections.abc import Iterator

import pytest

from tests.orders_magento.magento_support import Case, opened


@pytest.fixture
def case() -> Iterator[Case]:
    """Five orders."""
    with opened() as made:
        yield made
