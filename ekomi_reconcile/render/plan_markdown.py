"""The plan as a pull-request comment.

Everything a user wrote is set as code: in a span, in a fence, or, in HTML, in ``<code>``. There
neither markup nor a mention works. Sizes are in bytes of UTF-8, which no service counts as more.

Its first line is a hidden marker by which the comment is found again. What matters is always whole and on
top: the figures, what a run would refuse, what could not be read. The rest is folded away and, where it does
not fit, cut between objects and counted.
"""

from __future__ import annotations

import difflib
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
from ekomi_reconcile.plan.plan import AccountChange, Action, AffectedAccount, Plan
from ekomi_reconcile.render import plan_summary, plan_text
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


OPEN = 10
"""Accounts whose rows are open to view; of more, those that change in the same way share a row."""

_NAMED = 3
_ONE_LINE = 60


def _cell(text: str, longest: int = _LONGEST) -> str:
    """Text in a cell of a table; bars and backticks would end it, so such text is HTML."""
    line = clipped(text, longest)
    if not any(each in line for each in "`|\\"):
        return code(line)
    return f"<code>{''.join(each if each.isalnum() else f'&#{ord(each)};' for each in line)}</code>"


def _change_cell(each: AffectedAccount) -> str:
    change = each.change
    if change is None:
        return ""
    if change.blocked:
        return f"not {plan_summary.DONE[change.action]}: protected"
    values = () if change.action is Action.CREATE else change.values
    said = [
        " ".join(_cell(text, _ONE_LINE) if own else text for text, own in plan_summary.said(each))
        for each in values
    ]
    word = [] if change.action is Action.UPDATE else [plan_summary.DONE[change.action]]
    return ", ".join([*word, *said[:_NAMED], *([f"{len(said) - _NAMED} more"] if len(said) > _NAMED else [])])


def _row(members: Sequence[AffectedAccount], *, counted: bool) -> str:
    """The row of accounts that change in the same way; a change of rules also says that nobody is lost."""
    change = members[0].change
    mark = "❌ " if change and change.removes and not change.blocked else ""
    names = ", ".join(_cell(each.name, _ONE_LINE) for each in members[:_NAMED])
    if len(members) > 1:
        names = f"{len(members)} accounts: {names}{', …' if len(members) > _NAMED else ''}"
    cells = [f"{mark}{names}", _change_cell(members[0])]
    if counted:
        figures = [(each.impact.now, each.impact.later, each.impact.lost) for each in members]
        sums = [sum(values) for values in zip(*figures, strict=True)]
        updated = change is not None and change.action is Action.UPDATE and any(sums)
        cells += [f"{each:,}" if each or updated else "" for each in sums]
    return f"| {' | '.join(cells)} |"


def _table(plan: Plan) -> tuple[list[str], list[str]]:
    """The head of the table, and its rows: deletions first, then what concerns most customers."""
    told = [each for each in plan.affected if each.change or each.impact.moves]
    ordered = sorted(plan_summary.by_stake(told), key=lambda each: plan_summary.rank(each.change))
    groups: dict[object, list[AffectedAccount]] = {}
    for at, each in enumerate(ordered):
        alike = (each.change and each.change.action, _change_cell(each)) if len(ordered) > OPEN else at
        groups.setdefault(alike, []).append(each)
    titles = ["account", "change", *(["now", "later", "lost"] if plan.counted else [])]
    rules = ["---", "---", *(["---:"] * 3 if plan.counted else [])]
    head = [f"| {' | '.join(titles)} |", f"| {' | '.join(rules)} |"]
    return head, [_row(members, counted=plan.counted) for members in groups.values()]


def change_fold(changes: Sequence[AccountChange]) -> Fold | None:
    """All that changes, value by value; accounts that change in the same way are listed together."""
    groups: dict[tuple[object, ...], list[AccountChange]] = {}
    for each in sorted(changes, key=plan_summary.rank):
        groups.setdefault((each.action, each.reason, each.blocked, *_lines(each)), []).append(each)
    items = [item for group in groups.values() for item in _diff(group)]
    return Fold(summary="full diff", items=items) if items else None


