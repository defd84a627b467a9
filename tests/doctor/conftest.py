"""What the tests of the self-test share."""

import pytest
from doctor_support import Clinic


@pytest.fixture
def clinic(project, capsys):
    """A healthy project: one account, no state yet."""
    project.account("Germany", "28374", "pending_period: 7\nstore_views: [de]")
    return Clinic(project, capsys)
