"""The accounts grid, one account in full, and credential checks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec

from ekomi_reconcile.model import account as accounts
from ekomi_reconcile.model import keys
from ekomi_reconcile.model.document import Count, JsonObject, Time, counts_of, from_records, one_of
from ekomi_reconcile.model.invitation import Status
from ekomi_reconcile.model.review import ShopData
from ekomi_reconcile.model.rule import Deliver, InvitationRule
from ekomi_reconcile.model.sender import sms_sender_fault
from ekomi_reconcile.render import tables

LAYOUT: tables.Layout = (
    (tables.Column("ID", right=True),),
    (tables.Column("Name", whole=False), tables.Column("Account name", whole=False)),
    (tables.Column("Interface ID"), tables.Column("Locale")),
    (tables.Column("Total reviews", right=True), tables.Column("Average score", right=True)),
    (tables.Column("Invitations"), tables.Column("Queue")),
    (tables.Column("Updated (UTC)"), tables.Column("Last fetched (UTC)")),
)

_TONES = {
    accounts.Credential.OK: tables.Tone.ADD,
    accounts.Credential.WRONG: tables.Tone.REMOVE,
    accounts.Credential.UNCHECKED: tables.Tone.CHANGE,
    accounts.Credential.UNRESOLVED: tables.Tone.CHANGE,
}


class QueueEntry(JsonObject, frozen=True):
    """How many invitations an account has, in all and pending."""

    total: Count
    pending: Count


class AccountEntry(JsonObject, frozen=True):
    """An account as last applied, with what the last sync brought."""

    id: Count
    name: str
    account_name: str | None
    interface_id: str
    locale: str | None
    total_reviews: Count | None
    average_score: float | None
    invitations: bool
    queue: QueueEntry
    updated_at: Time
    last_fetched_at: Time | None
    last_error: str | None


def queue_json(queue: Mapping[Status, int]) -> QueueEntry:
    """The two counters of the grid."""
    return QueueEntry(total=sum(queue.values()), pending=queue.get(Status.PENDING, 0))


def grid_json(row: accounts.GridRow) -> AccountEntry:
    """One object of ``accounts list --format json``."""
    return from_records(
        AccountEntry,
        row.account,
        row.account.shop,
        invitations=row.account.invites,
        queue=queue_json(row.queue),
    )


def grid_row(row: accounts.GridRow) -> tables.Row:
    """One line of the grid; the queue is written total/pending."""
    account, shop, queue = row.account, row.account.shop, queue_json(row.queue)
    return (
        tables.cell(account.id),
        tables.cell(account.name),
        tables.cell(shop.account_name),
        tables.cell(account.interface_id),
        tables.cell(shop.locale),
        tables.cell(shop.total_reviews),
        tables.cell(shop.average_score),
        tables.Cell("yes", tables.Tone.ADD) if row.account.invites else tables.Cell("no", tables.Tone.FAINT),
        tables.Cell(f"{queue.total}/{queue.pending}"),
        tables.time_cell(account.updated_at),
        tables.time_cell(account.last_fetched_at),
    )


def troubles(rows: Iterable[accounts.GridRow], paint: tables.Paint) -> Iterator[str]:
    """One line for every account whose last call failed."""
    for row in rows:
        if row.account.last_error:
            name, error = tables.printable(row.account.name), tables.printable(row.account.last_error)
            yield f"{paint(tables.Tone.REMOVE, 'failed')}: {name}: {error}\n"


def checked_text(each: accounts.Checked, paint: tables.Paint) -> str:
    """``Germany (28374): ok``, or what is wrong, on one line."""
    verdict = paint(_TONES[each.verdict], each.verdict.value)
    why = "" if each.message is None else f": {tables.printable(each.message)}"
    return f"{tables.printable(each.name)} ({each.interface_id}): {verdict}{why}\n"


class CheckedEntry(JsonObject, frozen=True):
    """The result of a check of an account's credentials."""

    account: str
    interface_id: str
    result: Annotated[str, one_of(each.name.lower() for each in accounts.Credential)]
    message: str | None
    hint: str | None


def checked_json(each: accounts.Checked) -> CheckedEntry:
    """One object of ``accounts check --format json``."""
    return CheckedEntry(
        account=each.name,
        interface_id=each.interface_id,
        result=each.verdict.name.lower(),
        message=each.message,
        hint=each.hint,
    )


EKOMI = "eKomi"
STATE = "state"
"""Origins: imported by a sync; only the state still knows it, the files do not."""