def _diff(group: Sequence[AccountChange]) -> Iterator[str]:
    """One item per account; what is the same for all is in the first one."""
    first = group[0]
    notes = [first.reason, first.blocked and f"not done: {first.blocked}"]
    note = "".join(f" ({each})" for each in notes if each)
    count = f" {len(group)} accounts" if len(group) > 1 else ""
    head = [f"@@ {first.action.value}{count}{note} @@", *_lines(first)]
    sign = "- " if first.action is Action.DELETE else "  "
    for each in group:
        place = "" if each.place is None else f"  {each.place.path}:{each.place.line}"
        yield "\n".join(
            [*head, f"{sign}{json.dumps(each.name, ensure_ascii=False)}  {each.interface_id}{place}"]
        )
        head = []


def _lines(change: AccountChange) -> Iterator[str]:
    match change.action:
        case Action.CREATE:
            for each in plan_summary.given_values(change.after or {}):
                if each.path != ("interface_id",):
                    yield f"+ {plan_summary.key_text(each.path)}: {plan_summary.yaml_text(each.after)}"
        case Action.UPDATE | Action.REPLACE:
            for each in change.values:
                yield from _difference(plan_summary.key_text(each.path), each.before, each.after)
        case Action.DELETE:
            return


def _difference(key: str, old: Json, new: Json) -> Iterator[str]:
    if old == new == plan_summary.SENSITIVE:
        yield f"! {key}: {plan_summary.SENSITIVE}"
    elif isinstance(old, dict) and isinstance(new, dict) and len(plan_summary.yaml_text(new)) > _ONE_LINE:
        yield f"! {key}"
        yield from _tree_difference(old, new)
    else:
        yield f"- {key}: {plan_summary.yaml_text(old)}"
        yield f"+ {key}: {plan_summary.yaml_text(new)}"


def _tree_difference(old: Json, new: Json) -> Iterator[str]:
    before, after = (json.dumps(each, ensure_ascii=False, indent=2).split("\n") for each in (old, new))
    lines = list(difflib.unified_diff(before, after, lineterm=""))[2:]
    yield from (line for line in lines if not line.startswith("@@"))


def order_fold(plan: Plan) -> Fold | None:
    """Which orders are invited, account by account, and why others are not."""
    blocks = plan_text.order_blocks(plan)
    return Fold(summary="orders", items=blocks, language="text") if blocks else None


BUDGET = 60_000
"""Bytes of a comment. GitHub takes 65,536 characters, GitLab 1,000,000."""

_HEAD_FINDINGS = (20, 8_000)
"""The number of findings, and of bytes, shown on top."""

_SHARE = 1 / 2
"""How much of the room the rows, and the orders, may take where there is more to show."""

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
    detail: plan_text.PlanDetail = plan_text.PlanDetail.NORMAL,
    budget: int = BUDGET,
) -> str:
    """The comment, ending with a newline; never longer than ``budget`` bytes, as long as that is 20,000."""
    head, rows = _table(plan)
    top = "\n\n".join([comment.heading(_outcome(plan)), *_top(plan)])
    room = budget - size(top) - size(_foot(plan)) - size(_cut(comment, len(rows), 10**9)) - 8
    open_rows, folded, rows_left = _fitting_rows(head, rows, int(room * _SHARE))
    room -= sum(map(_taken, [*open_rows, *folded]))
    orders = None if detail is plan_text.PlanDetail.CONCISE else order_fold(plan)
    folds = [orders, change_fold(plan.changes)]
    parts, left = _fitting([each for each in folds if each is not None], room)
    cut = [_cut(comment, rows_left, left)] if rows_left or left else []
    return "\n\n".join([top, *open_rows, *folded, *parts, *cut, _foot(plan)]) + "\n"


