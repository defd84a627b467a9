"""``explain`` and ``analyze`` as text and JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from ekomi_reconcile.analysis.findings import Analysis, Pair
from ekomi_reconcile.analysis.pairs import Overlap
from ekomi_reconcile.model.document import Count, JsonObject, Time, from_records
from ekomi_reconcile.model.instant import HOUR
from ekomi_reconcile.model.invitation import Criterion, Evidence, Status
from ekomi_reconcile.model.order import OrderId
from ekomi_reconcile.model.review import OrderedProduct
from ekomi_reconcile.model.rule import Deliver
from ekomi_reconcile.reconcile.order_lookup import AccountVerdict, Explanation, OrderOutcome
from ekomi_reconcile.render import tables
from ekomi_reconcile.render.invitations import InvitationEntry, Listed, listed_json
from ekomi_reconcile.rules.conditions import ConditionTrace
from ekomi_reconcile.rules.judge import CriterionResult

if TYPE_CHECKING:
    from ekomi_reconcile.model.invitation import StatusChange


_name = tables.printable


class PairEntry(JsonObject, frozen=True):
    """Two accounts that one order can match, or may; ``winner`` would get it.

    ``witness`` is such an order as an order file writes it, ``reason`` says why the pair is undecided.
    """

    accounts: list[str]
    verdict: Overlap
    winner: str
    equal_priority: bool
    witness: dict[str, Any] | None
    reason: str | None


class ShadowedEntry(JsonObject, frozen=True):
    """An account whose orders all go to other accounts."""

    account: str
    by: list[str]


class AnalysisDocument(JsonObject, frozen=True):
    """What the rules of all enabled accounts have in common; ``disjoint`` counts pairs."""

    pairs: list[PairEntry]
    disjoint: Count
    never: list[str]
    shadowed: list[ShadowedEntry]
    unserved_store_views: list[str]


def analysis_json(found: Analysis) -> AnalysisDocument:
    """The object of ``analyze --format json``."""
    return AnalysisDocument(
        pairs=[_pair_json(each) for each in found.pairs],
        disjoint=found.disjoint,
        never=list(found.never),
        shadowed=[ShadowedEntry(each.account, list(each.by)) for each in found.shadowed],
        unserved_store_views=sorted({each.name for each in found.unserved_store_views}),
    )


def analysis_text(found: Analysis, paint: tables.Paint) -> str:
    """One line per finding, with the order of an overlap below it, and the numbers at the end."""
    lines = [line for each in found.pairs for line in _pair_lines(each, paint)]
    lines += [
        _finding("never matches", _name(each), "no order can match the rule", paint) for each in found.never
    ]
    for each in found.shadowed:
        by = ", ".join(map(_name, each.by))
        lines.append(_finding("shadowed", _name(each.account), f"every order goes to {by}", paint))
    for view in found.unserved_store_views:
        said = f"no enabled account serves it (known from {view.known_from})"
        lines.append(_finding("not served", _name(view.name), said, paint))
    return "\n".join([*lines, _summary(found)]) + "\n"


def _pair_json(pair: Pair) -> PairEntry:
    witness = pair.verdict.witness
    return from_records(
        PairEntry,
        pair,
        accounts=list(pair.accounts),
        verdict=pair.verdict.overlap,
        witness=None if witness is None else witness.json(),
        reason=pair.verdict.reason,
    )


def _pair_lines(pair: Pair, paint: tables.Paint) -> Iterator[str]:
    names = " and ".join(map(_name, pair.accounts))
    if pair.verdict.witness is None:
        yield _finding("undecided", names, str(pair.verdict.reason), paint)
        return
    why = "lower interface id, same priority" if pair.equal_priority else "higher priority"
    yield _finding("overlap", names, f"{_name(pair.winner)} gets the order ({why})", paint)
    yield f"    {tables.printable(msgspec.json.encode(pair.verdict.witness.json()).decode())}"


def _finding(kind: str, what: str, said: str, paint: tables.Paint) -> str:
    return f"{paint(tables.Tone.CHANGE, kind)}: {what}: {said}"


def _summary(found: Analysis) -> str:
    undecided = sum(each.verdict.witness is None for each in found.pairs)
    pairs = found.disjoint + len(found.pairs)
    counted = (
        f"{found.disjoint:,} disjoint, {len(found.pairs) - undecided:,} overlapping, {undecided:,} undecided"
    )
    rest = [
        f"; {tables.plural(len(each), word)} {said}"
        for each, word, said in (
            (found.never, "rule", "never matching"),
            (found.shadowed, "account", "shadowed"),
            (found.unserved_store_views, "store view", "not served"),
        )
        if each
    ]
    sizes = f"{tables.plural(found.accounts, 'enabled account')}, {tables.plural(pairs, 'pair')}"
    return f"{sizes}: {counted}{''.join(rest)}."


_WIDEST = 24
"""Columns of a value, beyond which what is wanted goes to the next line."""


@dataclass(frozen=True, slots=True)
class Told:
    """An explanation with the accounts to show, and the history of each row by its id.

    ``detailed`` are the accounts whose criteria are shown; a line is shown of the others.
    """

    explanation: Explanation
    verdicts: Sequence[AccountVerdict]
    histories: Mapping[int, Sequence[StatusChange]]
    detailed: Sequence[AccountVerdict]


class CriterionEntry(JsonObject, frozen=True):
    """Does a criterion hold for the order, what is its value and what is wanted?"""

    criterion: Criterion
    ok: bool
    value: Any
    wanted: str


class ProductEntry(JsonObject, frozen=True):
    """A product that an invitation asks about: the shop's own identifier, and eKomi's id for it."""

    product: str
    product_id: str
    name: str


class VerdictEntry(JsonObject, frozen=True):
    """Is the order invited through an account? ``reason`` is the first criterion that fails.

    ``products`` are those that an invitation asks about.
    """

    account: str
    eligible: bool
    reason: Criterion | None
    criteria: list[CriterionEntry]
    reached_at: Time | None
    reached_source: Evidence | None
    pending_days: Count
    scheduled_at: Time | None
    leaves_at: Time | None
    channel: Deliver | None
    products: list[ProductEntry]
    invitation: InvitationEntry | None


class ExplanationDocument(JsonObject, frozen=True):
    """Why an order is invited or not, by account."""

    order: str
    order_id: OrderId
    accounts: list[VerdictEntry]


def explanation_json(told: Told) -> ExplanationDocument:
    """The object of ``explain --format json``."""
    order = told.explanation.order
    return ExplanationDocument(order.number, order.order_id, [verdict_json(each) for each in told.verdicts])


def verdict_json(verdict: AccountVerdict) -> VerdictEntry:
    """One of the ``accounts`` of ``explain --format json``."""
    reached, row, name = verdict.reached, verdict.row, verdict.account.name
    return from_records(
        VerdictEntry,
        verdict,
        account=name,
        criteria=[from_records(CriterionEntry, each) for each in verdict.criteria],
        products=[ProductEntry(each.identifier, each.product_id, each.name) for each in verdict.products],
        reached_at=reached.at if reached else None,
        reached_source=reached.source if reached else None,
        invitation=None if row is None else listed_json(Listed(name, row, verdict.pending_leaves_at)),
    )


def explanation_text(told: Told, paint: tables.Paint, *, width: int | None = None) -> str:
    """The same for people: what becomes of the order, a line per account, and the details of some.

    ``width`` is that of the terminal in columns; ``None`` leaves every line whole.
    """
    blocks = [_head(told, paint, width)]
    blocks += [account_text(each, told.explanation, paint, width=width) for each in told.detailed]
    if told.explanation.rows:
        blocks.append(tables.folded(_queue(told, paint), width))
    if hidden := len(told.verdicts) - len(told.detailed):
        blocks.append(f"Details of {tables.plural(hidden, 'other account')}: --all\n")
    return tables.blocks_text(blocks)


def _head(told: Told, paint: tables.Paint, width: int | None) -> str:
    order = told.explanation.order
    verdict = paint(tables.Tone.STRONG, f"Order {order.number}: {_outcome(told.explanation)}")
    status, state = tables.plain(order.status), tables.plain(order.state)
    views = (
        f"store view {tables.plain(order.store_view)}, customer group {tables.plain(order.customer_group)}"
    )
    placed = f"placed {tables.at(order.created_at)}, status {status} (state {state})"
    facts = f"Order: {placed}, {views}, id {order.order_id}, source {told.explanation.source}"
    lines = [tables.folded(verdict, width), "", *_account_lines(told, paint, width), ""]
    return "\n".join([*lines, tables.folded(facts, width), ""])


def _account_lines(told: Told, paint: tables.Paint, width: int | None) -> Iterator[str]:
    """One line per account, those that match first."""
    names = max((len(tables.printable(each.account.name)) for each in told.verdicts), default=0)
    for each in sorted(told.verdicts, key=lambda each: not each.matches):
        sign, tone, words, why = _mark(each, told.explanation)
        name = tables.printable(each.account.name).ljust(names)
        line = f"  {sign} {name}  {words}{why}"
        if width is not None and len(line) > width:
            line = f"{line[: width - 1]}…"
        yield line.replace(f"  {sign} ", f"  {paint(tone, sign)} ", 1)


def _mark(verdict: AccountVerdict, explanation: Explanation) -> tuple[str, tables.Tone, str, str]:
    """Sign, tone and words for what an account makes of the order, and why."""
    row = verdict.row
    own = row is not None and row == explanation.row
    if row is not None and own and row.status is not Status.PENDING:
        return "→", tables.Tone.SEND, row.status.value, f" {tables.at(row.sent_at)}" if row.sent_at else ""
    failed = next((each for each in verdict.criteria if not each.ok), None)
    if failed is None:
        return "✓", tables.Tone.ADD, "invited", f", due {tables.at(verdict.scheduled_at)}{_moved(verdict)}"
    waits = f", its pending row {'is cancelled' if explanation.cancelled else 'is held'}" if own else ""
    words, value = f"not invited: {failed.criterion.value}{waits}", tables.plain(failed.value)
    if failed.criterion is Criterion.ALREADY_INVITED:
        return tables.DASH, tables.Tone.FAINT, words, f": {value}"
    return "✗", tables.Tone.REMOVE, words, f": {value}, wanted: {tables.printable(failed.wanted)}"


def _moved(verdict: AccountVerdict) -> str:
    before = verdict.recorded_due
    return "" if before is None else f" (recorded: {tables.at(before)}; the next apply changes it)"


def _outcome(explanation: Explanation) -> str:
    name, row = tables.printable(explanation.account or ""), explanation.row
    taken = f"; the next apply cancels the pending one: {tables.printable(explanation.cancelled or '')}"
    more = taken if explanation.cancelled else ""
    match explanation.outcome:
        case OrderOutcome.GETS:
            return f"{name} invites it, due {tables.at(explanation.due)}; the next apply schedules it{more}"
        case OrderOutcome.KEEPS:
            held = next((each.reason for each in explanation.verdicts if each.row == row), None)
            waits = f"{name} has it in its queue, held by {held}" if held else f"{name} invites it"
            return f"{waits}, due {tables.at(explanation.due)}"
        case OrderOutcome.CLOSED if row is not None:
            when = f" {tables.at(row.sent_at)}" if row.sent_at else ""
            return f"{row.status.value} through {name}{when}; no other account invites it"
        case _:
            return f"no account invites it{more}"


def account_text(
    verdict: AccountVerdict, explanation: Explanation, paint: tables.Paint, *, width: int | None = None
) -> str:
    """What one account makes of the order: each criterion with value and verdict, and when it is due."""
    account = verdict.account
    name = paint(tables.Tone.STRONG, tables.printable(account.name))
    _, tone, words, _ = _mark(verdict, explanation)
    lines = [f"{name} ({account.interface_id}): {paint(tone, words)}"]
    column = max(len(each.criterion.value) for each in verdict.criteria)
    is_done = tone is tables.Tone.SEND
    for each in verdict.criteria:
        own = is_done and each.criterion is Criterion.ALREADY_INVITED
        lines += _criterion(each, column, paint, width=width, own=own)
    lines.append(tables.folded(f"  {_clock(verdict)}", width))
    if verdict.account.invitations.products.ask:
        products = ", ".join(map(_product, verdict.products)) or "none of this order"
        lines.append(tables.folded(f"  products: {products}", width))
    if verdict.changes:
        lines.append("  would be invited if:")
        lines += [tables.folded(f"    - {tables.printable(each)}", width) for each in verdict.changes]
    return "\n".join(lines) + "\n"


def _criterion(
    result: CriterionResult, column: int, paint: tables.Paint, *, width: int | None, own: bool
) -> Iterator[str]:
    """The lines of a criterion; ``own``: it fails because of the account's own request."""
    sign = paint(tables.Tone.ADD, "✓ ok  ") if result.ok else paint(tables.Tone.REMOVE, "✗ fail")
    if own:
        sign = paint(tables.Tone.SEND, "→ done")
    hang = 12 + column
    value, wanted = tables.plain(result.value), f"wanted: {tables.printable(result.wanted)}"
    head = f"  {sign}  {result.criterion.value.ljust(column)}  {value}"
    line = head + " " * (_WIDEST - len(value) + 2) + wanted
    fits = len(value) <= _WIDEST and (width is None or hang + _WIDEST + 2 + len(wanted) <= width)
    if fits:
        yield line
    else:
        yield tables.folded(head, width, hang=hang)
        yield tables.folded(" " * hang + wanted, width, hang=hang + 2)
    if result.conditions is not None:
        yield from (tables.folded(each, width) for each in _tree(result.conditions, hang, paint))


