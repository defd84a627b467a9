"""The plan as a pull-request comment.

Everything a user wrote is set as code: in a span, in a fence, or, in HTML, in ``<code>``. There
neither markup nor a mention works. Sizes are in bytes of UTF-8, which no service counts as more.

Its first line is a hidden marker by which the comment is found again. What matters is always whole and on
top: the figures, what a run would refuse, what could not be read. The rest is folded away and, where it does
not fit, cut between objects and counted.
"""

from __future__ import annotations

import difflib
import html
import json
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

from ekomi_reconcile.model.account import Json
from ekomi_reconcile.model.diagnostic import Diagnostic
from ekomi_reconcile.model.errors import ConfigurationInvalid, ReconcileError
from ekomi_reconcile.model.instant import iso
from ekomi_reconcile.plan.plan import AccountChange, Action, Operation, OperationKind, Plan
from ekomi_reconcile.render import plan_text
from ekomi_reconcile.render.results import diagnostic_text
from ekomi_reconcile.render.tables import Paint, moment, plural, printable

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


_ORDER = (Action.DELETE, Action.REPLACE, Action.UPDATE, Action.CREATE)
"""What takes away is read first, and kept where there is not room for all."""

_NAMED = 3
_ONE_LINE = 60


def change_folds(changes: Sequence[AccountChange]) -> list[Fold]:
    """One fold per change; accounts that change in the same way share one."""
    groups: dict[tuple[object, ...], list[AccountChange]] = {}
    for each in sorted(changes, key=lambda each: _ORDER.index(each.action)):
        groups.setdefault((each.action, each.reason, each.blocked, *_lines(each)), []).append(each)
    return [_change_fold(group) for group in groups.values()]


def _change_fold(group: Sequence[AccountChange]) -> Fold:
    first, names = group[0], ", ".join(html_code(each.name) for each in group[:_NAMED])
    notes = [first.reason, first.blocked and f"not done: {first.blocked}"]
    note = html.escape("".join(f" ({printable(each)})" for each in notes if each))
    which, head = names, list(_lines(first))
    if len(group) > 1:
        which = f"the same change on {len(group)} accounts: {names}{', …' if len(group) > _NAMED else ''}"
        head.append(f"@@ {len(group)} accounts @@")
    sign = "- " if first.action is Action.DELETE else "  "
    return Fold(
        summary=f"<b>{first.action.value}</b> {which}{note}",
        head=head,
        items=[f"{sign}{plan_text.value_text(each.name)}  {each.interface_id}" for each in group],
    )


def _lines(change: AccountChange) -> Iterator[str]:
    match change.action:
        case Action.CREATE:
            for key, value in plan_text.given_fields(change.after or {}):
                if key not in ("name", "interface_id"):
                    yield f"+ {key} = {plan_text.value_text(value)}"
        case Action.UPDATE | Action.REPLACE:
            for key in change.changed:
                yield from _difference(
                    key, plan_text.field_at(change.before, key), plan_text.field_at(change.after, key)
                )
        case Action.DELETE:
            return


def _difference(key: str, old: Json, new: Json) -> Iterator[str]:
    if old == new == plan_text.SENSITIVE:
        yield f"! {key} = {plan_text.SENSITIVE}"
    elif isinstance(old, dict) and isinstance(new, dict) and len(plan_text.value_text(new)) > _ONE_LINE:
        yield f"! {key}"
        yield from _tree_difference(old, new)
    else:
        yield f"- {key} = {plan_text.value_text(old, key_order=True)}"
        yield f"+ {key} = {plan_text.value_text(new, key_order=True)}"


def _tree_difference(old: Json, new: Json) -> Iterator[str]:
    before, after = (json.dumps(each, ensure_ascii=False, indent=2).split("\n") for each in (old, new))
    lines = list(difflib.unified_diff(before, after, lineterm=""))[2:]
    yield from (line for line in lines if not line.startswith("@@"))


def invitation_folds(plan: Plan) -> list[Fold]:
    """What happens to the queue, account by account."""
    blocks = list(plan_text.invitation_blocks(plan, Paint()))
    if not blocks:
        return []
    figures = plan.summary.as_json()
    words = [f"{figures[name]} to {name}" for name in ("schedule", "reschedule", "cancel", "send")]
    return [Fold(summary=f"<b>invitations</b> {', '.join(words)}", items=blocks, language="text")]


def fetch_folds(operations: Iterable[Operation]) -> list[Fold]:
    """What is fetched from eKomi."""
    listed = list(operations)
    if not listed:
        return []
    syncs = sum(each.kind is OperationKind.SYNC for each in listed)
    return [
        Fold(
            summary=f"<b>from eKomi</b> {plural(syncs, 'sync')}, {plural(len(listed) - syncs, 'import')}",
            items=[f"{each.kind.value:6} {printable(each.account)}   ({each.reason})" for each in listed],
            language="text",
        )
    ]


BUDGET = 60_000
"""Bytes of a comment. GitHub takes 65,536 characters, GitLab 1,000,000."""

_HEAD_FINDINGS = (20, 8_000)
"""The number of findings, and of bytes, shown on top."""

_SHARE = 3 / 4
"""How much of the room changes of accounts may take where there is more to show."""

