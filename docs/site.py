# noqa: INP001 - mkdocs runs this file; it is no part of a package
"""What mkdocs does beyond Markdown.

- The pages of the commands are put into the navigation, under the headings of ``tools/commands.yaml``.
- The page of the decisions gets a table of them; they are not in the sidebar.
- The changelog is a page, and the footer names the version.
- What a command prints looks different from what one types, and has no button to copy it.
- Diagrams are put into the page, so that they follow its colours.
- A link to a file of the repository that is no page leads to a copy in the site, under ``source/``; one to a
  folder leads to a page with what is in it. So the site is whole wherever it is served.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files, InclusionLevel
from mkdocs.structure.pages import Page
from mkdocs.utils import get_relative_url

DOCS = Path(__file__).parent
ROOT = DOCS.parent
COPIES = "source"
CHANGELOG = "changelog.md"
DECISIONS = "decisions/README.md"
_LINK = re.compile(r"(?<=\]\()(?P<target>[^()#:\s]+)(?=(?:#[^()\s]*)?\))")
_OUTPUT = re.compile(
    r"^(?P<fence> *```)(?P<kind>console|text)(?: (?P<title>title=\"[^\"]*\"))?$", re.MULTILINE
)
_DIAGRAM = re.compile(
    r"^!\[(?P<text>[^\]]+)\]\((?P<target>[^()\s]*images/diagram-[a-z-]+\.svg)\)$", re.MULTILINE
)


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put every command into the navigation, and the version into the footer."""
    commands = next(part["Commands"] for part in config.nav or () if "Commands" in part)
    groups = yaml.safe_load((ROOT / "tools" / "commands.yaml").read_text("utf-8"))["groups"]
    pages = sorted((DOCS / "commands").glob("*.md"))
    for title, names in groups.items():
        of_group = [page for name in names for page in pages if _belongs(page, name, pages)]
        commands.append({title: [{_title(page): f"commands/{page.name}"} for page in of_group]})
    config.copyright = f"ekomi-reconcile {_version()}"
    return config


def _belongs(page: Path, name: str, pages: list[Path]) -> bool:
    """Is it the page of this command, or of one of its group?"""
    alone = any(each.stem == name for each in pages)
    return page.stem == name if alone else page.stem.startswith(f"{name}-")


def _title(page: Path) -> str:
    return page.read_text("utf-8").partition("\n")[0].removeprefix("# ")


def _version() -> str:
    found = re.search(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    return found[1] if found else ""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the changelog, and what pages link to and mkdocs would not take along."""
    files.append(File.generated(config, CHANGELOG, content=(ROOT / "CHANGELOG.md").read_text("utf-8")))
    for page in (*DOCS.rglob("*.md"), ROOT / "CHANGELOG.md"):
        for target in _LINK.findall(page.read_text("utf-8")):
            for file in _copies(page, target, config):
                if file.src_uri not in files.src_uris:
                    files.append(file)
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Complete the page: table, diagrams, looks of output, links to where their files are in the site."""
    uri = page.file.src_uri
    if uri == "index.md":
        page.meta["hide"] = ["navigation", "toc"]
    source = ROOT / "CHANGELOG.md" if uri == CHANGELOG else DOCS / uri
    if uri == DECISIONS:
        markdown += "\n".join(["", "| | decision | date |", "|---|---|---|", *_decisions(), ""])
    markdown = _DIAGRAM.sub(lambda image: _inline(source, image["target"], image["text"]), markdown)
    markdown = _OUTPUT.sub(_as_output, markdown)
    return _LINK.sub(lambda link: _rewritten(source, link["target"], page), markdown)


def _decisions() -> Iterator[str]:
    for path in sorted((DOCS / "decisions").glob("0*.md")):
        text = path.read_text("utf-8")
        number, _, title = _title(path).partition(". ")
        date = re.search(r"^\*\w+, (\d{4}-\d\d-\d\d)\*$", text, re.MULTILINE)
        yield f"| {number} | [{title}]({path.name}) | {date[1] if date else ''} |"


def _inline(source: Path, target: str, text: str) -> str:
    drawing = (source.parent / target).read_text("utf-8")
    return f'<figure class="diagram" role="img" aria-label="{text}">\n{drawing.strip()}\n</figure>'


def _as_output(fence: re.Match[str]) -> str:
    """Without a button to copy it, unless it is a file."""
    title = f" {fence['title']}" if fence["title"] else ""
    if fence["kind"] == "text" and title and title != ' title="Usage"':
        return fence[0]
    return f"{fence['fence']} {{ .{fence['kind']} .no-copy{title} }}"


def _rewritten(source: Path, target: str, page: Page) -> str:
    place = _place(source, target)
    if place is None:
        return target
    return get_relative_url(place, page.file.src_uri)


def _place(source: Path, target: str) -> str | None:
    """Where a copy of the file or a page of the folder is; ``None``: the link is good as it is."""
    found = (source.parent / target).resolve()
    if found == ROOT / "CHANGELOG.md":
        return CHANGELOG
    if not found.exists() or not found.is_relative_to(ROOT):
        return None
    if found.is_dir():
        inside = found.is_relative_to(DOCS) and (found / "README.md").exists()
        return f"{found.relative_to(DOCS)}/README.md" if inside else f"{COPIES}/{found.relative_to(ROOT)}.md"
    if found.is_relative_to(DOCS):
        return None if source.is_relative_to(DOCS) else found.relative_to(DOCS).as_posix()
    return f"{COPIES}/{found.relative_to(ROOT)}"


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