def _tree(verdict: ConditionTrace, indent: int, paint: tables.Paint) -> Iterator[str]:
    sign = paint(tables.Tone.ADD, "✓") if verdict.ok else paint(tables.Tone.REMOVE, "✗")
    yield f"{' ' * indent}{sign} {tables.printable(verdict.text)}: {tables.plain(verdict.value)}"
    for part in verdict.parts:
        yield from _tree(part, indent + 2, paint)


def _product(product: OrderedProduct) -> str:
    """Identifier and name, with eKomi's id where that is another one."""
    other = "" if product.product_id == product.identifier else f" (at eKomi: {product.product_id})"
    return tables.printable(f"{product.identifier} {product.name}{other}")


def _clock(verdict: AccountVerdict) -> str:
    reached = verdict.reached
    if reached is None:
        return "no trigger status reached yet"
    usual = verdict.account.invitations.pending_period
    instead = "" if verdict.pending_days == usual else f" (instead of {usual})"
    return (
        f"{tables.plain(reached.status)} reached {tables.at(reached.at)} (by {reached.source.value}), "
        f"pending period {verdict.pending_days} days{instead}{_spread(verdict)}, "
        f"due {tables.at(verdict.scheduled_at)}{_moved(verdict)}{_leaves(verdict)}"
    )


