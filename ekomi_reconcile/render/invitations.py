"""Invitations and orders: the grid, one invitation, its history, an order file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import yaml

from ekomi_reconcile.model.diagnostic import FileInspection
from ekomi_reconcile.model.document import Count, JsonObject, Time, from_records
from ekomi_reconcile.model.instant import Instant
from ekomi_reconcile.model.invitation import Evidence, Invitation, Status, StatusChange
from ekomi_reconcile.model.order import OrderId, OrderState
from ekomi_reconcile.model.review import FunnelGroup, FunnelKey, wilson
from ekomi_reconcile.model.rule import Deliver
from ekomi_reconcile.render import tables
from ekomi_reconcile.sent_import import BadLine

_SHOWN = 20


class ColumnEntry(JsonObject, frozen=True):
    """A column of the file, and the field of an order that it has; ``None`` where it is not recognised."""

    column: str
    field: str | None


class WordEntry(JsonObject, frozen=True):
    """A word that orders have in a field, and of a status the state that it means."""

    field: str
    word: str
    orders: Count
    state: OrderState | None


class ProblemEntry(JsonObject, frozen=True):
    """What cannot be read, and where."""

    place: str | None
    message: str
    hint: str | None


class InspectionDocument(JsonObject, frozen=True):
    """What was found in an order file; ``mapping`` goes under ``orders:`` beside ``file``."""

    file: str
    layout: str
    orders: Count
    columns: list[ColumnEntry]
    missing: list[str]
    words: list[WordEntry]
    mapping: dict[str, Any]
    notes: list[str]
    problems: list[ProblemEntry]


def inspection_json(found: FileInspection) -> InspectionDocument:
    """The object of ``orders inspect --format json``."""
    return InspectionDocument(
        file=str(found.path),
        layout=found.layout,
        orders=found.orders,
        columns=[ColumnEntry(title, field) for title, field in found.fields.items()],
        missing=list(found.missing),
        words=[WordEntry(each.field, each.word, each.count, each.state) for each in found.words],
        mapping=dict(found.mapping),
        notes=list(found.notes),
        problems=[
            ProblemEntry(None if each.place is None else str(each.place), each.message, each.hint)
            for each in found.problems
        ],
    )


def inspection_text(found: FileInspection, paint: tables.Paint) -> str:
    """The columns, what is missing, the words of statuses, what cannot be read, and a mapping to paste."""
    lines = [
        f"{tables.printable(str(found.path))}: {found.layout}, {tables.plural(found.orders, 'order')} read"
    ]
    lines += _columns(found)
    lines += [f"missing: {name} ({_MISSING[name]})" for name in found.missing]
    lines += _words(found)
    for each in found.problems:
        place = "" if each.place is None else f"{each.place}: "
        lines.append(paint(tables.Tone.REMOVE, tables.printable(f"{place}{each.message}")))
    if found.mapping:
        lines += ["", f"# for {tables.printable(str(found.path))}, in ekomi-reconcile.yaml:"]
        lines += [f"# {tables.printable(note)}" for note in found.notes]
        lines.append(_yaml(found))
    return "\n".join(lines).rstrip() + "\n"


_MISSING = {
    "increment_id": "the order number; required",
    "created_at": "the order date; required",
    "status": "no order can reach a trigger status",
    "customer_email": "nobody can be invited by e-mail",
}


def _columns(found: FileInspection) -> Iterator[str]:
    known = {title: name for title, name in found.fields.items() if name is not None}
    width = max(map(len, known), default=0)
    yield from (f"  {tables.printable(title):{width}}  -> {name}" for title, name in known.items())
    left = [title for title in found.fields if title and title not in known]
    if left:
        more = f" and {len(left) - _SHOWN} more" if len(left) > _SHOWN else ""
        yield f"not used: {tables.printable(', '.join(left[:_SHOWN]))}{more}"


def _words(found: FileInspection) -> Iterator[str]:
    for each in found.words[:_SHOWN]:
        means = f" = {each.state}" if each.state is not None else ""
        yield f"  {each.field} {tables.printable(each.word)}: {tables.plural(each.count, 'order')}{means}"


def _yaml(found: FileInspection) -> str:
    return yaml.safe_dump(
        {"orders": {"file": str(found.path), **found.mapping}}, sort_keys=False, allow_unicode=True
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SentImport:
    """``new`` orders were not in the queue, ``waiting`` ones were; ``present`` ones were dealt with already.

    ``written``: it was done, and not only looked at.
    """

    new: int
    waiting: int
    present: int
    bad: Sequence[BadLine]
    written: bool
    dry_run: bool


class LineProblem(JsonObject, frozen=True):
    """A line of the file that could not be used."""

    line: Count
    problem: str


class MarkedDocument(JsonObject, frozen=True):
    """What was marked as sent; ``were_waiting`` of ``marked`` were pending, ``present`` were sent before."""

    written: bool
    dry_run: bool
    marked: Count
    were_waiting: Count
    present: Count
    problems: list[LineProblem]


def sent_import_json(each: SentImport) -> MarkedDocument:
    """The object of ``invitations mark-sent --format json``."""
    return MarkedDocument(
        written=each.written,
        dry_run=each.dry_run,
        marked=each.new + each.waiting,
        were_waiting=each.waiting,
        present=each.present,
        problems=[LineProblem(bad.line, bad.problem) for bad in each.bad],
    )


def sent_import_text(each: SentImport, paint: tables.Paint) -> str:
    """The same for people."""
    lines = [
        f"line {bad.line}: {paint(tables.Tone.REMOVE, 'error')}: {tables.printable(bad.problem)}\n"
        for bad in each.bad
    ]
    marked = tables.plural(each.new + each.waiting, "order")
    verb = "marked" if each.written else "would be marked"
    waited = f" ({each.waiting} of them waited to be sent)" if each.waiting else ""
    lines.append(
        f"{paint(tables.Tone.ADD, f'{marked} {verb} as sent')}{waited}, {each.present} were already.\n"
    )
    if each.bad and not each.written:
        bad = tables.plural(len(each.bad), "line")
        lines.append(f"Nothing was written because of {bad}; --keep-going leaves such lines out.\n")
    return "".join(lines)


LAYOUT: tables.Layout = (
    (tables.Column("ID", right=True),),
    (tables.Column("Order"), tables.Column("Store view", whole=False), tables.Column("Account", whole=False)),
    (tables.Column("Order date (UTC)"), tables.Column("Scheduled (UTC)"), tables.Column("Sent (UTC)")),
    (
        tables.Column("Status"),
        tables.Column("Channel"),
        tables.Column("Reason", whole=False),
        tables.Column("Link", whole=False),
    ),
)

TONES = {
    Status.PENDING: tables.Tone.CHANGE,
    Status.SENDING: tables.Tone.SEND,
    Status.SENT: tables.Tone.ADD,
    Status.SKIPPED: tables.Tone.FAINT,
    Status.CANCELLED: tables.Tone.FAINT,
    Status.FAILED: tables.Tone.REMOVE,
    Status.UNKNOWN: tables.Tone.REMOVE,
}


@dataclass(frozen=True, slots=True)
class Listed:
    """An invitation and the name of its account; a pending one can leave at ``leaves_at``."""

    account: str
    row: Invitation
    leaves_at: Instant | None = None


class InvitationEntry(JsonObject, frozen=True):
    """An invitation of the queue."""

    id: Count
    account: str
    interface_id: str
    order: str
    order_id: OrderId
    store_view: str | None
    order_date: Time
    reached_at: Time
    reached_source: Evidence
    pending_days: Count | None
    scheduled_at: Time
    leaves_at: Time | None
    channel: Deliver | None
    sent_at: Time | None
    link: str | None
    status: Status
    reason: str | None
    attempts: Count


class InvitationDocument(InvitationEntry, frozen=True):
    """An invitation in full: also how it came to its time."""

    source: str
    reached_status: str
    judged_at: Time
    next_attempt_at: Time | None
    pushed: bool
    at_once: bool
    changed_at: Time


def listed_json(each: Listed) -> InvitationEntry:
    """One object of ``invitations list --format json``."""
    return from_records(InvitationEntry, each, each.row, **_named(each.row))


def invitation_json(each: Listed) -> InvitationDocument:
    """One invitation in full: what the list has, and how it came to its time."""
    return from_records(
        InvitationDocument, each, each.row, **_named(each.row), reached_status=each.row.reached.status
    )


def _named(row: Invitation) -> dict[str, Any]:
    """What is called otherwise in an output than in a record."""
    return {"order": row.number, "reached_at": row.reached.at, "reached_source": row.reached.source}


def listed_row(each: Listed) -> tables.Row:
    """One line of the grid."""
    row = each.row
    return (
        tables.cell(row.id),
        tables.cell(row.number),
        tables.cell(row.store_view),
        tables.cell(each.account),
        tables.time_cell(row.order_date),
        tables.time_cell(row.scheduled_at),
        tables.time_cell(row.sent_at),
        tables.Cell(row.status.value, TONES[row.status]),
        tables.cell(row.channel),
        tables.cell(row.reason),
        tables.cell(row.link),
    )


def invitation_text(each: Listed, paint: tables.Paint) -> str:
    """The same for people."""
    row = each.row
    fields = (
        tables.Field("Status", paint(TONES[row.status], row.status.value)),
        tables.Field("Reason", tables.plain(row.reason)),
        tables.Field(
            "Order", f"{tables.plain(row.number)} (id {row.order_id}, source {tables.plain(row.source)})"
        ),
        tables.Field("Account", f"{tables.plain(each.account)} ({row.interface_id})"),
        tables.Field("Store view", tables.plain(row.store_view)),
        tables.Field("Order date", tables.at(row.order_date)),
        tables.Field(
            "Reached",
            f"{tables.at(row.reached.at)} ({tables.plain(row.reached.status)} by {row.reached.source.value})",
        ),
        tables.Field(
            "Pending period", "-" if row.pending_days is None else tables.plural(row.pending_days, "day")
        ),
        tables.Field("Scheduled", tables.at(row.scheduled_at) + (" (pushed)" if row.pushed else "")),
        tables.Field("Leaves", tables.at(each.leaves_at)),
        tables.Field("Channel", tables.plain(row.channel)),
        tables.Field("Sent", tables.at(row.sent_at)),
        tables.Field("Link", tables.plain(row.link)),
        tables.Field("Attempts", _attempts(row)),
        tables.Field("Changed", tables.at(row.changed_at)),
    )
    return tables.fields_text(f"Invitation {row.id}", fields, paint)


def _attempts(row: Invitation) -> str:
    waits = row.next_attempt_at is not None
    return f"{row.attempts} failed" + (f", next not before {tables.at(row.next_attempt_at)}" if waits else "")


class ChangeEntry(JsonObject, frozen=True):
    """A change of an invitation's status; the first has no ``from``."""

    at: Time
    from_: Status | None = msgspec.field(name="from")
    to: Status
    actor: str
    detail: str | None