_LINE = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Comment:
    """Which comment it is, ``key`` where a repository has several projects; ``url`` leads to all of it."""

    key: str | None = None
    url: str | None = None

    @property
    def marker(self) -> str:
        """The first line."""
        return f"<!-- ekomi-reconcile:plan{' ' + self.key if self.key else ''} -->"

    def heading(self, text: str) -> str:
        """Marker and heading."""
        return f"{self.marker}\n### {code(self.key) + ': ' if self.key else ''}{text}"


def plan_markdown(
    plan: Plan,
    comment: Comment,
    *,
    detail: plan_text.PlanDetail = plan_text.PlanDetail.FULL,
    budget: int = BUDGET,
) -> str:
    """The comment, ending with a newline; never longer than ``budget`` bytes, as long as that is 20,000."""
    top = "\n\n".join([comment.heading(_outcome(plan)), *_top(plan)])
    folds = change_folds(plan.changes)
    more = (
        [*invitation_folds(plan), *fetch_folds(plan.operations)]
        if detail is plan_text.PlanDetail.FULL
        else []
    )
    room = budget - size(top) - size(_cut(comment, len(plan.changes), sum(len(each.items) for each in more)))
    parts, changes_left = _fitting(folds, int(room * _SHARE) if more else room)
    further, more_left = _fitting(more, room - sum(map(_taken, parts)))
    foot = [_cut(comment, changes_left, more_left)] if changes_left or more_left else []
    return "\n\n".join([top, *parts, *further, *foot]) + "\n"


def failure_markdown(error: ReconcileError, comment: Comment) -> str:
    """The comment where no plan could be made: an older one would be believed."""
    lines = [f"Error: {error.message}", *([f"  {error.hint}"] if error.hint else [])]
    found = error.diagnostics if isinstance(error, ConfigurationInvalid) else ()
    shown = [*_findings(found, 100, BUDGET // 2), *map(_shortened, lines)]
    return f"{comment.heading('No plan could be made')}\n\n{fence(shown, 'text')}\n"


def _outcome(plan: Plan) -> str:
    if plan.empty and plan.complete and plan.scope.base is not None:
        return "No changes of accounts."
    return plan_text.last_line(plan, Paint())


def _top(plan: Plan) -> Iterator[str]:
    scope = plan.scope
    if scope.base is not None:
        commit = code((scope.base_commit or "")[:12])
        yield f"Files only, compared with {code(scope.base)} ({commit}): neither state nor orders were read."
    if scope.partial:
        which = "; ".join(f"{words} {_list(those)}" for words, those in plan_text.scope_parts(scope).items())
        yield f"**Only part of the accounts**, those {which}."
    if not plan.complete:
        yield _alert("This plan is **not complete**: what could not be read is left out of it.")
    for guard in plan.guards:
        yield _alert(f"`apply` will refuse: {code(guard.message)}", f"If it is meant: {code(guard.override)}")
    if plan.blocked:
        count = plural(len(plan.blocked), "account")
        yield _alert(f"`apply` will leave {count} as it is, for protection, and do the rest.")
    if plan.diagnostics:
        yield fence(_findings(plan.diagnostics, *_HEAD_FINDINGS), "text")
    commit = f" from commit {code(plan.git_commit[:12])}" if plan.git_commit else ""
    yield f"Made at {moment(iso(plan.created_at))}{commit} by ekomi-reconcile {plan.tool_version}."


def _list(texts: Sequence[str]) -> str:
    shown = ", ".join(map(code, texts[:10]))
    return f"{shown} and {len(texts) - 10} more" if len(texts) > 10 else shown


def _alert(*lines: str) -> str:
    return "\n".join(["> [!CAUTION]", *(f"> {line}" for line in lines)])


def _findings(found: Iterable[Diagnostic], most: int, budget: int) -> list[str]:
    """Errors first; as many as there is room for, the others counted."""
    listed = sorted(found, key=lambda each: not each.is_error)
    shown: list[str] = []
    for each in listed[:most]:
        text = "\n".join(_shortened(line) for line in diagnostic_text(each, Paint()).split("\n"))
        budget -= size(text) + 1
        if budget < 0:
            break
        shown.append(text)
    left = len(listed) - len(shown)
    return [*shown, f"… and {left} more"] if left else shown


def _shortened(line: str) -> str:
    return clipped(line, _LINE)


def _fitting(folds: Sequence[Fold], room: int) -> tuple[list[str], int]:
    """The folds, or what fits of them, and how many of their items are left out."""
    parts, left = [], 0
    for fold in folds:
        text, shown = fold.within(room - 2)
        left += len(fold.items) - shown
        if text:
            parts.append(text)
            room -= _taken(text)
    return parts, left


def _taken(part: str) -> int:
    return size(part) + 2


def _cut(comment: Comment, changes: int, more: int) -> str:
    counts = [f"{plural(changes, 'changed account')}"] if changes else []
    counts += [f"{plural(more, 'further entry')}"] if more else []
    where = f"[here](<{comment.url}>)" if comment.url else "by running `ekomi-reconcile plan`"
    return f"**Cut to fit into a comment**: {' and '.join(counts)} left out above. Read it all {where}."
