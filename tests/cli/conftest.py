"""A project with a past, one of everything, and no secret set."""

import shutil

import pytest
from project_support import Project
from recorded_support import make_past

SETTINGS = """\
version: 1
orders: {file: orders.jsonl}
defaults: {invitations: {pending_period: 21}}
"""


@pytest.fixture(scope="session")
def past(tmp_path_factory):
    """The project as it is made once: making a state costs more than most tests."""
    made = Project(tmp_path_factory.mktemp("past"))
    made.settings(SETTINGS)
    links = "links: {submit_url: https://shop.example.com/submit}"
    made.account("Germany", "28374", "store_views: [de]\npending_period: 7", links)
    made.account("Norway", "28376", "store_views: [no]")
    make_past(made.folder)
    return made.folder


@pytest.fixture
def recorded(past, tmp_path):
    """A copy of it, whose state was made through the state's own interface."""
    return Project(shutil.copytree(past, tmp_path, dirs_exist_ok=True))
