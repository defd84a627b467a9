"""Errors that no single value shows: duplicates, sources, statuses, kinds of secrets."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from ipaddress import ip_address
from typing import Any, Final
from urllib.parse import urlsplit

from ekomi_reconcile.config.configuration import WrittenAccount, holds, kind_of, kinds
from ekomi_reconcile.config.diagnostics import SECRET_KEYS, did_you_mean, error, shown
from ekomi_reconcile.config.order_sources import DEFAULT_SOURCE
from ekomi_reconcile.config.source import Document, KeyPath
from ekomi_reconcile.model import instant
from ekomi_reconcile.model.diagnostic import Diagnostic
from ekomi_reconcile.model.order import status_key
from ekomi_reconcile.model.rule import Deliver, InvitationRule
from ekomi_reconcile.model.sender import SENDER_LENGTH, sms_sender_fault

_OVER: Final = {
    "canceled": "canceled",
    "cancelled": "canceled",
    "closed": "closed",
    "refunded": "closed",
    "holded": "on hold",
    "on_hold": "on hold",
    "on hold": "on hold",
    "onhold": "on hold",
    "hold": "on hold",
}
"""Statuses in which an order never gets an invitation, in Magento's spelling and others."""

_RULE_PATH: Final = ("invitations",)


def source_of(data: Mapping[str, Any], defaults: Mapping[str, Any], sources: Sequence[str]) -> str | None:
    """The order source of an account; ``None`` if it is ambiguous or does not exist."""
    wanted: str | None = data.get("orders", defaults.get("orders"))
    if wanted is not None:
        return wanted if wanted in sources else None
    if not sources or DEFAULT_SOURCE in sources:
        return DEFAULT_SOURCE
    return sources[0] if len(sources) == 1 else None


def source_problem(document: Document, sources: Sequence[str]) -> Diagnostic:
    """Why ``source_of`` found none for this account."""
    wanted = document.data.get("orders")
    if wanted is None:
        return error(
            "order-source-missing",
            "there are several order sources, and the account does not say which is its own",
            document.place(("name",)),
            path=("orders",),
            allowed=", ".join(sources),
            hint=f"add `orders: {sources[0]}`, or name one source `default`",
        )
    return unknown_source(document, ("orders",), str(wanted), sources)


def unknown_source(document: Document, path: KeyPath, wanted: str, sources: Sequence[str]) -> Diagnostic:
    """The source named at ``path`` does not exist."""
    guess = did_you_mean(wanted, sources)
    add = "add it under `orders:` in the project file"
    return error(
        "order-source-unknown",
        f"unknown order source `{wanted}`",
        document.place(path),
        path=path,
        found=shown(wanted, path),
        allowed=", ".join(sources) or "nothing: the project file has no `orders:`",
        hint=f"did you mean `{guess}`? Otherwise {add}" if guess else add,
    )


def status_problems(document: Document, path: KeyPath = ()) -> Iterator[Diagnostic]:
    """Trigger statuses of the (partial) account at ``path`` of a valid document."""
    account: Any = document.data
    for step in path:
        account = account.get(step, {})
    rule = account.get("invitations", {})
    for index, status in enumerate(rule.get("order_statuses", ())):
        if status.lower() in _OVER:
            yield _status(document, (*path, *_RULE_PATH, "order_statuses", index), status)


def ending_problems(entry: WrittenAccount) -> Iterator[Diagnostic]:
    """Statuses of an account, defaults included, that are to start the clock and to end the order."""
    rule = entry.account.invitations
    triggers = {status_key(each) for each in rule.order_statuses}
    path: KeyPath = ("invitations", "cancel_statuses")
    there = entry.origin(("invitations", "order_statuses"))
    for status in sorted(set(rule.cancel_statuses)):
        if status_key(status) in triggers:
            yield error(
                "cancel-status-is-trigger",
                f"the status {status} is in order_statuses ({there}) "
                "and in cancel_statuses: it cannot start an invitation and end it",
                entry.place(path),
                path=path,
                found=shown(status),
                allowed="statuses that are not in order_statuses",
                hint=f"remove {status} from one of the two lists",
            )


def timezone_problems(document: Document) -> Iterator[Diagnostic]:
    """The time zones of a valid project file and its order sources that are not known."""
    for where, part in (((), document.data), *_order_sources(document.data)):
        name, path = part.get("timezone"), (*where, "timezone")
        if isinstance(name, str) and not _known_zone(name):
            from zoneinfo import available_timezones

            guess = did_you_mean(name, sorted(available_timezones()))
            yield error(
                "timezone-unknown",
                f"unknown time zone `{name}`",
                document.place(path),
                path=path,
                found=shown(name),
                allowed="an IANA name, such as Europe/Berlin",
                hint=f"did you mean `{guess}`?" if guess else "write a name such as Europe/Berlin or UTC",
            )


