"""What the state holds: figures, findings, and what it has on one customer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from ekomi_reconcile.model.account import AccountRecord, account_address
from ekomi_reconcile.model.document import Count, JsonObject, Time, from_records
from ekomi_reconcile.model.invitation import StatusChange
from ekomi_reconcile.model.review import ShopData
from ekomi_reconcile.model.run import ChangeOrigin, JournalEntry, LockInfo, read_figures
from ekomi_reconcile.privacy.limits import OptOut
from ekomi_reconcile.privacy.suppression import EntryKind
from ekomi_reconcile.render import invitations as render_invitations
from ekomi_reconcile.render import results, tables
from ekomi_reconcile.render.results import ListedError, run_words
from ekomi_reconcile.render.reviews import ListedReview, ReviewEntry, review_json

JOURNAL_LAYOUT: tables.Layout = (
    (tables.Column("At (UTC)"),),
    (tables.Column("Who", whole=False), tables.Column("Host", whole=False)),
    (tables.Column("Action", whole=False), tables.Column("Outcome", whole=False)),
    (tables.Column("Subject", whole=False), tables.Column("Detail", whole=False)),
    (tables.Column("Commit"),),
)
NOBODY = "Nobody holds the lock.\n"

_TIMES = (
    "created_at",
    "updated_at",
    "deleted_at",
    "last_fetched_at",
    "last_import_at",
    "last_full_import_at",
    "last_error_at",
)
_COMMIT_LENGTH = 12


class AddressEntry(JsonObject, frozen=True):
    """An account of the state and its address."""

    address: str
    name: str
    interface_id: str


def address_json(record: AccountRecord) -> AddressEntry:
    """One object of ``state list --format json``."""
    return from_records(AddressEntry, record, address=account_address(record.name))


def address_text(record: AccountRecord) -> str:
    """One line of ``state list``: the address alone, to be used by scripts."""
    return tables.printable(account_address(record.name)) + "\n"


class RecordDocument(JsonObject, frozen=True):
    """The record of an account; of its password only whether its digest is known."""

    id: Count
    address: str
    name: str
    interface_id: str
    desired: dict[str, Any]
    protect: bool
    password_recorded: bool
    shop: ShopData
    last_error: str | None
    created_at: Time | None
    updated_at: Time | None
    deleted_at: Time | None
    last_fetched_at: Time | None
    last_import_at: Time | None
    last_full_import_at: Time | None
    last_error_at: Time | None


def record_json(record: AccountRecord) -> RecordDocument:
    """The object of ``state show --format json``."""
    return from_records(
        RecordDocument,
        record,
        address=account_address(record.name),
        desired=dict(record.desired),
        password_recorded=record.password_digest is not None,
    )


def record_text(record: AccountRecord, paint: tables.Paint) -> str:
    """The same for people."""
    shown = msgspec.to_builtins(record_json(record))
    rest = [key for key in shown if key not in ("address", "desired", "shop", *_TIMES)]
    fields = [tables.Field(key, tables.plain(shown[key])) for key in rest]
    fields += [tables.Field(name, tables.at(getattr(record, name))) for name in _TIMES]
    return tables.blocks_text(
        [
            tables.fields_text(account_address(record.name), fields, paint),
            tables.fields_text(
                "desired",
                [tables.Field(key, tables.plain(each)) for key, each in record.desired.items()],
                paint,
            ),
            tables.fields_text(
                "shop", [tables.Field(key, tables.plain(each)) for key, each in shown["shop"].items()], paint
            ),
        ]
    )


def entry_row(entry: JournalEntry) -> tables.Row:
    """One line of ``state history``."""
    return (
        tables.time_cell(entry.at),
        tables.cell(entry.who),
        tables.cell(entry.host),
        tables.cell(entry.action),
        tables.cell(entry.outcome),
        tables.cell(entry.subject),
        tables.cell(_remark(entry)),
        _short(entry.commit),
    )


def _remark(entry: JournalEntry) -> str | None:
    """What a person wrote, or what a run did, in words."""
    figures = read_figures(entry.detail)
    if figures is None:
        return entry.detail
    return run_words(figures.counts, failures=figures.failures, not_tried=figures.not_tried) or None


HISTORY_LAYOUT: tables.Layout = (
    (tables.Column("At (UTC)"),),
    (tables.Column("From"), tables.Column("To")),
    (tables.Column("By", whole=False), tables.Column("Commit"), tables.Column("Plan")),
    (tables.Column("Rule of (UTC)"), tables.Column("Rule commit"), tables.Column("Detail", whole=False)),
)


class OriginEntry(render_invitations.ChangeEntry, frozen=True):
    """A change of an invitation; ``rule``: the change of its account that set the rule in force then."""

    run: results.ActionEntry | None
    rule: results.ActionEntry | None


def origin_json(each: ChangeOrigin) -> OriginEntry:
    """One object of ``invitations history --format json``."""
    run, rule = (entry and results.entry_json(entry) for entry in (each.run, each.rule))
    return from_records(OriginEntry, render_invitations.change_json(each.change), run=run, rule=rule)


def origin_row(each: ChangeOrigin) -> tables.Row:
    """One line of ``invitations history``."""
    change, run, rule = each.change, each.run, each.rule
    return (
        tables.time_cell(change.at),
        tables.cell(change.from_status),
        tables.Cell(change.to_status.value, render_invitations.TONES[change.to_status]),
        tables.cell(f"{run.who}@{run.host}" if run else change.actor),
        _short(run.commit if run else None),
        _short(run.plan_digest if run else None),
        tables.time_cell(rule.at if rule else None),
        _short(rule.commit if rule else None),
        tables.cell(change.detail),
    )


def _short(digest: str | None) -> tables.Cell:
    return tables.cell(digest and digest.removeprefix("sha256:")[:_COMMIT_LENGTH])


class LockDocument(JsonObject, frozen=True):
    """The writer lock and who holds it; all else is ``null`` where nobody does."""

    held: bool
    id: str | None = None
    who: str | None = None
    host: str | None = None
    since: Time | None = None
    operation: str | None = None
    process: Count | None = None
    job: str | None = None
    info: str | None = None
    version: str | None = None
    path: str | None = None


def lock_json(info: LockInfo | None) -> LockDocument:
    """The object of ``lock show --format json``."""
    if info is None:
        return LockDocument(held=False)
    user, at_sign, place = info.Who.rpartition("@")
    who, host = (user, place) if at_sign else (place, "")
    return LockDocument(
        held=True,
        id=info.ID,
        who=who or None,
        host=host or None,
        since=info.Created or None,
        operation=info.Operation,
        process=info.PID,
        job=info.Job,
        info=info.Info,
        version=info.Version,
        path=info.Path,
    )


def lock_text(info: LockInfo | None, paint: tables.Paint) -> str:
    """The same for people."""
    if info is None:
        return NOBODY
    shown = lock_json(info)
    names = ("who", "host", "since", "operation", "info", "process", "job", "version", "path", "id")
    fields = [tables.Field(key, tables.plain(getattr(shown, key))) for key in names]
    return tables.fields_text("The writer lock is held", fields, paint)


def broken_text(info: LockInfo, paint: tables.Paint) -> str:
    """What ``force-unlock`` did."""
    return f"{paint(tables.Tone.CHANGE, 'Broken')}: {tables.printable(str(info))}\n"


LAYOUT: tables.Layout = (
    (tables.Column("Line", right=True), tables.Column("Kind")),
    (tables.Column("Entry", whole=False),),
)


class AddedEntry(JsonObject, frozen=True):
    """An entry; ``pending``: its customer's pending invitations (``null``: a domain or number, not known)."""

    entry: str
    added: bool
    pending: Count | None


