"""The state: records, journal and lock."""

from __future__ import annotations

from typing import Any

import msgspec

from ekomi_reconcile.model.account import account_address
from ekomi_reconcile.model.account_record import AccountRecord
from ekomi_reconcile.model.document import Count, JsonObject, Time, from_records
from ekomi_reconcile.model.review import ShopData
from ekomi_reconcile.model.run import JournalEntry, read_figures
from ekomi_reconcile.model.state import LockInfo
from ekomi_reconcile.render.results import run_words
from ekomi_reconcile.render.tables import (
    Column,
    Field,
    Layout,
    Paint,
    Row,
    Tone,
    at,
    blocks_text,
    cell,
    fields_text,
    plain,
    printable,
    time_cell,
)

JOURNAL_LAYOUT: Layout = (
    (Column("At (UTC)"),),
    (Column("Who", whole=False), Column("Host", whole=False)),
    (Column("Action", whole=False), Column("Outcome", whole=False)),
    (Column("Subject", whole=False), Column("Detail", whole=False)),
    (Column("Commit"),),
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
    return printable(account_address(record.name)) + "\n"


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


def record_text(record: AccountRecord, paint: Paint) -> str:
    """The same for people."""
    shown = msgspec.to_builtins(record_json(record))
    rest = [key for key in shown if key not in ("address", "desired", "shop", *_TIMES)]
    fields = [Field(key, plain(shown[key])) for key in rest]
    fields += [Field(name, at(getattr(record, name))) for name in _TIMES]
    return blocks_text(
        [
            fields_text(account_address(record.name), fields, paint),
            fields_text("desired", [Field(key, plain(each)) for key, each in record.desired.items()], paint),
            fields_text("shop", [Field(key, plain(each)) for key, each in shown["shop"].items()], paint),
        ]
    )


class ActionEntry(JsonObject, frozen=True):
    """An entry of the journal: who did what, and how it ended."""

    at: Time
    who: str
    host: str
    action: str
    subject: str | None
    outcome: str
    detail: str | None
    commit: str | None
    plan_digest: str | None


def entry_json(entry: JournalEntry) -> ActionEntry:
    """One object of ``state history --format json``."""
    return from_records(ActionEntry, entry)


def entry_row(entry: JournalEntry) -> Row:
    """One line of ``state history``."""
    return (
        time_cell(entry.at),
        cell(entry.who),
        cell(entry.host),
        cell(entry.action),
        cell(entry.outcome),
        cell(entry.subject),
        cell(_remark(entry)),
        cell(entry.commit[:_COMMIT_LENGTH] if entry.commit else None),
    )


def _remark(entry: JournalEntry) -> str | None:
    """What a person wrote, or what a run did, in words."""
    figures = read_figures(entry.detail)
    if figures is None:
        return entry.detail
    return run_words(figures.counts, failures=figures.failures, not_tried=figures.not_tried) or None


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


def lock_text(info: LockInfo | None, paint: Paint) -> str:
    """The same for people."""
    if info is None:
        return NOBODY
    shown = lock_json(info)
    names = ("who", "host", "since", "operation", "info", "process", "job", "version", "path", "id")
    fields = [Field(key, plain(getattr(shown, key))) for key in names]
    return fields_text("The writer lock is held", fields, paint)


def broken_text(info: LockInfo, paint: Paint) -> str:
    """What ``force-unlock`` did."""
    return f"{paint(Tone.CHANGE, 'Broken')}: {printable(str(info))}\n"