def change_json(change: StatusChange) -> ChangeEntry:
    """The change as a part of other outputs."""
    return from_records(ChangeEntry, change, from_=change.from_status, to=change.to_status)


class FunnelEntry(JsonObject, frozen=True):
    """Sent invitations of one group, and how many led to a review; keys that it is not grouped by are null.

    ``rate`` is the response rate, ``low`` and ``high`` are its 95 % Wilson interval.
    """

    account: str | None
    week: str | None
    channel: str | None
    pending_days: int | None
    invited: Count
    reviewed: Count
    rate: float
    low: float
    high: float
    median_days: float | None


def funnel_json(keys: dict[FunnelKey, Any], group: FunnelGroup) -> FunnelEntry:
    """One item of ``reviews funnel --format json``."""
    reviewed, days = len(group.delays), group.median_days
    shares = (round(each, 4) for each in (group.rate, *wilson(reviewed, group.invited)))
    median_days = None if days is None else round(days, 1)
    values: Sequence[Any] = (*map(keys.get, FunnelKey), group.invited, reviewed, *shares, median_days)
    return FunnelEntry(**dict(zip(FunnelEntry.__struct_fields__, values, strict=True)))


FUNNEL_LAYOUT: tables.Layout = (
    tuple(tables.Column(each) for each in ("Account", "Week of", "Channel")),
    tuple(tables.Column(each, right=True) for each in ("Pending days", "Invited", "Reviewed")),
    tuple(tables.Column(each, right=True) for each in ("Rate", "95 % interval", "Median days")),
)


def funnel_row(each: FunnelEntry) -> tables.Row:
    """The same as a row of the table."""
    rate = (f"{each.rate:.1%}", f"{each.low:.1%} to {each.high:.1%}")
    keys = (each.account, each.week, each.channel, each.pending_days)
    return [tables.cell(value) for value in (*keys, each.invited, each.reviewed, *rate, each.median_days)]