def _known_zone(name: str) -> bool:
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def sending_time_problems(entry: WrittenAccount, timezone: str | None) -> Iterator[Diagnostic]:
    """Sending windows and pauses of an account that mean nothing, or let nothing leave for good."""
    rule = entry.account.invitations
    used = [name for name in ("send_between", "pauses") if getattr(rule, name)]
    if used and timezone is None:
        path: KeyPath = ("invitations", used[0])
        yield error(
            "timezone-missing",
            f"`{used[0]}` needs the project's time zone",
            entry.place(path, "key"),
            path=path,
            found="no `timezone` in the project file",
            allowed="an IANA name, such as Europe/Berlin",
            hint="add `timezone: Europe/Berlin`, or the zone of your customers, to the project file",
        )
    flaws = [*_window_flaws(rule), *_pause_flaws(rule)]
    yield from (_sending_time(entry, *flaw) for flaw in flaws)
    if used and not flaws and timezone is not None and _known_zone(timezone):
        yield from _never_open(entry, timezone)


def _window_flaws(rule: InvitationRule) -> Iterator[tuple[KeyPath, str, str]]:
    window = rule.send_between
    if window is not None and window.seconds[0] == window.seconds[1]:
        yield (
            ("send_between", "hours"),
            "the window never opens: it closes when it opens",
            "another closing time, such as 09:00-19:00",
        )


def _pause_flaws(rule: InvitationRule) -> Iterator[tuple[KeyPath, str, str]]:
    for index, pause in enumerate(rule.pauses):
        for key, text in (("from", pause.first), ("until", pause.last)):
            if not _is_day(text):
                yield (
                    ("pauses", index, key),
                    f"{text} is not a calendar day",
                    "a date of the calendar, such as 2026-12-24",
                )
        if pause.last < pause.first:
            yield ("pauses", index, "until"), "the pause ends before it begins", f"{pause.first} or later"


def _is_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _sending_time(entry: WrittenAccount, path: KeyPath, message: str, allowed: str) -> Diagnostic:
    whole: KeyPath = ("invitations", *path)
    value: Any = entry.document.data if holds(entry.document.data, whole) else entry.project.defaults
    for step in whole:
        value = value[step]
    return error(
        "sending-time",
        message,
        entry.place(whole),
        path=whole,
        found=shown(value),
        allowed=allowed,
        hint=f"write {allowed}",
    )


def _never_open(entry: WrittenAccount, timezone: str) -> Iterator[Diagnostic]:
    """A window that pauses close for good."""
    from ekomi_reconcile.model.sending_times import SendingTimes

    times = SendingTimes.of(entry.account.invitations, timezone)
    if times is not None and times.next_opening(instant.now()) is None:
        message = "no invitation can ever leave: the pauses leave no day of the window"
        yield _sending_time(entry, ("pauses",), message, "pauses that end")


def sender_problems(entry: WrittenAccount) -> Iterator[Diagnostic]:
    """A sender, defaults included, that text messages of the account cannot have."""
    rule = entry.account.invitations
    name = rule.sender.name
    if name is None or Deliver.EKOMI_SMS not in rule.channels:
        return
    fault = sms_sender_fault(name)
    if fault is not None:
        path: KeyPath = ("invitations", "sender", "name")
        yield error(
            "sms-sender",
            f"text messages cannot have this sender: {fault}",
            entry.place(path),
            path=path,
            found=shown(name),
            allowed=f"at most {SENDER_LENGTH} characters: letters A to Z, digits, spaces, & + - _",
            hint=f"write a shorter name, such as {_short_sender(name)}, or remove ekomi-sms from deliver",
        )