def _fitting_rows(head: Sequence[str], rows: Sequence[str], room: int) -> tuple[list[str], list[str], int]:
    """The table with the first rows, the others folded away, and how many did not fit."""
    if not rows:
        return [], [], 0
    table = "\n".join([*head, *rows[:OPEN]])
    rest, folded = rows[OPEN:], []
    room -= size(table) + 200
    shown = bisect_right(list(accumulate(size(each) + 1 for each in rest)), room)
    if shown:
        body = "\n".join([*head, *rest[:shown]])
        folded = [f"<details><summary>{plural(len(rest), 'more row')}</summary>\n\n{body}\n\n</details>"]
    return [table], folded, len(rest) - shown


def failure_markdown(error: ReconcileError, comment: Comment) -> str:
    """The comment where no plan could be made: an older one would be believed."""
    lines = [f"Error: {error.message}", *([f"  {error.hint}"] if error.hint else [])]
    found = error.diagnostics if isinstance(error, ConfigurationInvalid) else ()
    shown = [*_findings(found, 100, BUDGET // 2), *map(_shortened, lines)]
    return f"{comment.heading('No plan could be made')}\n\n{fence(shown, 'text')}\n"


def _outcome(plan: Plan) -> str:
    """The title: who is contacted, then what happens to accounts."""
    if plan.empty:
        return plan_summary.last_line(plan, Paint()) if plan.scope.base is None else "No changes of accounts"
    if plan.scope.base is not None:
        return "Files only: customers not counted"
    accounts, customers = plan_summary.consequences(plan)
    now = plan.impact.now
    if now:
        customers = [f"{plural(now, 'customer')} invited on apply", *customers[1:]]
    warned = now or plan.impact.lost or any(each.removes for each in plan.changes)
    return f"{'⚠ ' if warned else ''}{' · '.join([*customers, *accounts])}"


def _top(plan: Plan) -> Iterator[str]:
    scope = plan.scope
    if scope.base is not None:
        accounts = ", ".join(plan_summary.consequences(plan)[0]) or "No changes of accounts"
        yield f"{accounts}; compared with {code(scope.base)} ({code((scope.base_commit or '')[:12])})."
    if scope.partial:
        parts = [f"{words} {_list(each)}" for words, each in plan_summary.scope_parts(scope).items()]
        yield f"**Only part of the accounts**, those {'; '.join(parts)}."
    if not plan.complete:
        yield _alert("This plan is **not complete**: what could not be read is left out of it.")
    for guard in plan.guards:
        if not guard.accepted:
            yield _alert(
                f"`apply` will refuse: {code(guard.message)}", f"If it is meant: {code(guard.override)}"
            )
    if plan.blocked:
        count = plural(len(plan.blocked), "account")
        yield _alert(f"`apply` will leave {count} as it is, for protection, and do the rest.")
    if plan.diagnostics:
        yield fence(_findings(plan.diagnostics, *_HEAD_FINDINGS), "text")


def _foot(plan: Plan) -> str:
    """The figures, what is fetched, commit, time and version."""
    lines = [] if plan.empty else [f"`{plan_summary.last_line(plan, Paint())}`"]
    if fetches := plan_summary.fetch_text(plan.operations):
        lines.append(f"From eKomi: {code(clipped(fetches, _LINE))}")
    commit = [code(plan.git_commit[:7])] if plan.git_commit else []
    made = moment(iso(plan.created_at))
    lines.append(" · ".join([*commit, made, f"ekomi-reconcile {plan.tool_version}"]))
    return "\n\n".join(lines)


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
    counts = [f"{plural(changes, 'row')}"] if changes else []
    counts += [f"{plural(more, 'further entry')}"] if more else []
    where = f"[here](<{comment.url}>)" if comment.url else "by running `ekomi-reconcile plan`"
    return f"**Cut to fit into a comment**: {' and '.join(counts)} left out above. Read it all {where}."
