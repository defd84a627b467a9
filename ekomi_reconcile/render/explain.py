"""``explain`` and ``analyze`` as text and JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from ekomi_reconcile.analysis.findings import Analysis, Pair, Shadowed
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
    lines += [_shadowed_line(each, paint) for each in found.shadowed]
    lines += [
        _finding(
            "not served",
            tables.printable(each.name),
            f"no enabled account serves it (known from {each.known_from})",
            paint,
        )
        for each in found.unserved_store_views
    ]
    return "\n".join([*lines, _summary(found)]) + "\n"


def _pair_json(pair: Pair) -> PairEntry:
    witness = pair.verdict.witness
    return PairEntry(
        accounts=list(pair.accounts),
        verdict=pair.verdict.overlap,
        winner=pair.winner,
        equal_priority=pair.equal_priority,
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


def _shadowed_line(shadowed: Shadowed, paint: tables.Paint) -> str:
    by = ", ".join(map(_name, shadowed.by))
    return _finding("shadowed", _name(shadowed.account), f"every order goes to {by}", paint)


def _finding(kind: str, what: str, said: str, paint: tables.Paint) -> str:
    return f"{paint(tables.Tone.CHANGE, kind)}: {what}: {said}"


def _name(name: str) -> str:
    return tables.printable(name)


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


_WIDEST = 44
"""Columns of a value, beyond which what is wanted goes to the next line."""


@dataclass(frozen=True, slots=True)
class Told:
    """An explanation with the accounts to show, and the history of each row by its id."""

    explanation: Explanation
    verdicts: Sequence[AccountVerdict]
    histories: Mapping[int, Sequence[StatusChange]]


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


def explanation_text(told: Told, paint: tables.Paint) -> str:
    """The same for people, with the history of the queue and what would have to change."""
    blocks = [_head(told.explanation, paint)]
    blocks += [account_text(each, told.explanation, paint) for each in told.verdicts]
    if told.explanation.rows:
        blocks.append(_queue(told, paint))
    return tables.blocks_text(blocks)


def _head(explanation: Explanation, paint: tables.Paint) -> str:
    order = explanation.order
    fields = [
        tables.Field("Placed", tables.at(order.created_at)),
        tables.Field("Status", f"{tables.plain(order.status)} (state {tables.plain(order.state)})"),
        tables.Field("Store view", tables.plain(order.store_view)),
        tables.Field("Customer group", tables.plain(order.customer_group)),
        tables.Field("Invitation", _outcome(explanation)),
    ]
    title = f"Order {order.number} (id {order.order_id}, source {explanation.source})"
    return tables.fields_text(title, fields, paint)


def _outcome(explanation: Explanation) -> str:
    name, row = tables.printable(explanation.account or ""), explanation.row
    taken = f"; the next apply cancels the pending one: {tables.printable(explanation.cancelled or '')}"
    more = taken if explanation.cancelled else ""
    match explanation.outcome:
        case OrderOutcome.GETS:
            return f"{name} gets the order with the next apply, due {tables.at(explanation.due)}{more}"
        case OrderOutcome.KEEPS:
            return f"{name} has the order, due {tables.at(explanation.due)}"
        case OrderOutcome.CLOSED if row is not None:
            return f"{row.status.value} through {name}: no other account may ask"
        case _:
            return f"no account invites this order{more}"


def account_text(verdict: AccountVerdict, explanation: Explanation, paint: tables.Paint) -> str:
    """What one account makes of the order: each criterion with value and verdict, and when it is due."""
    account = verdict.account
    name = paint(tables.Tone.STRONG, tables.printable(account.name))
    lines = [f"{name} ({account.interface_id}): {_standing(verdict, explanation, paint)}"]
    width = max(len(each.criterion.value) for each in verdict.criteria)
    for each in verdict.criteria:
        lines += _criterion(each, width, paint)
    lines.append(f"  {_clock(verdict)}")
    if verdict.account.invitations.products.ask:
        lines.append(f"  products: {', '.join(map(_product, verdict.products)) or 'none of this order'}")
    if verdict.changes:
        lines.append("  would be invited if:")
        lines += [f"    - {tables.printable(each)}" for each in verdict.changes]
    return "\n".join(lines) + "\n"


def _standing(verdict: AccountVerdict, explanation: Explanation, paint: tables.Paint) -> str:
    own = verdict.row is not None and verdict.row == explanation.row
    if own and verdict.row is not None and verdict.row.status is not Status.PENDING:
        return paint(tables.Tone.SEND, verdict.row.status.value)
    if verdict.eligible:
        return paint(tables.Tone.ADD, "invited")
    waits = f", its pending row {'is cancelled' if explanation.cancelled else 'is held'}" if own else ""
    return paint(tables.Tone.REMOVE, "not invited") + f": {verdict.reason}{waits}"


def _criterion(result: CriterionResult, width: int, paint: tables.Paint) -> Iterator[str]:
    sign = paint(tables.Tone.ADD, "✓ ok  ") if result.ok else paint(tables.Tone.REMOVE, "✗ fail")
    value, wanted = tables.plain(result.value), f"wanted: {tables.printable(result.wanted)}"
    head = f"  {sign}  {result.criterion.value.ljust(width)}  {value}"
    if len(value) > _WIDEST:
        yield head
        yield " " * (12 + width) + wanted
    else:
        yield head + " " * (_WIDEST - len(value) + 2) + wanted
    if result.conditions is not None:
        yield from _tree(result.conditions, 12 + width, paint)


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
        f"due {tables.at(verdict.scheduled_at)}{_leaves(verdict)}"
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
            f"due {tables.at(row.scheduled_at)}{' (pushed)' if row.pushed else ''}, "
            f"sent {tables.at(row.sent_at)}"
        )
        lines += [f"    {_change(each)}" for each in told.histories.get(row.id, ())]
    return "\n".join(lines) + "\n"


def _change(change: StatusChange) -> str:
    detail = f": {tables.printable(change.detail)}" if change.detail else ""
    before = f"{change.from_status.value} → " if change.from_status else ""
    actor = tables.printable(change.actor)
    return f"{tables.at(change.at)}  {before}{change.to_status.value}  by {actor}{detail}"
