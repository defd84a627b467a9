"""The plan as text: the consequence first, then account by account."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from itertools import chain
from typing import TypeAlias, TypeVar

from ekomi_reconcile.model.account import ValueChange
from ekomi_reconcile.model.invitation import CancelStep, RescheduleStep, ScheduleStep, SendStep
from ekomi_reconcile.model.rule import Deliver
from ekomi_reconcile.plan import plan as plans
from ekomi_reconcile.plan.plan import AccountChange, Action, AffectedAccount, Plan
from ekomi_reconcile.plan.steps import EXAMPLES, Steps
from ekomi_reconcile.render import plan_summary, tables
from ekomi_reconcile.render.results import diagnostic_text
from ekomi_reconcile.render.tables import Paint, Tone, plural, printable

_SYMBOLS = {
    Action.CREATE: ("+", Tone.ADD),
    Action.UPDATE: ("~", Tone.CHANGE),
    Action.DELETE: ("-", Tone.REMOVE),
    Action.REPLACE: ("-/+", Tone.REMOVE),
}
_NO_TERMINAL = 80
"""Columns up to which places are set to the right without a terminal."""
_KEYS = 34
"""Columns of keys before values; longer keys push their values to the right."""
LISTED = 20
"""Accounts with the same action that are listed one by one; more are a table."""

Owned = TypeVar("Owned", ScheduleStep, RescheduleStep, CancelStep, SendStep)


class PlanDetail(Enum):
    """How much of a plan is shown: by default more than 20 accounts with the same action are a table."""

    FULL = auto()
    NORMAL = auto()
    CONCISE = auto()


def plan_in(detail: PlanDetail, plan: Plan, paint: Paint, *, width: int | None = None) -> str:
    """The plan in this detail, ending with its line of figures and a newline.

    ``width`` is that of the terminal in columns; ``None`` breaks no lines.
    """
    if detail is PlanDetail.CONCISE:
        return concise_text(plan, paint)
    return plan_text(plan, paint, width=width, full=detail is PlanDetail.FULL)


def plan_text(plan: Plan, paint: Paint, *, width: int | None = None, full: bool = False) -> str:
    """The whole plan, ending with its line of figures and a newline."""
    page = _Page(plan, paint, None if width is None else max(width, tables.NARROWEST))
    blocks = [*_scope(plan, paint), *page.sections(full=full), *page.warnings()]
    return "\n\n".join([*blocks, plan_summary.last_line(plan, paint)]) + "\n"


def order_blocks(plan: Plan) -> list[str]:
    """For each account what happens to its invitations, with a few orders, and why others are not invited."""
    page, affected = _Page(plan, Paint(), None), plan.affected
    found = [(each.name, page.invitations(each)) for each in affected]
    blocks = ["\n".join([f"{printable(name)}:", *lines]) for name, lines in found if lines]
    return [*blocks, *page.others({each.name for each in affected}), *_general(plan)]


def _scope(plan: Plan, paint: Paint) -> Iterator[str]:
    if plan.empty:
        return
    if plan.scope.base is not None:
        yield paint(Tone.STRONG, "Files only") + f": customers not counted; {plan_summary.base_text(plan)}."
    if plan.scope.partial:
        yield paint(Tone.STRONG, "This plan is partial") + f": {plan_summary.scope_text(plan)}."


@dataclass(frozen=True, slots=True)
class _Page:
    """A plan on a page ``width`` columns wide."""

    plan: Plan
    paint: Paint
    width: int | None

    def sections(self, *, full: bool) -> Iterator[str]:
        """Legend, consequence, accounts, the queue in general, and what is fetched."""
        if self.plan.empty:
            return
        yield self._legend()
        yield from self._line(plan_summary.headline(self.plan), tone=Tone.STRONG)
        listed, affected = set[str](), self.plan.affected
        for action in (*plan_summary.DONE, None):
            members = [each for each in affected if (each.change and each.change.action) == action]
            if len(members) > LISTED and not full:
                yield self._table(action, members)
            else:
                listed |= {each.name for each in members}
                yield from map(self._account, members)
        yield from self.others(listed)
        yield from _general(self.plan)
        if fetches := plan_summary.fetch_text(self.plan.operations):
            yield from self._line(f"From eKomi: {fetches}")

    def _legend(self) -> str:
        signs = [self.paint(tone, symbol) + f" {each.value}" for each, (symbol, tone) in _SYMBOLS.items()]
        return "Legend:  " + "   ".join([*signs, self.paint(Tone.SEND, "→") + " send", "(times in UTC)"])

    def _line(self, text: str, indent: int = 0, tone: Tone | None = None) -> list[str]:
        """A text as one block, broken between words for a terminal."""
        lines = tables.wrapped(text, self.width, indent)
        return ["\n".join(lines if tone is None else [self.paint(tone, each) for each in lines])]

    def _account(self, each: AffectedAccount) -> str:
        lines = self._head(each)
        if each.change is not None:
            lines += self._values(each.change)
        lines += self.invitations(each)
        return "\n".join(lines)

    def invitations(self, each: AffectedAccount) -> list[str]:
        """What happens to the invitations of an account; nothing where they are not looked at."""
        lines: list[str] = []
        if self.plan.counted:
            if text := plan_summary.impact_text(each.impact, each.change):
                lines += self._line(text, 4)
            leaving = each.impact.lost + each.impact.passed_on
            for shown in chain(*(self._examples(key, leaving) for key in sorted(each.interface_ids))):
                lines += self._line(shown, 6)
            for wait in plan_summary.window_lines(self.plan, each.interface_ids):
                lines += self._line(wait, 4)
            if reasons := plan_summary.not_invited_text(self.plan.invitations.not_invited.get(each.name, {})):
                lines += self._line(f"not invited: {reasons}", 4)
        return lines

    def _head(self, each: AffectedAccount) -> list[str]:
        """``~ Germany``, and to the right the place in the files."""
        sign, change = self._sign(each), each.change
        note = f"   ({change.reason})" if change is not None and change.reason else ""
        text = f"{sign[0]} {self.paint(Tone.STRONG, printable(each.name))}{note}"
        if change is None or change.place is None:
            return [text]
        place = f"{printable(change.place.path)}:{change.place.line}"
        taken = len(f"{sign[1]} {printable(each.name)}{note}") + len(place)
        gap = (self.width or _NO_TERMINAL) - taken
        at = self.paint(Tone.FAINT, place)
        return [f"{text}{' ' * gap}{at}"] if gap > 1 else [text, f"    {at}"]

    def _sign(self, each: AffectedAccount) -> tuple[str, str]:
        """The sign with and without its colour."""
        if each.change is not None:
            symbol, tone = _SYMBOLS[each.change.action]
        else:
            symbol, tone = ("→" if each.impact.now else " "), Tone.SEND
        return self.paint(tone, symbol) if symbol.strip() else symbol, symbol

    def _values(self, change: AccountChange) -> Iterator[str]:
        if change.blocked:
            yield from self._line(f"! not done: {change.blocked}", 4)
        created = change.action is Action.CREATE
        rows = list(plan_summary.given_values(change.after or {})) if created else change.values
        if change.action is Action.DELETE or not rows:
            return
        keys = [printable(plan_summary.key_text(each.path)) for each in rows]
        pad = min(max(map(len, keys)), _KEYS)
        for key, each in zip(keys, rows, strict=True):
            value = plan_summary.yaml_text(each.after)
            text = value if created else plan_summary.difference_text(each.before, each.after)
            yield from self._value(f"{key:<{pad}}  {printable(text)}", key, each)
        if created:
            yield "    (other settings: defaults)"

    def _value(self, text: str, key: str, each: ValueChange) -> Iterator[str]:
        """One value on a line; where that is too long, before and after on lines of their own."""
        if each.before is None or self.width is None or len(text) + 4 <= self.width:
            yield from self._line(text, 4)
            return
        yield f"    {key}"
        for sign, value in (("-", each.before), ("+", each.after)):
            yield from self._line(f"{sign} {printable(plan_summary.yaml_text(value))}", 6)

    def _examples(self, key: str, leaving: int) -> Iterator[str]:
        """A few orders for each thing that happens, and how many more there are.

        ``leaving`` invitations are not invited by the account any more, under whatever interface id.
        """
        steps, impact = self.plan.invitations, self.plan.invitations.impact([key])
        yield from _listed(steps.send, key, self._sent, impact.now)
        later: list[ScheduleStep | RescheduleStep] = [*steps.reschedule.examples.get(key, ())]
        shown = [*later, *steps.schedule.examples.get(key, ())][:EXAMPLES]
        yield from (self._later(step) for step in shown)
        if shown and impact.later > len(shown):
            yield f"… {impact.later - len(shown):,} more"
        if leaving:
            yield from _listed(steps.cancel, key, _cancelled, steps.cancel.by_account.get(key, 0))

    def _sent(self, step: SendStep) -> str:
        now = self.plan.created_at
        was = "" if step.moved_from is None else f"was {plan_summary.short_moment(step.moved_from, now)} → "
        late = plan_summary.overdue(step.scheduled_at, now)
        notes = "; ".join([*([late] if late else []), *_how(step)])
        return f"{printable(step.number)}   {was}now{f' ({notes})' if notes else ''}"

    def _later(self, step: ScheduleStep | RescheduleStep) -> str:
        now = self.plan.created_at
        was = ""
        if isinstance(step, RescheduleStep):
            was = f"was {plan_summary.short_moment(step.previously, now)} → "
        leaves = ""
        if step.leaves_at is not None and step.leaves_at != step.scheduled_at:
            leaves = f", leaves {plan_summary.short_moment(step.leaves_at, now)}"
        days = "" if step.pending_days is None else f" + {step.pending_days} d"
        notes = [f"{printable(step.reached_status)} by {step.reached_source}{days}", *_how(step)]
        when = plan_summary.short_moment(step.scheduled_at, now)
        return f"{printable(step.number)}   {was}{when}{leaves} ({'; '.join(notes)})"

    def _table(self, action: Action | None, members: Sequence[AffectedAccount]) -> str:
        """Many accounts with the same action: one line and a table of those that concern most customers."""
        texts = {plan_summary.change_text(each.change) for each in members if each.change}
        same = f": {texts.pop()}" if len(texts) == 1 and "" not in texts else ""
        symbol, tone = _SYMBOLS[action] if action else ("→", Tone.SEND)
        words = f"accounts {plan_summary.DONE[action]}" if action else "unchanged accounts with invitations"
        head = f"{len(members)} {words}{same}"
        shown = plan_summary.by_stake(members)[:LISTED]
        columns = _columns(shown, same=bool(same))
        rows = [[tables.cell(value(each)) for value in columns.values()] for each in shown]
        layout = [
            (tables.Column(title, right=title in _FIGURES, whole=title != "change"),) for title in columns
        ]
        width = None if self.width is None else self.width - 4
        table = "".join(tables.table_text(layout, rows, width=width, paint=self.paint))
        more = f"… {len(members) - len(shown)} more; list all with --full"
        first = f"{self.paint(tone, symbol)} {self._line(head)[0]}"
        return "\n".join([first, *(f"    {line}" for line in [*table.splitlines(), more])])

    def others(self, listed: set[str]) -> Iterator[str]:
        """Why accounts that are not listed invite no more orders, in sum."""
        others = {
            name: each for name, each in self.plan.invitations.not_invited.items() if name not in listed
        }
        total = Counter[str]()
        for counts in others.values():
            total.update(counts)
        if reasons := plan_summary.not_invited_text(total):
            yield from self._line(f"Not invited by {plural(len(others), 'other account')}: {reasons}")

    def concise(self, each: AffectedAccount) -> str:
        """An account on one line."""
        change, waits = each.change, plan_summary.window_lines(self.plan, each.interface_ids)
        parts = [plan_summary.impact_text(each.impact, change), *waits]
        if change is not None:
            keys = ", ".join(dict.fromkeys(plan_summary.key_text(value.path) for value in change.values))
            parts = [printable(keys), *parts, f"! not done: {change.blocked}" if change.blocked else ""]
        sign, shown = self._sign(each)[0], " · ".join(filter(None, parts))
        return f"{sign} {self.paint(Tone.STRONG, printable(each.name))}{shown and '   '}{shown}"

    def _broken(self, text: str, word: str, coloured: str) -> str:
        """The lines of a finding, broken for a terminal, and the word in colour where it comes first."""
        lines = [(each.lstrip(), len(each) - len(each.lstrip())) for each in text.split("\n")]
        shown = [line for each, indent in lines for line in tables.wrapped(each, self.width, indent)]
        return "\n".join(shown).replace(word, coloured, 1)

    def warnings(self) -> Iterator[str]:
        """Diagnostics, and what apply will refuse."""
        found = [
            self._broken(
                diagnostic_text(each, Paint()),
                f"{each.severity.value}[",
                f"{self.paint(Tone.REMOVE if each.is_error else Tone.CHANGE, each.severity.value)}[",
            )
            for each in self.plan.diagnostics
        ]
        found += [
            self._broken(
                f"warning: {each.message}\n    {_consequence(each)}",
                "warning",
                self.paint(Tone.CHANGE, "warning"),
            )
            for each in self.plan.guards
        ]
        if not self.plan.complete:
            found.append(self.paint(Tone.REMOVE, "This plan is not complete") + ": see the errors above.")
        if found:
            yield "\n".join(found)


def _listed(steps: Steps[Owned], key: str, example: Callable[[Owned], str], count: int) -> Iterator[str]:
    shown = steps.examples.get(key, [])
    yield from map(example, shown)
    if shown and count > len(shown):
        yield f"… {count - len(shown):,} more"


def _cancelled(step: CancelStep) -> str:
    return f"{printable(step.number)}   cancelled: {printable(step.reason)}"


def _how(step: ScheduleStep | RescheduleStep | SendStep) -> Iterator[str]:
    """The channel, where it is not the usual one, and the number of products to review, if there are any."""
    if step.channel is not None and step.channel is not Deliver.EKOMI_EMAIL:
        yield step.channel.value
    if step.products:
        yield plural(len(step.products), "product")


_Value: TypeAlias = Callable[[AffectedAccount], str | int | None]
_FIGURES: Mapping[str, _Value] = {
    "now": lambda each: each.impact.now or None,
    "later": lambda each: each.impact.later or None,
    "lost": lambda each: each.impact.lost or None,
}


def _columns(shown: Sequence[AffectedAccount], *, same: bool) -> dict[str, _Value]:
    """The columns of the table, without those in which there would be nothing."""
    columns: dict[str, _Value] = {"account": lambda each: each.name}
    if not same and any(each.change and each.change.changed for each in shown):
        columns["change"] = lambda each: plan_summary.change_text(each.change) if each.change else None
    return columns | {title: value for title, value in _FIGURES.items() if any(map(value, shown))}


def _general(plan: Plan) -> Iterator[str]:
    if count := plan.invitations.waiting_for_orders:
        yield f"{count} waiting: due, but the order is on hold or missing."
    if count := plan.invitations.deferred:
        yield f"{count} deferred: due, but beyond max_sends; the oldest go first, the rest wait."


def _consequence(guard: plans.Guard) -> str:
    if guard.accepted:
        return f"accepted with {guard.override}"
    return f"apply will refuse; if it is meant: {guard.override}"


def concise_text(plan: Plan, paint: Paint) -> str:
    """The consequence, and one line for every account that changes or whose queue moves."""
    page, lines = _Page(plan, paint, None), [*_scope(plan, paint)]
    if not plan.empty:
        lines += [plan_summary.headline(plan), *map(page.concise, plan.affected), *_general(plan)]
        if fetches := plan_summary.fetch_text(plan.operations):
            lines.append(f"From eKomi: {fetches}")
    for each in plan.diagnostics:
        lines.append(diagnostic_text(each, paint).partition("\n")[0])
        if each.incident is not None:
            lines.append(f"    incident {each.incident}: see {each.incident.guide}")
    for guard in plan.guards:
        lines.append(f"{paint(Tone.CHANGE, 'warning')}: {guard.message}; {_consequence(guard)}")
    if not plan.complete:
        lines.append(paint(Tone.REMOVE, "This plan is not complete") + ": see the errors above.")
    return "\n".join([*lines, plan_summary.last_line(plan, paint)]) + "\n"
