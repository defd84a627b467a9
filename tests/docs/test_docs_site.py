"""The documentation becomes a site that is whole and asks nobody else for anything."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from contextlib import contextmanager
from functools import partial
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import unquote, urldefrag, urlsplit

import pytest
from docs_blocks import DOCS, ROOT
from required_programs import program

LOADED = {("img", "src"), ("script", "src"), ("iframe", "src"), ("source", "src"), ("object", "data")}
STYLES = ("stylesheet", "icon", "preload", "preconnect", "dns-prefetch", "modulepreload")


class Page(HTMLParser):
    """What a page loads, where it leads, and the places in it that can be led to."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self.loads: list[str] = []
        self.links: list[str] = []
        self.anchors: set[str] = {""}
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Called for every element."""
        given = {name: value or "" for name, value in attrs}
        self.anchors |= {given[name] for name in ("id", "name") if name in given}
        self.loads += [value for name, value in given.items() if (tag, name) in LOADED]
        if tag == "link" and set(given.get("rel", "").split()) & set(STYLES):
            self.loads.append(given["href"])
        if tag == "a" and "href" in given:
            self.links.append(given["href"])


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The site, built strictly: a warning, such as a link that leads nowhere, is an error."""
    folder = tmp_path_factory.mktemp("site")
    build = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    quiet = {**os.environ, "NO_MKDOCS_2_WARNING": "1", "DISABLE_MKDOCS_2_WARNING": "true"}
    run = subprocess.run(build, cwd=ROOT, env=quiet, check=False, capture_output=True, text=True, timeout=180)
    assert run.returncode == 0, run.stderr
    assert "WARNING" not in run.stderr
    return folder


@pytest.fixture(scope="module")
def pages(site):
    """All pages but that for what is not found, whose addresses are those of a server."""
    return [Page(path) for path in site.rglob("*.html") if path.name != "404.html"]


@pytest.mark.slow
def test_every_page_is_in_the_site(site, pages):
    """Each Markdown file of docs is a page, and reached from the first one."""
    written = {page.path.relative_to(site).as_posix() for page in pages}
    for source in DOCS.rglob("*.md"):
        name = source.relative_to(DOCS).with_suffix("").as_posix()
        name = name.removesuffix("README").removesuffix("index").strip("/")
        assert f"{name}/index.html".lstrip("/") in written
    home = next(page for page in pages if page.path == site / "index.html")
    assert any("tutorial" in link for link in home.links)


def test_nothing_is_loaded_from_elsewhere(site, pages):
    """No page, style or font comes from another server."""
    elsewhere = [load for page in pages for load in page.loads if urlsplit(load).netloc]
    assert elsewhere == []
    for style in site.rglob("*.css"):
        text = style.read_text("utf-8")
        assert not re.search(r"url\(\s*['\"]?(?:https?:)?//|@import", text), style
    assert not any('class="mermaid"' in page.path.read_text("utf-8") for page in pages)


def test_every_link_leads_to_a_place(site, pages):
    """Links within the site name files that are there, and headings that are on their page."""
    anchors = {page.path: page.anchors for page in pages}
    broken = []
    for page in pages:
        for link in (*page.links, *page.loads):
            address, anchor = urldefrag(link)
            if urlsplit(link).scheme:
                continue
            target = (page.path.parent / unquote(address)).resolve() if address else page.path
            target = target / "index.html" if target.is_dir() else target
            known = anchors.get(target, {unquote(anchor)})
            if not target.is_file() or unquote(anchor) not in known:
                broken.append(f"{page.path.relative_to(site)}: {link}")
    assert broken == []


def test_the_search_is_built_in(site):
    """The index of the search is a file of the site, and knows the pages."""
    text = (site / "search" / "search_index.json").read_text("utf-8")
    assert "at-most-once" in text
    assert "reference/features" in text


@pytest.mark.parametrize(
    ("words", "page"),
    [
        ("GDPR", "how-to/opt-outs/"),
        ("DSGVO", "how-to/opt-outs/"),
        ("unsubscribe", "how-to/opt-outs/"),
        ("opt-out", "reference/glossary/"),
        ("dry run", "plan/"),
        ("stop sending", "how-to/stop-sending-now/"),
        ("unknown-key", "reference/diagnostics/"),
        ("max_sends", "reference/project/"),
    ],
)
def test_the_search_finds_what_people_look_for(site, words, page):
    """Words that are not our own terms lead to the page, too."""
    index = json.loads((site / "search" / "search_index.json").read_text("utf-8"))
    found = {
        each["location"].partition("#")[0]
        for each in index["docs"]
        if words.lower() in f"{each['title']} {each['text']}".lower()
    }
    assert page in found


def test_only_commands_can_be_copied(site):
    """What a command prints has no button to copy it, and looks different; a command has one."""
    page = (site / "commands" / "plan" / "index.html").read_text("utf-8")
    assert re.findall(r'<div class="(language-\w+ )(no-copy )?', page)[:3] == [
        ("language-text ", "no-copy "),
        ("language-sh ", ""),
        ("language-console ", "no-copy "),
    ]


def test_decisions_are_a_table_and_not_in_the_sidebar(site):
    """The table has all of them; the changelog and the version are in the site."""
    table = (site / "decisions" / "index.html").read_text("utf-8")
    numbers = {path.name[:4] for path in (DOCS / "decisions").glob("0*.md")}
    assert set(re.findall(r'href="(\d{4})-', table)) == numbers
    assert (
        'href="../decisions/0' not in (site / "plan" / "index.html").read_text("utf-8").split("<article")[0]
    )
    home = (site / "index.html").read_text("utf-8")
    assert "ekomi-reconcile 0.1.0" in home
    assert "0.1.0" in (site / "changelog" / "index.html").read_text("utf-8")


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1024, 1440])
def test_the_site_works_in_a_browser(site, tmp_path, width, scheme):
    """The first page shows YAML, plan and report without scrolling sideways, and the search opens a page."""
    from playwright.sync_api import sync_playwright

    with served(site) as address, sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
        failed = []
        page.on("requestfailed", lambda request: failed.append(request.url))
        page.on("pageerror", lambda error: failed.append(str(error)))
        page.goto(address)
        page.screenshot(path=tmp_path / f"site-{width}-{scheme}.png")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        last = page.locator(".first .language-console").bounding_box()
        assert last is not None
        assert width < 1440 or last["y"] + last["height"] <= 900
        page.goto(f"{address}at-most-once/")
        drawing = page.locator(".diagram svg").first.bounding_box()
        assert drawing is not None
        assert drawing["width"] <= width
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        page.goto(f"{address}?q=unsubscribe")
        page.locator(".md-search-result__link").first.wait_for(state="attached")
        assert "opt-outs" in (page.locator(".md-search-result__link").first.get_attribute("href") or "")
        assert failed == []
        browser.close()


@contextmanager
def served(folder):
    """The folder at an address of its own."""
    handler = partial(Quiet, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


class Quiet(SimpleHTTPRequestHandler):
    """A server of files that logs nothing."""

    def log_message(self, *_):
        """Nothing."""
