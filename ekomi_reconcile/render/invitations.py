"""The invitations grid, one invitation, its history; imported sent ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from ekomi_reconcile.model.document import Count, JsonObject, Time, from_records
from ekomi_reconcile.model.instant import Instant
from ekomi_reconcile.model.invitation import Evidence, Invitation, Status, StatusChange
from ekomi_reconcile.model.order import OrderId
from ekomi_reconcile.model.rule import Deliver
from ekomi_reconcile.render.tables import (
    Cell,
    Column,
    Field,
    Layout,
    Paint,
    Row,
    Tone,
    at,
    cell,
    fields_text,
    plain,
    plural,
    printable,
    time_cell,
)
from ekomi_reconcile.sent_import.file import BadLine


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


def sent_import_text(each: SentImport, paint: Paint) -> str:
    """The same for people."""
    lines = [
        f"line {bad.line}: {paint(Tone.REMOVE, 'error')}: {printable(bad.problem)}\n" for bad in each.bad
    ]
    marked = plural(each.new + each.waiting, "order")
    verb = "marked" if each.written else "would be marked"
    waited = f" ({each.waiting} of them waited to be sent)" if each.waiting else ""
    lines.append(f"{paint(Tone.ADD, f'{marked} {verb} as sent')}{waited}, {each.present} were already.\n")
    if each.bad and not each.written:
        bad = plural(len(each.bad), "line")
        lines.append(f"Nothing was written because of {bad}; --keep-going leaves such lines out.\n")
    return "".join(lines)


LAYOUT: Layout = (
    (Column("ID", right=True),),
    (Column("Order"), Column("Store view", whole=False), Column("Account", whole=False)),
    (Column("Order date (UTC)"), Column("Scheduled (UTC)"), Column("Sent (UTC)")),
    (Column("Status"), Column("Channel"), Column("Reason", whole=False), Column("Link", whole=False)),
)
HISTORY_LAYOUT: Layout = (
    (Column("At (UTC)"),),
    (Column("From"), Column("To")),
    (Column("By", whole=False),),
    (Column("Detail", whole=False),),
)

_TONES = {
    Status.PENDING: Tone.CHANGE,
    Status.SENDING: Tone.SEND,
    Status.SENT: Tone.ADD,
    Status.SKIPPED: Tone.FAINT,
    Status.CANCELLED: Tone.FAINT,
    Status.FAILED: Tone.REMOVE,
    Status.UNKNOWN: Tone.REMOVE,
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


def listed_row(each: Listed) -> Row:
    """One line of the grid."""
    row = each.row
    return (
        cell(row.id),
        cell(row.number),
        cell(row.store_view),
        cell(each.account),
        time_cell(row.order_date),
        time_cell(row.scheduled_at),
        time_cell(row.sent_at),
        Cell(row.status.value, _TONES[row.status]),
        cell(row.channel),
        cell(row.reason),
        cell(row.link),
    )


def invitation_text(each: Listed, paint: Paint) -> str:
    """The same for people."""
    row = each.row
    fields = (
        Field("Status", paint(_TONES[row.status], row.status.value)),
        Field("Reason", plain(row.reason)),
        Field("Order", f"{plain(row.number)} (id {row.order_id}, source {plain(row.source)})"),
        Field("Account", f"{plain(each.account)} ({row.interface_id})"),
        Field("Store view", plain(row.store_view)),
        Field("Order date", at(row.order_date)),
        Field("Reached", f"{at(row.reached.at)} ({plain(row.reached.status)} by {row.reached.source.value})"),
        Field("Pending period", "-" if row.pending_days is None else plural(row.pending_days, "day")),
        Field("Scheduled", at(row.scheduled_at) + (" (pushed)" if row.pushed else "")),
        Field("Leaves", at(each.leaves_at)),
        Field("Channel", plain(row.channel)),
        Field("Sent", at(row.sent_at)),
        Field("Link", plain(row.link)),
        Field("Attempts", _attempts(row)),
        Field("Changed", at(row.changed_at)),
    )
    return fields_text(f"Invitation {row.id}", fields, paint)


def _attempts(row: Invitation) -> str:
    waits = row.next_attempt_at is not None
    return f"{row.attempts} failed" + (f", next not before {at(row.next_attempt_at)}" if waits else "")


class ChangeEntry(JsonObject, frozen=True):
    """A change of an invitation's status; the first has no ``from``."""

    at: Time
    from_: Status | None = msgspec.field(name="from")
    to: Status
    actor: str
    detail: str | None


def change_json(change: StatusChange) -> ChangeEntry:
    """One object of ``invitations history --format json``."""
    return from_records(ChangeEntry, change, from_=change.from_status, to=change.to_status)


def change_row(change: StatusChange) -> Row:
    """One line of the history."""
    return (
        time_cell(change.at),
        cell(change.from_status.value if change.from_status else None),
        Cell(change.to_status.value, _TONES[change.to_status]),
        cell(change.actor),
        cell(change.detail),
    )
