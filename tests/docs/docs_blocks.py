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
        return int(self.remark.removeprefix("exit: ")) if self.remark.startswith("exit: ") else 0


def blocks(page: Path) -> Iterator[Block]:
    """The fenced blocks of a page, from top to bottom."""
    for found in _FENCE.finditer(page.read_text("utf-8")):
        title = re.search(r'title="([^"]+)"', found["info"] or "")
        yield Block(
            page=page.relative_to(ROOT).as_posix(),
            language=found["language"],
            title=title and title[1],
            remark=found["remark"] or "",
            text=re.sub(f"^{found['indent']}", "", found["text"], flags=re.MULTILINE),
        )
