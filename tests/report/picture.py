"""Makes docs/images/report.png: the report about the made-up shop of the tests, in a real browser.

``python tests/report/picture.py``; needs the extras of the tests and Chromium. The picture in the repository
was made with the font Inter installed (Debian: fonts-inter).
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
SIZE = {"width": 1280, "height": 1240}


def main() -> None:
    """Write the picture."""
    sys.path[:0] = [str(ROOT), str(ROOT / "tests")]
    import report_support
    import required_programs
    from browser_options import OFFLINE
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        report_support.make_shop(Path(folder), trouble=0)
        page = Path(folder) / "index.html"
        page.write_text(report_support.page_of(Path(folder)), encoding="utf-8")
        browser = playwright.chromium.launch(
            executable_path=required_programs.program("chromium"), args=OFFLINE
        )
        shown = browser.new_page(viewport=SIZE, color_scheme="light")
        shown.goto(page.as_uri())
        shown.screenshot(path=ROOT / "docs" / "images" / "report.png")
        browser.close()


if __name__ == "__main__":
    main()