class AddedEntries(JsonObject, frozen=True):
    """What became of the given entries: how many were added, how many were on the list already."""

    added: Count
    present: Count
    pending: Count
    entries: list[AddedEntry]


class RemovedEntries(JsonObject, frozen=True):
    """How many lines were taken out, and how many of the given entries were on no line."""

    removed: Count
    missing: Count


class SuppressionEntry(JsonObject, frozen=True):
    """A line of the suppression list."""

    line: Count
    kind: EntryKind
    entry: str


def opt_out_json(each: OptOut) -> SuppressionEntry:
    """One object of ``suppress list --format json``."""
    return from_records(SuppressionEntry, each)


def opt_out_row(each: OptOut) -> tables.Row:
    """One line of the list."""
    return (tables.cell(each.line), tables.cell(each.kind.value), tables.cell(each.entry))


def added_json(entries: Sequence[AddedEntry]) -> AddedEntries:
    """The object of ``suppress add --format json``."""
    return AddedEntries(
        added=sum(each.added for each in entries),
        present=sum(not each.added for each in entries),
        pending=sum(each.pending or 0 for each in entries),
        entries=list(entries),
    )


def added_text(entries: Sequence[AddedEntry], paint: tables.Paint) -> str:
    """The same for people."""
    counts = added_json(entries)
    present = f", {counts.present} on the list already" if counts.present else ""
    head = f"{paint(tables.Tone.ADD, f'{counts.added} added')}{present}.\n"
    waiting = ""
    if counts.pending:
        waiting = f"{tables.plural(counts.pending, 'pending invitation')}: the next apply cancels them.\n"
    if any(each.pending is None for each in entries):
        waiting += (
            "Pending invitations of a domain or number are cancelled when their order is read, at the latest "
            "before sending.\n"
        )
    return "".join([*(f"{tables.printable(each.entry)}\n" for each in entries if each.added), head, waiting])