def _leaves(verdict: AccountVerdict) -> str:
    """When it can leave, if that is not when it is due."""
    leaves_at = verdict.leaves_at
    if leaves_at == verdict.scheduled_at or leaves_at is None:
        return ""
    return f", leaves {tables.at(leaves_at)} when the sending window opens"


def _spread(verdict: AccountVerdict) -> str:
    """The order's own part of the spread, to the minute."""
    if not verdict.account.invitations.spread:
        return ""
    hours, seconds = divmod(verdict.offset, HOUR)
    return f", {hours} h {seconds // 60} min of the spread"


def _queue(told: Told, paint: tables.Paint) -> str:
    lines = [paint(tables.Tone.STRONG, "Queue")]
    for row in told.explanation.rows:
        name = told.explanation.names.get(row.interface_id, row.interface_id)
        reason = f": {tables.printable(row.reason)}" if row.reason else ""
        lines.append(
            f"  invitation {row.id}, {tables.printable(name)}: {row.status.value}{reason}, "
            f"due {tables.at(row.scheduled_at)}{' (pushed)' if row.pushed else ''}"
            f"{f', sent {tables.at(row.sent_at)}' if row.sent_at else ''}"
        )
        lines += [f"    {_change(each)}" for each in told.histories.get(row.id, ())]
    return "\n".join(lines) + "\n"


def _change(change: StatusChange) -> str:
    detail = f": {tables.printable(change.detail)}" if change.detail else ""
    before = f"{change.from_status.value} → " if change.from_status else ""
    actor = tables.printable(change.actor)
    return f"{tables.at(change.at)}  {before}{change.to_status.value}  by {actor}{detail}"
