"""The foldable parts of a plan in Markdown: changes of accounts, alike ones together; queues; fetches."""

from __future__ import annotations

import difflib
import html
import json
from collections.abc import Iterable, Iterator, Sequence

from ekomi_reconcile.model.account import Json
from ekomi_reconcile.plan.plan import AccountChange, Action, Operation, OperationKind, Plan
from ekomi_reconcile.render.markdown import Fold, html_code
from ekomi_reconcile.render.plan_text import (
    SENSITIVE,
    field_at,
    given_fields,
    invitation_blocks,
    value_text,
)
from ekomi_reconcile.render.style import Paint, plural, printable

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
        items=[f"{sign}{value_text(each.name)}  {each.interface_id}" for each in group],
    )


def _lines(change: AccountChange) -> Iterator[str]:
    match change.action:
        case Action.CREATE:
            for key, value in given_fields(change.after or {}):
                if key not in ("name", "interface_id"):
                    yield f"+ {key} = {value_text(value)}"
        case Action.UPDATE | Action.REPLACE:
            for key in change.changed:
                yield from _difference(key, field_at(change.before, key), field_at(change.after, key))
        case Action.DELETE:
            return


def _difference(key: str, old: Json, new: Json) -> Iterator[str]:
    if old == new == SENSITIVE:
        yield f"! {key} = {SENSITIVE}"
    elif isinstance(old, dict) and isinstance(new, dict) and len(value_text(new)) > _ONE_LINE:
        yield f"! {key}"
        yield from _tree_difference(old, new)
    else:
        yield f"- {key} = {value_text(old)}"
        yield f"+ {key} = {value_text(new)}"


def _tree_difference(old: Json, new: Json) -> Iterator[str]:
    before, after = (json.dumps(each, ensure_ascii=False, indent=2).split("\n") for each in (old, new))
    lines = list(difflib.unified_diff(before, after, lineterm=""))[2:]
    yield from (line for line in lines if not line.startswith("@@"))


def invitation_folds(plan: Plan) -> list[Fold]:
    """What happens to the queue, account by account."""
    blocks = list(invitation_blocks(plan, Paint()))
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
