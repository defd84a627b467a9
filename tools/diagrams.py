"""The diagrams of the documentation as SVG: boxes at fixed places, and arrows between them.

Colours are variables, so that a diagram follows the theme of the site; elsewhere that of the reader's system.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from html import escape
from typing import Final

_LINE: Final = 17
_HEAD: Final = 7

_STYLE: Final = (
    ".dg{--ink:#1f2328;--paper:#fff;--accent:#00796b;font:14px system-ui,sans-serif}"
    "@media (prefers-color-scheme:dark){.dg{--ink:#e6edf3;--paper:#0d1117;--accent:#4db6ac}}"
    ".dg text{fill:var(--ink);text-anchor:middle;dominant-baseline:central}"
    ".dg .box{fill:var(--paper);stroke:var(--ink);stroke-opacity:.6}"
    ".dg .good{stroke:var(--accent);stroke-opacity:1;stroke-width:2.5}"
    ".dg .care{stroke-dasharray:5 3;stroke-opacity:1;stroke-width:2}"
    ".dg .none{fill:none;stroke:none}"
    ".dg .way{fill:none;stroke:var(--ink);stroke-opacity:.7}"
    ".dg .head{fill:var(--ink);fill-opacity:.7}"
    ".dg .label{font-size:12px;stroke:var(--paper);stroke-width:5px;paint-order:stroke}"
)


@dataclass(frozen=True, slots=True)
class Box:
    """A box around its middle, in pixels; each line of ``text`` is one of the box."""

    x: int
    y: int
    text: str
    kind: str = ""
    width: int = 120
    height: int = 40

    @property
    def left(self) -> tuple[int, int]:
        """The middle of the left edge."""
        return self.x - self.width // 2, self.y

    @property
    def right(self) -> tuple[int, int]:
        """The middle of the right edge."""
        return self.x + self.width // 2, self.y

    @property
    def top(self) -> tuple[int, int]:
        """The middle of the upper edge."""
        return self.x, self.y - self.height // 2

    @property
    def bottom(self) -> tuple[int, int]:
        """The middle of the lower edge."""
        return self.x, self.y + self.height // 2


@dataclass(slots=True)
class Drawing:
    """A drawing of this size, in pixels."""

    title: str
    width: int
    height: int
    _parts: list[str] = field(default_factory=list)
    _front: list[str] = field(default_factory=list)

    def box(self, box: Box) -> Box:
        """Draw a box, and return it."""
        x, y = box.x - box.width // 2, box.y - box.height // 2
        kind = f"box {box.kind}".strip()
        self._front.append(
            f'<rect class="{kind}" x="{x}" y="{y}" width="{box.width}" height="{box.height}" rx="6"/>'
        )
        self._front += _lines(box.text, box.x, box.y)
        return box

    def arrow(self, *points: tuple[int, int], label: str = "", at: tuple[int, int] | None = None) -> None:
        """Draw an arrow through the points; the label is in the middle of the longest part, or at a place."""
        path = " ".join(f"{x},{y}" for x, y in points)
        self._parts.append(f'<polyline class="way" points="{path}"/>')
        self._parts.append(_head(points[-2], points[-1]))
        if label:
            x, y = at or _middle(points)
            self._front += _lines(label, x, y, kind="label")

    def svg(self) -> str:
        """Return the drawing."""
        size = f'viewBox="0 0 {self.width} {self.height}" width="{self.width}"'
        lines = [
            f'<svg xmlns="http://www.w3.org/2000/svg" class="dg" {size} role="img">',
            f"<title>{escape(self.title)}</title>",
            f"<style>{_STYLE}</style>",
            *self._parts,
            *self._front,
            "</svg>",
        ]
        return "\n".join(lines) + "\n"


def _lines(text: str, x: int, y: int, kind: str = "") -> Iterator[str]:
    lines = text.split("\n")
    start = y - _LINE * (len(lines) - 1) / 2
    attribute = f' class="{kind}"' if kind else ""
    for number, line in enumerate(lines):
        yield f'<text{attribute} x="{x}" y="{start + number * _LINE:g}">{escape(line)}</text>'


def _middle(points: tuple[tuple[int, int], ...]) -> tuple[int, int]:
    parts = itertools.pairwise(points)
    (x1, y1), (x2, y2) = max(
        parts, key=lambda part: abs(part[0][0] - part[1][0]) + abs(part[0][1] - part[1][1])
    )
    return (x1 + x2) // 2, (y1 + y2) // 2


def _head(start: tuple[int, int], end: tuple[int, int]) -> str:
    """A head at the end of a line that is level or upright at its end."""
    (x1, y1), (x2, y2) = start, end
    if abs(x2 - x1) >= abs(y2 - y1):
        back = x2 - _HEAD if x2 > x1 else x2 + _HEAD
        corners = ((x2, y2), (back, y2 - 4), (back, y2 + 4))
    else:
        back = y2 - _HEAD if y2 > y1 else y2 + _HEAD
        corners = ((x2, y2), (x2 - 4, back), (x2 + 4, back))
    return f'<polygon class="head" points="{" ".join(f"{x},{y}" for x, y in corners)}"/>'


def architecture() -> str:
    """Files, state and orders become a plan, which is shown or carried out."""
    drawing = Drawing(
        "Architecture: files, state and orders become a plan, which is shown or carried out", 760, 400
    )
    files = drawing.box(Box(110, 40, "accounts.d/*.yaml\nproject file", width=180, height=50))
    state = drawing.box(Box(380, 40, "state\nSQLite, PostgreSQL", width=180, height=50))
    sources = drawing.box(Box(650, 40, "order sources\nMagento, files", width=180, height=50))
    config = drawing.box(Box(110, 130, "config/\ndesired accounts", width=180, height=50))
    queue = drawing.box(Box(380, 130, "state/\nrecorded, invitations", width=180, height=50))
    orders = drawing.box(Box(650, 130, "orders/, rules/\norders and verdicts", width=180, height=50))
    plan = drawing.box(Box(380, 225, "plan/\na pure function: no clock, no network", "good", 300, 50))
    render = drawing.box(Box(190, 330, "render/\ntext, JSON, Markdown", width=200, height=50))
    apply = drawing.box(Box(520, 330, "apply/\ncarries it out", "good", 200, 50))
    ekomi = drawing.box(Box(690, 225, "eKomi", width=100))
    for above, below in ((files, config), (state, queue), (sources, orders), (queue, plan)):
        drawing.arrow(above.bottom, below.top)
    drawing.arrow(config.bottom, (110, 225), plan.left)
    drawing.arrow(orders.bottom, (650, 180), (480, 180), (480, 200))
    drawing.arrow((300, 250), (300, 290), (190, 290), render.top, label="shown")
    drawing.arrow((460, 250), (460, 290), (520, 290), apply.top, label="carried out", at=(520, 275))
    drawing.arrow(apply.right, (690, 330), ekomi.bottom, label="invitations", at=(690, 290))
    drawing.arrow(
        apply.bottom, (520, 385), (30, 385), (30, 85), (330, 85), (330, 65), label="intent → call → outcome"
    )
    return drawing.svg()


def life() -> str:
    """The states of an invitation, and what leads from one to the next."""
    drawing = Drawing("The life of an invitation: its states, and what leads from one to the next", 760, 380)
    match = drawing.box(Box(65, 190, "an order\nmatches", "none", 90, 50))
    pending = drawing.box(Box(235, 190, "pending", width=150))
    sending = drawing.box(Box(465, 190, "sending"))
    sent = drawing.box(Box(675, 70, "sent", "good", 110))
    failed = drawing.box(Box(675, 190, "failed", "care", 110))
    unknown = drawing.box(Box(675, 310, "unknown", "care", 110))
    drawing.box(Box(220, 50, "skipped"))
    drawing.box(Box(220, 330, "cancelled"))
    drawing.arrow(match.right, pending.left)
    drawing.arrow((310, 180), (405, 180), label="due", at=(357, 168))
    drawing.arrow((405, 200), (310, 200), label="not processed", at=(357, 214))
    drawing.arrow((495, 170), (495, 70), sent.left, label="confirmed", at=(560, 70))
    drawing.arrow(sending.right, failed.left, label="refused\nfor good", at=(570, 190))
    drawing.arrow((495, 210), (495, 310), unknown.left, label="no clear answer", at=(560, 310))
    drawing.arrow((190, 170), (190, 70), label="skip", at=(170, 120))
    drawing.arrow((230, 70), (230, 170), label="unskip", at=(257, 105))
    drawing.arrow((190, 210), (190, 310), label="no longer\nmatches", at=(152, 260))
    drawing.arrow((230, 310), (230, 210), label="matches\nagain", at=(262, 270))
    drawing.arrow((645, 170), (645, 130), (298, 130), (298, 170), label="retry", at=(400, 130))
    drawing.arrow((645, 290), (645, 250), (298, 250), (298, 210), label="resolve --resend", at=(400, 250))
    drawing.arrow(unknown.right, (752, 310), (752, 70), sent.right, label="resolve\n--sent", at=(725, 250))
    return drawing.svg()


def plan_apply() -> str:
    """From an edit of a file to what customers get."""
    drawing = Drawing("From an edit to the customer: plan, review, guards, apply", 760, 270)
    edit = drawing.box(Box(80, 50, "edit a file\nin git", width=110, height=50))
    plan = drawing.box(Box(240, 50, "plan", "good"))
    review = drawing.box(Box(410, 50, "somebody reads it\npull request, terminal", width=180, height=50))
    apply = drawing.box(Box(650, 50, "apply plan.json\nor apply", "good", 140, 50))
    guards = drawing.box(Box(650, 140, "guards\nstale? too many?", "care", 140, 50))
    steps = drawing.box(
        Box(
            330,
            140,
            "accounts → syncs → imports → schedule, cancel\n→ deletes → sends, the oldest first",
            width=360,
            height=56,
        )
    )
    stop = drawing.box(
        Box(650, 235, "nothing is done, exit 1\nwith the override to type", width=190, height=50)
    )
    nothing = drawing.box(Box(330, 235, "the next plan is empty", "good", 180))
    drawing.arrow(edit.right, plan.left)
    drawing.arrow(plan.right, review.left)
    drawing.arrow(review.right, apply.left, label="approved", at=(535, 36))
    drawing.arrow(apply.bottom, guards.top)
    drawing.arrow(guards.left, steps.right, label="fine", at=(541, 128))
    drawing.arrow(guards.bottom, stop.top, label="a limit is exceeded", at=(650, 188))
    drawing.arrow(steps.bottom, nothing.top)
    drawing.arrow((330, 75), (330, 92), (80, 92), edit.bottom, label="not intended", at=(240, 92))
    return drawing.svg()


def at_most_once() -> str:
    """The four steps of sending, and what a kill between them leads to."""
    drawing = Drawing(
        "At most once: the four steps of sending, and what follows if it is killed between them", 760, 230
    )
    names = (
        "1. read the order\nagain",
        "2. record the intent\nsending",
        "3. call eKomi",
        "4. record the outcome\nsent",
    )
    boxes = [
        drawing.box(Box(95 + 190 * number, 50, name, "good" if number == 3 else "", 165, 50))
        for number, name in enumerate(names)
    ]
    for one, other in itertools.pairwise(boxes):
        drawing.arrow(one.right, other.left)
    before = drawing.box(Box(95, 180, "nothing has happened:\nthe next run sends it", width=170, height=50))
    drawing.box(
        Box(380, 180, "unknown: it may have been sent,\nso it is never sent on its own", "care", 250, 50)
    )
    after = drawing.box(Box(665, 180, "all is recorded:\nnever sent again", "good", 155, 50))
    drawing.arrow(boxes[0].bottom, before.top, label="killed here", at=(95, 115))
    drawing.arrow(boxes[1].bottom, (285, 155), label="killed here", at=(285, 115))
    drawing.arrow(boxes[2].bottom, (475, 155), label="killed here", at=(475, 115))
    drawing.arrow(boxes[3].bottom, after.top, label="killed here", at=(665, 115))

    return drawing.svg()


DIAGRAMS: Final[Mapping[str, Callable[[], str]]] = {
    "architecture": architecture,
    "invitation": life,
    "plan-apply": plan_apply,
    "at-most-once": at_most_once,
}
"""Each diagram by its name: ``docs/images/diagram-NAME.svg``."""
