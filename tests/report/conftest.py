"""A shop with a past, and one browser for all tests of a module."""

import pytest
import report_support
import required_programs
from browser_options import OFFLINE


@pytest.fixture(scope="session")
def shop(tmp_path_factory):
    """A folder with the state of a shop, only to be read."""
    folder = tmp_path_factory.mktemp("shop")
    report_support.make_shop(folder)
    return folder


@pytest.fixture(scope="module")
def browser():
    """A real browser."""
    from playwright.sync_api import sync_playwright

    path = required_programs.program("chromium")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=OFFLINE)
        yield started
        started.close()
