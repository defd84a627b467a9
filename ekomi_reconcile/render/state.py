"""The state: records, journal and lock."""

from __future__ import annotations

from msgspec.structs import asdict

from ekomi_reconcile.model.account import AccountRecord, Json, account_address
from ekomi_reconcile.model.instant import iso, iso_or_none
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


def address_json(record: AccountRecord) -> dict[str, Json]:
    """One object of ``state list --format json``."""
    return {
        "address": account_address(record.name),
        "name": record.name,
        "interface_id": record.interface_id,
    }


def address_text(record: AccountRecord) -> str:
    """One line of ``state list``: the address alone, to be used by scripts."""
    return printable(account_address(record.name)) + "\n"


def record_json(record: AccountRecord) -> dict[str, Json]:
    """The record of an account; of its password only whether its digest is known."""
    return {
        "id": record.id,
        "address": account_address(record.name),
        "name": record.name,
        "interface_id": record.interface_id,
        "desired": dict(record.desired),
        "protect": record.protect,
        "password_recorded": record.password_digest is not None,
        "shop": asdict(record.shop),
        "last_error": record.last_error,
        **{name: iso_or_none(getattr(record, name)) for name in _TIMES},
    }


def record_text(record: AccountRecord, paint: Paint) -> str:
    """The same for people."""
    rest = {
        key: value
        for key, value in record_json(record).items()
        if key not in ("address", "desired", "shop", *_TIMES)
    }
    fields = [Field(key, plain(value)) for key, value in rest.items()]
    fields += [Field(name, at(getattr(record, name))) for name in _TIMES]
    return blocks_text(
        [
            fields_text(account_address(record.name), fields, paint),
            fields_text("desired", [Field(key, plain(each)) for key, each in record.desired.items()], paint),
            fields_text(
                "shop", [Field(key, plain(each)) for key, each in asdict(record.shop).items()], paint
            ),
        ]
    )


def entry_json(entry: JournalEntry) -> dict[str, Json]:
    """One object of ``state history --format json``."""
    return {
        "at": iso(entry.at),
        "who": entry.who,
        "host": entry.host,
        "action": entry.action,
        "subject": entry.subject,
        "outcome": entry.outcome,
        "detail": entry.detail,
        "commit": entry.commit,
        "plan_digest": entry.plan_digest,
    }


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


def lock_json(info: LockInfo | None) -> dict[str, Json]:
    """The object of ``lock show --format json``."""
    user, at_sign, place = (info.Who if info else "").rpartition("@")
    who, host = (user, place) if at_sign else (place, "")
    return {
        "held": info is not None,
        "id": info.ID if info else None,
        "who": who or None,
        "host": host or None,
        "since": (info.Created or None) if info else None,
        "operation": info.Operation if info else None,
        "process": info.PID if info else None,
        "job": info.Job if info else None,
        "info": info.Info if info else None,
        "version": info.Version if info else None,
        "path": info.Path if info else None,
    }


def lock_text(info: LockInfo | None, paint: Paint) -> str:
    """The same for people."""
    if info is None:
        return NOBODY
    shown = lock_json(info)
    names = ("who", "host", "since", "operation", "info", "process", "job", "version", "path", "id")
    return fields_text("The writer lock is held", [Field(key, plain(shown[key])) for key in names], paint)


def broken_text(info: LockInfo, paint: Paint) -> str:
    """What ``force-unlock`` did."""
    return f"{paint(Tone.CHANGE, 'Broken')}: {printable(str(info))}\n"