def removed_text(each: RemovedEntries, paint: tables.Paint) -> str:
    """The same for people."""
    missing = f", {each.missing} not on the list" if each.missing else ""
    return f"{paint(tables.Tone.CHANGE, f'{each.removed} removed')}{missing}.\n"


_ELSEWHERE = "What eKomi and the shop hold is not erased by this.\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """Everything held about a customer, who is a keyed ``digest`` here; ``histories`` are by invitation."""

    digest: str
    suppressed: bool
    invitations: Sequence[render_invitations.Listed]
    histories: Mapping[int, Sequence[StatusChange]]
    reviews: Iterable[ListedReview]
    errors: Iterable[ListedError]
    journal: Iterable[JournalEntry]


class HeldInvitation(render_invitations.InvitationDocument, frozen=True):
    """An invitation in full, with its history."""

    history: list[render_invitations.ChangeEntry]


class HeldDocument(JsonObject, frozen=True):
    """Everything held about a customer, who is a keyed ``digest`` here."""

    digest: str
    suppressed: bool
    invitations: list[HeldInvitation]
    reviews: list[ReviewEntry]
    errors: list[results.ErrorEntry]
    journal: list[results.ActionEntry]


class Erased(JsonObject, frozen=True):
    """What was erased. ``suppressed``: the customer is on the suppression list now.

    ``copies`` are the paths of copies of the state that still hold what was erased.
    """

    invitations: Count
    skipped: Count
    reviews: Count
    errors: Count
    suppressed: bool
    copies: list[str]


def held_json(held: Held) -> HeldDocument:
    """The object of ``privacy export``."""
    return HeldDocument(
        digest=held.digest,
        suppressed=held.suppressed,
        invitations=[_held_invitation(each, held.histories[each.row.id]) for each in held.invitations],
        reviews=[review_json(each) for each in held.reviews],
        errors=[results.error_json(each) for each in held.errors],
        journal=[results.entry_json(each) for each in held.journal],
    )


def _held_invitation(each: render_invitations.Listed, history: Sequence[StatusChange]) -> HeldInvitation:
    return HeldInvitation(
        **msgspec.structs.asdict(render_invitations.invitation_json(each)),
        history=[render_invitations.change_json(change) for change in history],
    )


def erased_text(each: Erased, paint: tables.Paint) -> str:
    """The same for people."""
    if not each.invitations:
        lines = ["Nothing is held about this customer.\n"]
    else:
        invitations, reviews = (
            tables.plural(each.invitations, "invitation"),
            tables.plural(each.reviews, "review"),
        )
        errors = tables.plural(each.errors, "logged error")
        gone = f"the customer of {invitations}, the texts of {reviews}, {errors}"
        lines = [
            f"{paint(tables.Tone.REMOVE, 'Erased')}: {gone}.\n",
            "Kept: that these orders were dealt with, so that nobody is asked twice.\n",
        ]
    if each.skipped:
        lines.append(f"{tables.plural(each.skipped, 'pending invitation')} will not be sent.\n")
    if each.suppressed:
        lines.append("The customer is on the suppression list.\n")
    if each.copies:
        lines.append("Copies of the state that still hold it; delete them when they are not needed:\n")
        lines += [f"  {tables.printable(path)}\n" for path in each.copies]
    return "".join([*lines, _ELSEWHERE])
