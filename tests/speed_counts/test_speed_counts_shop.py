"""What reading a shop costs in requests."""

import pytest

from tests.orders_magento.magento_support import opened, orders, read


@pytest.mark.parametrize(("count", "most"), [(100, 3), (500, 7)])
def test_requests_follow_the_pages(count, most):
    """A first load asks for a page of 100 orders once, and for little besides."""
    with opened(orders(count)) as case:
        found, _, problems = read(case.source())
        asked = len(case.asked())
    assert (len(found), problems) == (count, [])
    assert asked <= most
