"""Fenced blocks of the documentation, with the remark that stands before them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
DOCS = ROOT / "docs"

_FENCE = re.compile(
    r"^(?:<!-- (?P<remark>[^\n]+?) -->\n)?(?P<indent> *)```(?P<language>\S*)(?: (?P<info>[^\n]*))?\n"
    r"(?P<text>.*?)^(?P=indent)```$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: its language, title and text, and the comment right before it."""

    page: str
    language: str
    title: str | None
    remark: str
    text: str

    @property
    def exit_code(self) -> int:
        """With what its commands end: 0, or what the remark says (``exit: 1``)."""
        found = re.search(r"\bexit: (\d+)", self.remark)
        return int(found[1]) if found else 0

    @property
    def moment(self) -> str | None:
        """What has happened meanwhile, as the remark says (``when: eKomi answers``)."""
        found = re.search(r"\bwhen: ([^;]+)", self.remark)
        return found and found[1]


def blocks(page: Path) -> Iterator[Block]:
    """The fenced blocks of a page, from top to bottom."""
    yield from _blocks(page, page.read_text("utf-8"))


def sections(page: Path) -> dict[str, list[Block]]:
    """The fenced blocks below each heading of the second level, by its anchor."""
    parts = re.split(r"^## (.+)$", page.read_text("utf-8"), flags=re.MULTILINE)[1:]
    return {anchor(parts[at]): list(_blocks(page, parts[at + 1])) for at in range(0, len(parts), 2)}


def anchor(heading: str) -> str:
    """The anchor of a heading, as the site makes it."""
    return re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-")


def _blocks(page: Path, text: str) -> Iterator[Block]:
    for found in _FENCE.finditer(text):
        title = re.search(r'title="([^"]+)"', found["info"] or "")
        yield Block(
            page=page.relative_to(ROOT).as_posix(),
            language=found["language"],
            title=title and title[1],
            remark=found["remark"] or "",
            text=re.sub(f"^{found['indent']}", "", found["text"], flags=re.MULTILINE),
        )


def loosely(text: str) -> list[str]:
    """The lines of an output without what differs from day to day: figures, times, columns."""
    plain = re.sub(r"\d+", "0", text)
    return [re.sub(r"\s+", " ", line).strip() for line in plain.splitlines() if line.strip()]


def check_output(shown: str, real: str) -> None:
    """Every line that the page shows is there, in its order; ``…`` stands for anything."""
    rest = iter(loosely(real))
    for line in loosely(shown):
        if line == "…":
            continue
        pattern = re.compile(re.escape(line).replace("…", ".*"))
        assert any(pattern.fullmatch(each) for each in rest), f"not there, or not here: {line}\n{real}"
