"""Markdown from which text of others cannot break out, nor call anybody.

Whatever a user wrote stands in code: in a span, in a fence, or, where HTML is asked for, in ``<code>``. There
neither markup nor a mention works. Sizes are in bytes of UTF-8, which no service counts as more.
"""

from __future__ import annotations

import html
import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate

from ekomi_reconcile.render.style import printable

_LONGEST = 120
_BACKTICKS = re.compile("`+")


def size(text: str) -> int:
    """How long a text is, in bytes."""
    return len(text.encode())


def clipped(text: str, longest: int = _LONGEST) -> str:
    """The text on one line, in characters that can be seen, and not longer than this."""
    line = printable(text)
    return line if len(line) <= longest else f"{line[: longest - 1]}…"


def code(text: str) -> str:
    """A span of code; for text in a paragraph."""
    line = clipped(text)
    ticks = "`" * (1 + max(map(len, _BACKTICKS.findall(line)), default=0))
    space = " " if line.startswith(("`", " ")) or line.endswith(("`", " ")) or not line else ""
    return f"{ticks}{space}{line}{space}{ticks}"


def html_code(text: str) -> str:
    """The same in HTML; for text in a ``<summary>``."""
    return f"<code>{html.escape(clipped(text, 60))}</code>"


def fence(texts: Iterable[str], language: str) -> str:
    """A block of code, longer ticks around it than any line of it has."""
    shown = [_visible(each) for each in texts]
    return _fenced(shown, language, _ticks(shown))


def _visible(text: str) -> str:
    return "\n".join(map(printable, text.split("\n")))


def _ticks(texts: Iterable[str]) -> str:
    longest = max((len(found) for each in texts for found in _BACKTICKS.findall(each)), default=0)
    return "`" * max(3, longest + 1)


def _fenced(texts: Iterable[str], language: str, ticks: str) -> str:
    return "\n".join([f"{ticks}{language}", *texts, ticks])


@dataclass(frozen=True, slots=True, kw_only=True)
class Fold:
    """A block that is folded away under its ``summary`` (HTML).

    ``items`` are what it consists of, each one or more lines; it is cut between them and nowhere else.
    ``head`` introduces them, and is never cut.
    """

    summary: str
    items: Sequence[str]
    head: Sequence[str] = ()
    language: str = "diff"

    def within(self, budget: int) -> tuple[str, int]:
        """As much as fits, and how many items that is; nothing at all if not even one fits.

        Where it is cut, its last line counts what is left out.
        """
        head, items = [*map(_visible, self.head)], [*map(_visible, self.items)]
        ticks = _ticks([*head, *items])
        whole = self._text([*head, *items], ticks)
        if size(whole) <= budget:
            return whole, len(items)
        room = budget - size(self._text([*head, _left_out(len(items))], ticks))
        ends = list(accumulate(size(each) + 1 for each in items))
        shown = bisect_right(ends, room)
        if not shown:
            return "", 0
        return self._text([*head, *items[:shown], _left_out(len(items) - shown)], ticks), shown

    def _text(self, lines: Iterable[str], ticks: str) -> str:
        body = _fenced(lines, self.language, ticks)
        return f"<details><summary>{self.summary}</summary>\n\n{body}\n\n</details>"


def _left_out(count: int) -> str:
    return f"… {count} more, left out here"
