# noqa: INP001 - mkdocs runs this file; it is no part of a package
"""What mkdocs does beyond Markdown: the list of decisions, and links that lead out of this folder.

A link to a file of the repository that is no page leads to a copy in the site, under ``source/``; one to a
folder leads to a page with what is in it. So the site is whole wherever it is served.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files, InclusionLevel
from mkdocs.structure.pages import Page
from mkdocs.utils import get_relative_url

DOCS = Path(__file__).parent
ROOT = DOCS.parent
COPIES = "source"
_LINK = re.compile(r"(?<=\]\()(?P<target>[^()#:\s]+)(?=(?:#[^()\s]*)?\))")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put every decision into the navigation, in their order."""
    decisions = next(part["Decisions"] for part in config.nav or () if "Decisions" in part)
    decisions[1:] = [f"decisions/{page.name}" for page in sorted((DOCS / "decisions").glob("0*.md"))]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add what pages link to and mkdocs would not take along."""
    for page in DOCS.rglob("*.md"):
        for target in _LINK.findall(page.read_text("utf-8")):
            for file in _copies(page, target, config):
                if file.src_uri not in files.src_uris:
                    files.append(file)
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Lead links to where their files are in the site."""
    source = DOCS / page.file.src_uri
    return _LINK.sub(lambda link: _rewritten(source, link["target"], page), markdown)


def _rewritten(source: Path, target: str, page: Page) -> str:
    place = _place(source, target)
    if place is None:
        return target
    return get_relative_url(place, page.file.src_uri)


def _place(source: Path, target: str) -> str | None:
    """Where a copy of the file or a page of the folder is; ``None``: the link is good as it is."""
    found = (source.parent / target).resolve()
    if not found.exists() or not found.is_relative_to(ROOT):
        return None
    if found.is_dir():
        inside = found.is_relative_to(DOCS) and (found / "README.md").exists()
        return f"{found.relative_to(DOCS)}/README.md" if inside else f"{COPIES}/{found.relative_to(ROOT)}.md"
    return None if found.is_relative_to(DOCS) else f"{COPIES}/{found.relative_to(ROOT)}"


def _copies(source: Path, target: str, config: MkDocsConfig) -> list[File]:
    place = _place(source, target)
    if place is None or not place.startswith(f"{COPIES}/"):
        return []
    found = (source.parent / target).resolve()
    if found.is_file():
        return [File.generated(config, place, abs_src_path=str(found))]
    inside = sorted(each for each in found.iterdir() if each.is_file())
    listing = "".join(f"- [{each.name}]({found.name}/{each.name})\n" for each in inside)
    page = File.generated(
        config,
        place,
        content=f"# {found.relative_to(ROOT)}\n\n{listing}",
        inclusion=InclusionLevel.NOT_IN_NAV,
    )
    copies = [
        File.generated(config, f"{COPIES}/{each.relative_to(ROOT)}", abs_src_path=str(each))
        for each in inside
    ]
    return [page, *copies]