def _short_sender(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    short = " ".join(re.sub(r"[^A-Za-z0-9 &+_-]+", " ", plain).split())[:SENDER_LENGTH].strip()
    return short if sms_sender_fault(short) is None else "My Shop"


def _status(document: Document, path: KeyPath, status: str) -> Diagnostic:
    return error(
        "order-status-over",
        f"an order that is {_OVER[status.lower()]} never gets an invitation: this status cannot be a trigger",
        document.place(path),
        path=path,
        found=shown(status),
        allowed="a status of an order that goes well, such as complete",
        hint="remove it, or write the status that a delivered order has, such as complete",
    )


def secret_problems(document: Document, paths: Sequence[KeyPath]) -> Iterator[Diagnostic]:
    """Secret references at ``paths`` of a valid document whose kind is not known."""
    for path in paths:
        kind = kind_of(_at(document.data, path))
        if kind not in kinds():
            guess = did_you_mean(kind, kinds())
            yield error(
                "secret-kind",
                "this kind of secret reference is not known",
                document.place(path),
                path=path,
                allowed=", ".join(f"${{{each}:...}}" for each in kinds()),
                hint=f"did you mean `{guess}`?"
                if guess
                else "write one of the allowed kinds, or install its plug-in",
            )


def secret_paths(data: Any, path: KeyPath = ()) -> Iterator[KeyPath]:
    """The paths of all secret references in the data of a valid project file."""
    if isinstance(data, Mapping):
        for key, value in data.items():
            if path[:1] != ("defaults",):
                yield from secret_paths(value, (*path, key))
    elif isinstance(data, list):
        for index, value in enumerate(data):
            yield from secret_paths(value, (*path, index))
    elif path and path[-1] in SECRET_KEYS and isinstance(data, str):
        yield path


class Seen:
    """Names and interface ids seen so far; a second use is an error that names both places."""

    def __init__(self) -> None:
        self._first: dict[tuple[str, str], Document] = {}

    def problems(self, document: Document) -> Iterator[Diagnostic]:
        """Errors of this document, which may be invalid otherwise; then it is remembered."""
        name, number = document.data.get("name"), document.data.get("interface_id")
        if isinstance(name, str):
            yield from self._check(document, "name", name.casefold())
        if isinstance(number, str):
            yield from self._check(document, "interface_id", number)

    def _check(self, document: Document, key: str, value: str) -> Iterator[Diagnostic]:
        first = self._first.setdefault((key, value), document)
        if first is not document:
            other = first.place((key,))
            word = key.replace("_", " ")
            yield error(
                f"duplicate-{word.replace(' ', '-')}",
                f"another account has the same {word}: {other}",
                document.place((key,)),
                path=(key,),
                found=shown(document.data[key]),
                allowed=f"unique {word}s" + (" (case-insensitive)" if key == "name" else ""),
                hint="change one of the two",
            )


def _at(data: Any, path: KeyPath) -> str:
    for step in path:
        data = data[step]
    return str(data)


def plain_http_problems(document: Document) -> Iterator[Diagnostic]:
    """Addresses of a valid project file that send secrets unencrypted to another machine."""
    for path, part in _remotes(document.data):
        if part.get("allow_http") is True:
            continue
        for key in _URLS:
            url = part.get(key, "")
            if url.startswith("http://") and not is_loopback(url):
                yield error(
                    "plain-http",
                    f"`{key}` uses http://: passwords and customers' addresses would be sent unencrypted",
                    document.place((*path, key)),
                    path=(*path, key),
                    found=shown(url),
                    allowed="https://, or http:// to this machine",
                    hint=f"write https://{url.removeprefix('http://')}; in a network that you trust, add "
                    "`allow_http: true` beside it",
                )


def table_problems(document: Document) -> Iterator[Diagnostic]:
    """Keys for CSV files of a valid project file that fit no file, or each other."""
    for path, source in _order_sources(document.data):
        for key in (each for each in _TABLE if each in source and "file" not in source):
            yield _table(
                document,
                (*path, key),
                "applies to CSV files only, and this source is not a file",
                "remove it",
            )
        rows = [name for name in source.get("columns", ()) if name.startswith("items.")]
        if rows and source.get("items") != "per_row":
            hint = f"add `items: per_row`, or remove {rows[0]}"
            yield _table(document, (*path, "columns"), "has columns of items, but rows are orders", hint)


_TABLE: Final = ("columns", "decimal", "timezone", "items")


def _table(document: Document, path: KeyPath, said: str, hint: str) -> Diagnostic:
    message = f"`{path[-1]}` {said}"
    return error("order-file-columns", message, document.place(path, "key"), path=path, hint=hint)


def _order_sources(data: Mapping[str, Any]) -> Iterator[tuple[KeyPath, Mapping[str, Any]]]:
    """The order sources of a valid project file, by their path."""
    orders = data.get("orders", {})
    if any(each in orders for each in ("file", "magento")):
        yield ("orders",), orders
        return
    for name, source in orders.items():
        if isinstance(source, Mapping):
            yield ("orders", name), source


def is_loopback(url: str) -> bool:
    """Does this address lead to this machine, whatever the names of its network say?"""
    try:
        host = urlsplit(url).hostname or ""
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


_URLS: Final = ("api_url", "srr_url", "base_url")


def _remotes(data: Mapping[str, Any]) -> Iterator[tuple[KeyPath, Mapping[str, Any]]]:
    """The mappings with addresses, by their path."""
    if "ekomi" in data:
        yield ("ekomi",), data["ekomi"]
    orders = data.get("orders", {})
    if "magento" in orders and "base_url" in orders["magento"]:
        yield ("orders", "magento"), orders["magento"]
        return
    for name, source in orders.items():
        if isinstance(source, Mapping) and "magento" in source:
            yield ("orders", name, "magento"), source["magento"]