_GROUPS = ("links", "invitations")
_NAMES = {
    "id": "ID",
    "interface_id": "Interface ID",
    "logo_url": "Logo",
    "certificate_id": "Certificate ID",
    "created_at": "Created",
    "updated_at": "Updated",
    "deleted_at": "Deleted",
    "last_fetched_at": "Last fetched",
    "last_import_at": "Last import",
    "last_full_import_at": "Last full import",
}
_SHOP = ("account_name", "locale", "active", "logo_url", "review_page", "certificate_id")
_TIMES = (
    "created_at",
    "updated_at",
    "deleted_at",
    "last_fetched_at",
    "last_import_at",
    "last_full_import_at",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountDetail:
    """One account: ``record`` is absent before it is applied, ``written`` once it is not in the files.

    ``origins`` tells by key path where a value of the files comes from.
    """

    record: accounts.AccountRecord | None
    written: accounts.Account | None
    origins: Mapping[str, str]
    queue: Mapping[Status, int]

    @property
    def name(self) -> str:
        """The name in the files, else the one last applied."""
        if self.written is not None:
            return self.written.name
        return self.record.name if self.record is not None else ""

    @property
    def shop(self) -> ShopData:
        """What the last sync brought."""
        return self.record.shop if self.record is not None else ShopData()


@dataclass(frozen=True, slots=True)
class Setting:
    """An effective value and where it comes from; ``applied`` only where the state has another one."""

    key: str
    value: accounts.Json
    origin: str | None
    applied: accounts.Json = None
    differs: bool = False


def settings(detail: AccountDetail) -> Iterator[Setting]:
    """All settings in the order of the files; links that the files leave out are eKomi's."""
    applied = _flat(detail.record.desired) if detail.record is not None else None
    wanted = _flat(detail.written.canonical()) if detail.written is not None else applied or {}
    for key, value in wanted.items():
        if value is None and key == "links.webshop_url" and detail.shop.webshop_url:
            yield Setting(key, detail.shop.webshop_url, EKOMI)
            continue
        before = value if applied is None else applied.get(key)
        origin = detail.origins.get(key) if detail.written is not None else STATE
        yield Setting(key, value, origin, before, before != value)


def senders(detail: AccountDetail) -> Iterator[SenderEntry]:
    """The sender that customers see, by channel, as the files have it now; a link has none."""
    rule = detail.written.invitations if detail.written is not None else InvitationRule()
    if detail.written is None and detail.record is not None:
        rule = keys.build(InvitationRule, _sending(detail.record.desired["invitations"]))
    for channel in rule.channels:
        if channel is not Deliver.LINK:
            yield _sender(channel, rule, detail.shop.account_name)


def _sending(recorded: Mapping[str, accounts.Json]) -> dict[str, accounts.Json]:
    return {name: recorded[name] for name in ("deliver", "sender") if name in recorded}


def _sender(channel: Deliver, rule: InvitationRule, shop_name: str | None) -> SenderEntry:
    sent = rule.sender_name(channel, shop_name)
    email = rule.sender.email if channel is Deliver.EKOMI_EMAIL else None
    if rule.sender.name is not None:
        return SenderEntry(channel, sent, email, "sender.name")
    if channel is Deliver.EKOMI_EMAIL or sent is not None:
        return SenderEntry(channel, shop_name, email, "the shop's name at eKomi")
    fault = None if shop_name is None else sms_sender_fault(shop_name.strip())
    why = "the shop's name at eKomi is not known before a sync"
    if fault is not None:
        why = f"eKomi's own: the shop's name at eKomi does not fit ({fault}); set sender.name"
    return SenderEntry(channel, None, None, why)


def _flat(fields: Mapping[str, accounts.Json]) -> dict[str, accounts.Json]:
    flat: dict[str, accounts.Json] = {}
    for key, value in fields.items():
        if key in _GROUPS:
            flat |= {f"{key}.{inner}": each for inner, each in value.items()}
        else:
            flat[key] = value
    return flat


class SettingEntry(JsonObject, frozen=True):
    """An effective value and where it comes from; ``applied`` only where the state has another one."""

    value: Any
    origin: str | None
    applied: Any = msgspec.UNSET


class SenderEntry(JsonObject, frozen=True):
    """The sender that customers see in one channel; without a name it is left to eKomi, for a reason."""

    channel: Deliver
    name: str | None
    email: str | None
    note: str


class ScoreEntry(JsonObject, frozen=True):
    """The figures of the last sync."""

    total_reviews: int | None
    average_score: float | None


class QueueDetail(QueueEntry, frozen=True):
    """How many invitations an account has, in all and by status."""

    by_status: Annotated[dict[str, Any], counts_of(each.value for each in Status)]


class AccountDocument(JsonObject, frozen=True):
    """One account in full: ``id`` and times are ``null`` before it is applied."""

    id: Count | None
    address: str
    in_files: bool
    in_state: bool
    account_name: str | None
    locale: str | None
    active: bool | None
    logo_url: str | None
    review_page: str | None
    certificate_id: str | None
    senders: list[SenderEntry]
    settings: dict[str, SettingEntry]
    statistics: ScoreEntry
    queue: QueueDetail
    created_at: Time | None
    updated_at: Time | None
    deleted_at: Time | None
    last_fetched_at: Time | None
    last_import_at: Time | None
    last_full_import_at: Time | None
    last_error: str | None
    last_error_at: Time | None


def detail_json(detail: AccountDetail) -> AccountDocument:
    """The object of ``accounts show --format json``."""
    record, queue = detail.record, queue_json(detail.queue)
    absent = {} if record else dict.fromkeys(("id", *_TIMES, "last_error", "last_error_at"))
    return from_records(
        AccountDocument,
        record,
        detail.shop,
        **absent,
        address=accounts.account_address(detail.name),
        in_files=detail.written is not None,
        in_state=record is not None and record.deleted_at is None,
        senders=list(senders(detail)),
        settings={each.key: _setting_json(each) for each in settings(detail)},
        statistics=from_records(ScoreEntry, detail.shop),
        queue=QueueDetail(queue.total, queue.pending, _by_status(detail.queue)),
    )


def _title(key: str) -> str:
    return _NAMES.get(key) or key.replace("_", " ").capitalize()


def _setting_json(setting: Setting) -> SettingEntry:
    applied = setting.applied if setting.differs else msgspec.UNSET
    return SettingEntry(setting.value, setting.origin, applied)


def _by_status(queue: Mapping[Status, int]) -> dict[str, int]:
    return {status.value: queue.get(status, 0) for status in Status}


def detail_text(detail: AccountDetail, paint: tables.Paint) -> str:
    """The same for people."""
    shop, record = detail.shop, detail.record
    identity = [
        tables.Field("ID", tables.plain(record.id if record else None)),
        tables.Field("State", _standing(detail)),
    ]
    identity += [tables.Field(_title(key), tables.plain(getattr(shop, key)), EKOMI) for key in _SHOP]
    blocks = [
        tables.fields_text(accounts.account_address(detail.name), identity, paint),
        tables.fields_text("Settings", [_setting_field(each) for each in settings(detail)], paint),
        tables.fields_text(
            "Statistics",
            [
                tables.Field(_title(key), tables.plain(getattr(shop, key)))
                for key in ScoreEntry.__struct_fields__
            ],
            paint,
        ),
        tables.fields_text("Invitation queue", _queue_fields(detail.queue), paint),
        tables.fields_text(
            "Times",
            [tables.Field(_title(key), tables.at(getattr(record, key, None))) for key in _TIMES],
            paint,
        ),
    ]
    if seen := [_sender_field(each) for each in senders(detail)]:
        blocks.insert(2, tables.fields_text("Sender", seen, paint))
    if record is not None and record.last_error:
        blocks.append(
            tables.fields_text(
                "Last error",
                [tables.Field(tables.at(record.last_error_at), tables.plain(record.last_error))],
                paint,
            )
        )
    return tables.blocks_text(blocks)


def _sender_field(each: SenderEntry) -> tables.Field:
    address = f" <{each.email}>" if each.email else ""
    return tables.Field(each.channel.value, tables.plain(each.name) + address, each.note)


def _standing(detail: AccountDetail) -> str:
    if detail.record is None:
        return "in the files, not applied yet"
    if detail.record.deleted_at is not None:
        return "deleted"
    return "applied" if detail.written is not None else "applied, no longer in the files"


def _setting_field(setting: Setting) -> tables.Field:
    note = tables.plain(setting.origin) if setting.origin else ""
    if setting.differs:
        note += f"; applied: {tables.plain(setting.applied)}"
    return tables.Field(setting.key, tables.plain(setting.value), note)


def _queue_fields(queue: Mapping[Status, int]) -> Iterator[tables.Field]:
    yield tables.Field("total", str(sum(queue.values())))
    for status, count in _by_status(queue).items():
        yield tables.Field(status, str(count))
