"""A plan as one comment of a pull request, kept up to date in place.

Its first line is a hidden marker by which the comment is found again. What matters is always whole and on
top: the figures, what a run would refuse, what could not be read. The rest is folded away and, where it does
not fit, cut between objects and counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ekomi_reconcile.errors import ConfigurationInvalid, ReconcileError
from ekomi_reconcile.model.diagnostic import Diagnostic
from ekomi_reconcile.model.instant import iso
from ekomi_reconcile.plan.plan import Plan
from ekomi_reconcile.render.diagnostics import diagnostic_text
from ekomi_reconcile.render.markdown import Fold, clipped, code, fence, size
from ekomi_reconcile.render.plan_concise import Detail
from ekomi_reconcile.render.plan_markdown_parts import change_folds, fetch_folds, invitation_folds
from ekomi_reconcile.render.plan_text import last_line, scope_parts
from ekomi_reconcile.render.style import Paint, moment, plural

BUDGET = 60_000
"""Bytes of a comment. GitHub takes 65,536 characters, GitLab 1,000,000."""

_HEAD_FINDINGS = (20, 8_000)
"""Of the findings, so many and so many bytes are shown on top."""

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


def plan_markdown(plan: Plan, comment: Comment, *, detail: Detail = Detail.FULL, budget: int = BUDGET) -> str:
    """The comment, ending with a newline; never longer than ``budget`` bytes, as long as that is 20,000."""
    top = "\n\n".join([comment.heading(_outcome(plan)), *_top(plan)])
    folds = change_folds(plan.changes)
    more = [*invitation_folds(plan), *fetch_folds(plan.operations)] if detail is Detail.FULL else []
    room = budget - size(top) - size(_cut(comment, len(plan.changes), sum(len(each.items) for each in more)))
    parts, changes_left = _fitting(folds, int(room * _SHARE) if more else room)
    further, more_left = _fitting(more, room - sum(map(_taken, parts)))
    foot = [_cut(comment, changes_left, more_left)] if changes_left or more_left else []
    return "\n\n".join([top, *parts, *further, *foot]) + "\n"


def failure_markdown(error: ReconcileError, comment: Comment) -> str:
    """The comment where no plan could be made: an older one would be believed."""
    lines = [f"Error: {error.message}", *([f"  {error.mend}"] if error.mend else [])]
    found = error.diagnostics if isinstance(error, ConfigurationInvalid) else ()
    shown = [*_findings(found, 100, BUDGET // 2), *map(_shortened, lines)]
    return f"{comment.heading('No plan could be made')}\n\n{fence(shown, 'text')}\n"


def _outcome(plan: Plan) -> str:
    if plan.empty and plan.complete and plan.scope.base is not None:
        return "No changes of accounts."
    return last_line(plan, Paint())


def _top(plan: Plan) -> Iterator[str]:
    scope = plan.scope
    if scope.base is not None:
        commit = code((scope.base_commit or "")[:12])
        yield f"Files only, compared with {code(scope.base)} ({commit}): neither state nor orders were read."
    if scope.partial:
        which = "; ".join(f"{words} {_list(those)}" for words, those in scope_parts(scope).items())
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
